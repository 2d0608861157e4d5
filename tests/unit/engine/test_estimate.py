from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryTable
from airflow_dynamo_pipeline.engine.estimate import Estimate, estimate_export
from airflow_dynamo_pipeline.engine.ports import Throughput
from airflow_dynamo_pipeline.engine.prices import parse_prices, prices_for
from airflow_dynamo_pipeline.errors import NotFound
from tests.unit.engine.world import index, items, request

GIB = 1024**3


def estimated(asked: dict[str, Any] | None = None, **described: Any) -> Estimate:
    table = MemoryTable(items(10), **described)
    found = estimate_export(request(**(asked or {})), table, FixedCapacity())
    assert [] == table.scans
    return found


def test_an_estimate_comes_from_describe_table_alone() -> None:
    found = estimated(size_bytes=GIB, item_count=1_000_000, throughput=Throughput(provisioned=4000.0))

    assert (1_000_000, GIB, 131_072.0, 1000.0, 131.1) == (
        found.items,
        found.bytes,
        found.read_units,
        found.units_per_second,
        found.seconds,
    )
    assert "0.25 of 4000 provisioned units" == found.reason


def test_units_are_half_units_rounded_up() -> None:
    assert 0.5 == estimated(size_bytes=1).read_units
    assert 1.0 == estimated(size_bytes=4097).read_units
    assert 0.0 == estimated(size_bytes=0, item_count=1).read_units


def test_consistent_reads_cost_twice_as_much() -> None:
    assert 262_144.0 == estimated({"consistent_read": True}, size_bytes=GIB).read_units


def test_segments_are_those_asked_for_or_those_the_plan_would_make() -> None:
    assert 7 == estimated({"segments": 7}, size_bytes=GIB).segments
    assert 3 == estimated(size_bytes=25 * GIB).segments


def test_an_index_is_estimated_by_its_own_figures() -> None:
    found = estimated({"index_name": "g"}, indexes={"g": index("g", size_bytes=8192, item_count=3)})

    assert (3, 8192, 1.0, 19.25) == (found.items, found.bytes, found.read_units, found.units_per_second)


def test_a_missing_index_is_named_with_those_there_are() -> None:
    with pytest.raises(NotFound, match="no such index: h\nHINT: indexes of orders: g"):
        estimated({"index_name": "h"}, indexes={"g": index("g")})


# --- what it costs --------------------------------------------------------------------------------


def test_an_on_demand_table_costs_its_units_at_the_prices_of_its_region() -> None:
    found = estimated(size_bytes=8192 * 4_000_000, item_count=1, on_demand=True, region="eu-west-1")

    assert (0.566, None) == (found.cost.dollars, found.cost.paid_anyway_dollars)
    assert "about 0.57 dollars (list prices of eu-west-1, " in found.line()


def test_a_provisioned_table_costs_nothing_more_and_what_is_used_of_it_is_named() -> None:
    found = estimated(
        size_bytes=8192 * 3600 * 100_000, item_count=1, throughput=Throughput(provisioned=4000.0)
    )

    assert (0.0, 13.0, 45.0) == (
        found.cost.dollars,
        round(found.cost.paid_anyway_dollars or 0, 6),
        found.cost.on_demand_dollars,
    )
    assert (
        "only provisioned capacity that is paid for anyway, about 13.00 dollars of it; "
        "on-demand about 45.00 dollars"
    ) == str(found.cost)


def test_consistent_reads_cost_twice_as_many_dollars() -> None:
    once = estimated(size_bytes=GIB, on_demand=True).cost.dollars
    twice = estimated({"consistent_read": True}, size_bytes=GIB, on_demand=True).cost.dollars

    assert once is not None
    assert 2 * once == twice


def test_an_index_costs_by_its_own_size() -> None:
    indexes = {"g": index("g", size_bytes=8_192_000_000, item_count=3)}
    found = estimated({"index_name": "g"}, size_bytes=GIB, on_demand=True, indexes=indexes)

    assert 0.125 == found.cost.dollars


def test_without_a_price_units_and_time_are_told_all_the_same() -> None:
    found = estimated({"units_per_second": 100}, size_bytes=GIB, on_demand=True, region="mars-north-1")

    assert (
        "131,072.0 read units in about 22 minutes, an unknown price "
        "(no price is known for region mars-north-1; give --prices FILE)"
    ) == found.line()
    assert (None, None) == (found.to_json()["dollars"], found.to_json()["prices_as_of"])


def test_a_table_that_dynamodb_has_not_counted_is_not_called_free() -> None:
    found = estimated(size_bytes=0, item_count=0)

    assert "orders is empty, but counts about every six hours only" in found.line()
    assert "" == estimated(size_bytes=0, item_count=1).uncounted


@pytest.mark.parametrize("on_demand", [True, False])
def test_a_table_that_dynamodb_has_not_counted_has_no_units_no_time_and_no_price(on_demand: bool) -> None:
    found = estimated(size_bytes=0, item_count=0, on_demand=on_demand)
    record = found.to_json()

    for name in ("read_units", "seconds", "dollars", "on_demand_dollars", "paid_anyway_dollars"):
        assert record[name] is None, name
    assert found.native_dollars is None


def test_an_index_that_dynamodb_has_not_counted_is_named() -> None:
    found = estimated({"index_name": "g"}, indexes={"g": index("g", size_bytes=0, item_count=0)})

    assert "DynamoDB says that index g of orders is empty" in found.line()
    assert found.to_json()["dollars"] is None


def test_that_prices_are_of_another_table_class_is_said() -> None:
    rare = "STANDARD_INFREQUENT_ACCESS"
    found = estimated(size_bytes=GIB, on_demand=True, table_class=rare)

    said = f"of the Standard class; the table is of {rare}, whose reads and writes cost more"
    assert said in found.line()
    assert said in found.to_json()["prices"]
    assert "Standard class" not in estimated(size_bytes=GIB, on_demand=True).line()


def test_ones_own_prices_are_taken() -> None:
    table = MemoryTable(items(10), size_bytes=8192 * 1_000_000, on_demand=True)
    ours = parse_prices('{"read_request_million": 3}', "ours.json")

    found = estimate_export(request(), table, FixedCapacity(), lambda region: prices_for(region, ours))

    assert 3.0 == found.cost.dollars


def test_the_record_has_every_figure() -> None:
    assert [
        "table_name",
        "index_name",
        "items",
        "bytes",
        "read_units",
        "units_per_second",
        "reason",
        "segments",
        "seconds",
        "region",
        "billing",
        "dollars",
        "on_demand_dollars",
        "paid_anyway_dollars",
        "prices",
        "prices_as_of",
    ] == list(estimated().to_json())
