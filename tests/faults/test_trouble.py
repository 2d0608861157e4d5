"""Faults that pass: whatever goes wrong with one call, the attempt itself goes on to a whole export."""

from __future__ import annotations

from collections import Counter

import pytest

from airflow_dynamo_pipeline.errors import ServiceTrouble
from tests.faults.attempts import (
    Attempt,
    World,
    asked,
    assert_nothing_left_over,
    assert_whole,
    in_small_pieces,
    items,
)
from tests.faults.calls import Call
from tests.faults.conftest import Tally
from tests.faults.points import some_of
from tests.faults.script import AFTER_ONLY, BEFORE_ONLY, REFUSALS, Fault, Kind, applies

ITEMS = items(10)
PASSING = [kind for kind in Kind if kind not in {Kind.KILL, Kind.FREEZE, Kind.UNPROCESSED, *REFUSALS}]
BOUNDARIES = [
    (kind, after)
    for kind in PASSING
    for after in (False, True)
    if kind not in (AFTER_ONLY if not after else BEFORE_ONLY)
]
SELDOM = {Kind.TIME_OUT: 3}  # each costs two real seconds: only every third call


def attempt(one: World, fault: Fault) -> Attempt:
    trial = Attempt(one, asked(segments=2), (fault,), impatient=fault.kind is Kind.TIME_OUT)
    return trial.run()


def points(calls: list[Call], kind: Kind, *, after: bool) -> list[Fault]:
    """A fault at every so many-th call that can meet it, and at the first of each operation.

    Counted within the operation, or within one record of it: the segments' calls come in another order each
    time.
    """
    met: Counter[tuple[str, str]] = Counter()
    found = []
    for number, call in enumerate(calls):
        name = call.request.path.rpartition("/")[2]
        record = f"/{name}" if name.endswith(".json") else ""
        met.update({(call.operation, ""), (call.operation, record)})
        is_due = number % SELDOM.get(kind, 1) == 0 or met[call.operation, ""] == 1
        if is_due and applies(kind, call, after=after):
            at = met[call.operation, record]
            found.append(Fault(kind, at, on=call.operation, after=after, path=record))
    return found


def name_of(boundary: tuple[Kind, bool]) -> str:
    kind, after = boundary
    return f"{kind.name.lower()}-{'after' if after else 'before'}"


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=name_of)
def test_e1_e5_one_fault_at_any_call_costs_neither_the_export_nor_an_item(
    boundary: tuple[Kind, bool], tally: Tally
) -> None:
    kind, after = boundary
    for fault in some_of(points(World(ITEMS).export(segments=2).calls, kind, after=after)):
        one = World(ITEMS)
        trial = attempt(one, fault)
        tally(len(trial.struck))
        assert not isinstance(trial.outcome, BaseException), f"{fault}: {trial.outcome}"
        assert_whole(one)
        assert_nothing_left_over(one)


@pytest.mark.parametrize("operation", ["GetServiceQuota", "GetMetricStatistics"])
def test_e1_what_an_on_demand_ratio_asks_may_go_wrong_as_well(operation: str, tally: Tally) -> None:
    for kind, after in BOUNDARIES:
        one = World(ITEMS)
        fault = Fault(kind, on=operation, after=after)
        trial = Attempt(one, asked(ratio=1.0), (fault,), impatient=kind is Kind.TIME_OUT).run()
        tally(len(trial.struck))

        assert len(ITEMS) == trial.result.item_count, str(fault)
        assert_whole(one)


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_e1_e5_an_upload_in_pieces_survives_every_fault(
    operation: str, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_pieces(monkeypatch)
    settings = {"segments": 1, "compression": "none", "part_bytes": 500}
    calls = World(ITEMS).export(**settings).operations.count(operation)
    assert calls >= 2
    for kind, after in BOUNDARIES:
        for at in some_of(range(1, calls + 1)):
            one = World(ITEMS)
            fault = Fault(kind, at, on=operation, after=after)
            trial = Attempt(one, asked(**settings), (fault,), impatient=kind is Kind.TIME_OUT).run()
            tally(len(trial.struck))

            assert len(ITEMS) == trial.result.item_count, str(fault)
            assert_whole(one)
            assert_nothing_left_over(one)


def test_trouble_that_lasts_longer_than_the_engines_patience_fails_the_attempt_and_the_next_resumes() -> None:
    one = World(ITEMS)
    failed = attempt(one, Fault(Kind.UNAVAILABLE, 3, on="Scan", times=10_000))
    assert isinstance(failed.outcome, ServiceTrouble)

    resumed = one.export(segments=2)

    assert "resume" == resumed.result.start
    assert_whole(one)
