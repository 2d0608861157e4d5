"""The conditions sensors wait for, read from AWS: one table of functions that sensors and triggers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.dynamodb import description
from airflow_dynamo_pipeline.adapters.whole_replies import refusing_cut_replies
from airflow_dynamo_pipeline.engine.conditions import (
    Backups,
    Verdict,
    instant,
    point_in_time_recovery,
    provisioned_mode,
)
from airflow_dynamo_pipeline.engine.ports import TableDescription
from airflow_dynamo_pipeline.engine.settings import text

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def describe_table(client: DynamoDBClient, table_name: str) -> TableDescription:
    """Read a table's state; raises NotFound or AccessDenied."""
    with translated("dynamodb:DescribeTable", f"table {table_name}"):
        reply = client.describe_table(TableName=table_name)
    return description(reply["Table"], client.meta.region_name)


def describe_backups(client: DynamoDBClient, table_name: str) -> Backups:
    """Read the state of a table's point-in-time recovery; raises NotFound or AccessDenied."""
    with translated("dynamodb:DescribeContinuousBackups", f"table {table_name}"):
        reply = client.describe_continuous_backups(TableName=table_name)
    found: Mapping[str, Any] = reply["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return Backups(
        table_name=table_name,
        status=found.get("PointInTimeRecoveryStatus", "DISABLED"),
        earliest_at=found.get("EarliestRestorableDateTime"),
        latest_at=found.get("LatestRestorableDateTime"),
    )


def _provisioned_mode(client: DynamoDBClient, arguments: Mapping[str, Any]) -> Verdict:
    return provisioned_mode(describe_table(client, text("table_name", arguments["table_name"])))


def _point_in_time_recovery(client: DynamoDBClient, arguments: Mapping[str, Any]) -> Verdict:
    table_name = text("table_name", arguments["table_name"])
    wanted_at = instant("wanted_at", arguments.get("wanted_at"))
    return point_in_time_recovery(describe_backups(client, table_name), wanted_at)


CONDITIONS: Mapping[str, Callable[[DynamoDBClient, Mapping[str, Any]], Verdict]] = {
    "point_in_time_recovery": _point_in_time_recovery,
    "provisioned_mode": _provisioned_mode,
}


def check(client: DynamoDBClient, condition: str, arguments: Mapping[str, Any]) -> Verdict:
    """Look once whether a condition is met; ``arguments`` are its own and may be rendered text."""
    return CONDITIONS[condition](refusing_cut_replies(client), arguments)
