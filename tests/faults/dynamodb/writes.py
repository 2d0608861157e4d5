"""PutItem, DeleteItem, UpdateItem and BatchWriteItem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tests.faults.dynamodb.admission import Use
from tests.faults.dynamodb.consumption import Units, check_mode, consumed
from tests.faults.dynamodb.database import Database, Operation
from tests.faults.dynamodb.errors import Refused, invalid, not_simulated
from tests.faults.dynamodb.expressions import Expressions
from tests.faults.dynamodb.keys import place
from tests.faults.dynamodb.rows import item_of
from tests.faults.dynamodb.sizes import write_units
from tests.faults.dynamodb.tables import Cost, Replacement, Table
from tests.faults.dynamodb.updates import updated
from tests.faults.dynamodb.values import clean_item

Json = dict[str, Any]
MOST_REQUESTS = 25


def put_item(database: Database, request: Json) -> Json:
    """PutItem."""
    table = _table(database, request, ("NONE", "ALL_OLD"))
    return _write(database, table, table.placing(request["Item"]), request)


def delete_item(database: Database, request: Json) -> Json:
    """DeleteItem."""
    table = _table(database, request, ("NONE", "ALL_OLD"))
    return _write(database, table, table.deletion(request["Key"]), request)


def update_item(database: Database, request: Json) -> Json:
    """UpdateItem."""
    table = _table(database, request, ("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"))
    if request.get("ReturnValues", "NONE").startswith("UPDATED"):
        raise not_simulated("ReturnValues=" + request["ReturnValues"])
    expressions = Expressions(request)
    key = clean_item(request["Key"])
    row = table.rows.get(table.key_position(key))
    item = row.item if row else key
    text = request.get("UpdateExpression")
    if text is not None:
        item = updated(table, item, text, expressions.names, expressions.values)
    return _write(database, table, table.placing(item), request)


def _table(database: Database, request: Json, return_values: tuple[str, ...]) -> Table:
    check_mode(request)
    table = database.active_table(request["TableName"])
    if request.get("ReturnValues", "NONE") not in return_values:
        raise invalid("Return values set to invalid value")
    return table


def _write(database: Database, table: Table, change: Replacement, request: Json) -> Json:
    condition = Expressions(request).condition("ConditionExpression")
    cost = change.cost()
    _check(database, table, cost)
    if condition is not None and not condition(item_of(change.old)):
        raise _condition_failed(database, table, change, request)
    database.change(table, change)
    _pay(database, table, cost)
    answer: Json = {}
    wanted = request.get("ReturnValues", "NONE")
    shown = change.old if wanted == "ALL_OLD" else change.new if wanted == "ALL_NEW" else None
    if shown is not None:
        answer["Attributes"] = shown.item
    capacity = consumed(request, table.name, table=cost.table, local=cost.local, global_=cost.global_)
    return answer if capacity is None else {**answer, "ConsumedCapacity": capacity}


def _condition_failed(database: Database, table: Table, change: Replacement, request: Json) -> Refused:
    """A failed condition has its price: that of the item it looked at."""
    units = write_units(change.old.size if change.old else 0)
    _pay(database, table, Cost(place(change.position), units, {}, {}, {}))
    wanted = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    members = {"Item": change.old.item} if wanted and change.old else {}
    return Refused("ConditionalCheckFailedException", "The conditional request failed", **members)


def _check(database: Database, table: Table, cost: Cost) -> None:
    """Let a write pass; every global index it touches must have capacity too."""
    for index, _, where in cost.uses():
        database.admission.check(table, index, "write", where)


def _pay(database: Database, table: Table, cost: Cost) -> None:
    for index, units, where in cost.uses():
        database.admission.pay(table, Use(index, "write", units, {where: 1.0}))


def batch_write_item(database: Database, request: Json) -> Json:
    """BatchWriteItem; what is throttled comes back as UnprocessedItems, or as an exception if it is all."""
    check_mode(request)
    batch: dict[str, list[Json]] = request["RequestItems"]
    planned = _planned(database, batch)
    refusals: list[Refused] = []
    unprocessed: dict[str, list[Json]] = {}
    costs: dict[str, list[Cost]] = {name: [] for name in batch}
    for name, table, each, change in planned:
        cost = change.cost()
        try:
            _check(database, table, cost)
        except Refused as refused:
            refusals.append(refused)
            unprocessed.setdefault(name, []).append(each)
            continue
        _pay(database, table, cost)
        database.change(table, change)
        costs[name].append(cost)
    if len(refusals) == len(planned):
        raise refusals[0]
    answer: Json = {"UnprocessedItems": unprocessed}
    capacities = [_batch_consumed(request, name, each) for name, each in costs.items()]
    return answer if capacities[0] is None else {**answer, "ConsumedCapacity": capacities}


def _batch_consumed(request: Json, name: str, costs: list[Cost]) -> Json | None:
    return consumed(
        request,
        name.rpartition("/")[2],
        table=sum(cost.table for cost in costs),
        local=_added(cost.local for cost in costs),
        global_=_added(cost.global_ for cost in costs),
    )


def _added(each: Iterable[Units]) -> Units:
    sums: Units = {}
    for units in each:
        for index, more in units.items():
            sums[index] = sums.get(index, 0.0) + more
    return sums


Planned = tuple[str, Table, Json, Replacement]


def _planned(database: Database, batch: dict[str, list[Json]]) -> list[Planned]:
    """Every request of a batch thought out; one bad request refuses them all."""
    if not batch:
        raise _out_of_range("requestItems", 1, MOST_REQUESTS)
    if sum(map(len, batch.values())) > MOST_REQUESTS:
        raise invalid("Too many items requested for the BatchWriteItem call")
    planned = []
    for name, requests in batch.items():
        if not requests:
            raise _out_of_range(f"requestItems.{name}.member", 1, MOST_REQUESTS)
        table = database.active_table(name)
        changes = list(_changes(table, requests))
        if len({change.position for change in changes}) < len(changes):
            raise invalid("Provided list of item keys contains duplicates")
        planned += [(name, table, each, change) for each, change in zip(requests, changes, strict=True)]
    return planned


def _changes(table: Table, requests: list[Json]) -> Iterator[Replacement]:
    for each in requests:
        if len(each) != 1:
            raise invalid(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
                "supported datatypes"
            )
        if "PutRequest" in each:
            yield table.placing(each["PutRequest"]["Item"])
        else:
            yield table.deletion(each["DeleteRequest"]["Key"])


def _out_of_range(name: str, least: int, most: int) -> Refused:
    return invalid(
        f"1 validation error detected: Value at '{name}' failed to satisfy constraint: "
        f"Member must have length between {least} and {most}"
    )


OPERATIONS: dict[str, Operation] = {
    "PutItem": put_item,
    "DeleteItem": delete_item,
    "UpdateItem": update_item,
    "BatchWriteItem": batch_write_item,
}
