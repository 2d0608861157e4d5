"""What an import will take, as far as the manifests tell it; a dry run counts it exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.plan_cost import Cost, cost_of_writing, duration, money, rounded
from airflow_dynamo_pipeline.engine.ports import JsonObject, TableDescription
from airflow_dynamo_pipeline.engine.prices import Prices
from airflow_dynamo_pipeline.engine.sources import Backup
from airflow_dynamo_pipeline.engine.write_capacity import WriteRate
from airflow_dynamo_pipeline.items.sizes import WRITE_UNIT_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportEstimate:
    """The least that an import takes; None where no manifest tells it.

    An item is at least one write unit; of a native full export DynamoDB's own count of bytes is known, too.
    Each of ``global_indexes`` that an item is in takes as many units again.
    """

    items: int | None
    bytes: int | None  # of the files, uncompressed: of exports by this package
    write_units: float | None
    global_indexes: int
    units_per_second: float
    seconds: float | None
    on_demand: bool
    cost: Cost | None
    prices: Prices

    def to_json(self) -> JsonObject:
        """The estimate as a JSON object."""
        cost = self.cost or Cost(dollars=None, on_demand_dollars=None)
        return {
            "items": self.items,
            "bytes": self.bytes,
            "write_units_at_least": self.write_units,
            "global_indexes": self.global_indexes,
            "units_per_second": self.units_per_second,
            "seconds_at_least": self.seconds,
            "region": self.prices.region,
            "billing": "on-demand" if self.on_demand else "provisioned",
            **{f"{name}_at_least": value for name, value in cost.to_json().items()},
            "native_import_dollars": None if self.bytes is None else rounded(self._native_dollars),
            "prices": self.prices.source,
            "prices_as_of": self.prices.as_of,
        }

    @property
    def _native_dollars(self) -> float | None:
        return self.prices.native_import(self.bytes or 0)

    def line(self) -> str:
        """What it takes, for a log."""
        if self.write_units is None or self.seconds is None:
            return "no manifest tells how many write units this takes; a dry run counts them"
        count = self.global_indexes
        each = "its global index" if count == 1 else f"each of {count} global indexes"
        again = f", and up to as many for {each}" if count else ""
        native = f"; as a native import into a new table: {money(self._native_dollars)}"
        return (
            f"at least {self.write_units:,.0f} write units for the table{again}; "
            f"at least {duration(self.seconds)}; at least {self.cost} ({self.prices.source})"
            f"{'' if self.bytes is None else native}"
        )


def estimate_import(
    backup: Backup, table: TableDescription, rate: WriteRate, prices: Prices
) -> ImportEstimate:
    """What writing a backup into a table takes at least."""
    units = _least_units(backup)
    return ImportEstimate(
        items=backup.item_count,
        bytes=_content_bytes(backup),
        write_units=units,
        global_indexes=sum(index.is_global for index in table.indexes.values()),
        units_per_second=rate.units_per_second,
        seconds=None if units is None else round(units * rate.first_factor / rate.units_per_second, 1),
        on_demand=table.on_demand,
        cost=None if units is None else cost_of_writing(units, prices, on_demand=table.on_demand),
        prices=prices,
    )


def _least_units(backup: Backup) -> float | None:
    if backup.item_count is None:
        return None
    return float(
        sum(
            max(
                sum(file.item_count or 0 for file in stage.files),
                math.ceil((stage.item_bytes or 0) / WRITE_UNIT_BYTES),
            )
            for stage in backup.stages
        )
    )


def _content_bytes(backup: Backup) -> int | None:
    sizes = [stage.content_bytes for stage in backup.stages]
    return None if None in sizes else sum(size or 0 for size in sizes)
