"""Two attempts at one import: the first sleeps at any of its calls, and the second takes over."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import LeaseHeld, PipelineError, StaleAttempt
from tests.faults.attempts import items
from tests.faults.conftest import Tally
from tests.faults.import_backups import files
from tests.faults.import_sleeper import Sleeper
from tests.faults.import_world import (
    ImportAttempt,
    ImportWorld,
    accounts,
    assert_checkpoints_are_true,
    assert_finished_once,
    assert_table,
    importing,
    working,
)
from tests.faults.points import some_of

pytestmark = pytest.mark.usefixtures("small_steps")
ITEMS = items(10)
LAID = files([*ITEMS[:3], "no JSON", *ITEMS[3:6]], ITEMS[6:])
REJECTS = [("given/part-0.json", 4)]
ACCOUNTS = accounts(11, rejected=1)
SETTINGS: dict[str, Any] = {"max_rejected": 1, "units_per_second": 12.0}


def world() -> ImportWorld:
    return ImportWorld(LAID)


def calls() -> list[str]:
    return world().run(**SETTINGS).operations


def assert_whole(one: ImportWorld) -> None:
    assert_table(one, ITEMS)
    assert_finished_once(one)
    assert REJECTS == one.rejects


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("asleep", [0.0, 30.0], ids=["its clock stood still", "its clock went on"])
def test_i2_a_stale_attempt_that_wakes_after_a_takeover_changes_nothing(
    asleep: float, after: bool, tally: Tally
) -> None:
    named = calls()
    for at in some_of(range(named.index("PutObject") + 1, len(named) + 1)):
        one = world()
        stale = Sleeper(one, at, after=after, **SETTINGS)
        successor = one.run(**SETTINGS)
        assert ACCOUNTS == successor.accounts
        records = one.records

        woken = stale.wake(asleep=asleep)

        tally(len(woken.struck))
        assert_whole(one)
        assert records == one.records, at
        if isinstance(woken.outcome, BaseException):
            assert isinstance(woken.outcome, PipelineError), at
        else:
            assert ACCOUNTS == woken.accounts, at


@pytest.mark.parametrize("first", range(20, 40, 5))
def test_i2_two_attempts_asleep_at_once_leave_the_import_to_the_third(first: int, tally: Tally) -> None:
    for second in range(18, len(calls()) + 1, 6):
        one = world()
        sleeper = Sleeper(one, first, after=True, **SETTINGS)
        rival = Sleeper(one, second, after=False, minute=1, **SETTINGS)
        struck = len(sleeper.wake().struck)
        assert_checkpoints_are_true(one)
        struck += len(rival.wake().struck)
        assert_checkpoints_are_true(one)

        last = one.run(**SETTINGS)

        tally(struck)
        assert ACCOUNTS == last.accounts
        assert_whole(one)


def test_i2_a_second_live_run_is_refused_by_the_lease() -> None:
    one = ImportWorld(files(items(80)))  # more than a minute: each is still at work when the other begins
    request = importing(one.laid, units_per_second=1.0)
    attempts = [ImportAttempt(one, request, work=working(run)) for run in ("one", "other")]
    threads = [threading.Thread(target=attempt.run) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    refused = [attempt for attempt in attempts if isinstance(attempt.outcome, (LeaseHeld, StaleAttempt))]
    assert 1 == len(refused)
    assert_table(one, items(80))
    assert_finished_once(one)
