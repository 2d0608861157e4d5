"""The rate of all workers that share out an export together, as the table's own meter sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine import lease, throttle, workers
from airflow_dynamo_pipeline.engine.export_ranges import RangeResult
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.engine.sizing import FULL_PAGE_UNITS
from airflow_dynamo_pipeline.errors import LeaseHeld, PreflightFailed
from tests.faults.attempts import TABLE, Attempt, World, assert_nothing_left_over, assert_whole, items
from tests.faults.conftest import Tally
from tests.faults.dynamodb.metering import EPSILON
from tests.faults.endpoint import FakeAws, Killed
from tests.faults.range_attempts import committing, planned, planning, ranging
from tests.faults.script import Fault, Kind
from tests.step_clock import StepClock

LARGE = 6000  # bytes: an item costs three quarters of a unit
HELD_SHARE = 0.9  # of the rate, at least
RETRY_SECONDS = 30.0


@pytest.fixture
def clock() -> Iterator[StepClock]:
    """Exact time: a call is sent at the moment its turn has come, however busy the machine is."""
    steps = StepClock()
    with steps.in_place_of_threads(throttle, lease, workers):
        yield steps


def world(clock: StepClock, count: int, *, size: int = LARGE, read: int | None = 10_000) -> World:
    return World(items(count, size=size), page_items=None, read=read, aws=FakeAws(clock))


def together(one: World, jobs: Sequence[Callable[[], object]], *, at_once: int) -> None:
    """Run jobs as Airflow runs mapped tasks: so many at the same time, in their order."""
    clock = one.aws.clock
    assert isinstance(clock, StepClock)
    waiting = list(reversed(jobs))

    def work() -> None:
        while waiting:
            waiting.pop()()

    threads = [clock.threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def worst(one: World, seconds: float) -> float:
    return one.aws.dynamodb.metering.worst_window(TABLE, seconds)


def assert_held(one: World, units_per_second: float, *, full: bool = True) -> None:
    """E8 summed over all workers; ``full``: there were whole minutes of work for all of them."""
    for seconds in (1.0, 60.0):
        assert worst(one, seconds) <= seconds * units_per_second + FULL_PAGE_UNITS + EPSILON
    if full:
        assert worst(one, 60.0) >= HELD_SHARE * 60 * units_per_second
    assert [] == [entry for entry in one.aws.dynamodb.metering.entries(TABLE) if entry.reason]


def persistent(attempt: Callable[[], Attempt], done: list[Attempt]) -> Callable[[], None]:
    """A task with retries: as often as somebody else holds what it needs, or it was killed."""

    def task() -> None:
        while True:
            one = attempt().run()
            done.append(one)
            if not isinstance(one.outcome, (Killed, LeaseHeld)):
                return
            one.world.aws.clock.wait(one.world.new_event(), RETRY_SECONDS)

    return task


def export(one: World, parts: Sequence[RangeWork], at_once: int, **settings: Any) -> list[Attempt]:
    """All ranges, then the commit."""
    done: list[Attempt] = []
    jobs = [persistent(partial(ranging, one, part, **settings), done) for part in parts]
    together(one, jobs, at_once=at_once)
    assert all(isinstance(attempt.outcome, RangeResult) for attempt in done), [a.outcome for a in done]
    committing(one, parts[0], **settings).run()
    assert_whole(one)
    assert_nothing_left_over(one)
    return done


SETTINGS: dict[str, Any] = {"segments": None, "part_bytes": 1_000_000}


@pytest.mark.parametrize(
    ("ranges", "at_once", "rate"), [(2, 2, 20.0), (4, 4, 40.0), (16, 16, 40.0), (12, 4, 40.0)]
)
def test_e8_all_workers_together_hold_one_rate(
    clock: StepClock, ranges: int, at_once: int, rate: float
) -> None:
    one = world(clock, int(rate * 120))
    parts = planned(one, ranges=ranges, at_once=at_once, units_per_second=rate, **SETTINGS)

    done = export(one, parts, at_once, units_per_second=rate, **SETTINGS)

    assert_held(one, rate)
    asked = [attempt.outcome.units_per_second_asked for attempt in done]
    assert [rate / at_once] * ranges == asked


def test_e8_a_rate_at_which_pages_would_be_tiny_leaves_a_little_of_itself_unused(clock: StepClock) -> None:
    """Pages of a quarter of a second would be 500 units together, shared out full ones 16 units each."""
    one = world(clock, 11_000)  # four seconds of them
    settings = {"units_per_second": 2000.0, **SETTINGS}
    parts = planned(one, ranges=8, **settings)
    assert {0.05} == {part.slack for part in parts}

    export(one, parts, 8, **settings)

    assert_held(one, 2000.0, full=False)
    assert worst(one, 3.0) >= HELD_SHARE * 3 * 2000.0
    assert 16.0 < max(entry.units for entry in one.aws.dynamodb.metering.entries(TABLE)) < 30.0


def test_e8_large_items_are_shared_out_to_as_many_workers_as_can_be_a_page_ahead(clock: StepClock) -> None:
    one = world(clock, 400, size=100_000)  # 12.5 units each: more than a tenth of a full page
    settings = {"units_per_second": 60.0, **SETTINGS}
    refused = planning(one, ranges=16, at_once=16, **settings).run().outcome
    assert isinstance(refused, PreflightFailed), refused
    assert ["at_once"] == [problem.where for problem in refused.problems]
    assert "at most 10" == refused.problems[0].hint

    export(one, planned(one, ranges=16, at_once=10, **settings), 10, **settings)

    assert_held(one, 60.0)


def test_e8_nothing_known_of_the_items_the_first_pages_are_small(clock: StepClock) -> None:
    one = world(clock, 300, size=200_000)  # 25 units each, and DescribeTable says 0 items
    one.aws.dynamodb.table(TABLE).counts = (0, 0)
    settings = {"units_per_second": 60.0, **SETTINGS}

    export(one, planned(one, ranges=4, **settings), 4, **settings)

    assert_held(one, 60.0)


def test_e8_a_worker_that_was_given_up_but_lives_and_one_that_was_killed(
    clock: StepClock, tally: Tally
) -> None:
    rate, at_once = 30.0, 3
    one = world(clock, int(rate * 150))
    settings = {"units_per_second": rate, **SETTINGS}
    parts = planned(one, ranges=9, at_once=at_once, **settings)
    faults = {
        1: [Fault(Kind.KILL, 25, on="Scan", after=True)],
        4: [Fault(Kind.KILL, 7, on="Scan", after=True)],
    }
    done: list[Attempt] = []

    def attempt_at(part: RangeWork) -> Callable[[], Attempt]:
        left = faults.get(part.number, [])
        return lambda: ranging(one, part, *([left.pop()] if left else []), **settings)

    given_up = [persistent(attempt_at(part), done) for part in (*parts[:3], *parts)]
    together(one, given_up, at_once=at_once + 3)  # three more than there are places
    assert [] == [left for left in faults.values() if left]
    tally(sum(len(attempt.struck) for attempt in done))
    committing(one, parts[0], **settings).run()

    assert any(isinstance(attempt.outcome, LeaseHeld) for attempt in done)
    assert any("places are taken" in line for attempt in done for line in attempt.said)
    assert_held(one, rate)
    assert_whole(one)


def test_e8_every_worker_follows_the_capacity_of_the_table_within_a_minute(clock: StepClock) -> None:
    """Down to less than a unit per second for each of them, then up again."""
    one = world(clock, 4500, read=100)
    dynamodb = one.aws.dynamodb
    settings = {"ratio": 0.1, **SETTINGS}
    parts = planned(one, ranges=8, at_once=4, **settings)
    changes = [(0.0, 100), (80.0, 8), (260.0, 100)]
    began_at = clock.monotonic()

    def others() -> None:
        for after, read in changes[1:]:
            clock.wait(one.new_event(), began_at + after - clock.monotonic())
            dynamodb.set_capacity(TABLE, read=read)

    side = clock.threading.Thread(target=others)
    side.start()
    export(one, parts, 4, **settings)
    side.join()

    ends = [after for after, _ in changes[1:]] + [clock.monotonic() - began_at]
    entries = list(dynamodb.metering.entries(TABLE))
    for (after, read), end in zip(changes, ends, strict=True):
        begin = began_at + after + (61.0 if after else 0.0)
        seconds = began_at + end - begin
        used = sum(entry.units for entry in entries if begin <= entry.at < began_at + end)
        assert used <= 0.1 * read * seconds + FULL_PAGE_UNITS + EPSILON, read
        assert seconds >= 60.0
    assert worst(one, 1.0) <= 10.0 + FULL_PAGE_UNITS
    assert worst(one, 60.0) >= HELD_SHARE * 60 * 10.0
