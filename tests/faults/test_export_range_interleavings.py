"""Attempts at the parts of one shared-out export that overlap: one sleeps at any of its calls meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from airflow_dynamo_pipeline.engine.export_ranges import RangeResult
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.engine.table_export import ExportResult
from airflow_dynamo_pipeline.errors import LeaseHeld, PipelineError, PreflightFailed, StaleAttempt
from tests.faults.attempts import (
    Attempt,
    Objects,
    World,
    assert_checkpoints_name_only_what_is_there,
    assert_nothing_left_over,
    assert_nothing_reads_as_complete,
    assert_place_is_whole,
    assert_whole,
    data_keys,
    items,
    places,
)
from tests.faults.conftest import Tally
from tests.faults.points import least, some_of
from tests.faults.range_attempts import Saved, Sleeper, committing, planned, planning, ranging

ITEMS = items(9)
RANGES = 2
BOTH = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])


class Ready:
    """An export whose second range is at its end."""

    def __init__(self, *, at_once: int = RANGES) -> None:
        self.world = World(ITEMS)
        self.parts: Sequence[RangeWork] = planned(self.world, ranges=RANGES, segments=2, at_once=at_once)
        assert isinstance(self.range(1).run().outcome, RangeResult)
        self._begun = Saved.of(self.world)
        self.range_calls = len(self.range(0).run().operations)
        self._ready = Saved.of(self.world)
        self.commit_calls = len(self.commit().run().operations)

    def begun(self) -> World:
        """The first range is still to do."""
        return self._begun.restore()

    def ready(self) -> World:
        """The commit is still to do."""
        return self._ready.restore()

    def range(self, number: int) -> Attempt:
        return ranging(self.world, self.parts[number], segments=2)

    def commit(self) -> Attempt:
        return committing(self.world, self.parts[0], segments=2)


def committed(one: World) -> Objects:
    return {key: body for key, body in one.objects.items() if "/_checkpoint/" not in key}


def assert_unchanged(one: World, before: Objects, woken: Attempt, at: int) -> None:
    """What woke after the commit left nothing: not even a checkpoint."""
    assert before == one.objects, at
    assert_whole(one)
    assert_nothing_left_over(one)
    if isinstance(woken.outcome, BaseException):
        assert isinstance(woken.outcome, PipelineError), at


# --- a range ------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("at_once", [1, 2])
def test_e5_a_stale_attempt_at_a_range_that_wakes_after_the_commit_changes_nothing(
    after: bool, at_once: int, tally: Tally
) -> None:
    trial = Ready(at_once=at_once)
    for at in some_of(range(1, trial.range_calls + 1)):
        one = trial.begun()
        stale = Sleeper(trial.range(0), at, after=after)
        assert isinstance(trial.range(0).run().outcome, RangeResult), at
        assert len(ITEMS) == trial.commit().run().result.item_count
        before = committed(one)

        woken = stale.wake(asleep=30.0)

        tally(len(woken.struck))
        assert isinstance(woken.outcome, RangeResult), (at, woken.outcome)
        assert_unchanged(one, before, woken, at)


@BOTH
def test_e1_e5_an_attempt_at_a_range_that_wakes_while_another_has_it_harms_neither(
    after: bool, tally: Tally
) -> None:
    """The other one sleeps in the middle of its work; a third finishes what both left."""
    trial = Ready()
    for at in some_of(range(1, trial.range_calls + 1)):
        one = trial.begun()
        first = Sleeper(trial.range(0), at, after=after)
        other = Sleeper(trial.range(0), max(1, trial.range_calls - at), after=not after, minute=1)
        struck = len(first.wake().struck)
        assert_checkpoints_name_only_what_is_there(one)
        struck += len(other.wake().struck)
        assert_checkpoints_name_only_what_is_there(one)
        assert_nothing_reads_as_complete(one)

        assert isinstance(trial.range(0).run().outcome, RangeResult)

        trial.commit().run()
        tally(struck)
        assert_whole(one)
        assert_nothing_left_over(one)


@BOTH
def test_e3_e5_a_commit_beside_a_range_at_work_is_refused_and_harms_nothing(
    after: bool, tally: Tally
) -> None:
    trial = Ready()
    refused = 0
    for at in some_of(range(1, trial.range_calls + 1)):
        one = trial.begun()
        sleeper = Sleeper(trial.range(0), at, after=after)
        early = trial.commit().run().outcome
        if isinstance(early, PreflightFailed):
            refused += 1
            assert ["range 0"] == [problem.where for problem in early.problems]
            assert_nothing_reads_as_complete(one)
        else:
            assert isinstance(early, ExportResult), at  # the range was at its end but for the last calls
        before = committed(one)

        woken = sleeper.wake()

        tally(len(woken.struck))
        assert isinstance(woken.outcome, RangeResult), (at, woken.outcome)
        if isinstance(early, ExportResult):
            assert_unchanged(one, before, woken, at)
        assert len(ITEMS) == trial.commit().run().result.item_count
        assert_whole(one)
        assert_nothing_left_over(one)
    assert least(11) <= refused < trial.range_calls


def test_e5_of_two_live_attempts_at_one_range_the_second_is_told_that_the_first_lives() -> None:
    one = World(items(600))
    settings = {"units_per_second": 4.0, "segments": 2}  # half of it takes a minute and more
    parts = planned(one, ranges=2, **settings)
    attempts = [ranging(one, parts[0], **settings) for _ in range(2)]
    threads = [threading.Thread(target=attempt.run) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    outcomes = [attempt.outcome for attempt in attempts]
    assert 1 == sum(isinstance(outcome, (LeaseHeld, StaleAttempt)) for outcome in outcomes), outcomes
    assert 1 == sum(isinstance(outcome, RangeResult) for outcome in outcomes), outcomes


# --- the commit ---------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("asleep", [0.0, 30.0], ids=["its clock stood still", "its clock went on"])
def test_e5_of_two_commits_the_one_that_slept_adopts_what_the_other_wrote(
    asleep: float, after: bool, tally: Tally
) -> None:
    trial = Ready()
    for at in some_of(range(1, trial.commit_calls + 1)):
        one = trial.ready()
        stale = Sleeper(trial.commit(), at, after=after)
        assert len(ITEMS) == trial.commit().run().result.item_count
        before = committed(one)

        woken = stale.wake(asleep=asleep)

        tally(len(woken.struck))
        assert len(ITEMS) == woken.result.item_count
        assert_unchanged(one, before, woken, at)


@BOTH
def test_e5_a_range_tried_again_while_the_commit_is_at_work_changes_nothing(
    after: bool, tally: Tally
) -> None:
    trial = Ready()
    for at in some_of(range(1, trial.commit_calls + 1)):
        one = trial.ready()
        sleeper = Sleeper(trial.commit(), at, after=after)
        data = data_keys(one.objects)

        again = trial.range(0).run().outcome

        tally(1)
        assert isinstance(again, RangeResult), (at, again)
        assert data == data_keys(one.objects)
        assert again.start in ("resume", "adopt")
        assert len(ITEMS) == sleeper.wake().result.item_count
        assert_whole(one)
        assert_nothing_left_over(one)


# --- the plan -----------------------------------------------------------------------------------


@BOTH
def test_e5_a_plan_that_wakes_after_the_commit_makes_no_second_export(after: bool, tally: Tally) -> None:
    calls = len(planning(World(ITEMS), ranges=RANGES, segments=2).run().operations)
    for at in some_of(range(1, calls + 1)):
        one = World(ITEMS)
        stale = Sleeper(planning(one, ranges=RANGES + 1, segments=3), at, after=after)
        finish(one, planned(one, ranges=RANGES, segments=2))
        before = committed(one)

        woken = stale.wake()

        tally(len(woken.struck))
        assert_unchanged(one, before, woken, at)
        if not isinstance(woken.outcome, BaseException):
            assert all(part.id == places(one.objects)[0].export_id for part in woken.outcome)


@BOTH
def test_e5_of_two_plans_at_once_there_is_one_and_both_go_on_with_it(after: bool, tally: Tally) -> None:
    calls = len(planning(World(ITEMS), ranges=RANGES, segments=2).run().operations)
    for at in some_of(range(1, calls + 1)):
        one = World(ITEMS)
        slow = Sleeper(planning(one, ranges=RANGES + 1, segments=3), at, after=after)
        planning(one, ranges=RANGES, segments=2).run()

        woken = slow.wake()

        tally(len(woken.struck))
        if isinstance(woken.outcome, BaseException):
            assert isinstance(woken.outcome, LeaseHeld), at  # Airflow tries again, as here
        finish(one, planned(one, ranges=RANGES + 1, segments=3))


def finish(one: World, parts: Sequence[RangeWork]) -> None:
    """All ranges, the last first, then the commit."""
    for part in reversed(parts):
        assert isinstance(ranging(one, part, segments=None).run().outcome, RangeResult)
    assert isinstance(committing(one, parts[0], segments=None).run().outcome, ExportResult)
    assert len(places(one.objects)) == 1
    assert_whole(one)
    assert_nothing_left_over(one)


# --- again --------------------------------------------------------------------------------------


def test_e1_a_plan_made_again_with_other_numbers_keeps_the_first_ones() -> None:
    one = World(ITEMS)
    first = planned(one, ranges=2, segments=4)
    assert isinstance(ranging(one, first[0], segments=4).run().outcome, RangeResult)

    again = planning(one, ranges=4, at_once=3, segments=4).run()

    assert first == again.outcome
    assert any("resuming with the 2 ranges, 2 at once" in line for line in again.said)
    finish(one, again.outcome)


def test_e5_the_plan_cleared_after_the_commit_makes_a_second_whole_export() -> None:
    one = World(ITEMS)
    finish(one, planned(one, ranges=2, segments=2))
    (before,) = places(one.objects)

    parts = planned(one, ranges=3, segments=3, generation="1")
    for part in parts:
        assert isinstance(ranging(one, part, segments=3).run().outcome, RangeResult)
    committing(one, parts[2], segments=3).run()

    both = places(one.objects)
    assert 2 == len(both)
    assert before in both
    for place in both:
        assert_place_is_whole(one, place)
    assert_nothing_left_over(one)


def test_e5_the_plan_tried_again_after_the_commit_finds_all_of_it_done() -> None:
    one = World(ITEMS)
    finish(one, planned(one, ranges=2, segments=2))
    before = one.objects

    (only,) = planned(one, ranges=2, segments=2)
    result = ranging(one, only, segments=2).run().outcome

    assert only.finished
    assert ("adopt", 0, 2, 0) == (result.start, result.first_segment, result.segments, result.item_count)
    assert len(ITEMS) == committing(one, only, segments=2).run().result.item_count
    assert before == one.objects


@pytest.mark.parametrize("number", [0, 1])
def test_e5_one_range_cleared_after_the_commit_changes_nothing(number: int) -> None:
    one = World(ITEMS)
    parts = planned(one, ranges=2, segments=2)
    finish(one, parts)
    before = one.objects

    attempt = ranging(one, parts[number], segments=2).run()

    assert ("adopt", number) == (attempt.outcome.start, attempt.outcome.first_segment)
    assert 0 == attempt.operations.count("Scan")
    assert before == one.objects


def test_e1_one_range_cleared_before_the_commit_reads_nothing_again() -> None:
    one = World(ITEMS)
    parts = planned(one, ranges=2, segments=2)
    first = ranging(one, parts[0], segments=2).run().outcome

    again = ranging(one, parts[0], segments=2).run()

    assert 0 == again.operations.count("Scan")
    assert first.item_count == again.outcome.item_count > 0
    assert "resume" == again.outcome.start
    finish(one, parts)
