import asyncio
from typing import Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import TriggerEvent
from airflow_dynamo_pipeline.triggers.native import NativeJobTrigger
from tests.unit.airflow_parts import RecordedLog
from tests.unit.scripted_aws import Reply, Scripts, refused

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/export/01"
MEMBERS = {"export": ("ExportDescription", "Export"), "import": ("ImportTableDescription", "Import")}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> RecordedLog:
    recorded = RecordedLog()
    monkeypatch.setattr(NativeJobTrigger, "log", recorded)
    return recorded


def job(status: str, kind: str = "export", **more: str) -> Reply:
    member, name = MEMBERS[kind]
    return 200, {member: {f"{name}Arn": ARN, f"{name}Status": status, **more}}


def events_of(kind: str = "export") -> tuple[list[Any], list[float]]:
    """What it fires and how long it slept in between, without sleeping."""
    naps: list[float] = []
    made = NativeJobTrigger(kind=kind, arn=ARN, poke_interval=30.0)

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    async def collect() -> list[TriggerEvent]:
        return [event async for event in made.run()]

    made.sleep = nap
    return [event.payload for event in asyncio.run(collect())], naps


@pytest.mark.parametrize("kind", ["export", "import"])
def test_it_looks_until_the_job_has_ended(script: Scripts, log: RecordedLog, kind: str) -> None:
    aws = script(job("IN_PROGRESS", kind), job("IN_PROGRESS", kind), job("COMPLETED", kind))

    (event,), naps = events_of(kind)

    expected = {"status": "success", "job_status": "COMPLETED", "arn": ARN, "message": f"{ARN} is COMPLETED"}
    assert expected == event
    assert [30.0, 30.0] == naps
    assert [f"Describe{kind.capitalize()}"] * 3 == aws.calls
    assert f"{ARN} is IN_PROGRESS; waiting until it ends" in log.text


def test_a_job_that_failed_is_an_end_with_its_code_and_message(script: Scripts) -> None:
    script(job("FAILED", FailureCode="S3NoSuchBucket", FailureMessage="no such bucket"))

    (event,), naps = events_of()

    assert ("success", "FAILED", []) == (event["status"], event["job_status"], naps)
    assert f"{ARN} is FAILED: S3NoSuchBucket: no such bucket" == event["message"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("ExportNotFoundException", "no such export"),
        ("AccessDeniedException", "access denied: dynamodb:DescribeExport"),
    ],
)
def test_what_waiting_cannot_help_is_an_error_at_once(script: Scripts, code: str, says: str) -> None:
    script(job("IN_PROGRESS"), refused(code))

    (event,), naps = events_of()

    assert ("error", ARN, [30.0]) == (event["status"], event["arn"], naps)
    assert says in event["message"]


@pytest.mark.parametrize("code", ["InternalServerError", "ThrottlingException", "LimitExceededException"])
def test_trouble_that_passes_is_waited_out(script: Scripts, log: RecordedLog, code: str) -> None:
    script(refused(code), job("COMPLETED"))

    (event,), naps = events_of()

    assert ("success", [30.0]) == (event["status"], naps)
    assert "looking again in 30.0 s" in log.text


def test_ending_the_trigger_ends_it_while_it_sleeps(script: Scripts) -> None:
    script(job("IN_PROGRESS"))
    made = NativeJobTrigger(kind="export", arn=ARN, poke_interval=30.0)

    async def cancel() -> None:
        asleep = asyncio.Event()

        async def nap(_: float) -> None:
            asleep.set()
            await asyncio.Event().wait()

        made.sleep = nap
        task = asyncio.ensure_future(anext(made.run()))
        await asleep.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
