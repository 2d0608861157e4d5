from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from airflow_dynamo_pipeline.engine.lease import SILENCE_SECONDS, Lease
from airflow_dynamo_pipeline.engine.ports import StoredObject
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    ImportFailed,
    ItemRefused,
    LeaseHeld,
    LookupRefused,
    NotFound,
    ServiceTrouble,
    StaleAttempt,
    TableChanged,
)
from airflow_dynamo_pipeline.lookup.pointer import Pointer
from airflow_dynamo_pipeline.lookup.records import LookupPlace, RunRecord, TableState
from tests.unit.lookup.load_world import (
    Item,
    LoadTable,
    LoadWorld,
    Rows,
    asked,
    lines_of,
    overwrite,
    product,
    products,
    work,
)

BEFORE = [product("b", "x"), product("c", "x"), product("d", "x")]
AFTER = [("a", "x"), ("b", "y"), ("c", "x")]
WANTED = [product("a", "x"), product("b", "y"), product("c", "x")]
PLACE = LookupPlace.of(asked(), work())
OTHER = work("dag|task|-1|other")
DENIED = AccessDenied("dynamodb:BatchWriteItem", "table/products")  # ends an attempt without more tries
GENERATIONS: dict[str, Any] = {"generation_days": 1.0, "ttl_attribute": "gone_at"}


def world(**described: Any) -> LoadWorld:
    return LoadWorld(table=LoadTable(BEFORE, **described))


def state(here: LoadWorld) -> TableState:
    return msgspec.json.decode(here.store.objects[PLACE.state_key].body, type=TableState)


def record(here: LoadWorld) -> RunRecord:
    return msgspec.json.decode(here.store.objects[PLACE.record_key].body, type=RunRecord)


def away_from(call: int) -> Any:
    """The table fails from this write on."""
    count = 0

    def before(operation: str, _body: Item) -> None:
        nonlocal count
        count += operation != "BatchGetItem"
        if count >= call:
            raise DENIED

    return before


class Gone(Rows):
    """A query that can not be run any more."""

    def __init__(self) -> None:
        super().__init__("id name", [])

    def facts(self, key_columns: Any) -> Any:
        raise AssertionError("the query was run again")


def test_a_table_equals_its_query_afterwards() -> None:
    here = world()
    source = products(*AFTER)
    result = here.load(source)

    assert WANTED == here.table.held
    assert ("new", 3, 3, True) == (result.start, result.rows, result.written, source.closed > 0)
    assert (True, PLACE.run_id) == (state(here).is_applied, state(here).run_id)
    assert (True, None) == (record(here).is_done, record(here).after_state)


def test_what_stays_is_the_record_and_every_change() -> None:
    here = world()
    result = here.load(products(*AFTER))

    folder = PLACE.key()
    names = {key.replace(folder, "<run>").split("-")[0] for key in here.keys("")}
    assert {f"<run>/changes/{name}/00000" for name in ("puts", "deletes")} <= names
    assert {PLACE.record_key, PLACE.state_key, PLACE.lease_key} <= set(here.keys(""))
    assert [] == [*here.keys("/scratch/"), *here.keys("/dry/"), *here.keys("/digests/")]
    assert PLACE.changes_uri == result.changes_uri
    assert {"a": "put", "b": "put", "d": "delete"} == {
        line["key"][0]: line["change"] for line in here.changes()
    }


def test_the_lease_is_let_go() -> None:
    here = world()
    here.load(products(*AFTER))

    assert json.loads(here.store.objects[PLACE.lease_key].body)["released"]


def test_the_query_is_closed_whatever_happens() -> None:
    here = world(status="DELETING")
    source = products(*AFTER)

    with pytest.raises(LookupRefused):
        here.load(source)
    assert 1 == source.closed


def test_the_query_is_closed_before_the_first_write(monkeypatch: pytest.MonkeyPatch) -> None:
    here, source = world(), products(*AFTER)
    closed = []
    write = here.table.write

    def look(operation: str, body: bytes) -> bytes:
        closed.append(source.closed)
        return write(operation, body)

    monkeypatch.setattr(here.table, "write", look)
    here.load(source)

    assert closed
    assert 0 not in closed


def test_a_dry_run_decides_and_writes_nothing_to_the_table() -> None:
    here = world()
    result = here.load(products(*AFTER), dry_run=True)

    assert (BEFORE, []) == (here.table.held, here.table.calls)
    assert ["delete d", "insert a", "update b"] == sorted(result.differences)
    assert {"insert a", "update b", "delete d"} <= set(here.said)
    assert 3 == len(here.changes())
    assert [] == [*here.keys("state.json"), *here.keys("lease.json"), *here.keys("run.json")]


def test_a_dry_run_does_not_wait_for_a_load_that_runs() -> None:
    here = world()
    Lease(here.store, PLACE.lease_key, "other", here.clock).acquire(here.stop, lambda _line: None)
    before = here.store.objects[PLACE.lease_key]

    here.load(products(*AFTER), dry_run=True)

    assert before == here.store.objects[PLACE.lease_key]


def test_a_load_while_another_lives_is_refused() -> None:
    here = world()
    lease = Lease(here.store, PLACE.lease_key, "other", here.clock)
    lease.acquire(here.stop, lambda _line: None)
    watched = here.clock.wait

    def wait(event: Any, seconds: float) -> bool:
        if seconds == SILENCE_SECONDS:
            lease.check()
        return watched(event, seconds)

    here.clock.wait = wait  # type: ignore[method-assign]
    with pytest.raises(LeaseHeld):
        here.load(products(*AFTER))
    assert [] == here.table.calls


def test_an_attempt_after_a_finished_one_adopts_its_result() -> None:
    here = world()
    first = here.load(products(*AFTER))
    calls = len(here.table.calls)
    second = here.load(Gone())

    assert replace(first, start="adopt") == second
    assert calls == len(here.table.calls)


def test_an_attempt_after_a_killed_one_applies_what_was_decided_without_the_query() -> None:
    here = world()
    here.table.before = away_from(2)
    with pytest.raises(AccessDenied):
        here.load(products(*((f"P{n:03}", "x") for n in range(100)), *AFTER), max_shrink=1.0)
    assert (False, False) == (state(here).is_applied, record(here).is_done)
    here.anew()

    result = here.load(Gone(), max_shrink=1.0)

    wanted = sorted([*(product(f"P{n:03}", "x") for n in range(100)), *WANTED], key=str)
    assert wanted == sorted(here.table.held, key=str)
    assert ("resume", 103, 103, 0.0) == (result.start, result.rows, result.written, result.read_units)
    assert state(here).is_applied


def test_an_attempt_after_another_run_decides_anew() -> None:
    here = world()
    here.table.before = away_from(1)
    with pytest.raises(AccessDenied):
        here.load(products(*AFTER))
    here.anew()
    here.load(products(("a", "new"), ("b", "new")), OTHER, max_shrink=1.0)

    result = here.load(products(*AFTER), max_shrink=1.0)

    assert WANTED == here.table.held
    assert ("new", 2, 1) == (result.start, result.updated, result.inserted)
    assert any("has written to the table since: anew" in line for line in here.said)


def test_a_decision_that_was_refused_is_no_decision() -> None:
    here = world()
    with pytest.raises(LookupRefused):
        here.load(products(("a", "x")))
    assert [] == [*here.keys("run.json"), *here.keys("state.json")]

    result = here.load(products(*AFTER))

    assert (WANTED, "new") == (here.table.held, result.start)
    assert 3 == len(here.changes())


def test_a_load_that_changes_nothing_writes_nothing() -> None:
    here = LoadWorld(table=LoadTable(WANTED))
    result = here.load(products(*AFTER))

    assert ([], None, 3) == (here.table.calls, result.changes_uri, result.unchanged)
    assert state(here).is_applied
    assert record(here).is_done


def test_digests_stand_for_the_table_at_the_next_load() -> None:
    here = world()
    here.load(products(*AFTER), compare="digests")
    here.table.scans.clear()

    result = here.load(products(("a", "z"), *AFTER[1:]), OTHER, compare="digests")

    assert ("digests", [], 1) == (result.compared_with, here.table.scans, result.updated)
    assert 3.0 == result.read_units
    assert [product("a", "z"), *WANTED[1:]] == here.table.held
    assert 1 == len(here.keys("/digests/"))


def test_digests_are_not_left_of_a_table_in_which_others_wrote_meanwhile() -> None:
    here = world()

    def refuse(operation: str, body: Item) -> None:
        if "zzz" in json.dumps(body):
            raise ItemRefused("BatchWriteItem on table products", "too strange")

    here.table.before = refuse
    here.load(products(*AFTER, ("zzz", "x")), compare="digests", max_rejected=1)

    assert (True, None) == (state(here).is_applied, state(here).digests)
    assert WANTED == here.table.held


def test_items_that_dynamodb_refuses_beyond_those_allowed_fail_the_load() -> None:
    here = world()

    def refuse(_operation: str, body: Item) -> None:
        if "zzz" in json.dumps(body):
            raise ItemRefused("BatchWriteItem on table products", "too strange")

    here.table.before = refuse
    with pytest.raises(ImportFailed, match="1 items were rejected"):
        here.load(products(*AFTER, ("zzz", "x")), compare="digests")
    assert not state(here).is_applied
    assert not record(here).is_done


def test_a_load_that_failed_for_its_rejects_goes_on_when_more_are_allowed() -> None:
    here = world()

    def refuse(_operation: str, body: Item) -> None:
        if "zzz" in json.dumps(body):
            raise ItemRefused("BatchWriteItem on table products", "too strange")

    here.table.before = refuse
    with pytest.raises(ImportFailed):
        here.load(products(*AFTER, ("zzz", "x")))
    here.anew()
    here.table.before = refuse

    result = here.load(Gone(), max_rejected=1)

    assert ("resume", 1, 3) == (result.start, result.refused, result.written)
    assert WANTED == here.table.held


def test_a_run_that_was_overtaken_while_it_wrote_stops_and_says_so() -> None:
    here = world()

    def overtaken(operation: str, _body: Item) -> None:
        if operation == "BatchWriteItem":
            overwrite(here.store, PLACE.state_key, here.store.objects[PLACE.state_key].body)

    here.table.before = overtaken
    with pytest.raises(StaleAttempt, match=r"another run has taken over .*state\.json"):
        here.load(products(*AFTER))


def test_a_generation_counts_once_it_is_whole() -> None:
    here = LoadWorld(table=LoadTable(ttl="gone_at"))
    counted: list[bool] = []

    def before(operation: str, _body: Item) -> None:
        if operation == "BatchWriteItem":
            counted.append(any(item["id"]["S"] == "#current" for item in here.table.held))

    here.table.before = before
    result = here.load(products(*AFTER), **GENERATIONS)

    pointer = Pointer.from_item(here.table.items[json.dumps([{"S": "#current"}])])
    assert (result.generation, 3) == (pointer.generation, pointer.rows)
    assert [False] == list(set(counted))
    assert [f"{result.generation}#{key}" for key in "abc"] == [
        item["id"]["S"] for item in here.table.held if item["id"]["S"] != "#current"
    ]


def test_a_generation_that_shrank_is_refused_by_the_rows_of_the_one_that_counts() -> None:
    here = LoadWorld(table=LoadTable(ttl="gone_at"))
    here.load(products(*AFTER), **GENERATIONS)
    before = dict(here.table.items)

    with pytest.raises(LookupRefused, match="the generation that counts 3 items"):
        here.load(products(*AFTER[:2]), OTHER, **GENERATIONS)
    assert before == here.table.items


@pytest.mark.parametrize("lost_at", ["BatchWriteItem", "PutItem"])
def test_a_generation_that_was_killed_is_gone_on_with_under_its_name(lost_at: str) -> None:
    here = LoadWorld(table=LoadTable(ttl="gone_at"))

    def before(operation: str, _body: Item) -> None:
        if operation == lost_at:
            raise DENIED

    here.table.before = before
    with pytest.raises(AccessDenied):
        here.load(products(*AFTER), **GENERATIONS)
    here.anew()

    result = here.load(Gone(), **GENERATIONS)

    pointer = Pointer.from_item(here.table.items[json.dumps([{"S": "#current"}])])
    assert ("resume", 3, 3) == (result.start, result.written, pointer.rows)
    assert (result.generation, None) == (pointer.generation, pointer.earlier)
    assert 4 == len(here.table.items)


def test_a_rejected_row_is_not_in_the_generation_and_counts_against_its_shrinking() -> None:
    here = LoadWorld(table=LoadTable(ttl="gone_at"))
    here.load(products(*AFTER), **GENERATIONS)
    bad = [(key, float("nan")) for key, _ in AFTER[1:]]

    with pytest.raises(LookupRefused, match="max_shrink"):
        here.load(products(AFTER[0], *bad), OTHER, max_rejected=2, **GENERATIONS)


def test_trouble_with_tidying_costs_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    here = world()

    def away(prefix: str) -> int:
        if here.keys("state.json"):
            raise ServiceTrouble("s3 is away")
        return 0

    monkeypatch.setattr(here.store, "abort_uploads", away)
    here.load(products(*AFTER))

    assert ["the load is complete, but work files could not be removed: s3 is away"] == here.warned
    assert record(here).is_done


def test_a_decision_on_what_another_run_left_half_done_is_made_anew_once_that_run_has_finished() -> None:
    """The other run's name is the same before and after: what it left is not."""
    here = world()
    wide, narrow = [(f"P{n}", "x") for n in range(60)], [(f"P{n}", "x") for n in range(20)]
    settings: dict[str, Any] = {"max_shrink": 1.0, "segments": 1}
    here.table.before = away_from(2)
    with pytest.raises(AccessDenied):
        here.load(products(*wide), OTHER, **settings)
    here.anew()
    here.table.before = away_from(1)
    with pytest.raises(AccessDenied):
        here.load(products(*narrow), **settings)
    lost = here.store.objects[PLACE.record_key].body
    here.anew()
    here.load(products(*wide), OTHER, **settings)
    assert lost == here.store.objects[PLACE.record_key].body

    result = here.load(products(*narrow), **settings)

    assert ("new", 40) == (result.start, result.deleted)
    assert sorted(key for key, _ in narrow) == [item["id"]["S"] for item in here.table.held]


@pytest.mark.parametrize("compare", ["digests", "table"])
@pytest.mark.parametrize("change", ["made anew", "deleted"])
def test_a_table_that_is_not_the_same_after_the_query_is_not_written_to(change: str, compare: str) -> None:
    here = world()
    here.load(products(*AFTER), compare="digests")
    calls, before = len(here.table.calls), state(here)
    source = products(("a", "z"), *AFTER[1:])

    def gone() -> Any:
        raise NotFound("table", "products")

    def changed(_row: int) -> None:
        if change == "made anew":
            here.table.describe_as(created_at="2027-01-01T00:00:00+00:00")
        else:
            here.table.describe = gone  # type: ignore[method-assign]

    source.before = changed
    with pytest.raises(TableChanged, match="deleted"):
        here.load(source, OTHER, compare=compare)

    assert (calls, before) == (len(here.table.calls), state(here))


def test_items_that_dynamodb_refused_are_told_of_and_where_they_are() -> None:
    here = world()

    def refuse(_operation: str, body: Item) -> None:
        if "zzz" in json.dumps(body):
            raise ItemRefused("BatchWriteItem on table products", "too strange")

    here.table.before = refuse
    result = here.load(products(*AFTER, ("zzz", "x")), max_rejected=1)

    assert (1, None) == (result.refused, result.rejects_uri)
    assert f"0 rejected; 1 refused by DynamoDB, see {result.refused_uri}" in result.line()
    assert result.line() in here.said
    prefix = str(result.refused_uri).removeprefix("s3://lake/")
    lines = [line for key in here.store.keys(prefix) for line in lines_of(here.store, key)]
    assert [product("zzz", "x")] == [json.loads(line["text"])["Item"] for line in lines]


def test_a_load_of_which_all_was_written_tells_of_no_refusal() -> None:
    result = world().load(products(*AFTER))

    assert (None, False) == (result.refused_uri, "refused" in result.line())


def test_a_mirror_in_place_does_not_touch_a_table_of_generations() -> None:
    here = LoadWorld(table=LoadTable(ttl="gone_at"))
    here.load(products(*AFTER), **GENERATIONS)
    before, calls = here.table.held, len(here.table.calls)

    with pytest.raises(LookupRefused, match="generation_days: table products has generations"):
        here.load(products(*AFTER), OTHER, allow_empty=True, max_shrink=1.0)

    assert (before, calls) == (here.table.held, len(here.table.calls))


def test_an_attempt_that_lost_its_lease_before_it_clears_up_drops_no_upload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They may be those of the run that took over."""
    here = world()
    asked_for: list[str] = []
    get = here.store.get

    def watched(key: str) -> StoredObject | None:
        asked_for.append(key)
        if asked_for.count(PLACE.record_key) == 2:  # the plan is looked at again, under the lease
            overwrite(here.store, PLACE.lease_key, b"{}")
        return get(key)

    monkeypatch.setattr(here.store, "get", watched)
    theirs = here.store.create(PLACE.shared("scratch", "theirs"))
    with pytest.raises(StaleAttempt):
        here.load(products(*AFTER))

    assert {theirs} == here.store.uploads
    assert ([], []) == (here.table.calls, here.keys("run.json"))


def test_an_attempt_that_lost_its_lease_before_it_tidies_drops_no_upload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = world()
    theirs = []
    put = here.store.put

    def watched(key: str, body: bytes, **more: Any) -> str:
        version = put(key, body, **more)
        if key == PLACE.record_key and record(here).is_done:
            overwrite(here.store, PLACE.lease_key, b"{}")
            theirs.append(here.store.create(PLACE.shared("scratch", "theirs")))
        return version

    monkeypatch.setattr(here.store, "put", watched)
    here.load(products(*AFTER))

    assert theirs
    assert set(theirs) == here.store.uploads
    assert any("work files could not be removed: another attempt" in line for line in here.warned)
