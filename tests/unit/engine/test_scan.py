from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryTable
from airflow_dynamo_pipeline.engine.backoff import PATIENCE_SECONDS
from airflow_dynamo_pipeline.engine.ports import ScanCall, TableDescription
from airflow_dynamo_pipeline.engine.scan import Scanner, is_key_range
from airflow_dynamo_pipeline.engine.sizing import PageSizer
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    CorruptReply,
    PipelineError,
    ServiceTrouble,
    StaleAttempt,
    Stopped,
    Throttled,
)
from tests.clock import ManualClock
from tests.unit.engine.world import TABLE_ARN, items

KEY_RANGE = [("TableReadKeyRangeThroughputExceeded", TABLE_ARN)]
PROVISIONED = [("TableReadProvisionedThroughputExceeded", TABLE_ARN)]
ACCOUNT = [("TableReadAccountLimitExceeded", TABLE_ARN)]
MAXIMUM = [("TableReadMaxOnDemandThroughputExceeded", TABLE_ARN)]


class ScriptedTable:
    """Fails as told, one error a call, then answers as the table inside."""

    def __init__(self, *errors: Exception, inner: MemoryTable | None = None) -> None:
        self.errors = list(errors)
        self.inner = inner or MemoryTable(items(3))
        self.bodies: list[bytes] = []
        self.during: Callable[[], None] = lambda: None

    def describe(self) -> TableDescription:
        return self.inner.describe()

    def scan(self, call: ScanCall) -> bytes:
        self.during()
        if self.errors:
            raise self.errors.pop(0)
        return self.bodies.pop(0) if self.bodies else self.inner.scan(call)


class Rig:
    def __init__(self, table: ScriptedTable, *, rate: float = 100.0, segments: int = 1) -> None:
        self.clock = ManualClock()
        self.stop = threading.Event()
        self.throttle = Throttle(rate, self.clock, self.stop)
        self.sizer = PageSizer(consistent_read=False, size_bytes=8192 * 3, item_count=3)
        self.warned: list[str] = []
        self.table = table
        self.turns: list[float] = []
        self.refusals: list[Exception] = []
        self.on_turn: Callable[[], bool] = lambda: False
        self.scanner = Scanner(
            reader=table,
            throttle=self.throttle,
            sizer=self.sizer,
            clock=self.clock,
            stop=self.stop,
            total_segments=segments,
            before_page=self.before_page,
            warn=self.warned.append,
        )

    def before_page(self) -> bool:
        self.turns.append(self.clock.time)
        if self.refusals:
            raise self.refusals.pop()
        return self.on_turn()

    def read(self, segment: int = 0, start_key: bytes | None = None) -> list[str]:
        pages = self.scanner.pages(segment, start_key)
        return [json.loads(bytes(item))["pk"]["S"] for page in pages for item in page.Items]


def test_pages_follow_each_other_to_the_end_of_the_segment() -> None:
    rig = Rig(ScriptedTable(inner=MemoryTable(items(100))), rate=4.0)

    assert 100 == len(set(rig.read()))
    calls = rig.table.inner.scans
    assert calls[0].start_key is None
    assert all(call.start_key for call in calls[1:])
    assert len(calls) > 3


def test_segments_together_are_the_table() -> None:
    rig = Rig(ScriptedTable(inner=MemoryTable(items(50))), segments=3)
    found = [name for segment in range(3) for name in rig.read(segment)]

    assert 50 == len(found) == len(set(found))
    assert {3} == {call.total_segments for call in rig.table.inner.scans}


def test_a_scan_goes_on_after_the_key_it_was_given() -> None:
    whole = Rig(ScriptedTable(inner=MemoryTable(items(100))), rate=4.0)
    pages = list(whole.scanner.pages(0, None))
    rest = Rig(ScriptedTable(inner=MemoryTable(items(100)))).read(start_key=pages[0].last_key)

    assert 100 == len(pages[0].Items) + len(rest)


def test_each_page_is_paid_for_by_what_it_cost() -> None:
    rig = Rig(ScriptedTable(inner=MemoryTable(items(3))))
    rig.read()

    assert 0.5 == rig.throttle.consumed


def test_the_sizer_learns_from_each_page() -> None:
    rig = Rig(ScriptedTable(inner=MemoryTable(items(3))))
    rig.read()

    assert rig.sizer.units_per_item == pytest.approx(0.7 * 1.0 + 0.3 * 0.5 / 3)


def test_a_reply_without_capacity_keeps_its_reservation_and_teaches_nothing() -> None:
    table = ScriptedTable()
    table.bodies = [b'{"Items":[],"Count":0,"ScannedCount":3}']
    rig = Rig(table, rate=10.0)
    rig.read()

    assert rig.sizer.most_units(2) == rig.throttle.consumed
    assert 1.0 == rig.sizer.units_per_item


@pytest.mark.parametrize("reasons", [PROVISIONED, ACCOUNT, MAXIMUM, [], [*KEY_RANGE, *PROVISIONED]])
def test_e9_a_refusal_for_the_tables_sake_lowers_the_rate(reasons: list[tuple[str, str]]) -> None:
    rig = Rig(ScriptedTable(Throttled("slow", reasons)))
    rig.read()

    assert pytest.approx(70.0) == rig.throttle.units_per_second
    assert ["segment 0: slow; trying again"] == rig.warned


@pytest.mark.parametrize("reasons", [KEY_RANGE, [("IndexReadKeyRangeThroughputExceeded", TABLE_ARN)]])
def test_e9_a_refusal_for_a_key_ranges_sake_pauses_the_segment_and_leaves_the_rate(
    reasons: list[tuple[str, str]],
) -> None:
    rig = Rig(ScriptedTable(Throttled("hot", reasons)))
    rig.read()

    assert 100.0 == rig.throttle.units_per_second
    assert 1 == len(rig.clock.waits)
    assert ["segment 0: hot; trying again"] == rig.warned


def test_only_key_range_reasons_are_a_key_range() -> None:
    assert is_key_range(Throttled("x", KEY_RANGE))
    assert not is_key_range(Throttled("x", [*KEY_RANGE, *ACCOUNT]))
    assert not is_key_range(Throttled("x"))


def test_e9_a_refused_call_costs_nothing() -> None:
    rig = Rig(ScriptedTable(Throttled("hot", KEY_RANGE), inner=MemoryTable([])), rate=1.0)
    rig.read()

    assert 0.5 == rig.throttle.consumed
    assert sum(rig.clock.waits) < 1.0  # the pause alone, not the seconds its reservation would take


@pytest.mark.parametrize("error", [ServiceTrouble("503"), CorruptReply("crc")])
def test_e9_a_failed_call_keeps_its_reservation(error: PipelineError) -> None:
    rig = Rig(ScriptedTable(error, inner=MemoryTable([])), rate=10.0)
    rig.read()

    assert pytest.approx(10.0) == sum(rig.clock.waits)  # two items could have cost 100 units
    assert 10.0 == rig.throttle.units_per_second


def test_a_reply_that_is_no_page_is_read_again() -> None:
    table = ScriptedTable()
    table.bodies = [b'{"Items":[{"pk"']
    rig = Rig(table)

    assert 3 == len(rig.read())
    assert "is not a page" in rig.warned[0]


def test_what_no_retry_can_help_is_raised_at_once() -> None:
    rig = Rig(ScriptedTable(AccessDenied("dynamodb:Scan", TABLE_ARN)))

    with pytest.raises(AccessDenied):
        rig.read()
    assert [] == rig.clock.waits


def test_a_crash_of_the_call_keeps_its_reservation_too() -> None:
    rig = Rig(ScriptedTable(RuntimeError("bug")), rate=10.0)
    with pytest.raises(RuntimeError):
        rig.read()
    rig.throttle.reserve(1.0)

    assert pytest.approx(10.0) == sum(rig.clock.waits)


def test_a_segment_without_a_page_for_ten_minutes_fails_with_the_last_error() -> None:
    rig = Rig(ScriptedTable(*(Throttled(f"no {n}", KEY_RANGE) for n in range(10_000))))

    with pytest.raises(Throttled):
        rig.read()
    assert PATIENCE_SECONDS <= sum(rig.clock.waits) < PATIENCE_SECONDS + 20.0


def test_each_page_has_patience_of_its_own() -> None:
    """Refusals for nine minutes, a page, and nine minutes again, are no failure."""
    rig = Rig(ScriptedTable(inner=MemoryTable(items(30))), rate=4.0)
    since = rig.clock.time

    def refuse_for_nine_minutes() -> None:
        if rig.clock.time - since < PATIENCE_SECONDS * 0.9:
            raise Throttled("no", KEY_RANGE)

    rig.table.during = refuse_for_nine_minutes
    found = 0
    for page in rig.scanner.pages(0, None):
        found += len(page.Items)
        since = rig.clock.time

    assert 30 == found


def test_waiting_for_its_own_throttle_does_not_use_up_a_calls_patience() -> None:
    rig = Rig(ScriptedTable(ServiceTrouble("503"), inner=MemoryTable([])), rate=1.0)
    rig.throttle.settle(rig.throttle.reserve(700.0), 700.0)

    assert [] == rig.read()


def test_a_stop_ends_the_scan_before_the_next_page() -> None:
    rig = Rig(ScriptedTable(inner=MemoryTable(items(100))), rate=4.0)
    pages = rig.scanner.pages(0, None)
    next(pages)
    rig.stop.set()

    with pytest.raises(Stopped):
        next(pages)
    assert 1 == len(rig.table.inner.scans)


def test_a_stop_ends_the_pause_before_a_retry() -> None:
    rig = Rig(ScriptedTable(Throttled("hot", KEY_RANGE)))
    rig.clock.on_wait = lambda _seconds: rig.stop.set()

    with pytest.raises(Stopped):
        rig.read()
    assert [] == rig.table.inner.scans


def test_before_the_wait_for_a_turn_and_when_it_has_come_a_page_may_be_refused() -> None:
    for asked in (1, 2):
        rig = Rig(ScriptedTable(inner=MemoryTable(items(30))), rate=4.0)
        pages = rig.scanner.pages(0, None)
        next(pages)
        next(pages)
        seen = len(rig.turns)
        rig.on_turn = partial(refuse_when, lambda rig=rig, last=seen + asked: len(rig.turns) == last)  # type: ignore[misc]
        with pytest.raises(StaleAttempt):
            next(pages)

        assert 2 == len(rig.table.inner.scans)
        waited = rig.turns[-1] - rig.turns[seen]
        assert (0.0 if asked == 1 else 0.1) <= waited


def refuse_when(condition: Callable[[], bool]) -> bool:
    if condition():
        raise StaleAttempt("superseded")
    return False


def test_e8_a_turn_that_came_while_the_lease_was_renewed_is_given_back_and_waited_for_anew() -> None:
    rig = Rig(ScriptedTable(inner=MemoryTable(items(100))), rate=4.0)
    pages = rig.scanner.pages(0, None)
    next(pages)
    next(pages)
    due_at = rig.clock.time + 0.01  # after the wait for the next turn has begun

    def renew_when_due() -> bool:
        nonlocal due_at
        due = rig.clock.time >= due_at
        if due:
            due_at += 1000.0
            rig.clock.advance(0.03)
        return due

    rig.on_turn = renew_when_due
    first_asked = len(rig.turns)
    read_at: list[float] = []
    rig.table.during = lambda: read_at.append(rig.clock.time)

    next(pages)

    assert 4 == len(rig.turns) - first_asked  # before the wait, late after it, and both again
    assert read_at == [rig.turns[-1]]
    assert rig.throttle.consumed > 0


def test_a_turn_that_the_lease_refuses_costs_nothing() -> None:
    rig = Rig(ScriptedTable(inner=MemoryTable(items(30))), rate=4.0)
    rig.refusals.append(StaleAttempt("superseded"))

    with pytest.raises(StaleAttempt):
        rig.read()
    before = rig.clock.time
    rig.throttle.reserve(1.0)
    assert before == rig.clock.time
