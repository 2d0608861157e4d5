"""Looks at tables: whether they are there, ready, streamed, not empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.conditions_look import Clients
from airflow_dynamo_pipeline.engine import conditions_tables as conditions
from airflow_dynamo_pipeline.engine.conditions import Verdict
from airflow_dynamo_pipeline.engine.conditions_tables import IndexState, TableState
from airflow_dynamo_pipeline.engine.settings import flag, is_given, text
from airflow_dynamo_pipeline.errors import NotFound


def table_state(client: Any, table_name: str) -> TableState:
    """Read a table's state; raises NotFound or AccessDenied."""
    with translated("dynamodb:DescribeTable", f"table {table_name}"):
        table = client.describe_table(TableName=table_name)["Table"]
    stream = table.get("StreamSpecification", {})
    return TableState(
        name=table_name,
        status=table["TableStatus"],
        indexes=[
            IndexState(index["IndexName"], index["IndexStatus"], bool(index.get("Backfilling", False)))
            for index in table.get("GlobalSecondaryIndexes", ())
        ],
        stream_view_type=stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
    )


def table_exists(clients: Clients, arguments: Mapping[str, Any]) -> Verdict:
    """Look for a table."""
    client, table_name = clients["dynamodb"], text("table_name", arguments["table_name"])
    try:
        table = table_state(client, table_name)
    except NotFound:
        table = None
    return conditions.table_exists(table_name, client.meta.region_name, table)


def data_exists(clients: Clients, arguments: Mapping[str, Any]) -> Verdict:
    """Look for an item by a Scan of one, for DescribeTable's ItemCount is hours old.

    A table that is still being made answers a Scan as if it were not there.
    """
    client, table_name = clients["dynamodb"], text("table_name", arguments["table_name"])
    consistent = flag("consistent_read", arguments.get("consistent_read", False))
    table: TableState | None = None
    has_item = False
    try:
        has_item = _has_item(client, table_name, consistent=consistent)
    except NotFound:
        table = table_state(client, table_name)
    return conditions.data_exists(table, has_item=has_item, name=table_name)


def _has_item(client: Any, table_name: str, *, consistent: bool) -> bool:
    """Whether a Scan meets an item; a page may be empty and not the last."""
    start: dict[str, Any] = {}
    while True:
        with translated("dynamodb:Scan", f"table {table_name}"):
            page = client.scan(
                TableName=table_name, Limit=1, Select="COUNT", ConsistentRead=consistent, **start
            )
        if page["Count"] > 0:
            return True
        if not page.get("LastEvaluatedKey"):
            return False
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def table_active(clients: Clients, arguments: Mapping[str, Any]) -> Verdict:
    """Look at a table and its global indexes."""
    table_name = text("table_name", arguments["table_name"])
    return conditions.table_active(table_state(clients["dynamodb"], table_name))


def stream_enabled(clients: Clients, arguments: Mapping[str, Any]) -> Verdict:
    """Look at a table's stream."""
    table_name = text("table_name", arguments["table_name"])
    wanted = arguments.get("view_type")
    view_type = conditions.view_type("view_type", wanted) if is_given(wanted) else None
    return conditions.stream_enabled(table_state(clients["dynamodb"], table_name), view_type)
