"""CreateTable, UpdateTable, DeleteTable, DescribeTable, ListTables."""

from __future__ import annotations

import re
from typing import Any

from tests.faults.dynamodb.database import Database, Operation
from tests.faults.dynamodb.errors import Refused, invalid
from tests.faults.dynamodb.tables import ON_DEMAND, Table

Json = dict[str, Any]
NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
LIST_LIMIT = 100
THROUGHPUTS = ("ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput")
UPDATES = (
    *THROUGHPUTS,
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexUpdates",
    "StreamSpecification",
)


def create_table(database: Database, request: Json) -> Json:
    """CreateTable."""
    name = request["TableName"]
    if not NAME.fullmatch(name):
        raise invalid(
            "TableName must be at least 3 characters long and at most 255 characters long, and may contain "
            "only the characters a-z, A-Z, 0-9, '_', '-', and '.'"
        )
    return {"TableDescription": database.create(request).describe()}


def describe_table(database: Database, request: Json) -> Json:
    """DescribeTable."""
    return {"Table": database.table(request["TableName"]).describe()}


def delete_table(database: Database, request: Json) -> Json:
    """DeleteTable."""
    table = database.table(request["TableName"])
    if table.deletion_protected:
        raise invalid(
            f"Resource cannot be deleted as it is currently protected against deletion. Resource: {table.arn}"
        )
    _check_free(table)
    database.delete(table)
    return {"TableDescription": table.describe()}


def _check_free(table: Table) -> None:
    if table.status != "ACTIVE":
        raise Refused(
            "ResourceInUseException",
            f"Attempt to change a resource which is still in use: Table is being changed: {table.name}",
        )


def update_table(database: Database, request: Json) -> Json:
    """UpdateTable: throughput, billing mode, indexes, the stream, deletion protection."""
    table = database.table(request["TableName"])
    if not any(name in request for name in UPDATES):
        raise invalid(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
            "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
        )
    _check_free(table)
    _update_billing(database, table, request)
    _update_throughput(table, request)
    for update in request.get("GlobalSecondaryIndexUpdates", ()):
        _update_index(table, request, update)
    if "StreamSpecification" in request:
        _update_stream(database, table, request["StreamSpecification"])
    table.deletion_protected = request.get("DeletionProtectionEnabled", table.deletion_protected)
    database.admission.follow(table)
    database.settle(table, "UPDATING", "ACTIVE")
    return {"TableDescription": table.describe()}


def _update_billing(database: Database, table: Table, request: Json) -> None:
    mode = request.get("BillingMode")
    if mode == "PROVISIONED" and table.on_demand and "ProvisionedThroughput" not in request:
        raise invalid(
            "One or more parameter values were invalid: ProvisionedThroughput must be specified when "
            "BillingMode is PROVISIONED"
        )
    if mode == ON_DEMAND and not table.on_demand:
        table.on_demand_since = database.clock.now()
    if mode is not None:
        table.on_demand = mode == ON_DEMAND


def _update_throughput(table: Table, request: Json) -> None:
    wanted = request.get("ProvisionedThroughput")
    present = (table.throughput.read, table.throughput.write)
    is_same = wanted and (wanted["ReadCapacityUnits"], wanted["WriteCapacityUnits"]) == present
    if is_same and "BillingMode" not in request:
        raise invalid(
            "The provisioned throughput for the table will not change. The requested value equals the "
            f"current value. Current ReadCapacityUnits provisioned for the table: {present[0]:.0f}."
        )
    table.throughput.update(request)


def _update_index(table: Table, request: Json, update: Json) -> None:
    ((action, settings),) = update.items()
    for each in request.get("AttributeDefinitions", ()):
        table.kinds[each["AttributeName"]] = each["AttributeType"]
    if action == "Create":
        table.add_index(settings, is_global=True)
    elif action == "Delete":
        del table.indexes[table.index(settings["IndexName"]).name]
    else:
        table.index(settings["IndexName"]).throughput.update(settings)


def _update_stream(database: Database, table: Table, wanted: Json) -> None:
    if wanted["StreamEnabled"]:
        if table.stream is not None:
            raise invalid(f"Table already has an enabled stream: TableName: {table.name}")
        database.enable_stream(table, wanted.get("StreamViewType", ""))
    elif table.stream is None:
        raise invalid(f"Table has no stream to disable: TableName: {table.name}")
    else:
        database.disable_stream(table)


def list_tables(database: Database, request: Json) -> Json:
    """ListTables."""
    limit = request.get("Limit", LIST_LIMIT)
    after = request.get("ExclusiveStartTableName", "")
    names = [name for name in database.names() if name > after]
    reply: Json = {"TableNames": names[:limit]}
    if len(names) > limit:
        reply["LastEvaluatedTableName"] = names[limit - 1]
    return reply


OPERATIONS: dict[str, Operation] = {
    "CreateTable": create_table,
    "DescribeTable": describe_table,
    "DeleteTable": delete_table,
    "UpdateTable": update_table,
    "ListTables": list_tables,
}
