"""Two attempts at one range, one plan or one commit: the first sleeps at any of its calls."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.errors import LeaseHeld, PipelineError
from tests.faults.attempts import items
from tests.faults.conftest import Tally
from tests.faults.import_backups import files
from tests.faults.import_range_attempts import (
    Doing,
    Worker,
    assert_committed_once,
    commit_of,
    committing,
    plan_of,
    planning,
    range_of,
    ranging,
    sleeping,
    whole_records,
)
from tests.faults.import_world import (
    KEPT,
    ImportWorld,
    accounts,
    assert_checkpoints_are_true,
    assert_table,
)
from tests.faults.points import some_of

pytestmark = pytest.mark.usefixtures("small_steps")
ITEMS = items(10)
LAID = files([*ITEMS[:3], "no JSON", *ITEMS[3:6]], ITEMS[6:])
REJECTS = [("given/part-0.json", 4)]
ACCOUNTS = accounts(11, rejected=1)
SETTINGS: dict[str, Any] = {"max_rejected": 1, "units_per_second": 24.0}
Parts = tuple[RangeWork, ...]


def planned() -> tuple[ImportWorld, Parts]:
    world = ImportWorld(LAID)
    return world, planning(world, ranges=2, **SETTINGS)


def accounts_of(result: Any) -> dict[str, int]:
    assert isinstance(result, ImportResult), repr(result)
    return {name: result.to_json()[name] for name in KEPT}


def assert_whole(world: ImportWorld) -> None:
    assert_table(world, ITEMS)
    assert REJECTS == world.rejects
    (record,) = whole_records(world)
    assert ACCOUNTS == {name: record["result"][name] for name in KEPT}


def calls_of(doing: Doing, world: ImportWorld) -> int:
    return len(Worker(world, doing, SETTINGS).run().calls)


def bad_range(parts: Parts) -> RangeWork:
    """The range of the file with the bad line: the first."""
    return parts[0]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_i1_i2_a_stale_attempt_at_a_range_that_wakes_after_the_commit_changes_nothing(
    after: bool, tally: Tally
) -> None:
    world, parts = planned()
    for at in some_of(range(1, calls_of(range_of(bad_range(parts)), world) + 1)):
        world, parts = planned()
        stale = sleeping(world, range_of(bad_range(parts)), at, after=after, **SETTINGS)
        ranges = [ranging(world, part, **SETTINGS) for part in parts]
        assert [7, 4] == [accounts_of(one)["read"] for one in ranges], at
        assert ACCOUNTS == accounts_of(committing(world, parts[1], **SETTINGS)), at
        records = world.records

        woken = stale.wake(asleep=0.0 if at % 2 else 30.0)

        tally(len(woken.struck))
        assert_whole(world)
        assert records == world.records, at
        if isinstance(woken.outcome, BaseException):
            assert isinstance(woken.outcome, PipelineError), at
        else:
            assert accounts_of(woken.outcome) in (accounts_of(ranges[0]), ACCOUNTS), at


def test_i1_i2_two_attempts_at_a_range_in_every_interleaving_count_it_once(tally: Tally) -> None:
    """The second attempt ends while the first sleeps, and the first wakes before the commit."""
    world, parts = planned()
    for at in some_of(range(1, calls_of(range_of(bad_range(parts)), world) + 1)):
        world, parts = planned()
        stale = sleeping(world, range_of(bad_range(parts)), at, after=False, **SETTINGS)
        for part in parts:
            ranging(world, part, **SETTINGS)
        tally(len(stale.wake(asleep=30.0 if at % 2 else 0.0).struck))
        assert_checkpoints_are_true(world)

        assert ACCOUNTS == accounts_of(committing(world, parts[0], **SETTINGS)), at

        assert_whole(world)
        assert_committed_once(world, 2)


def test_i1_i2_a_range_taken_over_by_a_third_attempt_is_counted_once(tally: Tally) -> None:
    world, parts = planned()
    count = calls_of(range_of(bad_range(parts)), world)
    for first in range(count // 3, count + 1, 4):
        world, parts = planned()
        sleeper = sleeping(world, range_of(bad_range(parts)), first, after=True, **SETTINGS)
        rival = sleeping(world, range_of(bad_range(parts)), count - 9, after=False, minute=1, **SETTINGS)
        struck = len(sleeper.wake().struck)
        struck += len(rival.wake().struck)
        assert_checkpoints_are_true(world)

        for part in parts:
            ranging(world, part, **SETTINGS)
        committing(world, parts[0], **SETTINGS)

        tally(struck)
        assert_whole(world)
        assert_committed_once(world, 2)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_i1_two_commits_at_once_finish_the_import_once(after: bool, tally: Tally) -> None:
    def ready() -> tuple[ImportWorld, Parts]:
        world, parts = planned()
        for part in parts:
            ranging(world, part, **SETTINGS)
        return world, parts

    world, parts = ready()
    for at in some_of(range(1, calls_of(commit_of(parts[0]), world) + 1)):
        world, parts = ready()
        slow = sleeping(world, commit_of(parts[0]), at, after=after, **SETTINGS)
        assert ACCOUNTS == accounts_of(committing(world, parts[1], **SETTINGS))
        (record,) = whole_records(world)

        woken = slow.wake()

        tally(len(woken.struck))
        assert [record] == whole_records(world), at
        if not isinstance(woken.outcome, LeaseHeld):
            assert ACCOUNTS == accounts_of(woken.outcome), at
        assert_whole(world)
        assert_committed_once(world, 2)


def test_i1_i2_a_plan_that_sleeps_while_another_is_made_and_done_changes_nothing(tally: Tally) -> None:
    for at in some_of(range(1, calls_of(plan_of(2), ImportWorld(LAID)) + 1)):
        world = ImportWorld(LAID)
        slow = sleeping(world, plan_of(2), at, after=False, **SETTINGS)
        parts = planning(world, ranges=2, **SETTINGS)
        for part in parts:
            ranging(world, part, **SETTINGS)
        committing(world, parts[0], **SETTINGS)

        woken = slow.wake()

        tally(len(woken.struck))
        if not isinstance(woken.outcome, LeaseHeld):
            assert {parts[0].id} == {part.id for part in woken.outcome}, at
        assert_whole(world)
        assert_committed_once(world, 2)


def test_i1_a_commit_while_a_range_still_runs_is_refused_and_changes_nothing(tally: Tally) -> None:
    world, parts = planned()
    calls = Worker(world, range_of(parts[1]), SETTINGS).run().operations
    writes = [at for at, call in enumerate(calls, start=1) if call == "BatchWriteItem"]
    for at in writes:
        world, parts = planned()
        ranging(world, parts[0], **SETTINGS)
        running = sleeping(world, range_of(parts[1]), at, after=True, **SETTINGS)
        before = world.objects

        refused = committing(world, parts[0], **SETTINGS)

        assert ["range 1"] == [problem.where for problem in refused.problems]
        assert before == world.objects
        woken = running.wake()
        tally(len(woken.struck))
        assert 4 == accounts_of(woken.outcome)["read"]
        assert ACCOUNTS == accounts_of(committing(world, parts[0], **SETTINGS))
        assert_committed_once(world, 2)
