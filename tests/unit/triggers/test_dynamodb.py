import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import TriggerEvent
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.triggers.dynamodb import DynamoDBConditionTrigger
from tests.unit.airflow_parts import RecordedLog
from tests.unit.scripted_aws import Scripted, Scripts, refused, table
from tests.unit.scripted_conditions import Metrics, described, scripted


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> RecordedLog:
    recorded = RecordedLog()
    monkeypatch.setattr(DynamoDBConditionTrigger, "log", recorded)
    return recorded


def trigger() -> DynamoDBConditionTrigger:
    return DynamoDBConditionTrigger(
        condition="provisioned_mode", arguments={"table_name": "orders"}, poke_interval=30.0
    )


def events_of(made: DynamoDBConditionTrigger) -> tuple[list[Any], list[float]]:
    """What it fires and how long it slept in between, without sleeping."""
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    async def collect() -> list[TriggerEvent]:
        return [event async for event in made.run()]

    made.sleep = nap
    return [event.payload for event in asyncio.run(collect())], naps


def test_it_fires_at_once_when_the_condition_is_met(script: Scripts) -> None:
    aws = script(table())

    expected = {"status": "success", "message": "table orders is provisioned and ACTIVE"}
    assert ([expected], []) == events_of(trigger())
    assert 1 == len(aws.calls)


def test_it_looks_again_after_each_interval(script: Scripts, log: RecordedLog) -> None:
    aws = script(table("PAY_PER_REQUEST"), table(status="UPDATING"), table())

    (event,), naps = events_of(trigger())

    assert "success" == event["status"]
    assert [30.0, 30.0] == naps
    assert 3 == len(aws.calls)
    assert "on-demand and ACTIVE; waiting for provisioned and ACTIVE" in log.text


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "InternalServerError", "ProvisionedThroughputExceededException"]
)
def test_it_waits_out_what_passes(script: Scripts, log: RecordedLog, code: str) -> None:
    script(refused(code), table())

    (event,), naps = events_of(trigger())

    assert "success" == event["status"]
    assert [30.0] == naps
    assert "looking again in 30.0 s" in log.text


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("ResourceNotFoundException", "no such table: orders"),
        ("AccessDeniedException", "access denied: dynamodb:DescribeTable on table orders"),
        ("UnrecognizedClientException", "the credentials were refused"),
        ("ValidationException", "ValidationException"),
    ],
)
def test_it_fires_an_error_at_once_when_waiting_cannot_help(script: Scripts, code: str, says: str) -> None:
    aws = script(table("PAY_PER_REQUEST"), refused(code))

    (event,), naps = events_of(trigger())

    assert "error" == event["status"]
    assert says in event["message"]
    assert ([30.0], 2) == (naps, len(aws.calls))


def test_cancelling_ends_it_while_it_sleeps(script: Scripts) -> None:
    script(table("PAY_PER_REQUEST"))
    made = trigger()

    async def cancel() -> None:
        asleep = asyncio.Event()

        async def nap(_: float) -> None:
            asleep.set()
            await asyncio.Event().wait()

        made.sleep = nap
        task = asyncio.ensure_future(anext(made.run()))
        await asleep.wait()
        task.cancel()
        await task

    assert_cancelled(cancel)


def test_cancelling_ends_it_while_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    looking, go_on = threading.Event(), threading.Event()

    def look(_: object) -> None:
        looking.set()
        go_on.wait(10)

    monkeypatch.setattr(DynamoDBPipelineHook, "dynamodb_client", look)

    async def cancel() -> None:
        task = asyncio.ensure_future(anext(trigger().run()))
        await asyncio.to_thread(looking.wait, 10)
        task.cancel()
        go_on.set()
        await task

    assert_cancelled(cancel)


def assert_cancelled(work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        with pytest.raises(asyncio.CancelledError):
            await work()

    asyncio.run(run())


def test_the_hook_gets_all_connection_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    aws = Scripted("dynamodb", table())

    class Hook:
        aws_conn_id = "aws_other"

        def __init__(self, **settings: Any) -> None:
            seen.append(settings)

        def dynamodb_client(self) -> Any:
            return aws.client

    monkeypatch.setattr("airflow_dynamo_pipeline.triggers.dynamodb.DynamoDBPipelineHook", Hook)
    settings: dict[str, Any] = {"aws_conn_id": "aws_other", "region_name": "eu-west-1", "verify": False}
    events_of(
        DynamoDBConditionTrigger(
            condition="provisioned_mode",
            arguments={"table_name": "orders"},
            poke_interval=1,
            botocore_config={"read_timeout": 5},
            **settings,
        )
    )

    assert [{**settings, "config": {"read_timeout": 5}}] == seen


def test_each_service_of_a_condition_is_asked_by_its_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = scripted(
        monkeypatch,
        {
            "dynamodb": described(BillingModeSummary={"BillingMode": "PAY_PER_REQUEST"}),
            "cloudwatch": Metrics(600),
            "service-quotas": (200, {"Quota": {"Value": 1000.0}}),
        },
    )
    made = DynamoDBConditionTrigger(
        condition="units_available",
        arguments={"table_name": "orders", "units_per_second": 990},
        poke_interval=1.0,
    )

    (event,), _ = events_of(made)

    assert "success" == event["status"]
    assert (["DescribeTable"], 1, ["GetServiceQuota"]) == (
        answers["dynamodb"].calls,
        len(answers["cloudwatch"].asked),
        answers["service-quotas"].calls,
    )


def test_a_condition_of_a_newer_version_fires_an_error_that_says_so() -> None:
    """The worker that deferred may be newer than the triggerer."""
    (event,), naps = events_of(
        DynamoDBConditionTrigger(condition="of_tomorrow", arguments={}, poke_interval=1.0)
    )

    assert ("error", []) == (event["status"], naps)
    assert "upgrade airflow-dynamo-pipeline" in event["message"]
