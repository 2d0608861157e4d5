from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryStore, MemoryTable
from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.checkpoint import Checkpoint
from airflow_dynamo_pipeline.engine.housekeeping import CAPACITY_SECONDS, Housekeeping, Reports
from airflow_dynamo_pipeline.engine.lease import Lease
from airflow_dynamo_pipeline.engine.own_use import SharedRate
from airflow_dynamo_pipeline.engine.plan import Plan, make_plan
from airflow_dynamo_pipeline.engine.ports import Throughput
from airflow_dynamo_pipeline.engine.records import SegmentState
from airflow_dynamo_pipeline.engine.segments_run import SegmentsRun
from airflow_dynamo_pipeline.engine.shares import ALONE, Sharing
from airflow_dynamo_pipeline.engine.table_export import sizer_of
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.errors import StaleAttempt, Stopped, TableChanged
from tests.clock import ManualClock
from tests.unit.engine.world import NO_WAITING, World, data_keys, items, request, work

FOUR = Sharing(workers=4, slack=0.05)


@dataclass(kw_only=True)
class Segments(World):
    """A world in which some segments of an export are read."""

    ratio: float | None = None
    held: list[Lease] = field(default_factory=list)

    def planned(self, segments: int) -> Plan:
        rate = {"units_per_second": NO_WAITING} if self.ratio is None else {"ratio": self.ratio}
        return make_plan(request(segments=segments, **rate), work(), self.ports)

    def run_of(self, some: range, *, of: int = 4, sharing: Sharing = ALONE) -> SegmentsRun:
        plan = self.planned(of)
        lease = Lease(self.store, "lease", "me", self.clock)
        lease.acquire(self.stop, self.said.append)
        self.held.append(lease)
        own = sharing.rate(plan.rate.units_per_second)
        return SegmentsRun(
            plan,
            self.ports,
            lease,
            Checkpoint(self.store, plan.target.layout, "me", of),
            segments=some,
            sizer=sizer_of(plan),
            throttle=Throttle(own, self.clock, self.stop),
            shared=SharedRate(planned=plan.rate.units_per_second, sharing=sharing, clock=self.clock),
        )

    def house(self, run: SegmentsRun) -> Housekeeping:
        return run.housekeeping(Reports(self.reports.append))

    def scan(self, run: SegmentsRun) -> None:
        run.scan(self.house(run))

    def states(self) -> dict[int, SegmentState]:
        store = self.store
        assert isinstance(store, MemoryStore)
        keys = [
            key for key in store.objects if key.rpartition("/")[2][:4].isdecimal() and "_checkpoint" in key
        ]
        found = [records.decode(store.objects[key].body, SegmentState, key) for key in keys]
        return {state.segment: state for state in found}


def test_only_its_segments_are_read_and_have_checkpoints() -> None:
    world = Segments()
    world.scan(world.run_of(range(1, 3)))

    assert [1, 2] == sorted(world.states())
    assert all(state.done for state in world.states().values())
    table = MemoryTable(items(10))
    assert (
        len(table.items) > sum(part.item_count for one in world.states().values() for part in one.parts) > 0
    )
    assert {"0001", "0002"} == {key.rpartition("/")[2][:4] for key in data_keys(world.store)}


def test_progress_is_of_its_share_of_the_table() -> None:
    world = Segments()
    run = world.run_of(range(2), of=4)
    house = world.house(run)
    run.scan(house)
    house.report_end()

    last = world.reports[-1]
    assert (2, 2, 1.0) == (last.segments, last.segments_done, last.share_done)


def test_a_second_attempt_reads_nothing_of_what_is_done() -> None:
    world = Segments()
    world.scan(world.run_of(range(2)))
    world.held[0].release()
    run = world.run_of(range(2))
    world.scan(run)

    assert 0.0 == run.throttle.consumed
    assert (2, 2) == (run.totals.segments, run.totals.segments_done)


def test_what_was_committed_meanwhile_is_not_read_again() -> None:
    world = Segments()
    run = world.run_of(range(2))
    whole = World(table=world.table, store=MemoryStore(), clock=world.clock)
    whole.export(request(segments=4, units_per_second=NO_WAITING))
    (key,) = [key for key in whole.store.keys("") if key.endswith("/manifest-summary.json")]
    found = whole.store.get(key)
    assert found is not None
    world.store.put(key, found.body)

    with pytest.raises(StaleAttempt, match="committed this export"):
        world.scan(run)

    assert [] == data_keys(world.store)


def test_told_to_stop_before_the_first_page_it_reads_none() -> None:
    world = Segments()
    run = world.run_of(range(2))
    world.stop.set()

    with pytest.raises(Stopped):
        world.scan(run)

    assert [] == data_keys(world.store)


def test_a_table_made_anew_while_it_was_read_is_no_export() -> None:
    world = Segments(table=MemoryTable(items(10)))
    run = world.run_of(range(2))
    assert isinstance(world.table, MemoryTable)
    world.table._described["table_id"] = "another"

    with pytest.raises(TableChanged, match="made anew"):
        world.scan(run)


# --- its share of a rate that changes -----------------------------------------------------------


def changed(world: Segments, run: SegmentsRun, clock: ManualClock, throughput: Throughput) -> float:
    """The target once a minute has passed since the table changed."""
    house = world.house(run)
    assert isinstance(world.table, MemoryTable)
    world.table._described["throughput"] = throughput
    clock.advance(CAPACITY_SECONDS)
    house.tick()
    return run.throttle.target


@pytest.mark.parametrize(
    ("read", "target"), [(800.0, 0.95 * 400 / 4), (4.0, 0.95 * 2 / 4), (100.0, 0.95 * 50 / 4)]
)
def test_e8_a_worker_follows_the_table_with_its_share_of_what_all_may_use(read: float, target: float) -> None:
    clock = ManualClock()
    world = Segments(table=MemoryTable(items(10)), clock=clock, ratio=0.5)
    run = world.run_of(range(1), sharing=FOUR)

    assert target == pytest.approx(changed(world, run, clock, Throughput(provisioned=read)))


def test_e8_what_the_other_workers_use_is_not_taken_for_the_use_of_strangers() -> None:
    """Four workers at 100 units each are all that is consumed: nobody slows down for anybody."""
    clock = ManualClock()
    world = Segments(
        table=MemoryTable(items(10), on_demand=True, throughput=Throughput(on_demand_max=500.0)),
        capacity=FixedCapacity(consumed=0.0),
        clock=clock,
        ratio=0.8,
    )
    run = world.run_of(range(1), sharing=Sharing(workers=4))
    house = world.house(run)
    assert isinstance(world.capacity, FixedCapacity)
    world.capacity.consumed = 400.0
    run.throttle.settle(run.throttle.reserve(0.0), 100.0 * CAPACITY_SECONDS)
    clock.advance(CAPACITY_SECONDS)
    house.tick()
    assert 100.0 == run.throttle.target

    world.capacity.consumed = 600.0  # two hundred of them are strangers'
    run.throttle.settle(run.throttle.reserve(0.0), 100.0 * CAPACITY_SECONDS)
    clock.advance(CAPACITY_SECONDS)
    house.tick()
    assert (500.0 - 200.0) / 4 == run.throttle.target


def test_alone_it_has_all_of_the_rate() -> None:
    clock = ManualClock()
    world = Segments(table=MemoryTable(items(10)), clock=clock, ratio=0.5)

    assert 400.0 == changed(world, world.run_of(range(1)), clock, Throughput(provisioned=800.0))
