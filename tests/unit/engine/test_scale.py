"""What an export takes and costs on paper."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_dynamo_pipeline.adapters import s3
from airflow_dynamo_pipeline.adapters.memory import MemoryStore, MemoryTable
from airflow_dynamo_pipeline.engine import records, scale_cost
from airflow_dynamo_pipeline.engine.capacity import MAX_THREADS
from airflow_dynamo_pipeline.engine.export_range_plan import plan_export
from airflow_dynamo_pipeline.engine.ports import Throughput
from airflow_dynamo_pipeline.engine.prices import GB, Prices, prices_for
from airflow_dynamo_pipeline.engine.ranges import MOST_RANGES
from airflow_dynamo_pipeline.engine.records import StoredPlan
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.scale import (
    ENDS_SHARE,
    MEASURED,
    WORKER_UNITS_PER_SECOND,
    Scale,
    executors_for,
    partitions_for,
    ranges_for,
    segments_at_scale,
    vcpus_for,
    workers_for,
)
from airflow_dynamo_pipeline.engine.scale_cost import (
    TB,
    MachinePrices,
    cost_of,
    emr_tools,
    glue_connector,
    machine_prices,
    month_of_storage,
    requests_for,
)
from tests.unit.engine.world import World, items, layout, request, work

EVERY_RATE = [1.0, 25.0, 600.0, 3_840.0, 3_841.0, 40_000.0, 123_456.0, 1_000_000.0, 1e8]


def export(*, size_bytes: int = TB, capacity: float = 40_000.0, ratio: float = 0.5) -> Scale:
    """An export of an on-demand table."""
    return Scale(
        size_bytes=size_bytes, item_count=size_bytes // 368, capacity=capacity, on_demand=True, ratio=ratio
    )


@pytest.mark.parametrize("rate", EVERY_RATE)
def test_workers_carry_the_rate_with_none_too_many(rate: float) -> None:
    workers = workers_for(rate)

    assert workers * WORKER_UNITS_PER_SECOND >= rate or workers == MOST_RANGES
    assert workers == 1 or (workers - 1) * WORKER_UNITS_PER_SECOND < rate


def test_a_worker_is_bound_by_its_threads_and_not_by_its_cpu() -> None:
    assert 0.8 * 8 * 600 == WORKER_UNITS_PER_SECOND
    assert vcpus_for(WORKER_UNITS_PER_SECOND) < 0.2


def test_cpu_is_that_of_the_replies() -> None:
    """A unit is 8 KB of items; 1 GB of replies takes 3.07 CPU seconds, on Spark at most 1.3 times that."""
    one_gb = 1e9 / 8192 / (540 / 368)

    assert 3.07 == pytest.approx(vcpus_for(one_gb))
    assert 3.07 * 1.3 == pytest.approx(vcpus_for(one_gb, on_spark=True))
    assert 10.0 == pytest.approx(vcpus_for(one_gb, measured=replace(MEASURED, cpu_seconds_per_gb=10.0)))


def test_an_executor_runs_four_workers() -> None:
    assert [1, 1, 2, 66] == [
        executors_for(TB, workers * WORKER_UNITS_PER_SECOND) for workers in (1, 4, 5, 261)
    ]


def test_a_table_of_few_pages_needs_no_more_executors_than_it_has_pages_for() -> None:
    assert 1 == executors_for(4 * 1024**2, 1_000_000.0)
    assert 2 == executors_for(5 * 1024**2, 1_000_000.0)
    assert 1 == executors_for(0, 1_000_000.0)


@pytest.mark.parametrize(
    ("size", "capacity", "partitions"),
    [(0, 0.0, 1), (10 * GB, 3_000.0, 1), (10 * GB + 1, 3_000.0, 2), (GB, 3_001.0, 2), (TB, 40_000.0, 103)],
)
def test_partitions_are_by_size_or_by_capacity(size: int, capacity: float, partitions: int) -> None:
    assert partitions == partitions_for(size, capacity)


@pytest.mark.parametrize("rate", EVERY_RATE)
def test_every_worker_has_the_same_number_of_ranges(rate: float) -> None:
    """Four, as long as there may be so many."""
    ranges, workers = ranges_for(rate), workers_for(rate)

    assert ranges == 1 if workers == 1 else 0 == ranges % workers
    assert 1 <= ranges <= MOST_RANGES
    assert ranges == 4 * workers or workers == 1 or ranges + workers > MOST_RANGES


def test_few_partitions_are_no_reason_for_few_ranges() -> None:
    """Ten partitions, and four workers that may ask for 12,000 units per second of them."""
    assert 16 == export(size_bytes=100 * GB, capacity=12_000.0, ratio=1.0).ranges


@pytest.mark.parametrize("rate", EVERY_RATE)
@pytest.mark.parametrize("size", [0, GB, TB, 500 * TB])
def test_every_thread_has_the_same_number_of_segments(size: int, rate: float) -> None:
    ranges, workers = ranges_for(rate), workers_for(rate)
    segments = segments_at_scale(size, rate, rate, ranges=ranges, workers=workers)
    of_a_range, rest = divmod(segments, ranges)

    assert 0 == rest
    assert of_a_range <= MAX_THREADS or 0 == of_a_range % MAX_THREADS


def planned(scale: Scale) -> StoredPlan:
    """What ``plan_export`` leaves of an export of a table of that size and capacity."""
    table = MemoryTable(
        items(1),
        size_bytes=scale.size_bytes,
        item_count=scale.item_count,
        throughput=Throughput(provisioned=scale.capacity),
    )
    store = MemoryStore()
    world = World(table=table, store=store)
    asked = request(ratio=scale.ratio)
    (part, *_) = plan_export(asked, work(), world.ports, ranges=scale.ranges, at_once=scale.workers)
    key = layout(part.id).plan_key
    return records.decode(store.objects[key].body, StoredPlan, key)


@pytest.mark.parametrize("ratio", [0.5, 1.0])
@pytest.mark.parametrize("capacity", [8_000.0, 12_345.0, 100_000.0, 1_000_000.0])
@pytest.mark.parametrize("size", [0, 16 * 1024**2, 100 * GB, TB, 20 * TB, 500 * TB])
def test_ranges_are_planned_with_the_segments_and_the_slack_of_the_paper(
    size: int, capacity: float, ratio: float
) -> None:
    paper = replace(export(size_bytes=size, capacity=capacity, ratio=ratio), on_demand=False)
    plan = planned(paper)

    assert (paper.ranges, paper.workers) == (plan.ranges, plan.at_once)
    assert paper.segments == plan.segments
    assert paper.sharing.slack == plan.slack


def test_segments_are_no_fewer_than_partitions() -> None:
    """103 partitions of 10 GB; twelve ranges of eight threads are 96."""
    assert 192 == segments_at_scale(TB, 10_000.0, 10_000.0, ranges=12, workers=3)
    assert 104 == segments_at_scale(TB, 2_500.0, 10_000.0, ranges=1, workers=1)


def test_two_workers_have_eight_threads_each_however_little_they_share() -> None:
    assert 16 == segments_at_scale(GB, 3_841.0, 3_841.0, ranges=2, workers=2)


def test_no_segment_has_less_than_a_page() -> None:
    """Sixteen pages for four ranges; a table that was not counted yet may have any number."""
    assert 16 == segments_at_scale(16 * 1024**2, 12_000.0, 12_000.0, ranges=4, workers=4)
    assert 32 == segments_at_scale(0, 12_000.0, 12_000.0, ranges=4, workers=4)


def test_one_worker_takes_its_units_at_its_rate() -> None:
    """At 1,000 units the schedule keeps 0.4 % below."""
    one = export(size_bytes=100 * GB, capacity=1_000.0, ratio=1.0)

    assert 13_107_200.0 == one.units
    assert 13_107_200.0 / 996.0 / 3600 == pytest.approx(one.hours)


def test_workers_that_share_a_rate_take_longer_by_what_nobody_reads() -> None:
    shared = export()
    alone = shared.units / shared.rate / 3600

    assert 6 == shared.workers
    assert 0.96 < shared.held / shared.rate < 0.97
    assert (1 + ENDS_SHARE) * alone / (shared.held / shared.rate) == pytest.approx(shared.hours)


def test_an_environment_runs_125_ranges_at_a_time() -> None:
    per_worker = WORKER_UNITS_PER_SECOND

    assert 25 == export(capacity=125 * per_worker, ratio=1.0).mwaa_workers
    assert export(capacity=126 * per_worker, ratio=1.0).mwaa_workers is None


def prices(**by_kind: float) -> MachinePrices:
    kinds = dict.fromkeys(machine_prices().by_kind, 0.0)
    return MachinePrices(region="us-east-1", found_on="", by_kind=kinds | by_kind, sources={})


@pytest.mark.parametrize(
    ("kind", "field", "an_hour"),
    [
        ("mwaa_worker_hour", "mwaa", 2),  # six ranges at a time
        ("ec2_instance_hour", "emr", 3),  # two executors and the primary node
        ("emr_instance_hour", "emr", 3),
        ("emr_serverless_vcpu_hour", "emr_serverless", 12),
        ("emr_serverless_gb_hour", "emr_serverless", 24),
        ("glue_dpu_hour", "glue", 3),
    ],
)
def test_machines_are_paid_by_the_hour(kind: str, field: str, an_hour: int) -> None:
    cost = cost_of(export(), machines=prices(**{kind: 1.0}))
    others = {"mwaa", "emr", "emr_serverless", "glue"} - {field}

    assert an_hour * export().hours == pytest.approx(getattr(cost, field))
    assert {0.0} == {getattr(cost, other) for other in others}


def test_a_rate_too_high_for_an_environment_has_no_price_there() -> None:
    assert cost_of(export(capacity=1e6)).mwaa is None


def test_units_cost_more_on_demand_only() -> None:
    units = TB / 8192
    listed = prices_for("us-east-1")

    assert listed.read_requests(units) == cost_of(export()).dynamodb
    assert cost_of(export()).paid_anyway is None
    provisioned = cost_of(replace(export(), on_demand=False))
    assert (0.0, listed.read_capacity(units)) == (provisioned.dynamodb, provisioned.paid_anyway)


def test_what_no_price_is_known_of_costs_nobody_knows_what() -> None:
    cost = cost_of(export(), Prices(region="nowhere", source="none"))

    assert (None, None) == (cost.dynamodb, cost.native)


def test_a_part_takes_a_request_for_each_piece_and_three_more() -> None:
    """128 MB of lines are 33.3 MB on S3: seven pieces of 5 MB."""
    parts = TB * (540 / 368) / (128 * 1024**2)

    assert 10 * parts == pytest.approx(requests_for(export()), rel=0.001)


def test_storage_is_cheaper_beyond_fifty_and_five_hundred_tb() -> None:
    tiers = prices(s3_gb_month_first_50_tb=5.0, s3_gb_month_next_450_tb=3.0, s3_gb_month_beyond=2.0)

    assert 50 * 1024 * 5.0 == month_of_storage(50 * TB, tiers)
    assert 50 * 1024 * 5.0 + 1024 * 3.0 == month_of_storage(51 * TB, tiers)
    assert 1024 * (50 * 5.0 + 450 * 3.0 + 100 * 2.0) == month_of_storage(600 * TB, tiers)


def test_the_emr_tools_take_every_on_demand_table_for_one_of_40_000_units() -> None:
    assert 20_000 == emr_tools(export(capacity=400_000.0)).units_per_second
    assert 200 == emr_tools(export(capacity=400_000.0)).readers
    assert 200_000 == emr_tools(replace(export(capacity=400_000.0), on_demand=False)).units_per_second


def test_glue_takes_every_on_demand_table_for_one_of_40_000_units() -> None:
    found = glue_connector(export(capacity=400_000.0, ratio=0.25))

    assert 10_000 == found.units_per_second
    assert TB / 8192 / 10_000 / 3600 == found.hours
    assert 10_000 == glue_connector(replace(export(capacity=20_000.0), on_demand=False)).units_per_second
    assert 16 == glue_connector(export()).readers


def test_no_tool_reads_more_than_the_table_has() -> None:
    """A new on-demand table: both ask it for 20,000 units per second."""
    new = export(capacity=12_000.0)

    assert 20_000 == emr_tools(new).units_per_second == glue_connector(new).units_per_second
    assert TB / 8192 / 12_000 / 3600 == emr_tools(new).hours == glue_connector(new).hours


def test_another_tool_runs_on_as_many_machines() -> None:
    """Two executors and one more, for its own hours."""
    dollars = prices(ec2_instance_hour=1.0, emr_instance_hour=0.5, glue_dpu_hour=2.0)
    found = emr_tools(export(), dollars), glue_connector(export(), dollars)

    assert 3 * 1.5 * found[0].hours == found[0].machines
    assert 3 * 2.0 * found[1].hours == found[1].machines


def test_every_price_has_a_source() -> None:
    assert machine_prices().by_kind.keys() == machine_prices().sources.keys()
    assert all(price > 0 for price in machine_prices().by_kind.values())
    assert all(machine_prices().sources.values())


def test_parts_are_those_of_an_export_by_default() -> None:
    request = ExportRequest(table_name="orders", s3_uri="s3://backups")

    assert request.part_bytes == scale_cost.PART_BYTES
    assert s3.PIECE_BYTES == scale_cost.PIECE_BYTES
