"""Blue and green: a reader sees the old generation whole or the new one whole, whatever happens to a load."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import pytest

from airflow_dynamo_pipeline.adapters.lookup_client import open_lookup
from airflow_dynamo_pipeline.errors import LookupRefused, NotFound, StaleAttempt
from airflow_dynamo_pipeline.lookup.source import Column
from tests.faults.calls import Call
from tests.faults.conftest import Tally
from tests.faults.dynamodb.pair import texts
from tests.faults.lookup_promises import assert_table, holds
from tests.faults.lookup_world import (
    GENERATIONS,
    TARGET,
    TTL,
    LookupWorld,
    Row,
    in_small_buckets,
    items_of,
    product,
)
from tests.faults.script import Fault, Kind

OLD = [product(number, "old") for number in range(8)]
NEW = [*(product(number, "new") for number in range(4, 10)), product(20)]
KEYS = sorted({str(row[0]) for row in [*OLD, *NEW]})
EFFECTS = {"PutObject", "DeleteObjects", "BatchWriteItem", "PutItem"}
Seen = dict[str, object]


@pytest.fixture(scope="module")
def loaded() -> Iterator[LookupWorld]:
    """A table whose first generation counts; tonight's query says something else."""
    with in_small_buckets(spill_bytes=1_000_000):
        world = LookupWorld(OLD, settings=GENERATIONS)
        world.load(run="last night")
        world.rows = NEW
        yield world


def as_seen(rows: list[Row]) -> Seen:
    """What a reader is told of all keys when these rows count."""
    found = {str(pk): {"pk": pk, "name": name, "price": Decimal(str(price))} for pk, name, price in rows}
    return {key: found.get(key) for key in KEYS}


def read(world: LookupWorld) -> Seen:
    """What a reader sees that was opened just now."""
    with world.aws.door() as door:
        lookup = open_lookup(
            TARGET, client=door.client("dynamodb"), key={"pk": "S"}, generations=True, clock=door.clock
        )
        found = lookup.get(KEYS)
    return {
        str(key): item and {name: value for name, value in item.items() if name != TTL}
        for key, item in found.items()
    }


def test_r1_a_reader_sees_the_rows_of_the_newest_generation(loaded: LookupWorld) -> None:
    world = loaded.copy()
    assert as_seen(OLD) == read(world)

    world.load()

    assert as_seen(NEW) == read(world)
    assert_table(world, items_of(NEW))


def test_r5_a_reader_sees_the_old_generation_or_the_new_one_before_any_call_of_a_load(
    loaded: LookupWorld, tally: Tally
) -> None:
    """And never an old one again after a new one."""
    world = loaded.copy()
    seen: list[list[str]] = []
    whole = {"old": texts(items_of(OLD)), "new": texts(items_of(NEW))}

    def look(_: Call) -> None:
        now = texts(holds(world))
        seen.append([name for name, items in whole.items() if items == now])

    attempt = world.attempt()
    with world.aws.door() as door:
        door.before = look
        attempt.through(door)

    tally(len(seen))
    flipped = seen.index(["new"])
    assert [["old"]] * flipped + [["new"]] * (len(seen) - flipped) == seen
    assert "PutItem" == attempt.operations[flipped - 1]


def test_r5_killed_at_any_call_a_reader_sees_one_generation_whole(loaded: LookupWorld, tally: Tally) -> None:
    """Which of the two, says the call that flips the pointer: heartbeats come and go between runs."""
    named = loaded.copy().load().operations
    written_down = named.index("BatchWriteItem") - 6  # what is killed before has done nothing to the table
    effects = [at for at, name in enumerate(named, start=1) if name in EFFECTS and at >= written_down]
    kills = [Fault(Kind.KILL, at, after=True) for at in effects]
    flipped = set()
    for kill in (*kills, Fault(Kind.KILL, on="PutItem"), Fault(Kind.KILL, on="PutItem", after=True)):
        world = loaded.copy()
        killed = world.load(kill)
        tally(len(killed.struck))
        has_flipped = "PutItem" in killed.operations and kill != Fault(Kind.KILL, on="PutItem")
        flipped.add(has_flipped)

        assert as_seen(NEW if has_flipped else OLD) == read(world), kill

        assert world.load().result.start in ("new", "resume", "adopt")
        assert as_seen(NEW) == read(world), kill
    assert {False, True} == flipped


def test_r5_a_first_generation_that_was_killed_is_no_empty_one(tally: Tally) -> None:
    """Before the pointer there is none: a reader says so instead of saying that nothing is in the table."""
    with in_small_buckets(spill_bytes=1_000_000):
        world = LookupWorld(NEW, settings=GENERATIONS)
        killed = world.load(Fault(Kind.KILL, 1, on="PutItem"))
        tally(len(killed.struck))
        assert len(NEW) == len(world.items)

        with pytest.raises(NotFound, match="pointer item"):
            read(world)

        world.load()
        assert as_seen(NEW) == read(world)


@pytest.mark.parametrize("kind", [Kind.REFUSE, Kind.CUT, Kind.SERVER_ERROR, Kind.THROTTLE, Kind.UNAVAILABLE])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_r5_a_flip_whose_reply_is_lost_is_one_flip(
    loaded: LookupWorld, kind: Kind, after: bool, tally: Tally
) -> None:
    world = loaded.copy()

    attempt = world.load(Fault(kind, on="PutItem", after=after, times=2))

    tally(max(1, len(attempt.struck)))
    assert attempt.result.generation is not None
    assert_table(world, items_of(NEW))


def test_r5_a_flip_that_another_load_came_before_is_refused(loaded: LookupWorld) -> None:
    """Another load, with another folder of records, flips between this one's look and its put."""
    world = loaded.copy()
    (theirs,) = [item for item in world.items if item["pk"]["S"] == "#current"]
    moved = {**theirs, "generation": {"S": "theirs"}}
    world.aws.dynamodb.before_call("PutItem", lambda: world.aws.dynamodb.put_items(TARGET, [moved]))

    attempt = world.load()

    attempt.failed(StaleAttempt, "generation theirs meanwhile", "does not count")
    assert moved in world.items


def test_r3_a_generation_of_fewer_rows_than_the_one_that_counts_is_refused(loaded: LookupWorld) -> None:
    world = loaded.copy()
    world.rows = NEW[:3]

    attempt = world.load(max_shrink=0.5)

    attempt.failed(LookupRefused, "3 rows, the generation that counts 8 items")
    assert as_seen(OLD) == read(world)


def test_r4_a_generation_without_its_rejected_rows_says_how_many_they_were(loaded: LookupWorld) -> None:
    """In a new generation nothing stays: a row that is no item is absent from it."""
    world = loaded.copy()
    world.rows = [*NEW[:-1], product(20, price=float("nan"))]

    attempt = world.load(max_rejected=1)

    assert (7, 1, 6) == (attempt.result.rows, attempt.result.rejected, attempt.result.written)
    assert as_seen(NEW[:-1]) == read(world)


def test_r1_every_item_of_a_generation_expires_with_it_and_the_pointer_does_not(loaded: LookupWorld) -> None:
    world = loaded.copy()

    attempt = world.load()

    mine = [item for item in world.items if item["pk"]["S"].startswith(str(attempt.result.generation))]
    expires = {item.get(TTL, {}).get("N") for item in mine}
    assert 1 == len(expires)
    assert None not in expires
    (pointer,) = [item for item in world.items if item["pk"]["S"] == "#current"]
    assert TTL not in pointer
    valid_until = datetime.fromisoformat(pointer["valid_until"]["S"])
    assert {str(int(valid_until.timestamp()))} == expires


@pytest.mark.parametrize("tag", ["S", "N", "B"])
def test_r1_generations_of_a_table_with_a_sort_key_are_read_by_both(tag: str) -> None:
    """Several rows of one partition key, and rows whose sort key is the pointer's own."""
    kinds = {"S": "text", "N": "number", "B": "binary"}
    sorts: dict[str, list[object]] = {"S": ["#current", "b"], "N": [0, 2], "B": [b"#current", b"b"]}
    rows = [(pk, sk, "x") for pk in ("P1", "#current", "a#b") for sk in sorts[tag]]
    columns = (Column("pk", "text"), Column("sk", kinds[tag]), Column("name", "text"))
    key = (("pk", "S"), ("sk", tag))
    world = LookupWorld([], key=key, columns=columns, settings={**GENERATIONS, "key_columns": ["pk", "sk"]})
    for night in range(2):
        world.rows = [(pk, sk, f"{name}{night}") for pk, sk, name in rows]
        world.load(run=f"night {night}")

    with world.aws.door() as door:
        lookup = open_lookup(
            TARGET, client=door.client("dynamodb"), key=dict(key), generations=True, clock=door.clock
        )
        found = lookup.get([(pk, sk) for pk, sk, _ in rows])

    assert 13 == len(world.items)
    assert {"x1"} == {item["name"] for item in found.values() if item}
    assert all(found.values())
