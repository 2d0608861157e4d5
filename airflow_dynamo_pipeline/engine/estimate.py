"""What an export will take, from what DynamoDB and CloudWatch say: no Scan, nothing written."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.capacity import ReadRate, read_rate, segments_for
from airflow_dynamo_pipeline.engine.plan_cost import (
    UNKNOWN,
    Cost,
    cost_of_reading,
    duration,
    read_units_of,
)
from airflow_dynamo_pipeline.engine.ports import CapacitySource, JsonObject, TableDescription, TableReader
from airflow_dynamo_pipeline.engine.prices import Prices, PricesOf, prices_for
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import NotFound


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Figures for a person to decide by. Items and bytes are DynamoDB's, up to six hours old."""

    table_name: str
    index_name: str | None
    items: int
    bytes: int
    read_units: float | None  # None, as seconds: DynamoDB has not counted yet
    units_per_second: float
    reason: str
    segments: int
    seconds: float | None
    on_demand: bool
    cost: Cost
    prices: Prices

    def to_json(self) -> JsonObject:
        """The estimate as a JSON object."""
        return {
            "table_name": self.table_name,
            "index_name": self.index_name,
            "items": self.items,
            "bytes": self.bytes,
            "read_units": self.read_units,
            "units_per_second": self.units_per_second,
            "reason": self.reason,
            "segments": self.segments,
            "seconds": self.seconds,
            "region": self.prices.region,
            "billing": "on-demand" if self.on_demand else "provisioned",
            **self.cost.to_json(),
            "prices": self.prices.source,
            "prices_as_of": self.prices.as_of,
        }

    @property
    def uncounted(self) -> str:
        """Why there are no figures, empty where there are: a new table, or a server that counts none."""
        if self.items or self.bytes:
            return ""
        what = f"index {self.index_name} of {self.table_name}" if self.index_name else self.table_name
        return (
            f"DynamoDB says that {what} is empty, but counts about every six hours only: "
            "units, time and price are not known"
        )

    @property
    def native_dollars(self) -> float | None:
        """What a full native export of the table costs; None: not known."""
        return None if self.uncounted else self.prices.native_export(self.bytes)

    def line(self) -> str:
        """What it takes, for a log: units, time and dollars."""
        if self.read_units is None or self.seconds is None:
            return self.uncounted
        return (
            f"{self.read_units:,.1f} read units in about {duration(self.seconds)}, {self.cost} "
            f"({self.prices.source})"
        )


def estimate_export(
    request: ExportRequest,
    table: TableReader,
    capacity: CapacitySource,
    prices_of: PricesOf = prices_for,
) -> Estimate:
    """Estimate an export; raises NotFound for a table or index that is not there, AccessDenied."""
    described = table.describe()
    if request.index_name is not None and request.index_name not in described.indexes:
        raise NotFound(
            "index", request.index_name, f"indexes of {described.name}: {', '.join(described.indexes)}"
        )
    rate = read_rate(request, described, capacity)
    segments = request.segments or segments_for(described, request, rate)
    prices = prices_of(described.region).of_class(described.table_class)
    return estimate_of(request, described, rate, segments, prices)


def estimate_of(
    request: ExportRequest, table: TableDescription, rate: ReadRate, segments: int, prices: Prices
) -> Estimate:
    """What reading a table, or an index that it has, takes at a rate."""
    index = table.indexes[request.index_name] if request.index_name is not None else None
    read = table if index is None else index
    units = None
    if read.item_count or read.size_bytes:
        units = read_units_of(read.size_bytes, consistent_read=request.consistent_read)
    return Estimate(
        table_name=request.table_name,
        index_name=request.index_name,
        items=read.item_count,
        bytes=read.size_bytes,
        read_units=units,
        units_per_second=rate.units_per_second,
        reason=rate.reason,
        segments=segments,
        seconds=None if units is None else round(units / rate.units_per_second, 1),
        on_demand=table.on_demand,
        cost=UNKNOWN if units is None else cost_of_reading(units, prices, on_demand=table.on_demand),
        prices=prices,
    )
