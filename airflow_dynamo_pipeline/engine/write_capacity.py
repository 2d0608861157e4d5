"""How many write units per second an import may use, and what a call counts for.

A write costs its table and every global index that it touches. A share (ratio) is a share of each
of their capacities: a call is charged what it takes of the scarcest, in units of the table, so that
one throttle holds them all. An absolute number is a number of units, whoever's they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from airflow_dynamo_pipeline.engine.capacity import LOWEST_RATE, on_demand_capacity
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.own_use import NOTHING, OwnUse
from airflow_dynamo_pipeline.engine.ports import CapacitySource, IndexDescription, TableDescription


class Units(msgspec.Struct, frozen=True):
    """Capacity units; fields keep DynamoDB's names."""

    CapacityUnits: float = 0.0


class Consumed(msgspec.Struct, frozen=True):
    """What a write cost, by resource; fields keep DynamoDB's names."""

    CapacityUnits: float = 0.0
    GlobalSecondaryIndexes: dict[str, Units] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class WriteRate:
    """The rate to hold and why; ``weights`` are table units for one unit of each global index.

    Without weights every unit counts, the table's and its indexes'.
    """

    units_per_second: float
    reason: str
    weights: Mapping[str, float] | None = None
    first_factor: float = 1.0  # what a call may be charged for each unit of its items, before any is known
    capacity: float | None = None  # of the table; None: absolute
    scarcest: str | None = None  # the index that holds the rate down
    lowered_by_others: bool = False  # to less than the share asked for

    def charge(self, consumed: Consumed) -> float:
        """What a call counts for."""
        if self.weights is None:
            return consumed.CapacityUnits
        indexes = {name: units.CapacityUnits for name, units in consumed.GlobalSecondaryIndexes.items()}
        table = consumed.CapacityUnits - sum(
            indexes.values()
        )  # with its local indexes, which share its units
        return max([table, *(units * self.weights.get(name, 1.0) for name, units in indexes.items())])


def write_rate(
    request: ImportRequest,
    table: TableDescription,
    source: CapacitySource,
    *,
    own: OwnUse = NOTHING,
) -> WriteRate:
    """Decide the rate; ``own`` is what this import itself consumed of late.

    A person's absolute number always wins. Raises AccessDenied when an on-demand table's
    consumption may not be read.
    """
    indexes = [index for index in table.indexes.values() if index.is_global]
    if request.units_per_second is not None:
        return WriteRate(
            units_per_second=request.units_per_second,
            reason="units_per_second as asked, of the table and its indexes together",
            first_factor=1.0 + len(indexes),
        )
    if table.on_demand:
        return _on_demand(request, table, indexes, source, own)
    return _provisioned(request.effective_ratio, table, indexes)


def _provisioned(ratio: float, table: TableDescription, indexes: list[IndexDescription]) -> WriteRate:
    units = table.write_throughput.provisioned
    rate = max(LOWEST_RATE, ratio * units)
    capacities = {index.name: index.write_throughput.provisioned for index in indexes}
    return _weighed(
        rate, f"{ratio:g} of {units:g} provisioned units", units, capacities, max(units, LOWEST_RATE)
    )


def _on_demand(
    request: ImportRequest,
    table: TableDescription,
    indexes: list[IndexDescription],
    source: CapacitySource,
    own: OwnUse,
) -> WriteRate:
    quota = source.table_write_quota()
    capacity, bound = on_demand_capacity(table.write_throughput, quota)
    consumed = source.consumed_write_units_per_second(request.table_name, None)
    ratio = request.effective_ratio
    asked, left = ratio * capacity, own.left(capacity, consumed)
    others = own.of_others(consumed)
    reason = f"{ratio:g} of {capacity:g} units ({bound}), others consume {others} units per second"
    capacities = {index.name: on_demand_capacity(index.write_throughput, quota)[0] for index in indexes}
    rate = _weighed(max(LOWEST_RATE, min(asked, left)), reason, capacity, capacities, capacity)
    return replace(rate, lowered_by_others=left < asked)


def _weighed(
    rate: float, reason: str, capacity: float, indexes: Mapping[str, float], table: float
) -> WriteRate:
    weights = {name: table / max(units, LOWEST_RATE) for name, units in indexes.items()}
    scarcest = max(weights, key=lambda name: weights[name], default=None)
    if scarcest is not None and weights[scarcest] <= 1.0:
        scarcest = None
    if scarcest is not None:
        reason += (
            f"; index {scarcest} has {indexes[scarcest]:g} units and counts {weights[scarcest]:.3g} times"
        )
    return WriteRate(
        units_per_second=rate,
        reason=reason,
        weights=weights,
        first_factor=max([1.0, *weights.values()]),
        capacity=capacity,
        scarcest=scarcest,
    )
