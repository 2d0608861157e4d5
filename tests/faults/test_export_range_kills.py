"""An export that workers share out, each of them killed at every call it makes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.export_ranges import RangeResult
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.errors import Stopped
from tests.faults.attempts import (
    Attempt,
    World,
    assert_checkpoints_name_only_what_is_there,
    assert_nothing_left_over,
    assert_nothing_reads_as_complete,
    assert_whole,
    data_keys,
    in_small_pieces,
    items,
    manifests,
)
from tests.faults.conftest import Tally
from tests.faults.endpoint import Killed
from tests.faults.points import some_of
from tests.faults.range_attempts import Saved, committing, planned, planning, ranging
from tests.faults.script import Fault, Kind

ITEMS = items(12)
RANGES = 2
EXPORTS: dict[str, dict[str, Any]] = {
    "a place for each": {"segments": 3},
    "one at a time": {"segments": 3, "at_once": 1},
    "in pieces": {"segments": 2, "compression": "none", "part_bytes": 500},
}
BOTH = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])


@pytest.fixture(params=EXPORTS)
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is exported how; the last so that every file is an upload of several pieces."""
    if request.param == "in pieces":
        in_small_pieces(monkeypatch)
    return EXPORTS[request.param]


def own(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of ranges and commit."""
    return {name: value for name, value in settings.items() if name != "at_once"}


def finish(one: World, part: RangeWork, settings: dict[str, Any]) -> None:
    """Bring a range to its end, the other one is, then commit; check what there is."""
    held = ranging(one, part, **own(settings)).run().outcome
    assert isinstance(held, RangeResult), held
    assert 0 < held.item_count < len(ITEMS)
    assert len(ITEMS) == committing(one, part, **own(settings)).run().result.item_count
    assert_whole(one)
    assert_nothing_left_over(one)


def half_done(settings: dict[str, Any]) -> tuple[Saved, RangeWork]:
    """An export whose second range is at its end; and its first."""
    one = World(ITEMS)
    parts = planned(one, ranges=RANGES, **settings)
    assert isinstance(ranging(one, parts[1], **own(settings)).run().outcome, RangeResult)
    return Saved.of(one), parts[0]


def assert_dead(killed: Attempt, at: int) -> None:
    assert isinstance(killed.outcome, Killed), (at, killed.outcome)
    assert_checkpoints_name_only_what_is_there(killed.world)


@BOTH
def test_e1_e5_a_plan_killed_at_any_call_is_made_again(after: bool, tally: Tally) -> None:
    calls = planning(World(ITEMS), ranges=RANGES, segments=2).run().operations
    assert calls
    for at in some_of(range(1, len(calls) + 1)):
        one = World(ITEMS)
        killed = planning(one, Fault(Kind.KILL, at, after=after), ranges=RANGES, segments=2).run()
        assert_dead(killed, at)
        assert_nothing_reads_as_complete(one)

        parts = planned(one, ranges=RANGES, segments=2)

        tally(len(killed.struck))
        assert isinstance(ranging(one, parts[1], segments=2).run().outcome, RangeResult)
        finish(one, parts[0], {"segments": 2})


@BOTH
def test_e1_e3_e4_e5_a_range_killed_at_any_call_is_finished_by_its_retry(
    settings: dict[str, Any], after: bool, tally: Tally
) -> None:
    begun, part = half_done(settings)
    before = data_keys(begun.objects)
    calls = ranging(begun.world, part, **own(settings)).run().operations
    assert 2 <= len(data_keys(begun.world.objects)) - len(before)
    for at in some_of(range(1, len(calls) + 1)):
        one = begun.restore()
        killed = ranging(one, part, Fault(Kind.KILL, at, after=after), **own(settings)).run()
        assert_dead(killed, at)
        assert_nothing_reads_as_complete(one)

        finish(one, part, settings)

        tally(len(killed.struck))


@BOTH
def test_e1_e3_e5_a_commit_killed_at_any_call_is_finished_by_its_retry(after: bool, tally: Tally) -> None:
    begun, part = half_done({"segments": 3})
    assert isinstance(ranging(begun.world, part, segments=3).run().outcome, RangeResult)
    ready = Saved.of(begun.world)
    calls = committing(ready.world, part, segments=3).run().operations
    for at in some_of(range(1, len(calls) + 1)):
        one = ready.restore()
        killed = committing(one, part, Fault(Kind.KILL, at, after=after), segments=3).run()
        assert_dead(killed, at)
        if manifests(one.objects):
            assert_whole(one)
        else:
            assert_nothing_reads_as_complete(one)

        result = committing(one, part, segments=3).run().result

        tally(len(killed.struck))
        assert len(ITEMS) == result.item_count
        assert_whole(one)
        assert_nothing_left_over(one)


def test_e4_told_to_stop_at_any_call_a_range_reads_nothing_again(tally: Tally) -> None:
    settings = {"segments": 3, "at_once": 1}
    begun, part = half_done(settings)
    undisturbed = ranging(begun.world, part, segments=3).run().operations
    stopped = 0
    for at in some_of(range(1, len(undisturbed) + 1)):
        one = begun.restore()
        attempt = ranging(one, part, segments=3)
        with one.aws.door() as door:
            door.before = stopping(attempt, at)
            attempt.through(door)
        tally(1)
        assert isinstance(attempt.outcome, (Stopped, RangeResult)), attempt.outcome
        stopped += isinstance(attempt.outcome, Stopped)
        retry = ranging(one, part, segments=3).run()
        read = attempt.operations.count("Scan") + retry.operations.count("Scan")
        assert undisturbed.count("Scan") == read, at
        finish(one, part, settings)
    assert stopped >= undisturbed.count("Scan")


def stopping(attempt: Attempt, at: int) -> Callable[[object], None]:
    """Tell an attempt to stop when it makes so many calls."""
    calls = itertools.count(1)

    def before(_: object) -> None:
        if next(calls) == at:
            attempt.stop.set()

    return before
