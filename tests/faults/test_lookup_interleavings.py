"""Two attempts at one lookup table: the first sleeps at a call, the second takes over and finishes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import LeaseHeld, PipelineError, StaleAttempt
from airflow_dynamo_pipeline.lookup.result import LookupResult
from tests.faults.conftest import Tally
from tests.faults.dynamodb.pair import texts
from tests.faults.endpoint import Killed
from tests.faults.import_world import MUTATING
from tests.faults.lookup_promises import (
    assert_digests_are_true,
    assert_named_files_are_there,
    assert_table,
    holds,
)
from tests.faults.lookup_sleeper import LookupSleeper
from tests.faults.lookup_world import GENERATIONS, LookupWorld, in_small_buckets, items_of, product
from tests.faults.script import Fault, Kind

OLD = [product(number, "old") for number in range(10)]
NEW = [*OLD[:3], *(product(number) for number in range(3, 7)), *(product(n) for n in range(20, 23))]
NEWER = [*NEW[1:5], *(product(number, "newer") for number in (5, 20, 30))]
WAYS: dict[str, dict[str, Any]] = {
    "table": {},
    "digests": {"compare": "digests"},
    "generations": GENERATIONS,
}
SLEEPS = [0.0, 30.0]
SLEPT = ["its clock stood still", "its clock went on"]


@pytest.fixture(scope="module")
def worlds() -> Iterator[dict[str, LookupWorld]]:
    """Tables that last night's load filled; tonight's query says something else."""
    with in_small_buckets(spill_bytes=1_000_000):
        made = {}
        for name, settings in WAYS.items():
            made[name] = LookupWorld(OLD, settings=settings)
            made[name].load(run="last night")
            made[name].rows = NEW
        yield made


def steps(loaded: LookupWorld, every: int, first: int = 0) -> range:
    """Some of the calls of a load, from the one that takes the lease."""
    named = loaded.copy().load().operations
    return range(named.index("PutObject") + 1 + first, len(named) + 1, every)


def _applied(world: LookupWorld) -> str | None:
    """Which run's rows are in the table, as far as it is known."""
    return world.state["runId"] if world.state and world.state["isApplied"] else None


def writing(loaded: LookupWorld) -> range:
    """The calls of a load from shortly before its first write to its last."""
    named = loaded.copy().load().operations
    return range(named.index("BatchWriteItem") - 2, len(named) - named[::-1].index("BatchWriteItem") + 1)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("asleep", SLEEPS, ids=SLEPT)
@pytest.mark.parametrize("way", WAYS)
def test_r5_an_attempt_that_wakes_after_the_next_one_of_its_run_finished_changes_nothing(
    worlds: dict[str, LookupWorld], way: str, asleep: float, after: bool, tally: Tally
) -> None:
    loaded = worlds[way]
    for at in steps(loaded, 19, first=10 * after + 5 * bool(asleep)):
        world = loaded.copy()
        stale = LookupSleeper(world, at, after=after)
        successor = world.load()
        assert isinstance(successor.outcome, LookupResult)
        state, records = world.state, world.records

        woken = stale.wake(asleep=asleep)

        tally(len(woken.struck))
        assert_table(world, items_of(NEW))
        assert_digests_are_true(world)
        assert (state, records) == (world.state, world.records), at
        assert_named_files_are_there(world)
        assert isinstance(woken.outcome, (LookupResult, PipelineError)), at


@pytest.mark.parametrize("asleep", SLEEPS, ids=SLEPT)
def test_r5_a_generation_that_another_run_left_behind_is_never_flipped_back_to(
    worlds: dict[str, LookupWorld], asleep: float, tally: Tally
) -> None:
    """Tonight's load sleeps at any of its calls and wakes when tomorrow's generation counts."""
    loaded = worlds["generations"]
    for at in range(writing(loaded)[0] + bool(asleep), steps(loaded, 1)[-1] + 1, 3):
        world = loaded.copy()
        stale = LookupSleeper(world, at, after=False)
        world.rows = NEWER
        world.load(run="tomorrow night")
        state = world.state

        woken = stale.wake(asleep=asleep)

        tally(len(woken.struck))
        assert_table(world, items_of(NEWER))
        assert state == world.state
        assert_named_files_are_there(world)
        if isinstance(woken.outcome, BaseException):
            assert isinstance(woken.outcome, (LeaseHeld, StaleAttempt)), at


@pytest.mark.parametrize("way", ["table", "digests"])
def test_r5_a_load_that_wakes_in_the_next_nights_table_calls_itself_no_success(
    worlds: dict[str, LookupWorld], way: str, tally: Tally
) -> None:
    """What it writes before it knows that it was given up is put right by the next full comparison."""
    loaded = worlds[way]
    for at in steps(loaded, 11):
        world = loaded.copy()
        stale = LookupSleeper(world, at, after=False)
        was_applied = _applied(world) not in (None, _applied(loaded))
        world.rows = NEWER
        world.load(run="tomorrow night")
        state = world.state

        woken = stale.wake()

        tally(len(woken.struck))
        assert state == world.state
        if not was_applied:
            assert isinstance(woken.outcome, (LeaseHeld, StaleAttempt)), at
        world.load(run="the night after", compare="table")
        assert_table(world, items_of(NEWER))


def test_r5_an_attempt_that_wakes_knows_that_it_was_given_up_before_it_sends_another_write(
    worlds: dict[str, LookupWorld], tally: Tally
) -> None:
    """But for the call that was under way nothing of tonight comes into tomorrow night's table."""
    sent = []
    loaded = worlds["table"]
    for at in writing(loaded):
        world = loaded.copy()
        stale = LookupSleeper(world, at, after=True)
        world.rows = NEWER
        world.load(run="tomorrow night")
        count = len(stale.door.calls)
        woken = stale.wake(asleep=30.0)
        tally(len(woken.struck))
        sent += [call for call in woken.calls[count:] if call.operation in MUTATING]
    assert [] == sent


def test_r5_digests_of_the_next_run_outlive_an_earlier_one_that_wakes(
    worlds: dict[str, LookupWorld], tally: Tally
) -> None:
    """It sleeps where it tidies up: what it does not know is not its own to remove."""
    loaded = worlds["digests"]
    named = loaded.copy().load().operations
    for at in range(len(named) - 8, len(named) + 1, 2):
        world = loaded.copy()
        stale = LookupSleeper(world, at, after=True)
        world.rows = NEWER
        world.load(run="tomorrow night")
        tally(len(stale.wake().struck))

        assert world.state is not None
        assert world.state["digests"]["key"] in world.objects
        assert_digests_are_true(world)


def test_r5_an_attempt_that_wakes_while_it_clears_up_leaves_what_its_successor_decided(
    worlds: dict[str, LookupWorld], tally: Tally
) -> None:
    """The successor was killed when its decision was written down: the third attempt needs those files."""
    loaded = worlds["table"]
    for at in steps(loaded, 1)[1:12:2]:
        world = loaded.copy()
        stale = LookupSleeper(world, at, after=False)
        killed = world.load(Fault(Kind.KILL, on="BatchWriteItem"))
        assert isinstance(killed.outcome, Killed)
        tally(len(stale.wake().struck) + len(killed.struck))
        assert_named_files_are_there(world)

        third = world.load()

        assert "resume" == third.result.start
        assert_table(world, items_of(NEW))


@pytest.mark.usefixtures("worlds")
def test_r5_two_runs_at_once_are_one_run_and_a_refusal() -> None:
    """Each is at work for more than a minute."""
    world = LookupWorld([product(number) for number in range(80)])
    attempts = [world.attempt(run=run, units_per_second=1.0) for run in ("one", "other")]
    threads = [threading.Thread(target=attempt.run) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    refused = [one for one in attempts if isinstance(one.outcome, (LeaseHeld, StaleAttempt))]
    assert 1 == len(refused)
    assert [] == refused[0].writes
    assert_table(world, items_of(world.rows))


@pytest.mark.parametrize("way", WAYS)
def test_r5_an_old_runs_retry_decides_anew_once_a_newer_run_has_written(
    worlds: dict[str, LookupWorld], way: str
) -> None:
    """By what the query says now, not by what it said when the old run decided."""
    world = worlds[way].copy()
    before = texts(holds(world))
    stale = LookupSleeper(world, steps(worlds[way], 1)[-1] - 18, after=True)
    world.rows = NEWER
    world.load(run="tomorrow night")
    stale.door.dead.set()
    stale.wake()
    assert before != texts(holds(world))

    retried = world.load()

    assert_table(world, items_of(NEWER))
    assert retried.result.start in ("new", "adopt")
    assert_digests_are_true(world)
