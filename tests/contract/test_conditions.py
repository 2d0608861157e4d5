"""A sensor that pokes and one that defers come to the same decision about the same table."""

import asyncio
from typing import Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import AirflowFailException, Context
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.sensors.dynamodb import (
    DynamoDBPointInTimeRecoverySensor,
    DynamoDBProvisionedModeSensor,
)
from tests.unit.scripted_aws import Reply, Scripted, backups, refused, table

ERRORS = {
    "no such table": (refused("ResourceNotFoundException"), "fails"),
    "denied": (refused("AccessDeniedException"), "fails"),
    "bad credentials": (refused("UnrecognizedClientException"), "fails"),
    "unknown error": (refused("SomethingNewException"), "fails"),
    "throttled": (refused("ThrottlingException"), "waits"),
    "server error": (refused("InternalServerError", 500), "waits"),
}
TABLES = {
    "provisioned": (table(), "met"),
    "on-demand": (table("PAY_PER_REQUEST"), "waits"),
    "changing": (table(status="UPDATING"), "waits"),
    "being deleted": (table(status="DELETING"), "fails"),
    **ERRORS,
}
RECOVERIES = {
    "on": (backups("ENABLED", 1000, 2000), {}, "met"),
    "off": (backups("DISABLED"), {}, "waits"),
    "rendered None": (backups("ENABLED", 1000, 2000), {"wanted_at": "None"}, "met"),
    "in the window": (backups("ENABLED", 1000, 2000), {"wanted_at": "1970-01-01T00:25:00Z"}, "met"),
    "not yet": (backups("ENABLED", 1000, 2000), {"wanted_at": "1970-01-01 01:00:00+00:00"}, "waits"),
    "never again": (backups("ENABLED", 1000, 2000), {"wanted_at": "1970-01-01T00:00:00Z"}, "fails"),
    "no instant": (backups("ENABLED", 1000, 2000), {"wanted_at": "soon"}, "fails"),
    **{name: (reply, {}, outcome) for name, (reply, outcome) in ERRORS.items()},
}
CASES = [
    *((DynamoDBProvisionedModeSensor, {}, *case) for case in TABLES.values()),
    *((DynamoDBPointInTimeRecoverySensor, given, reply, end) for reply, given, end in RECOVERIES.values()),
]
IDS = [f"{kind}-{name}" for kind, names in (("mode", TABLES), ("recovery", RECOVERIES)) for name in names]


class StillWaiting(Exception):
    """The trigger went to sleep."""


def as_it_pokes(sensor: Any) -> str:
    try:
        return "met" if sensor.poke(Context()) else "waits"
    except AirflowFailException:
        return "fails"


def as_it_defers(sensor: Any) -> str:
    trigger = sensor._trigger()

    async def nap(_: float) -> None:
        raise StillWaiting

    async def first() -> Any:
        return await anext(trigger.run())

    trigger.sleep = nap
    try:
        event = asyncio.run(first()).payload
        sensor.execute_complete(Context(), event)
    except StillWaiting:
        return "waits"
    except AirflowFailException:
        return "fails"
    return "met"


@pytest.mark.parametrize(("kind", "settings", "reply", "expected"), CASES, ids=IDS)
def test_both_ways_of_waiting_decide_alike(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Any],
    settings: dict[str, Any],
    reply: Reply,
    expected: str,
) -> None:
    aws = Scripted("dynamodb", reply)
    monkeypatch.setattr(DynamoDBPipelineHook, "dynamodb_client", lambda _: aws.client)
    sensor = kind(task_id="wait", table_name="orders", **settings)

    assert (expected, expected) == (as_it_pokes(sensor), as_it_defers(sensor))
    assert len(aws.calls) in (0, 2)
