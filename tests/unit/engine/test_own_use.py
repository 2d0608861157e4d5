"""What those who share a rate take for their own, and what for that of others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryStore
from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.housekeeping import CAPACITY_SECONDS, Housekeeping
from airflow_dynamo_pipeline.engine.own_use import (
    NOTHING,
    SEEN_SECONDS,
    OwnUse,
    SharedRate,
    at_work_of_late,
    of_all,
)
from airflow_dynamo_pipeline.engine.ports import Throughput
from airflow_dynamo_pipeline.engine.records import LeaseRecord
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.shares import Sharing
from airflow_dynamo_pipeline.errors import ImportRefused, PreflightFailed
from tests.clock import EPOCH, ManualClock
from tests.unit.engine.test_export_ranges import Shared, a_table
from tests.unit.engine.test_housekeeping import ChangingTable, Rig
from tests.unit.engine.test_import_plan import Table, ports_of
from tests.unit.engine.test_import_ranges import Shared as SharedImport

RATIO: dict[str, Any] = {"units_per_second": None, "ratio": 1.0}
HOUR = 3600.0
FOUR = Sharing(workers=4, slack=0.05)


def a_world(capacity: float, consumed: float = 0.0) -> Shared:
    table = a_table(gigabytes=100.0, on_demand=True, throughput=Throughput(on_demand_max=capacity))
    return Shared(table=table, capacity=FixedCapacity(consumed=consumed))


def consume(world: Shared, units_per_second: float) -> None:
    assert isinstance(world.capacity, FixedCapacity)
    world.capacity.consumed = units_per_second


# --- the arithmetic -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("consumed", "left"),
    [
        (0.0, 1000.0),  # whoever it was, others consumed nothing
        (400.0, 600.0),  # others may have consumed all of it, and leave what is usual
        (600.0, 600.0),
        (1000.0, 600.0),  # 600 and the 400 of others, as planned
        (1200.0, 400.0),  # others consumed 600 at least
        (5000.0, -3400.0),
    ],
)
def test_what_is_left_is_between_all_of_the_figure_and_what_cannot_be_our_own(
    consumed: float, left: float
) -> None:
    assert left == of_all(600.0, 0.0).left(1000.0, consumed)


def test_what_is_left_by_others_is_exact_for_who_works_alone() -> None:
    assert 700.0 == OwnUse.exactly(100.0).left(1000.0, 400.0)
    assert 1000.0 == OwnUse.exactly(500.0).left(1000.0, 400.0)
    assert 600.0 == NOTHING.left(1000.0, 400.0)


def test_what_others_consume_is_a_number_where_it_is_known_and_a_span_where_not() -> None:
    assert "300" == OwnUse.exactly(100.0).of_others(400.0)
    assert "50 to 400" == OwnUse(most=350.0).of_others(400.0)


def test_what_may_be_our_own_is_the_highest_of_an_hour() -> None:
    clock = ManualClock()
    shared = SharedRate(planned=800.0, sharing=FOUR, clock=clock)
    assert 800.0 * 0.95 == shared.own.most

    assert 200.0 * 0.95 / 4 == shared.decided(200.0)
    clock.advance(HOUR - 1.0)
    assert 800.0 * 0.95 == shared.own.most
    for seconds in (1.0, HOUR):
        clock.advance(seconds)
        assert 200.0 * 0.95 == shared.own.most


def test_a_rate_above_the_planned_one_is_usual_as_long_as_it_holds() -> None:
    clock = ManualClock()
    shared = SharedRate(planned=100.0, sharing=FOUR, clock=clock)
    for rate, usual in ((900.0, 900.0), (50.0, 100.0)):
        shared.decided(rate)
        assert usual == shared.own.usual


def test_of_who_begins_after_a_rest_nothing_is_its_own() -> None:
    rested = SharedRate(planned=800.0, sharing=FOUR, clock=ManualClock(), at_work=False)

    assert 300.0 == rested.own.left(1000.0, 700.0)
    rested.decided(300.0)
    assert 300.0 * 0.95 == rested.own.most


@pytest.mark.parametrize(("waited", "left"), [(59.0, 300.0), (60.0, 800.0)])
def test_who_waited_a_minute_for_a_place_knows_that_others_of_its_own_were_at_work(
    waited: float, left: float
) -> None:
    clock = ManualClock()
    waiting = SharedRate(planned=800.0, sharing=FOUR, clock=clock, at_work=False)
    clock.advance(waited)

    assert left == waiting.own.left(1000.0, 700.0)
    waiting.decided(left)
    clock.advance(60.0)
    assert max(left, 800.0 if waited >= SEEN_SECONDS else 0.0) * 0.95 == waiting.own.most


# --- who was at work ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "beats", "released", "at_work"),
    [
        (0.9, 1, True, True),  # ended within the hour
        (1.1, 99, True, False),
        (0.0, 12, False, True),  # lives, and has for a minute
        (0.0, 11, False, False),
        (1.1, 99, False, False),
    ],
)
def test_leases_tell_whether_there_was_work_within_the_hour(
    hours: float, beats: int, released: bool, at_work: bool
) -> None:
    store = MemoryStore()
    now = EPOCH + timedelta(days=1)
    seen = now - timedelta(hours=hours)
    lease = LeaseRecord(attempt="x", beats=beats, beat_at=seen, released=released)
    store.put("b", records.encode(lease))

    assert at_work is at_work_of_late(store, EPOCH, ["a", "b"], now)


def test_in_the_hour_after_the_plan_there_is_work_whoever_has_begun() -> None:
    assert at_work_of_late(MemoryStore(), EPOCH, ["a"], EPOCH + timedelta(minutes=59))
    assert not at_work_of_late(MemoryStore(), EPOCH, ["a"], EPOCH + timedelta(minutes=60))


# --- ranges of an export ------------------------------------------------------------------------


@pytest.mark.parametrize(("capacity", "at_once"), [(400.0, 4), (12_000.0, 4), (40_000.0, 11)])
@pytest.mark.parametrize("others", [0.0, 0.05], ids=["alone", "others take 5 %"])
def test_a_range_that_begins_late_has_the_share_of_those_before_it(
    capacity: float, at_once: int, others: float
) -> None:
    world = a_world(capacity, others * capacity)
    parts = world.plan(4 * at_once, at_once, **RATIO)
    first = world.range(parts[0], **RATIO).units_per_second_asked
    consume(world, others * capacity + at_once * first)

    late = world.range(parts[at_once], **RATIO).units_per_second_asked

    assert parts[0].sharing.rate(capacity * (1.0 - others)) == pytest.approx(first, abs=0.01)
    assert first == pytest.approx(late, rel=1e-4)


@pytest.mark.parametrize(("now", "left"), [(100.0, 400.0), (300.0, 200.0), (500.0, 1.0)])
def test_what_others_consume_more_than_at_the_plan_is_taken_from_ranges_that_begin_late(
    now: float, left: float
) -> None:
    """Planned are 400 of 500 units, as others consumed 100."""
    world = a_world(500.0, 100.0)
    parts = world.plan(8, 4, **RATIO)
    first = world.range(parts[0], **RATIO)
    consume(world, 400.0 + now)

    assert 100.0 == first.units_per_second_asked
    assert left / 4 == world.range(parts[4], **RATIO).units_per_second_asked


def test_ranges_take_what_others_have_left_for_an_hour() -> None:
    """Nobody consumed more than 100 of 500 units: planned were 400 less, when others consumed 400."""
    world = a_world(500.0, 400.0)
    parts = world.plan(4, **RATIO)
    consume(world, 100.0)

    assert 400.0 / 4 == world.range(parts[0], **RATIO).units_per_second_asked


def test_a_plan_made_again_does_not_take_its_workers_for_others() -> None:
    world = a_world(400.0)
    parts = world.plan(4, **RATIO)
    consume(world, 400.0)
    world.said.clear()

    assert parts == world.plan(4, **RATIO)

    assert [] == world.warned
    assert any("at 400.0 read units per second" in line for line in world.said)


def test_a_new_plan_within_the_hour_says_why_the_rate_is_low_and_what_helps() -> None:
    world = a_world(400.0, consumed=400.0)

    with pytest.raises(PreflightFailed) as caught:
        world.plan(4, **RATIO)

    (problem,) = caught.value.problems
    assert "cannot share 1.0 units per second (1 of 400 units (OnDemandThroughput), others consume 400 " in (
        problem.message
    )
    assert problem.hint is not None
    assert problem.hint.startswith(
        "at most 1; others are also exports and imports that ended within the hour"
    )
    assert problem.hint.endswith("wait until the hour is over, or give units_per_second")


def test_a_low_rate_that_others_have_no_part_in_has_no_such_hint() -> None:
    world = Shared(table=a_table(read=2.0))

    with pytest.raises(PreflightFailed) as caught:
        world.plan(4, **RATIO)

    assert ["at most 2"] == [problem.hint for problem in caught.value.problems]


# --- while a range runs -------------------------------------------------------------------------


def a_rig(planned: float) -> Rig:
    """One of four, on a table of 400 units."""
    table = ChangingTable(on_demand=True, throughput=Throughput(on_demand_max=400.0))
    rig = Rig(table, FixedCapacity(consumed=0.0))
    asked = ExportRequest(table_name="orders", s3_uri="s3://backups/daily", ratio=1.0)
    rig.plan = replace(rig.plan, request=asked)
    sharing = Sharing(workers=4)
    shared = SharedRate(planned=planned, sharing=sharing, clock=rig.clock)
    rig.throttle.set_target(shared.decided(planned))
    rig.house = Housekeeping(
        rig.plan, rig.world.ports, rig.lease, rig.throttle, rig.totals, rig.house._reports, shared=shared
    )
    return rig


def test_a_worker_that_was_slow_for_a_minute_keeps_its_share() -> None:
    rig = a_rig(400.0)
    rig.capacity.consumed = 400.0
    held = []
    for units in (100.0, 0.0, 30.0, 100.0):
        rig.consume(units * CAPACITY_SECONDS)
        rig.after(CAPACITY_SECONDS)
        held.append(rig.throttle.target)

    assert [100.0] * 4 == held


def test_a_worker_slows_down_for_others_and_is_as_fast_as_planned_again_an_hour_after_them() -> None:
    rig = a_rig(380.0)  # others take 5 %
    held = []
    for consumed, minutes in ((400.0, 1), (480.0, 60), (380.0 - 80.0 + 20.0, 1), (400.0, 60)):
        rig.capacity.consumed = consumed
        for _ in range(minutes):
            rig.after(CAPACITY_SECONDS)
        held.append(rig.throttle.target)

    assert [95.0, 75.0, 95.0, 95.0] == held


def test_a_look_that_finds_less_capacity_lowers_the_share_at_once() -> None:
    rig = a_rig(400.0)
    rig.capacity.consumed = 400.0
    rig.table.change(throughput=Throughput(on_demand_max=100.0))
    rig.after(CAPACITY_SECONDS)

    assert 25.0 == rig.throttle.target


# --- ranges of an import ------------------------------------------------------------------------


def an_import(consumed: float) -> tuple[SharedImport, FixedCapacity]:
    shared = SharedImport()
    table = Table(on_demand=True, write_throughput=Throughput(on_demand_max=400.0))
    source = FixedCapacity(consumed=consumed)
    shared.ports = replace(ports_of(table, shared.store), capacity=source, say=shared.say, warn=shared.warn)
    return shared, source


def test_a_plan_of_an_import_made_again_does_not_take_its_workers_for_others() -> None:
    shared, source = an_import(0.0)
    parts = shared.plan(ratio=1.0)
    source.consumed = 400.0 * (1.0 - parts[0].slack)
    shared.said.clear()

    assert parts == shared.plan(ratio=1.0)

    assert [] == [line for line in shared.warned if "cannot share" in line]
    assert any("at 400.0 write units per second" in line for line in shared.said)


def test_a_new_plan_of_an_import_within_the_hour_says_why_the_rate_is_low_and_what_helps() -> None:
    shared, _ = an_import(400.0)

    with pytest.raises(ImportRefused) as caught:
        shared.plan(ratio=1.0)

    (problem,) = caught.value.problems
    assert "others consume 400 units per second)" in problem.message
    assert problem.hint is not None
    assert "at most 1; others are also exports and imports that ended within the hour" in problem.hint
