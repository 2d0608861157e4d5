from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryStore, MemoryTable
from airflow_dynamo_pipeline.engine.housekeeping import CAPACITY_SECONDS, Housekeeping, Reports
from airflow_dynamo_pipeline.engine.lease import BEAT_SECONDS, Lease
from airflow_dynamo_pipeline.engine.plan import make_plan
from airflow_dynamo_pipeline.engine.ports import TableDescription, Throughput
from airflow_dynamo_pipeline.engine.progress import Totals
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    NotFound,
    PipelineError,
    ServiceTrouble,
    StaleAttempt,
    TableChanged,
)
from tests.clock import ManualClock
from tests.unit.engine.world import World, items, layout, request, work


class ChangingTable(MemoryTable):
    """A table that people and autoscaling change, or that cannot be described for a while."""

    def __init__(self, **described: Any) -> None:
        super().__init__(items(100), **described)
        self.error: PipelineError | None = None
        self.asked = 0

    def describe(self) -> TableDescription:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return super().describe()

    def change(self, **described: Any) -> None:
        self._described.update(described)

    def provision(self, units: float) -> None:
        self.change(throughput=Throughput(provisioned=units))


class Rig:
    def __init__(self, table: ChangingTable | None = None, capacity: FixedCapacity | None = None) -> None:
        self.clock = ManualClock()
        self.table = table or ChangingTable(throughput=Throughput(provisioned=400.0))
        self.store = MemoryStore()
        self.capacity = capacity or FixedCapacity()
        self.world = World(table=self.table, store=self.store, capacity=self.capacity, clock=self.clock)
        self.plan = make_plan(request(), work(), self.world.ports)
        self.table.asked = 0
        self.lease = Lease(self.store, layout().lease_key, "one", self.clock)
        self.lease.acquire(self.world.stop, self.world.said.append)
        self.throttle = Throttle(self.plan.rate.units_per_second, self.clock, self.world.stop)
        self.totals = Totals(4)
        self.house = Housekeeping(
            self.plan,
            self.world.ports,
            self.lease,
            self.throttle,
            self.totals,
            Reports(self.world.reports.append, 10.0),
        )

    def after(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.house.tick()

    def consume(self, units: float) -> None:
        self.throttle.settle(self.throttle._schedule.book(units, self.clock.monotonic()), units)


def test_a_record_is_made_every_ten_seconds() -> None:
    rig = Rig()
    for _ in range(70):
        rig.after(0.5)

    assert 3 == len(rig.world.reports)


def test_a_record_shows_the_rate_held_since_the_last_one() -> None:
    rig = Rig()
    rig.consume(500.0)
    rig.after(10.0)
    rig.consume(900.0)
    rig.after(10.0)

    assert [50.0, 90.0] == [report.units_per_second_held for report in rig.world.reports]
    assert [100.0, 100.0] == [report.units_per_second_asked for report in rig.world.reports]
    assert [500.0, 1400.0] == [report.consumed_units for report in rig.world.reports]


def test_the_last_record_shows_the_rate_of_the_whole_attempt() -> None:
    rig = Rig()
    rig.throttle.settle(rig.throttle.reserve(50.0), 50.0)
    rig.house.report_end()

    assert rig.throttle.held == rig.world.reports[-1].units_per_second_held > 0


def test_the_eta_follows_what_this_attempt_gained() -> None:
    rig = Rig()
    rig.totals.page(items=0, scanned=20, written=0)
    rig.house.tick()
    rig.totals.page(items=0, scanned=40, written=0)
    rig.after(10.0)

    (report,) = rig.world.reports
    assert pytest.approx(10.0 * 0.4 / 0.4) == report.eta_seconds
    assert (0.6, 10.0) == (report.share_done, report.elapsed_seconds)


def test_the_eta_is_unknown_before_anything_was_gained_and_zero_at_the_end() -> None:
    rig = Rig()
    rig.house.report_now()
    for _ in range(4):
        rig.totals.segment()
    rig.house.report_now()

    assert [None, 0.0] == [report.eta_seconds for report in rig.world.reports]


def test_the_lease_beats() -> None:
    rig = Rig()
    before = rig.store.objects[layout().lease_key]
    rig.after(BEAT_SECONDS)

    assert before != rig.store.objects[layout().lease_key]


def test_a_lost_lease_ends_the_run() -> None:
    rig = Rig()
    Lease(rig.store, layout().lease_key, "two", ManualClock()).acquire(rig.world.stop, rig.world.said.append)

    with pytest.raises(StaleAttempt):
        rig.after(BEAT_SECONDS)


def test_e8_the_rate_follows_the_table_up_and_down_each_minute() -> None:
    rig = Rig()
    held = []
    for units in (400.0, 2000.0, 100.0, 100.0):
        rig.table.provision(units)
        rig.after(CAPACITY_SECONDS)
        held.append(rig.throttle.target)

    assert [100.0, 500.0, 25.0, 25.0] == held
    assert 2 == len([line for line in rig.world.said if line.startswith("rate now")])
    assert "rate now 500.0 read units per second (0.25 of 2000 provisioned units)" in rig.world.said


def test_the_table_is_asked_once_a_minute() -> None:
    rig = Rig()
    for _ in range(240):
        rig.after(0.5)

    assert 2 == rig.table.asked


def test_e8_an_absolute_rate_does_not_follow_the_table() -> None:
    rig = Rig()
    rig.house._plan = make_plan(request(units_per_second=70.0), work(), rig.world.ports)
    rig.throttle.set_target(70.0)
    rig.table.provision(9000.0)
    rig.after(CAPACITY_SECONDS)

    assert 70.0 == rig.throttle.target


def test_e8_what_the_export_consumed_itself_is_not_taken_for_others() -> None:
    """Of 1,000 units 990 are consumed, 240 a second by this export: its share stays a quarter."""
    table = ChangingTable(on_demand=True, throughput=Throughput(on_demand_max=1000.0))
    rig = Rig(table, FixedCapacity(consumed=0.0))
    rig.capacity.consumed = 990.0
    rig.consume(240.0 * CAPACITY_SECONDS)
    rig.after(CAPACITY_SECONDS)
    assert 250.0 == rig.throttle.target

    rig.after(CAPACITY_SECONDS)
    assert 10.0 == rig.throttle.target


@pytest.mark.parametrize(
    "change",
    [{"table_id": "another"}, {"table_id": None, "created_at": "later"}, {"status": "DELETING"}],
    ids=["another id", "created later", "being deleted"],
)
def test_a_table_that_is_replaced_or_going_ends_the_run(change: dict[str, Any]) -> None:
    rig = Rig()
    rig.table.change(**change)

    with pytest.raises(TableChanged, match="deleted and made anew, while it was read"):
        rig.after(CAPACITY_SECONDS)


def test_a_table_that_is_gone_ends_the_run() -> None:
    rig = Rig()
    rig.table.error = NotFound("table", "orders")

    with pytest.raises(NotFound):  # which the run, knowing that there was a table, calls TableChanged
        rig.after(CAPACITY_SECONDS)


def test_a_table_that_is_being_updated_goes_on() -> None:
    rig = Rig()
    rig.table.change(status="UPDATING")
    rig.after(CAPACITY_SECONDS)

    assert 100.0 == rig.throttle.target


def test_trouble_with_describing_keeps_the_rate_and_is_tried_again_a_minute_later() -> None:
    rig = Rig()
    rig.table.error = ServiceTrouble("503")
    rig.after(CAPACITY_SECONDS)
    assert 100.0 == rig.throttle.target
    assert ["could not read the capacity again, keeping the rate: 503"] == rig.world.warned

    rig.table.error = None
    rig.table.provision(800.0)
    rig.after(CAPACITY_SECONDS - 1.0)
    assert 100.0 == rig.throttle.target
    rig.after(1.0)
    assert 200.0 == rig.throttle.target


def test_consumption_is_counted_over_the_time_since_it_was_last_counted() -> None:
    """A minute without an answer must not make the next one's consumption look twice as high."""
    table = ChangingTable(on_demand=True, throughput=Throughput(on_demand_max=1000.0))
    rig = Rig(table, FixedCapacity(consumed=0.0))
    rig.capacity.consumed = 1000.0
    for error in (ServiceTrouble("503"), None):
        table.error = error
        rig.consume(200.0 * CAPACITY_SECONDS)
        rig.after(CAPACITY_SECONDS)

    assert 200.0 == rig.throttle.target


def test_a_permission_taken_away_ends_the_run() -> None:
    rig = Rig()
    rig.table.error = AccessDenied("dynamodb:DescribeTable", "orders")

    with pytest.raises(AccessDenied):
        rig.after(CAPACITY_SECONDS)


def test_after_a_stop_nothing_is_done_but_waking_the_throttle() -> None:
    rig = Rig()
    before = dict(rig.store.objects)
    rig.world.stop.set()
    rig.throttle._nudge.clear()
    rig.after(10 * CAPACITY_SECONDS)

    assert (before, [], 0) == (rig.store.objects, rig.world.reports, rig.table.asked)
    assert rig.throttle._nudge.is_set()
