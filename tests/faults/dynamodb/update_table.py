"""What limits a change of capacity: how often units may be lowered, how often a table may go on-demand.

It stands before table_calls' UpdateTable and behind its DescribeTable.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.dynamodb import table_calls
from tests.faults.dynamodb.database import Database, Operation
from tests.faults.dynamodb.errors import Refused, invalid
from tests.faults.dynamodb.tables import ON_DEMAND, Table

Json = dict[str, Any]
SWITCHES = 4
SWITCH_WINDOW = timedelta(hours=24)
FREE_DECREASES = 4
MOST_DECREASES = 27
HOUR = timedelta(hours=1)


@dataclass
class Changes:
    """When a table went on-demand, and when the units of the table (None) or an index were lowered."""

    switches: list[datetime] = field(default_factory=list)
    decreases: dict[str | None, list[datetime]] = field(default_factory=dict)

    def today(self, index: str | None, now: datetime) -> list[datetime]:
        """The decreases of this day of UTC."""
        return [at for at in self.decreases.get(index, ()) if at.astimezone(UTC).date() == now.date()]


_changes: weakref.WeakKeyDictionary[Table, Changes] = weakref.WeakKeyDictionary()


def changes_of(table: Table) -> Changes:
    """A table's history; a test may write it."""
    return _changes.setdefault(table, Changes())


def update_table(database: Database, request: Json) -> Json:
    """UpdateTable; a change that is refused changes nothing."""
    table, now = database.table(request["TableName"]), database.clock.now()
    changes = changes_of(table)
    goes_on_demand = request.get("BillingMode") == ON_DEMAND and not table.on_demand
    lowered = _lowered(table, request)
    if table.status == "ACTIVE":
        if goes_on_demand:
            _check_switch(changes, now)
        for index in lowered:
            _check_decrease(changes.today(index, now), now)
        _check_units_of_indexes(table, request)
    reply = table_calls.update_table(database, request)
    if goes_on_demand:
        changes.switches.append(now)
    for index in lowered:
        changes.decreases.setdefault(index, []).append(now)
    _annotate(table, reply["TableDescription"], now)
    return reply


def describe_table(database: Database, request: Json) -> Json:
    """DescribeTable with NumberOfDecreasesToday, the last switch, and indexes as their table is."""
    reply = table_calls.describe_table(database, request)
    _annotate(database.table(request["TableName"]), reply["Table"], database.clock.now())
    return reply


def _lowered(table: Table, request: Json) -> list[str | None]:
    """The table (None) and the indexes whose units the request lowers. A switch of the mode lowers none."""
    mode = request.get("BillingMode", ON_DEMAND if table.on_demand else "PROVISIONED")
    if table.on_demand or mode == ON_DEMAND:
        return []
    asked: list[tuple[str | None, Json]] = [(None, request)]
    asked += [
        (each["Update"]["IndexName"], each["Update"])
        for each in request.get("GlobalSecondaryIndexUpdates", ())
        if "Update" in each
    ]
    found = []
    for index, settings in asked:
        units = settings.get("ProvisionedThroughput")
        present = table.throughput if index is None else table.index(index).throughput
        if units and (
            units["ReadCapacityUnits"] < present.read or units["WriteCapacityUnits"] < present.write
        ):
            found.append(index)
    return found


def _check_switch(changes: Changes, now: datetime) -> None:
    recent = [at for at in changes.switches if at > now - SWITCH_WINDOW]
    if len(recent) >= SWITCHES:
        raise Refused(
            "LimitExceededException",
            f"Subscriber limit exceeded: Updates to PAY_PER_REQUEST are limited to {SWITCHES} in 24 hours.",
        )


def _check_decrease(today: list[datetime], now: datetime) -> None:
    too_soon = len(today) >= FREE_DECREASES and today[-1] + HOUR > now
    if too_soon or len(today) >= MOST_DECREASES:
        raise Refused(
            "LimitExceededException",
            "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day.",
        )


def _check_units_of_indexes(table: Table, request: Json) -> None:
    """A table that becomes provisioned needs units for each of its global indexes."""
    if request.get("BillingMode") != "PROVISIONED" or not table.on_demand:
        return
    given = {
        each["Update"]["IndexName"]
        for each in request.get("GlobalSecondaryIndexUpdates", ())
        if each.get("Update", {}).get("ProvisionedThroughput")
    }
    missing = {index.name for index in table.indexes.values() if index.is_global} - given
    if missing:
        raise invalid(
            "One or more parameter values were invalid: ProvisionedThroughput must be specified for index: "
            + ", ".join(sorted(missing))
        )


def _annotate(table: Table, described: Json, now: datetime) -> None:
    changes = changes_of(table)
    _annotate_units(described, changes, None, now)
    for index in described.get("GlobalSecondaryIndexes", ()):
        _annotate_units(index, changes, index["IndexName"], now)
        if table.status == "UPDATING":
            index["IndexStatus"] = "UPDATING"
    if changes.switches:
        summary = described.setdefault("BillingModeSummary", {"BillingMode": "PROVISIONED"})
        summary["LastUpdateToPayPerRequestDateTime"] = changes.switches[-1].timestamp()


def _annotate_units(described: Json, changes: Changes, index: str | None, now: datetime) -> None:
    units = described["ProvisionedThroughput"]
    units["NumberOfDecreasesToday"] = len(changes.today(index, now))
    if changes.decreases.get(index):
        units["LastDecreaseDateTime"] = changes.decreases[index][-1].timestamp()


OPERATIONS: dict[str, Operation] = {"UpdateTable": update_table, "DescribeTable": describe_table}
