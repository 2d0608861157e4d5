"""Lets calls pass or throttles them, as far as a table is metered, and writes down what they used.

Tables are unlimited until ``meter`` is called for them: most tests are about something else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.ports import Clock
from tests.faults.dynamodb.capacity import (
    ACCOUNT_LIMIT,
    BURST_SECONDS,
    PARTITION_UNITS,
    TABLE_QUOTA,
    Bucket,
    Capacity,
    OnDemand,
    Provisioned,
)
from tests.faults.dynamodb.errors import Refused
from tests.faults.dynamodb.keys import HASHES
from tests.faults.dynamodb.metering import Metering
from tests.faults.dynamodb.tables import Table
from tests.faults.dynamodb.throughput import Kind, Throughput

KINDS: tuple[Kind, ...] = ("read", "write")
PARTITION_BYTES = 10 * (1 << 30)
PROVISIONED_MESSAGE = (
    "The level of configured provisioned throughput for the table was exceeded. "
    "Consider increasing your provisioning level with the UpdateTable API."
)
ON_DEMAND_MESSAGE = (
    "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your "
    "table or index so please try again shortly."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterSettings:
    """How a table is metered. ``partitions``: None for as many as its settings and size give."""

    partitions: int | None = None
    burst_seconds: float = BURST_SECONDS
    saved_seconds: float = 0.0
    table_quota: float = TABLE_QUOTA


@dataclass(frozen=True, slots=True)
class Use:
    """One thing a call uses: units of a table or one of its indexes, at places of the key space."""

    index: str | None
    kind: Kind
    units: float
    places: Mapping[int, float]  # hash: share


Key = tuple[str, str | None, Kind]


class Admission:
    """The capacities of all metered tables of one account and region."""

    def __init__(self, clock: Clock, metering: Metering) -> None:
        self._clock = clock
        self._metering = metering
        self._metered: dict[str, MeterSettings] = {}
        self._capacities: dict[Key, Capacity] = {}
        self._account: dict[Kind, Bucket] = {}

    def limit_account(self, kind: Kind, units_per_second: float) -> None:
        """Limit what all metered tables use together."""
        self._account[kind] = Bucket(units_per_second, units_per_second, at=self._clock.monotonic())

    def meter(self, table: Table, settings: MeterSettings) -> None:
        """Limit a table and its global indexes by what they are set to, from now on."""
        self.unmeter(table.name)
        self._metered[table.name] = settings
        self.follow(table)

    def unmeter(self, table_name: str) -> None:
        """Limit a table no longer."""
        self._metered.pop(table_name, None)
        self._capacities = {key: each for key, each in self._capacities.items() if key[0] != table_name}

    def is_metered(self, table: Table) -> bool:
        """Whether anything limits a table."""
        return table.name in self._metered

    def follow(self, table: Table) -> None:
        """Take over a table's present settings."""
        if table.name not in self._metered:
            return
        for index, throughput, size in _parts(table):
            for kind in KINDS:
                self._follow((table.name, index, kind), table, throughput, size)

    def _follow(self, key: Key, table: Table, throughput: Throughput, size: int) -> None:
        now, kind, settings = self._clock.monotonic(), key[2], self._metered[table.name]
        wanted = _wanted(throughput, kind, settings, on_demand=table.on_demand)
        partitions = settings.partitions or partition_count(throughput, size, on_demand=table.on_demand)
        if key in self._capacities:
            self._capacities[key].change(wanted, at=now)
            self._capacities[key].split(partitions, at=now)
            return
        self._capacities[key] = Capacity(
            wanted,
            at=now,
            partitions=partitions,
            partition_units=PARTITION_UNITS[kind],
            can_split=settings.partitions is None,
        )

    def check(self, table: Table, index: str | None, kind: Kind, place: int) -> None:
        """Let a call at a place of the key space pass; raises Refused with the throttling reason."""
        capacity = self._capacities.get((table.name, index, kind))
        if capacity is None:
            return
        now = self._clock.monotonic()
        refusal = capacity.refusal(at=now, place=place / HASHES)
        account = self._account.get(kind)
        if refusal is None and account is not None and account.in_debt(now):
            refusal = ACCOUNT_LIMIT
        if refusal is not None:
            reason = f"{'Index' if index else 'Table'}{kind.title()}{refusal}"
            self._metering.refused(table.name, index, kind, reason)
            raise throttled(table, reason, f"{table.arn}/index/{index}" if index else table.arn)

    def pay(self, table: Table, use: Use) -> None:
        """Take what a call used."""
        self._metering.used(table.name, use.index, use.kind, use.units)
        capacity = self._capacities.get((table.name, use.index, use.kind))
        if capacity is None:
            return
        now = self._clock.monotonic()
        shares = {place / HASHES: share for place, share in use.places.items()}
        capacity.pay(use.units, at=now, shares=shares)
        if use.kind in self._account:
            self._account[use.kind].pay(use.units, at=now)


def throttled(table: Table, reason: str, resource: str) -> Refused:
    """The exception of a throttled call; the member is spelt as the table's billing mode has it."""
    reasons = [{"reason": reason, "resource": resource}]
    if table.on_demand:
        return Refused("ThrottlingException", ON_DEMAND_MESSAGE, throttlingReasons=reasons)
    return Refused("ProvisionedThroughputExceededException", PROVISIONED_MESSAGE, ThrottlingReasons=reasons)


def partition_count(throughput: Throughput, size_bytes: int, *, on_demand: bool) -> int:
    """How many partitions a table's settings and its size give."""
    shares = [throughput.warm(kind, on_demand=on_demand) / PARTITION_UNITS[kind] for kind in KINDS]
    by_throughput = max(shares) if on_demand else sum(shares)
    return max(1, math.ceil(by_throughput), math.ceil(size_bytes / PARTITION_BYTES))


def _wanted(
    throughput: Throughput, kind: Kind, settings: MeterSettings, *, on_demand: bool
) -> Provisioned | OnDemand:
    if on_demand:
        return OnDemand(
            warm=throughput.warm(kind, on_demand=True),
            maximum=throughput.maximum(kind),
            table_quota=settings.table_quota,
        )
    return Provisioned(
        units_per_second=throughput.provisioned(kind),
        burst_seconds=settings.burst_seconds,
        saved_seconds=settings.saved_seconds,
    )


def _parts(table: Table) -> list[tuple[str | None, Throughput, int]]:
    """The table and its global indexes: a local index lives on the table's units."""
    indexes = [
        (each.name, each.throughput, each.rows.size_bytes)
        for each in table.indexes.values()
        if each.is_global
    ]
    return [(None, table.throughput, table.rows.size_bytes), *indexes]
