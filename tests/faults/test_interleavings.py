"""Two attempts at one export: the first sleeps at any of its calls, and the second takes over."""

from __future__ import annotations

import threading

import pytest

from airflow_dynamo_pipeline.errors import LeaseHeld, PipelineError, StaleAttempt
from tests.clock import VirtualClock
from tests.faults.attempts import (
    QUIET_SECONDS,
    Attempt,
    World,
    asked,
    assert_checkpoints_name_only_what_is_there,
    assert_whole,
    items,
)
from tests.faults.conftest import Tally
from tests.faults.points import some_of
from tests.faults.script import Fault, Kind
from tests.faults.sleeping import Asleep

ITEMS = items(8)


class Sleeper(Asleep[Attempt]):
    """It begins so many minutes after the services did."""

    def __init__(self, one: World, at: int, *, after: bool, minute: int = 0) -> None:
        clock = VirtualClock(QUIET_SECONDS, began_at=60.0 * minute)
        attempt = Attempt(one, asked(segments=2), clock=clock)
        super().__init__(attempt, one.aws.door(Fault(Kind.FREEZE, at, after=after), clock=clock), clock)


def calls_of_a_whole_export() -> int:
    return len(World(ITEMS).export(segments=2).operations)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("asleep", [0.0, 30.0], ids=["its clock stood still", "its clock went on"])
def test_e5_a_stale_attempt_that_wakes_after_a_takeover_changes_nothing(
    asleep: float, after: bool, tally: Tally
) -> None:
    for at in some_of(range(1, calls_of_a_whole_export() + 1)):
        one = World(ITEMS)
        stale = Sleeper(one, at, after=after)
        successor = Attempt(one, asked(segments=2)).run()
        assert len(ITEMS) == successor.result.item_count
        committed = {key: body for key, body in one.objects.items() if "/_checkpoint/" not in key}

        woken = stale.wake(asleep=asleep)
        tally(len(woken.struck))

        assert_whole(one)
        assert committed == {key: one.objects.get(key) for key in committed}, at
        if isinstance(woken.outcome, BaseException):
            assert isinstance(woken.outcome, PipelineError), at


@pytest.mark.parametrize("first", range(1, 56, 6))
def test_e1_e5_two_attempts_asleep_at_once_leave_one_whole_export_to_the_third(
    first: int, tally: Tally
) -> None:
    for second in range(1, calls_of_a_whole_export() + 1, 5):
        one = World(ITEMS)
        sleeper = Sleeper(one, first, after=True)
        rival = Sleeper(one, second, after=False, minute=1)
        struck = len(sleeper.wake().struck)
        assert_checkpoints_name_only_what_is_there(one)
        struck += len(rival.wake().struck)
        assert_checkpoints_name_only_what_is_there(one)

        Attempt(one, asked(segments=2)).run()

        tally(struck)
        assert_whole(one)


def test_e5_a_second_live_run_is_refused_by_the_lease() -> None:
    one = World(items(600))  # more than a minute: each is still at work when the other begins
    attempts = [Attempt(one, asked(units_per_second=2, segments=1)) for _ in range(2)]
    threads = [threading.Thread(target=attempt.run) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcomes = [attempt.outcome for attempt in attempts]

    assert 1 == sum(isinstance(outcome, (LeaseHeld, StaleAttempt)) for outcome in outcomes)
    assert_whole(one)
