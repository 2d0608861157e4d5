"""The same run once more, in a world that has gone on meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.import_place import RESUME_WITHIN
from airflow_dynamo_pipeline.errors import PipelineError, TableChanged
from airflow_dynamo_pipeline.lookup.result import LookupResult
from tests.faults.attempts import BUCKET
from tests.faults.calls import Call
from tests.faults.conftest import Tally
from tests.faults.endpoint import Killed
from tests.faults.lookup_promises import (
    assert_digests_are_true,
    assert_nothing_left_over,
    assert_table,
)
from tests.faults.lookup_world import GENERATIONS, TARGET, LookupWorld, in_small_buckets, items_of, product
from tests.faults.script import Fault, Kind

OLD = [product(number, "old") for number in range(10)]
NEW = [*OLD[:3], *(product(number) for number in range(3, 7)), *(product(n) for n in range(20, 23))]
NEWER = [*NEW[1:5], *(product(number, "newer") for number in (5, 20, 30))]
WAYS: dict[str, dict[str, Any]] = {
    "table": {},
    "digests": {"compare": "digests"},
    "generations": GENERATIONS,
}


@pytest.fixture(scope="module", params=WAYS)
def loaded(request: pytest.FixtureRequest) -> Iterator[LookupWorld]:
    """A table that last night's load filled; tonight's query says something else."""
    with in_small_buckets(spill_bytes=1_000_000):
        world = LookupWorld(OLD, settings=WAYS[request.param])
        world.load(run="last night")
        world.rows = NEW
        yield world


def killed(loaded: LookupWorld, *, on: str = "BatchWriteItem", after: bool = False) -> LookupWorld:
    """A load that was killed while it wrote."""
    world = loaded.copy()
    attempt = world.load(Fault(Kind.KILL, on=on, after=after))
    assert isinstance(attempt.outcome, Killed)
    return world


def test_r5_a_retry_writes_the_rows_that_were_decided_on_and_no_mix_with_newer_ones(
    loaded: LookupWorld, tally: Tally
) -> None:
    """The query is not run again once its rows are written down."""
    world = killed(loaded, after=True)
    tally(1)
    world.rows = NEWER

    retried = world.load()

    assert "resume" == retried.result.start
    assert 0 == retried.source.queries
    assert_table(world, items_of(NEW))
    world.load(run="tomorrow night")
    assert_table(world, items_of(NEWER))


def test_r5_a_finished_run_is_adopted_and_writes_nothing_over_what_came_later(loaded: LookupWorld) -> None:
    world = loaded.copy()
    first = world.load()
    world.rows = NEWER
    world.load(run="tomorrow night")

    again = world.load()

    assert ("adopt", first.result.written) == (again.result.start, again.result.written)
    assert [] == again.writes
    assert_table(world, items_of(NEWER))


def test_r5_a_cleared_task_that_had_succeeded_loads_again(loaded: LookupWorld) -> None:
    world = loaded.copy()
    world.load()
    world.rows = NEWER

    again = world.load(generation="1")

    assert "new" == again.result.start
    assert_table(world, items_of(NEWER))


def test_r5_a_decision_of_more_than_a_day_ago_is_made_anew(loaded: LookupWorld, tally: Tally) -> None:
    world = killed(loaded, after=True)
    tally(1)
    world.pass_time((RESUME_WITHIN + timedelta(minutes=1)).total_seconds())
    world.rows = NEWER

    retried = world.load()

    assert "new" == retried.result.start
    assert_table(world, items_of(NEWER))
    assert_digests_are_true(world)


def test_r5_a_decision_about_a_table_that_was_deleted_is_made_anew(loaded: LookupWorld, tally: Tally) -> None:
    """The new table has none of the rows that were unchanged in the old one."""
    world = killed(loaded)
    tally(1)
    for item in world.items:
        world.aws.dynamodb.delete_item(TARGET, {"pk": item["pk"]})
    world.aws.dynamodb.table(TARGET).table_id = "another"

    retried = world.load()

    assert "new" == retried.result.start
    assert_table(world, items_of(NEW))
    assert_digests_are_true(world)


def made_anew_at(loaded: LookupWorld, is_then: Callable[[Call], bool]) -> None:
    """The table is deleted and made anew just before a call: no success but that of a table that is right."""
    world = loaded.copy()
    table = world.aws.dynamodb.table(TARGET)

    def make_anew(call: Call) -> None:
        if is_then(call) and table.table_id != "another":
            table.table_id = "another"
            for item in world.items:
                world.aws.dynamodb.delete_item(TARGET, {"pk": item["pk"]})

    attempt = world.attempt()
    with world.aws.door() as door:
        door.before = make_anew
        attempt.through(door)

    if isinstance(attempt.outcome, BaseException):
        assert isinstance(attempt.outcome, TableChanged), attempt.outcome
    else:
        assert_table(world, items_of(NEW))
    world.load()
    world.load(run="tomorrow night")
    assert_table(world, items_of(NEW))


@pytest.mark.parametrize("operation", ["Scan", "BatchGetItem", "BatchWriteItem"])
def test_r5_a_table_that_is_made_anew_while_it_is_read_or_written_is_no_success(
    loaded: LookupWorld, operation: str
) -> None:
    made_anew_at(loaded, lambda call: call.operation == operation)


def test_r5_a_table_that_is_made_anew_between_comparison_and_writes_is_no_success() -> None:
    """Only the changes come into the empty table."""
    with in_small_buckets(spill_bytes=1_000_000):
        made_anew_at(
            LookupWorld(NEW, items_of(OLD)),
            lambda call: call.request.path.endswith("/run.json") and call.operation == "PutObject",
        )


def test_r5_a_file_of_changes_that_was_damaged_is_never_written(loaded: LookupWorld, tally: Tally) -> None:
    """The retry names the file; a cleared task, or the next run, decides anew."""
    world = killed(loaded)
    tally(1)
    changes = [key for key in world.objects if "/changes/puts/" in key and "last" not in key]
    tonight = next(record for record in world.records if record["run"] == "tonight")
    key = tonight["changeSet"]["puts"][0]["key"]
    assert key in changes
    world.aws.s3.put(BUCKET, key, world.objects[key][:-3])

    retried = world.load()

    retried.failed(PipelineError, key.rpartition("/")[2])
    world.load(generation="1")
    assert_table(world, items_of(NEW))


def test_r5_a_file_of_changes_that_was_removed_is_no_success(loaded: LookupWorld, tally: Tally) -> None:
    world = killed(loaded)
    tally(1)
    tonight = next(record for record in world.records if record["run"] == "tonight")
    world.aws.s3.delete(BUCKET, tonight["changeSet"]["puts"][0]["key"])

    retried = world.load()

    assert isinstance(retried.outcome, PipelineError)
    world.load(generation="1")
    assert_table(world, items_of(NEW))


@pytest.mark.parametrize("mode", ["upsert", "insert_only", "update_existing"])
def test_r5_killed_at_any_write_of_any_mode_the_retry_counts_each_row_once(mode: str, tally: Tally) -> None:
    wanted = {
        "upsert": [*NEW, *OLD[7:]],
        "insert_only": [*OLD, *NEW[7:]],
        "update_existing": [*NEW[:7], *OLD[7:]],
    }[mode]
    with in_small_buckets(spill_bytes=1_000_000):
        operation = "BatchWriteItem" if mode == "upsert" else "PutItem"
        fresh = LookupWorld(NEW, items_of(OLD), settings={"mode": mode})
        undisturbed = fresh.copy().load()
        for at in range(1, undisturbed.operations.count(operation) + 1):
            for after in (False, True):
                world = fresh.copy()
                tally(len(world.load(Fault(Kind.KILL, at, on=operation, after=after)).struck))

                retried = world.load()

                assert_table(world, items_of(wanted))
                told = retried.result
                assert (undisturbed.result.written, 0) == (told.written, told.conflicted), (at, after)
                assert_nothing_left_over(world)


def test_r5_killed_with_rejected_rows_each_is_still_told_of_once(tally: Tally) -> None:
    """Also what the killed attempt wrote down before it decided."""
    with in_small_buckets(spill_bytes=1_000_000):
        fresh = LookupWorld([*NEW[:5], product(50, price=float("nan")), *NEW[5:]], items_of(OLD))
        calls = fresh.copy().load(max_rejected=1).calls
        writes_rejects = next(n for n, call in enumerate(calls, start=1) if "/rejects/" in call.request.path)
        before = [Fault(Kind.KILL, at, after=True) for at in (writes_rejects, writes_rejects + 5)]
        written = [Fault(Kind.KILL, at, on="BatchWriteItem", after=True) for at in (1, 3)]
        applied = Fault(Kind.KILL, 2, on="PutObject", after=True, path="/state.json")
        done = Fault(Kind.KILL, 2, on="PutObject", after=True, path="/run.json")
        for fault in (*before, *written, applied, done):
            world = fresh.copy()
            killed = world.load(fault, max_rejected=1)
            assert [fault] == killed.struck
            tally(1)

            retried = world.load(max_rejected=1)

            assert (fault is done) == (retried.result.start == "adopt")
            assert 1 == retried.result.rejected
            assert [6] == list(world.rejects)
            assert_table(world, items_of(NEW))
            if fault is not done:  # its result was there: the retry adopts it, and clears nothing up
                assert_nothing_left_over(world)


def test_r5_what_others_change_while_a_load_compares_is_put_right_by_the_next(loaded: LookupWorld) -> None:
    """Between comparison and writes: this load writes what it decided, the next one compares anew."""
    world = loaded.copy()
    stranger = items_of([product(99, "theirs")])

    def others(call: Call) -> None:
        if call.operation == "BatchWriteItem":
            world.aws.dynamodb.put_items(TARGET, stranger)

    attempt = world.attempt()
    with world.aws.door() as door:
        door.before = others
        attempt.through(door)

    assert isinstance(attempt.outcome, LookupResult)
    if "generation_days" not in world.settings:
        assert_table(world, [*items_of(NEW), *stranger])
    world.load(run="tomorrow night", full_compare_days=0)
    assert_table(world, items_of(NEW))
