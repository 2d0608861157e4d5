"""How many read units per second an export may use, and why.

Provisioned: a share of the provisioned units. On-demand has no such figure, so its capacity is
the least of what bounds it (OnDemandThroughput, WarmThroughput, the account's table quota), and
an export never takes what others use: CloudWatch says how much that is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.own_use import NOTHING, OwnUse
from airflow_dynamo_pipeline.engine.ports import CapacitySource, TableDescription, Throughput
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.sizing import PAGE_SECONDS

LOWEST_RATE = 1.0
PARTITION_BYTES = 10 * 1024**3  # a partition's size limit
PARTITION_UNITS = 3000.0  # and its read ceiling per second
UNITS_PER_SECOND_PER_SEGMENT = 600.0  # one segment's pages one after another reach it at about 210 ms each
MAX_THREADS = 8  # segments read at the same time: each holds a page, its lines and a piece of an upload
MAX_AUTO_SEGMENTS = 1000  # each costs a few S3 calls at the start and at the commit
PAGE_BYTES = 1024 * 1024
LEAST_PAGE_UNITS = 2.0  # pages below it waste the rounding up to 4 KB


@dataclass(frozen=True, slots=True)
class ReadRate:
    """The rate to hold, the capacity it is a share of (None: absolute) and the reason in words."""

    units_per_second: float
    capacity: float | None
    reason: str
    lowered_by_others: bool = False  # to less than the share asked for


def read_rate(
    request: ExportRequest,
    table: TableDescription,
    source: CapacitySource,
    *,
    own: OwnUse = NOTHING,
) -> ReadRate:
    """Decide the rate; ``own`` is what this export itself consumed of late.

    A person's absolute number always wins. Raises AccessDenied when an on-demand table's
    consumption may not be read.
    """
    if request.units_per_second is not None:
        return ReadRate(request.units_per_second, None, "units_per_second as asked")
    throughput = throughput_of(table, request.index_name)
    if not table.on_demand:
        return _provisioned(request.effective_ratio, throughput)
    capacity, bound = on_demand_capacity(throughput, source.table_read_quota())
    index = table.indexes.get(request.index_name) if request.index_name else None
    # A local index has no metric of its own: what it consumes counts as the table's.
    metric_index = index.name if index is not None and index.is_global else None
    consumed = source.consumed_read_units_per_second(request.table_name, metric_index)
    return _on_demand(request.effective_ratio, capacity, bound, consumed, own)


def throughput_of(table: TableDescription, index_name: str | None) -> Throughput:
    """A global index has capacity of its own; a local one uses the table's."""
    index = table.indexes.get(index_name) if index_name else None
    return index.throughput if index is not None and index.is_global else table.throughput


def on_demand_capacity(throughput: Throughput, table_quota: float) -> tuple[float, str]:
    """The least bound of an on-demand table and its name."""
    bounds = {
        "OnDemandThroughput": throughput.on_demand_max,
        "WarmThroughput": throughput.warm,
        "the account's table quota": table_quota,
    }
    known = {name: value for name, value in bounds.items() if value is not None and value > 0}
    name = min(known, key=lambda key: known[key])
    return known[name], name


def _provisioned(ratio: float, throughput: Throughput) -> ReadRate:
    rate = max(LOWEST_RATE, ratio * throughput.provisioned)
    return ReadRate(
        rate, throughput.provisioned, f"{ratio:g} of {throughput.provisioned:g} provisioned units"
    )


def _on_demand(ratio: float, capacity: float, bound: str, consumed: float, own: OwnUse) -> ReadRate:
    asked, left = ratio * capacity, own.left(capacity, consumed)
    others = own.of_others(consumed)
    return ReadRate(
        max(LOWEST_RATE, min(asked, left)),
        capacity,
        f"{ratio:g} of {capacity:g} units ({bound}), others consume {others} units per second",
        lowered_by_others=left < asked,
    )


def segments_for(table: TableDescription, request: ExportRequest, rate: ReadRate) -> int:
    """How many segments ``segments="auto"`` makes.

    One for each partition-sized share of the table (10 GB, or 3,000 units of capacity), or as many
    as are needed to reach the rate (600 units per second each, eight at a time) if that is more; but
    never more than the table has pages, or than the rate can feed with pages of two units.
    """
    index = table.indexes.get(request.index_name) if request.index_name else None
    size = table.size_bytes if index is None else index.size_bytes
    shares = max(math.ceil(size / PARTITION_BYTES), math.ceil((rate.capacity or 0.0) / PARTITION_UNITS), 1)
    for_rate = min(MAX_THREADS, math.ceil(rate.units_per_second / UNITS_PER_SECOND_PER_SEGMENT))
    pages = math.ceil(size / PAGE_BYTES) or MAX_THREADS  # 0: a table so new that DynamoDB has not counted it
    fed = segments_fed_by(rate.units_per_second)
    return min(max(shares, for_rate), pages, fed, MAX_AUTO_SEGMENTS)


def segments_fed_by(units_per_second: float) -> int:
    """How many segments a rate can keep busy with pages that are not all rounding."""
    return max(1, int(units_per_second * PAGE_SECONDS / LEAST_PAGE_UNITS))
