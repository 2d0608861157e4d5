"""Secondary indexes: the same items under other keys, some without all attributes, some left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.faults.dynamodb.errors import invalid_value
from tests.faults.dynamodb.keys import KeySchema, Position, check_index_key
from tests.faults.dynamodb.rows import Row, Rows
from tests.faults.dynamodb.sizes import write_units
from tests.faults.dynamodb.throughput import Throughput
from tests.faults.dynamodb.values import Item

Json = dict[str, Any]
PROJECTIONS = ("ALL", "KEYS_ONLY", "INCLUDE")


@dataclass(frozen=True, slots=True)
class Entry:
    """An item's place and form in an index."""

    position: Position
    row: Row


class Index:
    """A local or global secondary index of one table."""

    def __init__(
        self, request: Json, *, is_global: bool, table: KeySchema, kinds: dict[str, str], table_arn: str
    ) -> None:
        self.name: str = request["IndexName"]
        self.is_global = is_global
        self.arn = f"{table_arn}/index/{self.name}"
        self.schema = KeySchema.of(request["KeySchema"], kinds)
        self.projection: Json = request.get("Projection") or {}
        if self.projection.get("ProjectionType") not in PROJECTIONS:
            raise invalid_value("Unknown ProjectionType: " + str(self.projection.get("ProjectionType")))
        self.throughput = Throughput.of(request)
        self.status = "ACTIVE"
        self.rows = Rows()
        self._table = table
        self._kept = {*self.key_names, *self.projection.get("NonKeyAttributes", ())}

    @property
    def key_names(self) -> tuple[str, ...]:
        """What LastEvaluatedKey names: the index's key and the table's."""
        return tuple(dict.fromkeys((*self.schema.names, *self._table.names)))

    @property
    def holds_all(self) -> bool:
        """Whether every attribute is projected."""
        return bool(self.projection["ProjectionType"] == "ALL")

    def position(self, item: Item) -> Position:
        """Where an item lies in the index; equal index keys are ordered by the table's."""
        return (*self.schema.position(item), *self._table.position(item))

    def check(self, item: Item) -> None:
        """Refuse an item whose attributes cannot be this index's key."""
        for attribute in self.schema.attributes:
            check_index_key(self.name, attribute, item)

    def entry(self, row: Row | None) -> Entry | None:
        """The item as the index holds it; None where it lacks a key attribute."""
        if row is None or any(name not in row.item for name in self.schema.names):
            return None
        if not self.holds_all:
            kept = {name: value for name, value in row.item.items() if name in self._kept}
            return Entry(self.position(row.item), Row(kept))
        return Entry(self.position(row.item), row)

    def replace(self, old: Entry | None, new: Entry | None) -> None:
        """Follow a change of the table."""
        if old is not None and (new is None or old.position != new.position):
            self.rows.remove(old.position)
        if new is not None:
            self.rows.put(new.position, new.row)

    def describe(self, *, on_demand: bool) -> Json:
        """The index's part of DescribeTable."""
        described: Json = {
            "IndexName": self.name,
            "KeySchema": self.schema.describe(),
            "Projection": self.projection,
            "IndexSizeBytes": self.rows.size_bytes,
            "ItemCount": len(self.rows),
            "IndexArn": self.arn,
        }
        if self.is_global:
            described["IndexStatus"] = self.status
            described |= self.throughput.describe(on_demand=on_demand)
        return described


def index_write_units(old: Entry | None, new: Entry | None) -> float:
    """What following a change costs: a changed key is two writes, an entry left as it is none."""
    if old is None or new is None:
        changed = old or new
        return write_units(changed.row.size) if changed else 0.0
    if old.position != new.position:
        return write_units(old.row.size) + write_units(new.row.size)
    if old.row.item == new.row.item:
        return 0.0
    return write_units(max(old.row.size, new.row.size))
