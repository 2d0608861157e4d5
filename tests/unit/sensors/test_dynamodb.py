from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.airflow_versions import AirflowFailException, AirflowSkipException, Context
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.sensors.dynamodb import (
    DynamoDBPointInTimeRecoverySensor,
    DynamoDBProvisionedModeSensor,
)
from tests.unit.airflow_parts import RecordedLog, deferral_of
from tests.unit.scripted_aws import Reply, Scripts, backups, refused, table

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NO_CONTEXT = Context()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> RecordedLog:
    recorded = RecordedLog()
    monkeypatch.setattr(DynamoDBProvisionedModeSensor, "log", recorded)
    return recorded


def provisioned(**settings: Any) -> DynamoDBProvisionedModeSensor:
    return DynamoDBProvisionedModeSensor(task_id="wait", table_name="orders", poke_interval=30, **settings)


def recovery(**settings: Any) -> DynamoDBPointInTimeRecoverySensor:
    return DynamoDBPointInTimeRecoverySensor(
        task_id="wait", table_name="orders", poke_interval=30, **settings
    )


@pytest.mark.parametrize("sensor", [DynamoDBProvisionedModeSensor, DynamoDBPointInTimeRecoverySensor])
def test_it_takes_and_templates_what_the_amazon_sensors_do(sensor: type[Any]) -> None:
    made = sensor(
        task_id="wait",
        table_name="{{ params.table }}",
        aws_conn_id="aws_other",
        region_name="eu-west-1",
        verify=False,
        botocore_config={"read_timeout": 5},
    )

    assert {"table_name", "aws_conn_id", "region_name", "verify"} <= set(made.template_fields)
    assert {
        "aws_conn_id": "aws_other",
        "region_name": "eu-west-1",
        "verify": False,
        "config": {"read_timeout": 5},
    } == made._hook_parameters


def test_poking_logs_what_was_seen_and_what_is_waited_for(script: Scripts, log: RecordedLog) -> None:
    script(table("PAY_PER_REQUEST"), refused("ThrottlingException"), table())
    sensor = provisioned()

    assert [False, False, True] == [sensor.poke(NO_CONTEXT) for _ in range(3)]
    first, second, third = log.text.splitlines()
    assert "table orders is on-demand and ACTIVE; waiting for provisioned and ACTIVE" == first
    assert "ThrottlingException on table orders: as scripted; looking again in 30.0 s" == second
    assert "table orders is provisioned and ACTIVE" == third


def test_it_pokes_until_the_condition_is_met(script: Scripts, naps: list[float]) -> None:
    aws = script(table("PAY_PER_REQUEST"), refused("ThrottlingException"), table())

    provisioned().execute(NO_CONTEXT)

    assert (3, [30, 30]) == (len(aws.calls), naps)


@pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("ResourceNotFoundException", "no such table: orders"),
        ("AccessDeniedException", "access denied: dynamodb:Describe"),
        ("ValidationException", "ValidationException"),
    ],
)
@pytest.mark.parametrize("make", [provisioned, recovery])
def test_it_fails_at_once_when_waiting_cannot_help(
    script: Scripts, naps: list[float], make: Callable[..., Any], code: str, says: str, deferrable: bool
) -> None:
    aws = script(refused(code))

    with pytest.raises(AirflowFailException, match=says):
        make(deferrable=deferrable).execute(NO_CONTEXT)

    assert (1, []) == (len(aws.calls), naps)


@pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
def test_a_role_that_cannot_be_assumed_fails_at_once(
    monkeypatch: pytest.MonkeyPatch, naps: list[float], deferrable: bool
) -> None:
    def denied(_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole")

    monkeypatch.setattr(DynamoDBPipelineHook, "dynamodb_client", denied)

    with pytest.raises(AirflowFailException, match="sts:AssumeRole on connection aws_default"):
        provisioned(deferrable=deferrable).execute(NO_CONTEXT)

    assert [] == naps


@pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
@pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])
def test_a_failure_can_be_a_skip(script: Scripts, flag: str, deferrable: bool) -> None:
    script(refused("AccessDeniedException"))

    with pytest.raises(AirflowSkipException):
        provisioned(deferrable=deferrable, **{flag: True}).execute(NO_CONTEXT)


def test_it_does_not_defer_when_the_condition_is_met(script: Scripts) -> None:
    aws = script(table())

    provisioned(deferrable=True).execute(NO_CONTEXT)

    assert 1 == len(aws.calls)


@pytest.mark.parametrize("first", [table("PAY_PER_REQUEST"), refused("ThrottlingException")])
def test_it_defers_with_its_own_settings(script: Scripts, naps: list[float], first: Reply) -> None:
    aws = script(first)
    sensor = provisioned(
        deferrable=True, timeout=3600, aws_conn_id="aws_other", region_name="eu-west-1", verify=False
    )

    deferral = deferral_of(sensor)

    assert ("execute_complete", timedelta(hours=1)) == (deferral.method_name, deferral.timeout)
    assert {
        "condition": "provisioned_mode",
        "arguments": {"table_name": "orders"},
        "poke_interval": 30,
        "aws_conn_id": "aws_other",
        "region_name": "eu-west-1",
        "verify": False,
        "botocore_config": None,
    } == deferral.trigger.serialize()[1]
    assert (1, []) == (len(aws.calls), naps)


@pytest.mark.parametrize(
    ("given", "handed_on"),
    [
        (NOON, "2026-03-01T12:00:00+00:00"),
        ("2026-03-01 12:00:00+00:00", "2026-03-01 12:00:00+00:00"),
        ("None", "None"),
        (None, None),
    ],
)
def test_a_wanted_instant_reaches_the_trigger_as_json(
    script: Scripts, given: datetime | str | None, handed_on: str | None
) -> None:
    script(backups("DISABLED"))

    deferral = deferral_of(recovery(deferrable=True, wanted_at=given))

    arguments = deferral.trigger.serialize()[1]["arguments"]
    assert {"table_name": "orders", "wanted_at": handed_on} == arguments


@pytest.mark.parametrize("nothing", [None, "", "None"])
def test_no_wanted_instant_is_met_by_any_window(script: Scripts, nothing: str | None) -> None:
    script(backups("ENABLED", 0, 60))

    assert recovery(wanted_at=nothing).poke(NO_CONTEXT)


@pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
@pytest.mark.parametrize("impossible", ["1969-12-31T00:00:00Z", "yesterday"])
def test_an_instant_that_can_never_be_met_fails_at_once(
    script: Scripts, naps: list[float], impossible: str, deferrable: bool
) -> None:
    script(backups("ENABLED", 0, 60))

    with pytest.raises(AirflowFailException, match="wanted_at"):
        recovery(wanted_at=impossible, deferrable=deferrable).execute(NO_CONTEXT)

    assert [] == naps


def test_the_triggers_success_ends_the_task(log: RecordedLog) -> None:
    provisioned().execute_complete(NO_CONTEXT, {"status": "success", "message": "seen it"})

    assert "seen it\n" == log.text


def test_the_triggers_error_fails_the_task_for_good() -> None:
    event = {"status": "error", "message": "no such table: orders"}

    with pytest.raises(AirflowFailException, match="no such table: orders"):
        provisioned().execute_complete(NO_CONTEXT, event)


def test_the_triggers_error_can_be_a_skip() -> None:
    event = {"status": "error", "message": "no such table: orders"}

    with pytest.raises(AirflowSkipException):
        provisioned(soft_fail=True).resume_execution("execute_complete", {"event": event}, NO_CONTEXT)
