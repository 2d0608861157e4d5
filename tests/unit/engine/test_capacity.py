from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity
from airflow_dynamo_pipeline.engine.capacity import (
    MAX_AUTO_SEGMENTS,
    ReadRate,
    on_demand_capacity,
    read_rate,
    segments_fed_by,
    segments_for,
    throughput_of,
)
from airflow_dynamo_pipeline.engine.own_use import OwnUse
from airflow_dynamo_pipeline.engine.ports import Throughput
from airflow_dynamo_pipeline.errors import AccessDenied
from tests.unit.engine.world import described, index, request

GIB = 1024**3


class AskedCapacity(FixedCapacity):
    """Remembers what it was asked about; refuses when told to."""

    def __init__(self, quota: float = 40_000.0, consumed: float = 0.0, *, denied: bool = False) -> None:
        super().__init__(quota, consumed)
        self.asked: list[tuple[str, str | None]] = []
        self.denied = denied

    def consumed_read_units_per_second(self, table_name: str, index_name: str | None) -> float:
        self.asked.append((table_name, index_name))
        if self.denied:
            raise AccessDenied("cloudwatch:GetMetricStatistics", "*")
        return self.consumed


def test_a_provisioned_table_gives_its_share() -> None:
    table = described(throughput=Throughput(provisioned=400.0))

    assert 100.0 == read_rate(request(), table, FixedCapacity()).units_per_second
    assert 600.0 == read_rate(request(ratio=1.5), table, FixedCapacity()).units_per_second


def test_a_share_below_one_unit_is_one_unit() -> None:
    table = described(throughput=Throughput(provisioned=1.0))

    assert 1.0 == read_rate(request(ratio=0.1), table, FixedCapacity()).units_per_second


def test_a_provisioned_table_asks_no_other_service() -> None:
    source = AskedCapacity(denied=True)

    read_rate(request(), described(), source)

    assert [] == source.asked


@pytest.mark.parametrize("on_demand", [True, False])
def test_an_absolute_rate_always_wins(on_demand: bool) -> None:
    source = AskedCapacity(denied=True)
    rate = read_rate(request(units_per_second=9_000.0), described(on_demand=on_demand), source)

    assert ReadRate(9_000.0, None, "units_per_second as asked") == rate
    assert [] == source.asked


@pytest.mark.parametrize(
    ("throughput", "quota", "expected"),
    [
        (Throughput(), 40_000.0, (40_000.0, "the account's table quota")),
        (Throughput(warm=12_000.0), 40_000.0, (12_000.0, "WarmThroughput")),
        (Throughput(warm=12_000.0, on_demand_max=500.0), 40_000.0, (500.0, "OnDemandThroughput")),
        (Throughput(warm=12_000.0, on_demand_max=50_000.0), 40_000.0, (12_000.0, "WarmThroughput")),
        (Throughput(warm=90_000.0), 40_000.0, (40_000.0, "the account's table quota")),
        (Throughput(warm=0.0), 40_000.0, (40_000.0, "the account's table quota")),
    ],
)
def test_on_demand_capacity_is_the_least_of_its_bounds(
    throughput: Throughput, quota: float, expected: tuple[float, str]
) -> None:
    assert expected == on_demand_capacity(throughput, quota)


def test_an_on_demand_export_takes_its_share_while_others_leave_room() -> None:
    table = described(on_demand=True, throughput=Throughput(warm=12_000.0))

    assert 3_000.0 == read_rate(request(), table, FixedCapacity(consumed=5_000.0)).units_per_second


def test_an_on_demand_export_never_takes_what_others_use() -> None:
    table = described(on_demand=True, throughput=Throughput(warm=12_000.0))

    assert 1_000.0 == read_rate(request(), table, FixedCapacity(consumed=11_000.0)).units_per_second


def test_an_on_demand_table_used_up_by_others_still_gives_one_unit() -> None:
    table = described(on_demand=True, throughput=Throughput(warm=12_000.0))

    assert 1.0 == read_rate(request(), table, FixedCapacity(consumed=20_000.0)).units_per_second


def test_what_the_export_itself_consumes_is_not_taken_for_others() -> None:
    table = described(on_demand=True, throughput=Throughput(warm=12_000.0))
    rate = read_rate(request(), table, FixedCapacity(consumed=12_000.0), own=OwnUse.exactly(3_000.0))

    assert 3_000.0 == rate.units_per_second
    assert "others consume 9000" in rate.reason


def test_own_consumption_beyond_the_metric_does_not_make_others_negative() -> None:
    table = described(on_demand=True, throughput=Throughput(warm=12_000.0))
    rate = read_rate(request(ratio=1.5), table, FixedCapacity(consumed=100.0), own=OwnUse.exactly(3_000.0))

    assert 12_000.0 == rate.units_per_second


def test_consumption_is_asked_for_the_index_that_is_read() -> None:
    source = AskedCapacity()
    table = described(on_demand=True, indexes={"by_date": index("by_date")})

    read_rate(request(index_name="by_date"), table, source)

    assert [("orders", "by_date")] == source.asked


def test_a_denied_metric_is_not_swallowed() -> None:
    with pytest.raises(AccessDenied, match="cloudwatch:GetMetricStatistics"):
        read_rate(request(), described(on_demand=True), AskedCapacity(denied=True))


def test_a_global_index_has_capacity_of_its_own_and_a_local_one_the_tables() -> None:
    table = described(indexes={"g": index("g"), "l": index("l", is_global=False)})

    assert 77.0 == throughput_of(table, "g").provisioned
    assert 1000.0 == throughput_of(table, "l").provisioned
    assert 1000.0 == throughput_of(table, None).provisioned


@pytest.mark.parametrize(
    ("size", "rate", "expected"),
    [
        (0, ReadRate(100.0, 400.0, ""), 1),
        (25 * GIB, ReadRate(900.0, 1000.0, ""), 3),  # a partition holds 10 GB
        (GIB, ReadRate(900.0, 10_000.0, ""), 4),  # and gives 3,000 units
        (GIB, ReadRate(4_200.0, 4_200.0, ""), 7),  # a segment reaches 600 units
        (GIB, ReadRate(7_200.0, 7_200.0, ""), 8),  # and eight are read at a time
        (3 * 1024**2, ReadRate(7_200.0, None, ""), 3),  # a table of three pages
        (0, ReadRate(7_200.0, None, ""), 8),  # not counted yet
        (GIB, ReadRate(1_201.0, None, ""), 3),
        (100 * GIB, ReadRate(16.0, 10.0, ""), 2),  # pages of two units at a quarter of a second each
        (10**9 * GIB, ReadRate(10**9, None, ""), MAX_AUTO_SEGMENTS),
    ],
)
def test_auto_segments_follow_size_capacity_and_rate(size: int, rate: ReadRate, expected: int) -> None:
    assert expected == segments_for(described(size_bytes=size), request(), rate)


def test_auto_segments_follow_the_size_of_the_index_that_is_read() -> None:
    table = described(size_bytes=0, indexes={"g": index("g", size_bytes=45 * GIB)})

    assert 5 == segments_for(table, request(index_name="g"), ReadRate(900.0, 1000.0, ""))


@pytest.mark.parametrize(("rate", "expected"), [(1.0, 1), (8.0, 1), (24.0, 3), (40_000.0, 5_000)])
def test_a_rate_feeds_segments_with_pages_of_two_units(rate: float, expected: int) -> None:
    assert expected == segments_fed_by(rate)
