"""Scan, Query, GetItem and BatchGetItem."""

from __future__ import annotations

from typing import Any

from moto.dynamodb import comparisons as moto

from tests.faults.dynamodb.admission import Use
from tests.faults.dynamodb.conditions import holds
from tests.faults.dynamodb.consumption import check_mode, consumed
from tests.faults.dynamodb.database import Database, Operation
from tests.faults.dynamodb.errors import Refused, invalid
from tests.faults.dynamodb.expressions import Expressions
from tests.faults.dynamodb.keys import HASHES, Position, boundary, hashed, place
from tests.faults.dynamodb.pages import Page, Source, View, pay, reply
from tests.faults.dynamodb.projections import Tree, project
from tests.faults.dynamodb.rows import Row, item_of
from tests.faults.dynamodb.sizes import read_units
from tests.faults.dynamodb.tables import Table
from tests.faults.dynamodb.values import Item, Value

Json = dict[str, Any]
MOST_SEGMENTS = 1_000_000
MOST_KEYS = 100


def scan(database: Database, request: Json) -> bytes:
    """Scan: a page of a table or an index, or of one of equal segments of it."""
    check_mode(request)
    source = Source.of(database, request)
    view = View.of(request, source)
    segment, total = _segment(request)
    low, high = boundary(segment, total), boundary(segment + 1, total)
    start = source.start(request)
    if start is not None and place(start) * total // HASHES != segment:
        raise invalid("The provided starting key is outside the segment")
    first, end = source.rows.span(low, high, start)
    begins = segment * HASHES // total if start is None else place(start)
    database.admission.check(source.table, source.metered_as, "read", begins)
    page = Page.read(source.rows, source.rows.positions[first:end], request, database.page_items)
    return reply(source, page, view, pay(database, source, page, request)[1])


def _segment(request: Json) -> tuple[int, int]:
    segment, total = request.get("Segment"), request.get("TotalSegments")
    if segment is None and total is None:
        return 0, 1
    if total is None:
        raise invalid(
            "The TotalSegments parameter is required but was not present in the request when parameter "
            "Segment is present"
        )
    if segment is None:
        raise invalid(
            "The Segment parameter is required but was not present in the request when parameter "
            "TotalSegments is present"
        )
    if not 1 <= total <= MOST_SEGMENTS:
        raise invalid(
            f"1 validation error detected: Value '{total}' at 'totalSegments' failed to satisfy constraint: "
            f"Member must have value between 1 and {MOST_SEGMENTS}"
        )
    if not 0 <= segment < total:
        raise invalid(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )
    return segment, total


def query(database: Database, request: Json) -> bytes:
    """Query: a page of the items of one partition key."""
    check_mode(request)
    source = Source.of(database, request)
    view = View.of(request, source)
    tree = view.expressions.tree("KeyConditionExpression")
    schema = source.table.schema if source.index is None else source.index.schema
    value = None if tree is None else _wanted_hash(tree, schema.hash.name)
    if value is None or schema.hash.kind not in value:
        raise invalid(f"Query condition missed key schema element: {schema.hash.name}")
    digest = hashed(value)
    low: Position = (digest,)
    database.admission.check(source.table, source.metered_as, "read", place(low))
    first, end = source.rows.span(low, (digest + b"\0",), None)
    positions = [
        position
        for position in source.rows.positions[first:end]
        if holds(tree, item_of(source.rows.get(position)))
    ]
    start = source.start(request)
    forward = request.get("ScanIndexForward", True)
    if not forward:
        positions.reverse()
    if start is not None:
        positions = [each for each in positions if (each > start if forward else each < start)]
    page = Page.read(source.rows, positions, request, database.page_items)
    return reply(source, page, view, pay(database, source, page, request)[1])


def _wanted_hash(tree: Any, name: str) -> Value | None:
    """The partition key that a key condition asks for."""
    if isinstance(tree, moto.OpAnd):
        return _wanted_hash(tree.lhs, name) or _wanted_hash(tree.rhs, name)
    is_equal = isinstance(tree, moto.OpEqual) and isinstance(tree.rhs, moto.AttributeValue)
    if is_equal and isinstance(tree.lhs, moto.AttributePath) and tree.lhs.path == [name]:
        return {tree.rhs.type: tree.rhs.value}
    return None


def get_item(database: Database, request: Json) -> Json:
    """GetItem."""
    check_mode(request)
    table = database.active_table(request["TableName"])
    tree = Expressions(request).projection()
    row, units = _get(database, table, request["Key"], consistent=bool(request.get("ConsistentRead")))
    answer: Json = {}
    if row is not None:
        answer["Item"] = _shown(row, tree)
    capacity = consumed(request, table.name, table=units)
    return answer if capacity is None else {**answer, "ConsumedCapacity": capacity}


def _get(database: Database, table: Table, key: Item, *, consistent: bool) -> tuple[Row | None, float]:
    """Read one item and pay for it; raises Refused, also when throttled."""
    position = table.key_position(key)
    where = place(position)
    database.admission.check(table, None, "read", where)
    row = table.rows.get(position)
    units = read_units(row.size if row else 0, consistent=consistent)
    database.admission.pay(table, Use(None, "read", units, {where: 1.0}))
    return row, units


def _shown(row: Row, tree: Tree | None) -> Item:
    return row.item if tree is None else project(row.item, tree)


def batch_get_item(database: Database, request: Json) -> Json:
    """BatchGetItem; what is throttled comes back as UnprocessedKeys, or as an exception if it is all."""
    check_mode(request)
    wanted: dict[str, Json] = request["RequestItems"]
    if sum(len(each["Keys"]) for each in wanted.values()) > MOST_KEYS:
        raise invalid("Too many items requested for the BatchGetItem call")
    answer: Json = {"Responses": {}, "UnprocessedKeys": {}}
    capacities = []
    refusals: list[Refused] = []
    for name, each in wanted.items():
        table = database.active_table(name)
        _check_keys(table, each["Keys"])
        found, left, units = _get_all(database, table, each, refusals)
        answer["Responses"][name] = found
        if left:
            answer["UnprocessedKeys"][name] = {**each, "Keys": left}
        capacities.append(consumed(request, table.name, table=units))
    if len(refusals) == sum(len(each["Keys"]) for each in wanted.values()):
        raise refusals[0]
    if capacities[0] is not None:
        answer["ConsumedCapacity"] = capacities
    return answer


def _get_all(
    database: Database, table: Table, wanted: Json, refusals: list[Refused]
) -> tuple[list[Item], list[Item], float]:
    tree = Expressions(wanted).projection()
    found: list[Item] = []
    left: list[Item] = []
    total = 0.0
    for key in wanted["Keys"]:
        try:
            row, units = _get(database, table, key, consistent=bool(wanted.get("ConsistentRead")))
        except Refused as refused:
            refusals.append(refused)
            left.append(key)
            continue
        total += units
        if row is not None:
            found.append(_shown(row, tree))
    return found, left, total


def _check_keys(table: Table, keys: list[Item]) -> None:
    if not keys:
        raise invalid(
            "1 validation error detected: Value at 'requestItems.member.keys' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        )
    if len({table.key_position(key) for key in keys}) < len(keys):
        raise invalid("Provided list of item keys contains duplicates")


OPERATIONS: dict[str, Operation] = {
    "Scan": scan,
    "Query": query,
    "GetItem": get_item,
    "BatchGetItem": batch_get_item,
}
