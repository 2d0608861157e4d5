from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryTable
from airflow_dynamo_pipeline.engine.estimate import Estimate, estimate_export
from airflow_dynamo_pipeline.engine.ports import Throughput
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
    assert 0.0 == estimated(size_bytes=0).read_units


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
