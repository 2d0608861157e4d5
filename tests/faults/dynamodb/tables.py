"""One table: its schema, its settings, its items and its indexes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.faults.dynamodb.errors import invalid, invalid_value
from tests.faults.dynamodb.indexes import Entry, Index, index_write_units
from tests.faults.dynamodb.keys import KeySchema, Position, place
from tests.faults.dynamodb.rows import Row, Rows, item_of
from tests.faults.dynamodb.sizes import LARGEST_ITEM_BYTES, write_units
from tests.faults.dynamodb.streams import Stream
from tests.faults.dynamodb.throughput import Throughput
from tests.faults.dynamodb.values import Item, clean_item

Json = dict[str, Any]
ON_DEMAND = "PAY_PER_REQUEST"


@dataclass(frozen=True, slots=True)
class Cost:
    """Write units of the table, of its local and of its global indexes, and where in the key space."""

    place: int
    table: float
    local: dict[str, float]
    global_: dict[str, float]
    places: dict[str, int]  # by index

    def uses(self) -> list[tuple[str | None, float, int]]:
        """Index, units and place of everything that has units of its own: local indexes have not."""
        table = (None, self.table + sum(self.local.values()), self.place)
        return [table, *((name, units, self.places[name]) for name, units in self.global_.items())]


@dataclass(frozen=True, slots=True)
class Replacement:
    """A change thought out but not made: what it costs can be told first."""

    position: Position
    old: Row | None
    new: Row | None
    entries: list[tuple[Index, Entry | None, Entry | None]]

    @property
    def is_change(self) -> bool:
        """Whether the item will be another than it was."""
        return item_of(self.old) != item_of(self.new)

    def cost(self) -> Cost:
        """What the change costs: of the table, the larger form of the item, or one unit for nothing."""
        units: dict[bool, dict[str, float]] = {False: {}, True: {}}
        places = {}
        for index, old, new in self.entries:
            each = index_write_units(old, new)
            entry = new or old
            if each and entry:
                units[index.is_global][index.name] = each
                places[index.name] = place(entry.position)
        table = write_units(max(row.size if row else 0 for row in (self.old, self.new)))
        return Cost(place(self.position), table, units[False], units[True], places)


class Table:
    """A table as CreateTable makes it. Tests may change any setting of it directly."""

    def __init__(self, request: Json, *, arn: str, table_id: str, created_at: datetime) -> None:
        self.name: str = request["TableName"]
        self.arn = arn
        self.table_id = table_id
        self.created_at = created_at
        self.status = "ACTIVE"
        self.kinds = {
            each["AttributeName"]: each["AttributeType"] for each in request.get("AttributeDefinitions", ())
        }
        self.schema = KeySchema.of(request["KeySchema"], self.kinds)
        self.on_demand = request.get("BillingMode", "PROVISIONED") == ON_DEMAND
        self.on_demand_since = created_at
        self.throughput = Throughput.of(request)
        self.deletion_protected = bool(request.get("DeletionProtectionEnabled", False))
        self.tags: list[Json] = list(request.get("Tags") or ())
        self.time_to_live: str | None = None  # the attribute's name
        self.recovery_days: int | None = None  # None: point-in-time recovery is off
        self.recovery_since = created_at
        self.stream: Stream | None = None
        self.latest_stream: Stream | None = None
        self.counts: tuple[int, int] | None = (
            None  # of items and bytes in DescribeTable; None: the present ones
        )
        self.rows = Rows()
        self.indexes: dict[str, Index] = {}
        for name, is_global in (("LocalSecondaryIndexes", False), ("GlobalSecondaryIndexes", True)):
            for index in request.get(name) or ():
                self.add_index(index, is_global=is_global)
        self._check_definitions()

    def _check_definitions(self) -> None:
        used = {*self.schema.names, *(name for index in self.indexes.values() for name in index.schema.names)}
        if used != self.kinds.keys():
            raise invalid_value(
                "Number of attributes in KeySchema does not exactly match number of attributes "
                "defined in AttributeDefinitions"
            )
        throughputs = [
            self.throughput,
            *(each.throughput for each in self.indexes.values() if each.is_global),
        ]
        if not self.on_demand and any(min(each.read, each.write) < 1 for each in throughputs):
            raise invalid_value(
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is "
                "PROVISIONED"
            )
        if self.on_demand and (self.throughput.read or self.throughput.write):
            raise invalid_value(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
                "PAY_PER_REQUEST"
            )

    def add_index(self, request: Json, *, is_global: bool) -> None:
        """Make an index and fill it with what the table holds."""
        index = Index(request, is_global=is_global, table=self.schema, kinds=self.kinds, table_arn=self.arn)
        for row in self.rows:
            index.replace(None, index.entry(row))
        self.indexes[index.name] = index

    def index(self, name: str) -> Index:
        """An index by name."""
        if name not in self.indexes:
            raise invalid(f"The table does not have the specified index: {name}")
        return self.indexes[name]

    # --- items ------------------------------------------------------------------------------------

    def key_position(self, key: Item) -> Position:
        """Where the item of a key lies; raises Refused for what is no key of this table."""
        key = clean_item(key)
        self.schema.check_key(key)
        return self.schema.position(key)

    def placing(self, item: Item) -> Replacement:
        """Think out a put; raises Refused for an item that the table cannot hold."""
        row = Row(clean_item(item))
        self.schema.check_item(row.item)
        for index in self.indexes.values():
            index.check(row.item)
        if row.size > LARGEST_ITEM_BYTES:
            raise invalid("Item size has exceeded the maximum allowed size")
        return self._replacement(self.schema.position(row.item), row)

    def deletion(self, key: Item) -> Replacement:
        """Think out a delete."""
        return self._replacement(self.key_position(key), None)

    def _replacement(self, position: Position, new: Row | None) -> Replacement:
        old = self.rows.get(position)
        entries = [(index, index.entry(old), index.entry(new)) for index in self.indexes.values()]
        return Replacement(position, old, new, entries)

    def apply(self, change: Replacement) -> None:
        """Make a change, in the indexes too."""
        if change.new is not None:
            self.rows.put(change.position, change.new)
        elif change.old is not None:
            self.rows.remove(change.position)
        for index, old, new in change.entries:
            index.replace(old, new)

    # --- description ------------------------------------------------------------------------------

    def describe(self) -> Json:
        """``Table`` of DescribeTable."""
        count, size = (len(self.rows), self.rows.size_bytes) if self.counts is None else self.counts
        described: Json = {
            "TableName": self.name,
            "TableArn": self.arn,
            "TableId": self.table_id,
            "TableStatus": self.status,
            "CreationDateTime": self.created_at.timestamp(),
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind} for name, kind in self.kinds.items()
            ],
            "KeySchema": self.schema.describe(),
            "ItemCount": count,
            "TableSizeBytes": size,
            "DeletionProtectionEnabled": self.deletion_protected,
            **self.throughput.describe(on_demand=self.on_demand),
        }
        if self.on_demand:
            described["BillingModeSummary"] = {
                "BillingMode": ON_DEMAND,
                "LastUpdateToPayPerRequestDateTime": self.on_demand_since.timestamp(),
            }
        return described | self._describe_indexes() | self._describe_stream()

    def _describe_indexes(self) -> Json:
        described = {}
        for name, is_global in (("LocalSecondaryIndexes", False), ("GlobalSecondaryIndexes", True)):
            indexes = [index for index in self.indexes.values() if index.is_global == is_global]
            if indexes:
                described[name] = [index.describe(on_demand=self.on_demand) for index in indexes]
        return described

    def _describe_stream(self) -> Json:
        described: Json = {}
        if self.stream:
            described["StreamSpecification"] = {
                "StreamEnabled": True,
                "StreamViewType": self.stream.view_type,
            }
        if self.latest_stream:
            described["LatestStreamArn"] = self.latest_stream.arn
            described["LatestStreamLabel"] = self.latest_stream.label
        return described
