"""What an export will take, from what DynamoDB and CloudWatch say: no Scan, nothing written."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from airflow_dynamo_pipeline.engine.capacity import read_rate, segments_for
from airflow_dynamo_pipeline.engine.ports import CapacitySource, JsonObject, TableReader
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.sizing import BYTES_PER_UNIT
from airflow_dynamo_pipeline.errors import NotFound


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Figures for a person to decide by. Items and bytes are DynamoDB's, up to six hours old."""

    table_name: str
    index_name: str | None
    items: int
    bytes: int
    read_units: float
    units_per_second: float
    reason: str
    segments: int
    seconds: float

    def to_json(self) -> JsonObject:
        """The estimate as a JSON object."""
        return asdict(self)


def estimate_export(request: ExportRequest, table: TableReader, capacity: CapacitySource) -> Estimate:
    """Estimate an export; raises NotFound for a table or index that is not there, AccessDenied."""
    described = table.describe()
    size, items = described.size_bytes, described.item_count
    if request.index_name is not None:
        index = described.indexes.get(request.index_name)
        if index is None:
            raise NotFound(
                "index", request.index_name, f"indexes of {described.name}: {', '.join(described.indexes)}"
            )
        size, items = index.size_bytes, index.item_count
    rate = read_rate(request, described, capacity)
    factor = 2.0 if request.consistent_read else 1.0
    units = factor * math.ceil(size / BYTES_PER_UNIT * 2) / 2
    return Estimate(
        table_name=request.table_name,
        index_name=request.index_name,
        items=items,
        bytes=size,
        read_units=units,
        units_per_second=rate.units_per_second,
        reason=rate.reason,
        segments=request.segments or segments_for(described, request, rate),
        seconds=round(units / rate.units_per_second, 1),
    )
