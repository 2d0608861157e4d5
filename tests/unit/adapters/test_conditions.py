from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.conditions import CONDITIONS, check, describe_backups, describe_table
from airflow_dynamo_pipeline.engine.conditions import Backups
from airflow_dynamo_pipeline.errors import AccessDenied, InvalidSetting, NotFound, PipelineError, Throttled
from tests.unit.scripted_aws import Reply, Scripted, backups, refused, table

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


@pytest.mark.parametrize("condition", CONDITIONS)
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
        check(aws.client, condition, ARGUMENTS)

    assert 1 == len(aws.calls)


@pytest.mark.parametrize(
    ("condition", "call"),
    [("provisioned_mode", "DescribeTable"), ("point_in_time_recovery", "DescribeContinuousBackups")],
)
def test_a_condition_costs_one_call(condition: str, call: str) -> None:
    aws = Scripted("dynamodb", backups() if "Backups" in call else table())

    assert check(aws.client, condition, ARGUMENTS).met
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
        check(aws.client, condition, arguments)

    assert [] == aws.calls
