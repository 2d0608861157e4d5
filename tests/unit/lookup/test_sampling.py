from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    PipelineError,
    ServiceTrouble,
    Stopped,
    Throttled,
    UnexpectedReply,
)
from airflow_dynamo_pipeline.lookup.sampling import MOST_KEYS
from tests.clock import ManualClock
from tests.unit.lookup.load_world import QUICK, TABLE, Item, LoadTable, LoadWorld, prints_of, product


def world(*items: Item, **more: object) -> LoadWorld:
    return LoadWorld(table=LoadTable(items, **more), clock=ManualClock())


def keys(*names: str) -> list[bytes]:
    return [json.dumps({"id": {"S": name}}).encode() for name in names]


def failing(*errors: PipelineError) -> Callable[[str, Item], None]:
    """Raise these, one at each call."""
    left = list(errors)

    def before(_operation: str, _body: Item) -> None:
        if left:
            raise left.pop(0)

    return before


def test_items_that_are_as_they_were_printed_do_not_differ() -> None:
    items = [product("a", "x"), {"id": {"S": "b"}, "n": {"N": "1.50"}, "s": {"SS": ["y", "x"]}}]
    printed = prints_of(items[0], {"id": {"S": "b"}, "n": {"N": "1.5"}, "s": {"SS": ["x", "y"]}})

    assert 0 == world(*items).read_back().differing(printed)


def test_what_is_gone_and_what_is_other_differs() -> None:
    table = world(product("a", "x"), product("b", "changed"))

    assert 2 == table.read_back().differing(
        prints_of(product("a", "x"), product("b", "x"), product("gone", "x"))
    )


def test_items_with_number_and_binary_keys_are_read_back() -> None:
    schema = (KeyAttribute("n", "N"), KeyAttribute("b", "B"))
    items: list[Item] = [{"n": {"N": str(n)}, "b": {"B": "AAH/"}, "v": {"S": "x"}} for n in (-1, 0, 12)]

    assert 0 == world(*items, schema=schema).read_back().differing(prints_of(*items, key=schema))


def test_no_call_asks_for_more_keys_than_dynamodb_takes() -> None:
    items = [product(f"P{n}") for n in range(250)]
    table = world(*items)

    assert 0 == table.read_back().differing(prints_of(*items))
    assert [100, 100, 50] == [len(asked["RequestItems"][TABLE]["Keys"]) for asked in table.table.gets]
    assert 100 == MOST_KEYS


def test_items_are_read_consistently() -> None:
    table = world(product("a"))
    table.read_back().items(keys("a"))

    (asked,) = table.table.gets
    assert True is asked["RequestItems"][TABLE]["ConsistentRead"]
    assert "TOTAL" == asked["ReturnConsumedCapacity"]


def test_items_that_are_not_there_are_left_out() -> None:
    found = world(product("a", "x")).read_back().items(keys("a", "b"))

    assert [product("a", "x")] == [json.loads(bytes(item)) for item in found]


def test_items_are_found_under_whatever_name_the_reply_gives_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = world(product("a"))
    get = here.table.get
    by_arn = b'"arn:aws:dynamodb:eu-west-1:111122223333:table/products":'
    monkeypatch.setattr(here.table, "get", lambda body: get(body).replace(b'"products":', by_arn))

    assert 1 == len(here.read_back().items(keys("a")))


def test_keys_that_were_not_processed_are_asked_for_again() -> None:
    table = world(*(product(f"P{n}") for n in range(5)))
    table.table.unprocessed = lambda number: {1: 3, 2: 1}.get(number, 0)

    found = table.read_back().items(keys(*(f"P{n}" for n in range(5))))

    assert {f"P{n}" for n in range(5)} == {json.loads(bytes(item))["id"]["S"] for item in found}
    assert 5 == len(found)
    assert [5, 3, 1] == [len(asked["RequestItems"][TABLE]["Keys"]) for asked in table.table.gets]
    assert "3 keys of products were not processed; trying again" == table.warned[0]


def test_a_call_that_fails_for_a_moment_is_made_again() -> None:
    table = world(product("a"))
    table.table.before = failing(Throttled("slow down"), ServiceTrouble("away"))

    assert 1 == len(table.read_back().items(keys("a")))
    assert 2 == len(table.warned)


def test_a_call_that_is_denied_is_not_made_again() -> None:
    table = world(product("a"))
    table.table.before = failing(AccessDenied("dynamodb:BatchGetItem", "table/products"))

    with pytest.raises(AccessDenied, match="BatchGetItem"):
        table.read_back().items(keys("a"))
    assert [] == table.warned


def test_a_stop_ends_the_tries() -> None:
    table = world(product("a"))

    def before(_operation: str, _body: Item) -> None:
        table.stop.set()
        raise ServiceTrouble("away")

    table.table.before = before
    with pytest.raises(Stopped):
        table.read_back().items(keys("a"))


def test_a_reply_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    table = world()
    monkeypatch.setattr(table.table, "get", lambda _body: b'{"Responses": 5}')

    with pytest.raises(UnexpectedReply, match="BatchGetItem cannot be read"):
        table.read_back().items(keys("a"))


def test_what_was_consumed_is_paid_to_the_throttle() -> None:
    table = world(*(product(f"P{n}") for n in range(7)))
    clock = ManualClock()
    throttle = Throttle(QUICK, clock, table.stop)

    table.read_back(clock=clock, throttle=throttle).items(keys(*(f"P{n}" for n in range(7))))

    assert 7.0 == throttle.consumed


def test_reads_wait_for_their_turn() -> None:
    items = [product(f"P{n:03}") for n in range(300)]
    table = world(*items)
    clock = ManualClock()
    began = clock.monotonic()

    table.read_back(clock=clock, throttle=Throttle(10.0, clock, table.stop)).differing(prints_of(*items))

    assert 20.0 <= clock.monotonic() - began <= 31.0
