"""A table of generations is read by its pointer, and never through a generation that has expired."""

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.errors import InvalidSetting, NotFound, UnexpectedReply
from airflow_dynamo_pipeline.lookup.pointer import GenerationExpired, Pointer, pointer_key
from tests.clock import EPOCH, ManualClock
from tests.unit.lookup.lookup_tables import BY_PRODUCT, TABLE, FakeTable, lookup_of, products

LATER = EPOCH + timedelta(days=1)


def pointer(generation: str, *, expires_at: datetime = LATER, earlier: str | None = None) -> Pointer:
    return Pointer(generation, 2, EPOCH, expires_at, earlier)


def table_with(current: Pointer, *names: str) -> FakeTable:
    return FakeTable(BY_PRODUCT, [current.to_item(BY_PRODUCT), *products(*names)])


def test_keys_are_looked_up_in_the_generation_that_counts() -> None:
    table = table_with(pointer("g2"), "g1#P1", "g2#P2", "P3")

    assert {"P1": False, "P2": True, "P3": False} == lookup_of(table, generations=True).contains(
        ["P1", "P2", "P3"]
    )
    assert ["g2#P1", "g2#P2", "g2#P3"] == table.asked()


def test_items_have_the_key_that_was_asked_for() -> None:
    table = table_with(pointer("g1"), "g1#P#1")

    assert {"P#1": {"product_id": "P#1"}} == lookup_of(table, generations=True).get(["P#1"])


def test_the_pointer_is_read_consistently_and_believed_for_its_time() -> None:
    clock, table = ManualClock(), table_with(pointer("g1"))
    lookup = lookup_of(table, clock, generations=True, pointer_ttl_seconds=30)

    lookup.contains(["P1"])
    clock.advance(29)
    lookup.contains(["P1"])
    assert [["#current"], ["g1#P1"]] == [table.asked(0), table.asked(1)]
    assert table.requests[0]["RequestItems"][TABLE]["ConsistentRead"]
    assert 2 == len(table.requests) == lookup.stats.calls
    clock.advance(1)
    lookup.contains(["P1"])
    assert ["#current"] == table.asked(2)


def test_answers_of_the_generation_before_are_dropped_when_the_pointer_changes() -> None:
    clock, table = ManualClock(), table_with(pointer("g1"), "g1#P1", "g2#P2")
    lookup = lookup_of(table, clock, generations=True, ttl_seconds=3600, negative_ttl_seconds=3600)
    assert {"P1": True, "P2": False} == lookup.contains(["P1", "P2"])

    table.put(pointer("g2", earlier="g1").to_item(BY_PRODUCT))
    clock.advance(31)

    assert {"P2": True} == lookup.contains(["P2"])
    assert 1 == len(lookup._cache)
    assert "P1" not in lookup


def test_a_pointer_that_names_the_same_generation_leaves_the_answers() -> None:
    clock, table = ManualClock(), table_with(pointer("g1"), "g1#P1")
    lookup = lookup_of(table, clock, generations=True)
    lookup.contains(["P1"])

    clock.advance(31)
    lookup.contains(["P1"])

    assert ["#current"] == table.asked()


def test_one_question_is_answered_from_one_generation() -> None:
    clock = ManualClock()
    table = table_with(pointer("g1"), *(f"g1#P{number}" for number in range(250)))

    def flip(call: int) -> None:
        if call == 2:  # while the first hundred is asked for
            table.put(pointer("g2").to_item(BY_PRODUCT))
            clock.advance(31)

    table.before = flip
    found = lookup_of(table, clock, generations=True).contains([f"P{number}" for number in range(250)])

    assert all(found.values())


def test_without_a_pointer_nothing_is_answered() -> None:
    with pytest.raises(NotFound, match="no such pointer item: #current in table product_lookup\nHINT: load"):
        lookup_of(FakeTable(BY_PRODUCT, products("P1")), generations=True).contains(["P1"])


def test_an_expired_generation_answers_nothing_even_what_is_kept() -> None:
    clock, table = ManualClock(), table_with(pointer("g1", expires_at=EPOCH + timedelta(seconds=10)), "g1#P1")
    lookup = lookup_of(table, clock, generations=True)
    assert {"P1": True, "P2": False} == lookup.contains(["P1", "P2"])

    clock.advance(10)

    with pytest.raises(GenerationExpired, match="generation g1 of table product_lookup expired at 2026"):
        lookup.contains(["P1"])
    table.put(pointer("g2").to_item(BY_PRODUCT), *products("g2#P2"))
    assert {"P1": False, "P2": True} == lookup.contains(["P1", "P2"])


def test_a_generation_that_expires_while_it_is_asked_answers_nothing() -> None:
    clock, table = ManualClock(), table_with(pointer("g1", expires_at=EPOCH + timedelta(seconds=10)))
    table.before = lambda call: clock.advance(5)  # the pointer in time, the keys not
    lookup = lookup_of(table, clock, generations=True)

    with pytest.raises(GenerationExpired):
        lookup.contains(["P1"])

    assert 2 == len(table.requests)
    assert 0 == len(lookup._cache)


def test_a_key_that_is_too_long_with_its_generation_is_never_sent() -> None:
    table = table_with(pointer("g1"))
    lookup = lookup_of(table, generations=True)

    assert {"x" * 2046: False} == lookup.contains(["x" * 2046])
    assert 1 == len(table.requests)
    lookup.contains(["x" * 2045])
    assert 2 == len(table.requests)


def test_the_partition_key_of_a_table_of_generations_is_text() -> None:
    with pytest.raises(InvalidSetting, match="type S"):
        lookup_of(FakeTable([KeyAttribute("id", "N")]), generations=True)


@pytest.mark.parametrize(
    ("tag", "held", "sort_key", "given"),
    [("S", "#current", "a", "a"), ("N", "0", "7", 7), ("B", b"#current", b"\x01", b"\x01")],
)
def test_the_pointer_of_a_table_with_a_sort_key_is_found(
    tag: str, held: Any, sort_key: Any, given: Any
) -> None:
    key = (KeyAttribute("id", "S"), KeyAttribute("at", tag))
    current = {**pointer("g1").to_item(key), "at": {tag: held}}  # boto3 has bytes where JSON has base64
    table = FakeTable(key, [current, {"id": {"S": "g1#P1"}, "at": {tag: sort_key}}])

    assert {("P1", given): True} == lookup_of(table, generations=True).contains([("P1", given)])


def test_a_pointer_comes_back_as_it_was_written() -> None:
    for written in (pointer("g2", earlier="g1"), pointer("g1")):
        assert written == Pointer.from_item(written.to_item(BY_PRODUCT))
    assert {
        "product_id": {"S": "#current"},
        "generation": {"S": "g1"},
        "rows": {"N": "2"},
        "loaded_at": {"S": "2026-01-02T03:04:05+00:00"},
        "valid_until": {"S": "2026-01-03T03:04:05+00:00"},
    } == pointer("g1").to_item(BY_PRODUCT)


def test_the_key_of_a_pointer_in_binary_is_base64_as_json_has_it() -> None:
    key = [KeyAttribute("id", "S"), KeyAttribute("at", "B")]

    assert {"id": {"S": "#current"}, "at": {"B": "I2N1cnJlbnQ="}} == pointer_key(key)


@pytest.mark.parametrize("name", ["", "a#b"])
def test_a_generation_has_a_name_that_ends_where_the_key_begins(name: str) -> None:
    with pytest.raises(InvalidSetting):
        pointer(name)


@pytest.mark.parametrize(
    ("attribute", "held", "said"),
    [
        ("generation", None, "has no generation of type S"),
        ("generation", {"N": "1"}, "has no generation of type S"),
        ("generation", {"S": "a#b"}, "names the generation 'a#b'"),
        ("rows", {"N": "1.5"}, "has rows '1.5', not a whole number"),
        ("valid_until", {"N": "2026"}, "has no valid_until of type S"),
        ("valid_until", {"S": "never"}, "not an instant"),
        ("loaded_at", {"S": "yesterday"}, "not an instant"),
    ],
)
def test_a_pointer_that_cannot_be_read_says_why(attribute: str, held: Any, said: str) -> None:
    item = pointer("g1").to_item(BY_PRODUCT)
    broken = {name: value for name, value in item.items() if name != attribute}

    with pytest.raises(UnexpectedReply, match=said):
        Pointer.from_item(broken if held is None else {**broken, attribute: held})


def test_an_expiry_survives_pickling() -> None:
    with pytest.raises(GenerationExpired) as raised:
        pointer("g1", expires_at=EPOCH).refuse_if_expired(datetime.now(UTC), TABLE)

    again = pickle.loads(pickle.dumps(raised.value))
    assert (GenerationExpired, str(raised.value)) == (type(again), str(again))
