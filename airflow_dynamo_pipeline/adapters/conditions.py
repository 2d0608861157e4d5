"""The conditions sensors wait for, read from AWS: one table of functions that sensors and triggers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_dynamo_pipeline.adapters import conditions_s3, conditions_tables, conditions_units
from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.conditions_look import Clients, Condition
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
from airflow_dynamo_pipeline.errors import InvalidSetting, with_hint

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


def _provisioned_mode(clients: Clients, arguments: Mapping[str, Any]) -> Verdict:
    return provisioned_mode(describe_table(clients["dynamodb"], text("table_name", arguments["table_name"])))


def _point_in_time_recovery(clients: Clients, arguments: Mapping[str, Any]) -> Verdict:
    table_name = text("table_name", arguments["table_name"])
    wanted_at = instant("wanted_at", arguments.get("wanted_at"))
    return point_in_time_recovery(describe_backups(clients["dynamodb"], table_name), wanted_at)


TABLE = ("dynamodb",)
CONDITIONS: Mapping[str, Condition] = {
    "data_exists": Condition(TABLE, conditions_tables.data_exists),
    "export_complete": Condition(("dynamodb", "s3"), conditions_s3.export_complete),
    "keys_exist": Condition(("s3",), conditions_s3.keys_exist),
    "point_in_time_recovery": Condition(TABLE, _point_in_time_recovery),
    "prefix_not_empty": Condition(("s3",), conditions_s3.prefix_not_empty),
    "provisioned_mode": Condition(TABLE, _provisioned_mode),
    "stream_enabled": Condition(TABLE, conditions_tables.stream_enabled),
    "table_active": Condition(TABLE, conditions_tables.table_active),
    "table_exists": Condition(TABLE, conditions_tables.table_exists),
    "units_available": Condition(
        ("dynamodb", "cloudwatch", "service-quotas"), conditions_units.units_available
    ),
}


def services_of(condition: str) -> tuple[str, ...]:
    """The services a condition asks; raises InvalidSetting for one that this version does not know.

    A trigger may be stored by a newer version than that of the process which runs it.
    """
    if condition not in CONDITIONS:
        expected = with_hint(f"one of {', '.join(CONDITIONS)}", "upgrade airflow-dynamo-pipeline here, too")
        raise InvalidSetting("condition", condition, expected)
    return CONDITIONS[condition].services


def check(clients: Clients, condition: str, arguments: Mapping[str, Any]) -> Verdict:
    """Look once whether a condition is met.

    :param clients: one for each of the condition's services, by its name.
    :param arguments: the condition's own, which may be rendered text.
    """
    whole = {service: refusing_cut_replies(clients[service]) for service in services_of(condition)}
    return CONDITIONS[condition].look(whole, arguments)
