from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.conditions import (
    check,
    describe_backups,
    describe_table,
    services_of,
)
from airflow_dynamo_pipeline.engine.conditions import Backups
from airflow_dynamo_pipeline.errors import AccessDenied, InvalidSetting, NotFound, PipelineError, Throttled
from tests.unit.scripted_aws import Reply, Scripted, backups, refused, table
from tests.unit.scripted_conditions import Metrics, described, scanned

ARGUMENTS = {"table_name": "orders"}


def test_a_table_is_described() -> None:
    found = describe_table(Scripted("dynamodb", table("PAY_PER_REQUEST", "UPDATING")).client, "orders")

    assert ("orders", True, "UPDATING") == (found.name, found.on_demand, found.status)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (backups("DISABLED"), Backups(table_name="orders", status="DISABLED")),
        (
            backups("ENABLED", 0, 3600),
            Backups(
                table_name="orders",
                status="ENABLED",
                earliest_at=datetime(1970, 1, 1, tzinfo=UTC),
                latest_at=datetime(1970, 1, 1, 1, tzinfo=UTC),
            ),
        ),
        (
            (200, {"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "DISABLED"}}),
            Backups(table_name="orders", status="DISABLED"),
        ),
    ],
)
def test_recovery_is_described(reply: Reply, expected: Backups) -> None:
    assert expected == describe_backups(Scripted("dynamodb", reply).client, "orders")


@pytest.mark.parametrize("condition", ["provisioned_mode", "point_in_time_recovery"])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ResourceNotFoundException", NotFound),
        ("TableNotFoundException", NotFound),
        ("AccessDeniedException", AccessDenied),
        ("ThrottlingException", Throttled),
    ],
)
def test_errors_are_our_own(condition: str, code: str, kind: type[PipelineError]) -> None:
    aws = Scripted("dynamodb", refused(code))

    with pytest.raises(kind, match="orders"):
        check({"dynamodb": aws.client}, condition, ARGUMENTS)

    assert 1 == len(aws.calls)


@pytest.mark.parametrize(
    ("condition", "call"),
    [("provisioned_mode", "DescribeTable"), ("point_in_time_recovery", "DescribeContinuousBackups")],
)
def test_a_condition_costs_one_call(condition: str, call: str) -> None:
    aws = Scripted("dynamodb", backups() if "Backups" in call else table())

    assert check({"dynamodb": aws.client}, condition, ARGUMENTS).met
    assert [call] == aws.calls


@pytest.mark.parametrize(
    ("condition", "arguments"),
    [
        ("provisioned_mode", {"table_name": " "}),
        ("point_in_time_recovery", {"table_name": ""}),
        ("point_in_time_recovery", {"table_name": "orders", "wanted_at": "soon"}),
    ],
)
def test_impossible_arguments_are_refused_before_any_call(condition: str, arguments: dict[str, Any]) -> None:
    aws = Scripted("dynamodb", table())

    with pytest.raises(InvalidSetting):
        check({"dynamodb": aws.client}, condition, arguments)

    assert [] == aws.calls


@pytest.mark.parametrize("consistent", [False, "True"])
def test_data_is_looked_for_by_a_scan_of_one_item(consistent: bool | str) -> None:
    """DescribeTable's ItemCount is hours old and not asked."""
    asked: list[dict[str, Any]] = []
    aws = Scripted("dynamodb", scanned(0, is_last=False), scanned(1))
    aws.client.meta.events.register(
        "provide-client-params.dynamodb.Scan", lambda params, **_: asked.append(dict(params))
    )

    arguments = {**ARGUMENTS, "consistent_read": consistent}
    assert check({"dynamodb": aws.client}, "data_exists", arguments).met

    assert ["Scan", "Scan"] == aws.calls
    expected = {
        "TableName": "orders",
        "Limit": 1,
        "Select": "COUNT",
        "ConsistentRead": consistent == "True",
    }
    assert [expected, {**expected, "ExclusiveStartKey": {"id": {"S": "a"}}}] == asked


@pytest.mark.parametrize(
    ("settings", "metric", "dimensions"),
    [
        ({}, "ConsumedReadCapacityUnits", {"TableName": "orders"}),
        ({"operation": "write"}, "ConsumedWriteCapacityUnits", {"TableName": "orders"}),
        (
            {"index_name": "by-city"},
            "ConsumedReadCapacityUnits",
            {"TableName": "orders", "GlobalSecondaryIndexName": "by-city"},
        ),
        ({"index_name": "by-day"}, "ConsumedReadCapacityUnits", {"TableName": "orders"}),
    ],
)
def test_units_are_those_of_the_last_minutes(
    settings: dict[str, str], metric: str, dimensions: dict[str, str]
) -> None:
    metrics = Metrics(600)
    aws = Scripted(
        "dynamodb",
        described(
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-city",
                    "IndexStatus": "ACTIVE",
                    "ProvisionedThroughput": {"ReadCapacityUnits": 40},
                }
            ],
            LocalSecondaryIndexes=[{"IndexName": "by-day"}],
        ),
    )
    clients = {"dynamodb": aws.client, "cloudwatch": metrics, "service-quotas": Metrics()}

    verdict = check(clients, "units_available", {**ARGUMENTS, "ratio": "0.75", **settings})

    (asked,) = metrics.asked
    assert (metric, dimensions) == (
        asked["MetricName"],
        {each["Name"]: each["Value"] for each in asked["Dimensions"]},
    )
    assert (300, 60) == ((asked["EndTime"] - asked["StartTime"]).total_seconds(), asked["Period"])
    units = 40 if settings.get("index_name") == "by-city" else 100
    assert f"consumes 10.0 of {units} " in verdict.seen
    assert verdict.met


def test_a_quota_that_may_not_be_read_is_said_with_the_units() -> None:
    quotas = Scripted("service-quotas", (400, {"__type": "AccessDeniedException", "message": "no"}))
    aws = Scripted("dynamodb", described(BillingModeSummary={"BillingMode": "PAY_PER_REQUEST"}))
    clients = {"dynamodb": aws.client, "cloudwatch": Metrics(), "service-quotas": quotas.client}

    verdict = check(clients, "units_available", {**ARGUMENTS, "ratio": 0.5})

    assert verdict.met
    assert "of 40000 read units" in verdict.seen
    assert "the account's table quota could not be read" in verdict.seen


def test_an_unknown_condition_of_a_newer_version_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="upgrade airflow-dynamo-pipeline"):
        services_of("condition_of_tomorrow")
