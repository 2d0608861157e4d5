"""One page of a Scan or a Query: which rows, what they cost, where to go on, and the reply's JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.faults.dynamodb.admission import Use
from tests.faults.dynamodb.consumption import Units, consumed
from tests.faults.dynamodb.database import Database
from tests.faults.dynamodb.errors import invalid
from tests.faults.dynamodb.expressions import Condition, Expressions
from tests.faults.dynamodb.indexes import Index
from tests.faults.dynamodb.keys import Position, place
from tests.faults.dynamodb.projections import project
from tests.faults.dynamodb.rows import Row, Rows
from tests.faults.dynamodb.sizes import read_units
from tests.faults.dynamodb.tables import Table
from tests.faults.dynamodb.values import Item, clean_item

Json = dict[str, Any]
PAGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """What is read: a table or one of its indexes."""

    table: Table
    index: Index | None

    @classmethod
    def of(cls, database: Database, request: Json) -> Source:
        """What a request names; raises Refused."""
        table = database.active_table(request["TableName"])
        name = request.get("IndexName")
        source = cls(table, table.index(name) if name else None)
        if source.index is not None and source.index.is_global and request.get("ConsistentRead"):
            raise invalid("Consistent reads are not supported on global secondary indexes")
        return source

    @property
    def rows(self) -> Rows:
        """The rows in order."""
        return self.table.rows if self.index is None else self.index.rows

    @property
    def metered_as(self) -> str | None:
        """The index whose units a read takes; a local index lives on the table's."""
        return self.index.name if self.index is not None and self.index.is_global else None

    def key_of(self, row: Row) -> Item:
        """LastEvaluatedKey of a page that ends with a row."""
        names = self.table.schema.names if self.index is None else self.index.key_names
        return {name: row.item[name] for name in names}

    def start(self, request: Json) -> Position | None:
        """Where ExclusiveStartKey lies, whether or not there is an item; None without one."""
        key = request.get("ExclusiveStartKey")
        if key is None:
            return None
        key = clean_item(key)
        kinds = self.table.kinds
        names = self.table.schema.names if self.index is None else self.index.key_names
        if key.keys() != set(names) or any(kinds[name] not in key[name] for name in names):
            raise invalid("The provided starting key is invalid")
        return self.table.schema.position(key) if self.index is None else self.index.position(key)


@dataclass(slots=True)
class Page:
    """Rows read together, and where they lie."""

    rows: list[Row]
    positions: list[Position]
    size_bytes: int
    has_more: bool

    @classmethod
    def read(cls, rows: Rows, positions: list[Position], request: Json, most: int | None) -> Page:
        """The first of these positions, until Limit, 1 MB or ``most`` items are reached.

        A page that ends by Limit goes on, even where nothing follows: nobody has looked.
        """
        limit = request.get("Limit")
        if limit is not None and limit < 1:
            raise invalid("Limit must be greater than or equal to 1")
        taken: list[Row] = []
        size = 0
        for position in positions[: min(limit or len(positions), most or len(positions))]:
            row = rows.get(position)
            assert row is not None
            taken.append(row)
            size += row.size
            if size >= PAGE_BYTES:
                break
        has_more = len(taken) < len(positions) or len(taken) == limit
        return cls(taken, positions[: len(taken)], size, has_more)

    def places(self) -> dict[int, float]:
        """How many bytes were read where in the key space."""
        found: dict[int, float] = {}
        for position, row in zip(self.positions, self.rows, strict=True):
            where = place(position)
            found[where] = found.get(where, 0.0) + row.size
        return found


def pay(database: Database, source: Source, page: Page, request: Json) -> tuple[float, Json | None]:
    """Let the page's cost be paid; what it is, and the reply's ConsumedCapacity."""
    units = read_units(page.size_bytes, consistent=bool(request.get("ConsistentRead")))
    places = page.places() if database.admission.is_metered(source.table) else {}
    database.admission.pay(source.table, Use(source.metered_as, "read", units, places))
    on_index: Units = {source.index.name: units} if source.index else {}
    name = source.table.name
    if source.index is None:
        return units, consumed(request, name, table=units)
    if source.index.is_global:
        return units, consumed(request, name, table=0.0, global_=on_index)
    return units, consumed(request, name, table=0.0, local=on_index)


@dataclass(frozen=True, slots=True)
class View:
    """What of the rows read a reply shows."""

    expressions: Expressions
    select: str | None

    @classmethod
    def of(cls, request: Json, source: Source) -> View:
        """Read a request; raises Refused."""
        select = request.get("Select")
        wants_all = select == "ALL_ATTRIBUTES" and source.index is not None and not source.index.holds_all
        if wants_all and source.index is not None and source.index.is_global:
            raise invalid(
                "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for "
                f"global secondary index {source.index.name} because its projection type is not ALL"
            )
        return cls(Expressions(request), select)

    def items(self, rows: list[Row]) -> list[bytes]:
        """The JSON of the rows that pass the filter, cut by the projection."""
        condition: Condition | None = self.expressions.condition("FilterExpression")
        tree = self.expressions.projection()
        kept = rows if condition is None else [row for row in rows if condition(row.item)]
        if tree is None:
            return [row.text for row in kept]
        return [_dumps(project(row.item, tree)) for row in kept]


def reply(source: Source, page: Page, view: View, capacity: Json | None) -> bytes:
    """The reply's JSON; items are not parsed and written again for it."""
    items = view.items(page.rows)
    rest: Json = {"Count": len(items), "ScannedCount": len(page.rows)}
    if page.has_more and page.rows:
        rest["LastEvaluatedKey"] = source.key_of(page.rows[-1])
    if capacity is not None:
        rest["ConsumedCapacity"] = capacity
    if view.select == "COUNT":
        return _dumps(rest)
    return b'{"Items":[' + b",".join(items) + b"]," + _dumps(rest)[1:]


def _dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
