from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryStore, MemoryTable
from airflow_dynamo_pipeline.engine.existing import Start
from airflow_dynamo_pipeline.engine.plan import announce, make_plan, store_problems
from airflow_dynamo_pipeline.engine.ports import TableDescription, Throughput
from airflow_dynamo_pipeline.engine.requests import ExportRequest, S3Location
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    NotFound,
    PipelineError,
    PreflightFailed,
    ServiceTrouble,
    Stopped,
    Throttled,
)
from tests.unit.engine.world import NO_WAITING, World, described, index, items, request, work


class FailingTable(MemoryTable):
    def __init__(self, error: PipelineError) -> None:
        super().__init__([])
        self.error = error

    def describe(self) -> TableDescription:
        raise self.error


class FailingStore(MemoryStore):
    """A bucket that fails at one of its calls."""

    def __init__(self, call: str, error: PipelineError) -> None:
        super().__init__()
        self.call = call
        self.error = error

    def region(self) -> str | None:
        self._maybe_fail("region")
        return super().region()

    def probe(self, key: str) -> None:
        self._maybe_fail("probe")

    def _maybe_fail(self, call: str) -> None:
        if call == self.call:
            raise self.error


class DeniedCapacity(FixedCapacity):
    def consumed_read_units_per_second(self, table_name: str, index_name: str | None) -> float:
        raise AccessDenied("cloudwatch:GetMetricStatistics", "*")


NO_TABLE = FailingTable(NotFound("table", "orders", "check the region"))
NO_BUCKET = FailingStore("region", NotFound("bucket", "backups"))


def found(world: World, asked: ExportRequest | None = None) -> dict[str, str]:
    """Findings by the setting they belong to; nothing was written or scanned."""
    with pytest.raises(PreflightFailed) as caught:
        make_plan(asked or request(), work(), world.ports)
    assert isinstance(world.store, MemoryStore)
    assert {} == world.store.objects
    if isinstance(world.table, MemoryTable):
        assert [] == world.table.scans
    return {problem.where: str(problem) for problem in caught.value.problems}


def table(**changes: Any) -> MemoryTable:
    return MemoryTable(items(10), **changes)


def test_e10_a_missing_table_and_a_missing_bucket_are_found_at_once() -> None:
    problems = found(World(table=NO_TABLE, store=NO_BUCKET))

    assert {"table_name", "s3_uri"} == set(problems)
    assert "no such table: orders\nHINT: check the region" in problems["table_name"]
    assert "no such bucket: backups" in problems["s3_uri"]


@pytest.mark.parametrize(
    "status", ["CREATING", "DELETING", "ARCHIVED", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"]
)
def test_e10_a_table_that_is_not_active_is_refused(status: str) -> None:
    assert f"table orders is {status}" in found(World(table=table(status=status)))["table_name"]


def test_a_table_that_is_being_updated_can_be_read() -> None:
    plan = make_plan(request(), work(), World(table=table(status="UPDATING")).ports)

    assert Start.NEW == plan.target.start


def test_e10_a_missing_index_is_refused_with_those_there_are() -> None:
    problems = found(World(table=table(indexes={"by_date": index("by_date")})), request(index_name="by_day"))

    assert "no index 'by_day'" in problems["index_name"]
    assert "HINT: its indexes: by_date" in problems["index_name"]


def test_e10_an_index_that_is_not_active_is_refused() -> None:
    described = table(indexes={"by_date": index("by_date", status="CREATING")})

    assert (
        "index by_date is CREATING"
        in found(World(table=described), request(index_name="by_date"))["index_name"]
    )


def test_e10_a_consistent_read_of_a_global_index_is_refused() -> None:
    described = table(indexes={"by_date": index("by_date")})
    problems = found(World(table=described), request(index_name="by_date", consistent_read=True))

    assert "index by_date is global" in problems["consistent_read"]


def test_a_consistent_read_of_a_local_index_is_fine() -> None:
    described = table(indexes={"by_date": index("by_date", is_global=False)})
    asked = request(index_name="by_date", consistent_read=True)

    assert make_plan(asked, work(), World(table=described).ports).request.consistent_read


def test_e10_a_bucket_in_another_region_is_refused_with_both() -> None:
    problems = found(World(store=MemoryStore(region="eu-west-1")))

    assert "bucket backups is in eu-west-1, table orders in us-east-1" in problems["s3_uri"]


def test_a_store_without_regions_is_fine() -> None:
    assert Start.NEW == make_plan(request(), work(), World(store=MemoryStore(region=None)).ports).target.start


def test_e10_a_bucket_that_cannot_be_written_names_action_and_resource() -> None:
    denied = AccessDenied("s3:PutObject", "arn:aws:s3:::backups/daily/AWSDynamoDB/_probe")
    problems = found(World(store=FailingStore("probe", denied)))

    assert (
        "access denied: s3:PutObject on arn:aws:s3:::backups/daily/AWSDynamoDB/_probe" in problems["s3_uri"]
    )
    assert "HINT: allow s3:PutObject" in problems["s3_uri"]


def test_e10_a_denied_capacity_metric_is_a_finding() -> None:
    problems = found(World(table=table(on_demand=True), capacity=DeniedCapacity()))

    assert "cloudwatch:GetMetricStatistics" in problems["ratio"]


def test_an_absolute_rate_needs_no_capacity_metric() -> None:
    world = World(table=table(on_demand=True), capacity=DeniedCapacity())

    assert 50.0 == make_plan(request(units_per_second=50.0), work(), world.ports).rate.units_per_second


def test_e10_everything_wrong_with_table_index_and_bucket_is_found_at_once() -> None:
    world = World(
        table=table(status="CREATING", indexes={"g": index("g", status="DELETING")}),
        store=MemoryStore(region="eu-west-1"),
    )

    assert {"table_name", "index_name", "consistent_read", "s3_uri"} == set(
        found(world, request(index_name="g", consistent_read=True))
    )


@pytest.mark.parametrize("error", [ServiceTrouble("503"), Throttled("slow"), Stopped("told to stop")])
@pytest.mark.parametrize("place", ["table", "bucket"])
def test_what_a_retry_can_help_is_no_finding(place: str, error: PipelineError) -> None:
    if place == "table":
        world = World(table=FailingTable(error))
    else:
        world = World(store=FailingStore("region", error))

    with pytest.raises(type(error)):
        make_plan(request(), work(), world.ports)


def test_a_plan_changes_nothing() -> None:
    world = World()
    make_plan(request(), work(), world.ports)

    assert isinstance(world.store, MemoryStore)
    assert ({}, set()) == (world.store.objects, world.store.uploads)


def test_e8_a_low_rate_uses_few_threads_and_a_high_one_at_most_eight() -> None:
    def threads(rate: float, segments: int) -> int:
        return make_plan(request(units_per_second=rate, segments=segments), work(), World().ports).threads

    assert 1 == threads(1.0, 100)
    assert 3 == threads(24.0, 100)
    assert 8 == threads(NO_WAITING, 100)
    assert 2 == threads(NO_WAITING, 2)


def test_the_size_of_an_index_is_the_indexes_own() -> None:
    described = table(indexes={"g": index("g", size_bytes=77, item_count=7)})
    plan = make_plan(request(index_name="g"), work(), World(table=described).ports)

    assert (77, 7) == (plan.size_bytes, plan.item_count)
    assert "orders index g, about 7 items and 77 bytes" in plan.line()


def test_the_line_says_what_will_be_done() -> None:
    plan = make_plan(
        request(ratio=0.5, segments=3),
        work(),
        World(table=table(throughput=Throughput(provisioned=60))).ports,
    )

    assert plan.line().startswith("new: orders, about 10 items")
    assert plan.target.layout.manifest_uri in plan.line()
    assert (
        "at 30.0 read units per second (0.5 of 60 provisioned units), 3 segments on 3 threads" in plan.line()
    )


def test_one_segment_is_said_in_the_singular() -> None:
    plan = make_plan(request(segments=1), work(), World(table=table()).ports)

    assert ", 1 segment on 1 thread; " in plan.line()


def test_a_table_of_another_class_is_planned_with_that_said() -> None:
    rare = table(table_class="STANDARD_INFREQUENT_ACCESS", size_bytes=10**9)

    assert "of the Standard class" in make_plan(request(), work(), World(table=rare).ports).line()


def test_a_resumed_export_keeps_its_segments_and_says_so() -> None:
    world = World()
    world.stop_at_the_first_page()
    with pytest.raises(Stopped):
        world.export(request(units_per_second=NO_WAITING, segments=4))
    later = World(store=world.store)
    plan = make_plan(request(units_per_second=NO_WAITING, segments=9), work(), later.ports)

    assert (Start.RESUME, 4) == (plan.target.start, plan.segments)
    assert "resuming with the 4 segments the export was begun with, not 9" == later.said[0]


def test_a_rate_that_eight_segments_hardly_reach_is_said() -> None:
    fast, slow = World(), World()
    for world, rate in ((fast, 20_000), (slow, 5_000)):
        announce(make_plan(request(units_per_second=rate), work(), world.ports), world.ports)

    assert "20,000 units per second may not be reached: one task reads 8 segments at a time" == fast.said[0]
    assert not any("may not be reached" in line for line in slow.said)


class Probed(MemoryStore):
    """Remembers where it was asked whether objects can be written."""

    def __init__(self, region: str | None = "us-east-1") -> None:
        super().__init__(region)
        self.probed: list[str] = []

    def probe(self, key: str) -> None:
        self.probed.append(key)


def test_whether_objects_can_be_written_is_asked_of_the_folder_that_is_named() -> None:
    store = Probed()

    assert [] == store_problems(S3Location("lake", "loads"), described(), store, "_lookups")
    assert ["loads/_lookups/_probe"] == store.probed


@pytest.mark.parametrize(("region", "count"), [("us-east-1", 0), (None, 0), ("eu-west-1", 1)])
def test_a_bucket_in_another_region_than_the_table_is_not_probed(region: str | None, count: int) -> None:
    store = Probed(region)
    found = store_problems(S3Location("lake", "loads"), described(), store, "_lookups")

    assert (count, 1 - count) == (len(found), len(store.probed))
    assert all("bucket lake is in eu-west-1, table orders in us-east-1" == one.message for one in found)


def test_without_a_table_the_folder_is_probed_all_the_same() -> None:
    store = Probed("eu-west-1")

    assert [] == store_problems(S3Location("lake", ""), None, store, "_lookups")
    assert ["_lookups/_probe"] == store.probed
