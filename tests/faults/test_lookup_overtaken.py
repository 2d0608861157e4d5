"""Two runs that are killed and retried in turns: what one decided on is gone once the other has written."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import LookupRefused, TableChanged
from tests.faults.conftest import Tally
from tests.faults.dynamodb.pair import texts
from tests.faults.endpoint import Killed
from tests.faults.lookup_promises import assert_digests_are_true, assert_table
from tests.faults.lookup_world import (
    GENERATIONS,
    TARGET,
    LookupWorld,
    RowsSource,
    in_small_buckets,
    items_of,
    product,
)
from tests.faults.script import Fault, Kind

WIDE = [product(number) for number in range(10)]
NARROW = WIDE[:5]
WAYS: dict[str, dict[str, Any]] = {"table": {}, "digests": {"compare": "digests"}}


def killed(world: LookupWorld, run: str, fault: Fault) -> None:
    """An attempt that dies at this fault."""
    attempt = world.load(fault, run=run)
    assert isinstance(attempt.outcome, Killed), repr(attempt.outcome)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_r5_what_was_decided_on_a_half_written_table_is_not_applied_once_it_is_whole(
    way: str, after: bool
) -> None:
    """X is killed while it writes; A decides on what X left, and is killed; X is retried and finishes."""
    with in_small_buckets():
        world = LookupWorld(WIDE, settings=WAYS[way])
        killed(world, "X", Fault(Kind.KILL, at=2, on="BatchWriteItem"))
        world.rows = NARROW
        killed(world, "A", Fault(Kind.KILL, at=1, on="BatchWriteItem", after=after))
        world.rows = WIDE
        assert "new" == world.load(run="X").result.start
        assert_table(world, items_of(WIDE))
        world.rows = NARROW

        retried = world.load(run="A")

        assert ("new", 5) == (retried.result.start, retried.result.deleted)
        assert_table(world, items_of(NARROW))
        assert_digests_are_true(world)
        assert 0 == world.load(run="B").result.written
        assert_table(world, items_of(NARROW))


def test_r5_whichever_call_the_second_run_was_killed_at_its_retry_makes_the_table_its_query(
    tally: Tally,
) -> None:
    """Most of all between its decision and its word that it writes: X still finds its own name there."""
    with in_small_buckets(spill_bytes=1_000_000):
        half = LookupWorld(WIDE)
        killed(half, "X", Fault(Kind.KILL, at=2, on="BatchWriteItem"))
        half.rows = NARROW
        named = half.copy().load(run="A").operations
        begins = {"new": 0, "resume": 0}
        for at in range(named.index("PutObject") + 1, len(named) - named[::-1].index("BatchWriteItem") + 1):
            world = half.copy()
            world.rows = NARROW
            killed(world, "A", Fault(Kind.KILL, at))
            tally(1)
            world.rows = WIDE
            begins[world.load(run="X").result.start] += 1
            world.rows = NARROW

            retried = world.load(run="A")

            assert "new" == retried.result.start, at
            assert_table(world, items_of(NARROW))
        assert all(begins.values())


@pytest.mark.parametrize("way", WAYS)
def test_r5_a_table_made_anew_while_its_query_runs_is_not_written_to(way: str) -> None:
    with in_small_buckets():
        world = LookupWorld(WIDE, settings=WAYS[way])
        world.load(run="last night")
        state = world.state

        class Remaking(RowsSource):
            def batches(self) -> Any:
                with world.aws.door() as door:
                    door.client("dynamodb").delete_table(TableName=TARGET)
                world.pass_time(60.0)
                world.aws.dynamodb.create_table(TARGET, key=world.key)
                yield from super().batches()

        source = Remaking([*WIDE, product(99)])
        attempt = world.load(source=source)

        attempt.failed(TableChanged, "deleted and made anew while")
        assert ([], []) == (attempt.writes, world.items)
        assert state == world.state
        world.rows = WIDE
        assert "new" == world.load(run="tomorrow night").result.start
        assert_table(world, items_of(WIDE))


@pytest.mark.parametrize("way", WAYS)
def test_r3_a_query_of_rows_without_keys_does_not_empty_a_table(way: str) -> None:
    with in_small_buckets():
        world = LookupWorld(WIDE, settings=WAYS[way])
        world.load(run="last night")
        world.rows = [(None, "new", 1)] * len(WIDE)

        attempt = world.load(max_rejected=len(WIDE))

        attempt.failed(LookupRefused, "none of the 10 rows of the query can become an item")
        assert [] == attempt.writes
        assert_table(world, items_of(WIDE))


def test_r3_a_mirror_in_place_deletes_no_generation_that_is_read() -> None:
    with in_small_buckets():
        world = LookupWorld(WIDE, settings=GENERATIONS)
        world.load(run="last night")
        before = texts(world.items)
        world.settings = {}

        attempt = world.load()

        attempt.failed(LookupRefused, "has generations, and ", " counts")
        assert ([], before) == (attempt.writes, texts(world.items))
