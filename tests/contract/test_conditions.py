"""A sensor that pokes and one that defers come to the same decision about the same replies of AWS."""

import asyncio
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any

import pytest

from airflow_dynamo_pipeline import sensors
from airflow_dynamo_pipeline.adapters.conditions import CONDITIONS
from airflow_dynamo_pipeline.airflow_versions import AirflowFailException, Context
from airflow_dynamo_pipeline.sensors.dynamodb import (
    DynamoDBDataExistsSensor,
    DynamoDBExportSensor,
    DynamoDBPointInTimeRecoverySensor,
    DynamoDBProvisionedModeSensor,
    DynamoDBStreamEnabledSensor,
    DynamoDBTableActiveSensor,
    DynamoDBTableExistsSensor,
    DynamoDBUnitsAvailableSensor,
)
from airflow_dynamo_pipeline.sensors.s3 import S3KeyExistsSensor, S3PrefixNotEmptySensor
from airflow_dynamo_pipeline.sensors.waiting import WaitsForCondition
from tests.unit.airflow_parts import RecordedLog
from tests.unit.scripted_aws import Reply, backups, refused, table
from tests.unit.scripted_conditions import (
    ARN,
    FOLDER,
    MANIFEST,
    Metrics,
    described,
    exported,
    folders,
    indexed,
    listing,
    md5_of,
    no_export,
    s3_error,
    scanned,
    scripted,
    streaming,
    summary,
)

Case = tuple[dict[str, Any], dict[str, Any], str]  # settings, replies by service, decision
TABLE: dict[str, Any] = {"table_name": "orders"}
MISSING = refused("ResourceNotFoundException")
TROUBLE: dict[str, tuple[Reply, str]] = {
    "denied": (refused("AccessDeniedException"), "fails"),
    "bad credentials": (refused("UnrecognizedClientException"), "fails"),
    "unknown error": (refused("SomethingNewException"), "fails"),
    "throttled": (refused("ThrottlingException"), "waits"),
    "server error": (refused("InternalServerError", 500), "waits"),
}
S3_TROUBLE: dict[str, tuple[Reply, str]] = {
    "denied": (s3_error("AccessDenied", 403), "fails"),
    "bad credentials": (s3_error("InvalidAccessKeyId", 403), "fails"),
    "no bucket": (s3_error("NoSuchBucket"), "fails"),
    "slow down": (s3_error("SlowDown", 503), "waits"),
    "server error": (s3_error("InternalError", 500), "waits"),
}


def of_table(**replies: tuple[Reply | list[Reply], str]) -> dict[str, Case]:
    """Cases that differ by what DynamoDB answers."""
    return {name: (TABLE, {"dynamodb": reply}, end) for name, (reply, end) in replies.items()}


def recovery(wanted_at: str | None, reply: Reply, end: str) -> Case:
    return {**TABLE, "wanted_at": wanted_at}, {"dynamodb": reply}, end


def units(
    metrics: Metrics, end: str, *, described_as: Reply | None = None, quotas: Any = None, **settings: Any
) -> Case:
    replies = {"dynamodb": described_as or described(), "cloudwatch": metrics, "service-quotas": quotas}
    return {**TABLE, **settings}, {name: reply for name, reply in replies.items() if reply}, end


def on_s3(settings: Mapping[str, Any], reply: Reply | list[Reply], end: str) -> Case:
    return dict(settings), {"s3": reply}, end


TROUBLES = {name: (TABLE, {"dynamodb": reply}, end) for name, (reply, end) in TROUBLE.items()}
GONE = of_table(missing=(MISSING, "fails"))
ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}
QUOTA: Reply = (200, {"Quota": {"Value": 1000.0}})
OURS, THEIRS = summary(), summary(is_ours=False)
LATER = {"s3_uri": "s3://exports/orders", "began_after": "2026-03-02T00:00:00Z"}
ABSENT = s3_error("NoSuchKey")
FOLDERS = folders("orders/AWSDynamoDB/a/", "orders/AWSDynamoDB/b/")
PREFIX = {"s3_uri": "s3://exports/orders/"}
KEY = {"bucket_key": "s3://exports/done"}

CASES: dict[type[Any], dict[str, Case]] = {
    DynamoDBTableExistsSensor: {
        **TROUBLES,
        **of_table(
            missing=(MISSING, "waits"),
            there=(table(), "met"),
            changing=(table(status="UPDATING"), "met"),
            in_the_making=(table(status="CREATING"), "waits"),
            being_deleted=(table(status="DELETING"), "waits"),
            archived=(table(status="ARCHIVED"), "fails"),
        ),
    },
    DynamoDBDataExistsSensor: {
        **TROUBLES,
        **GONE,
        **of_table(
            one_item=(scanned(1), "met"),
            empty=(scanned(0), "waits"),
            an_empty_page=([scanned(0, is_last=False), scanned(1)] * 2, "met"),
            in_the_making=([MISSING, table(status="CREATING")] * 2, "waits"),
            being_deleted=([MISSING, table(status="DELETING")] * 2, "fails"),
        ),
        "no flag": ({**TABLE, "consistent_read": "perhaps"}, {"dynamodb": scanned(1)}, "fails"),
        "rendered flag": ({**TABLE, "consistent_read": "True"}, {"dynamodb": scanned(1)}, "met"),
    },
    DynamoDBTableActiveSensor: {
        **TROUBLES,
        **GONE,
        **of_table(
            active=(table(), "met"),
            in_the_making=(table(status="CREATING"), "waits"),
            being_deleted=(table(status="DELETING"), "fails"),
            an_index=(indexed("ACTIVE"), "met"),
            an_index_in_the_making=(indexed("CREATING", Backfilling=False), "waits"),
            an_index_being_filled=(indexed("ACTIVE", Backfilling=True), "waits"),
            an_index_being_deleted=(indexed("DELETING"), "waits"),
        ),
    },
    DynamoDBProvisionedModeSensor: {
        **TROUBLES,
        **GONE,
        **of_table(
            provisioned=(table(), "met"),
            on_demand=(table("PAY_PER_REQUEST"), "waits"),
            changing=(table(status="UPDATING"), "waits"),
            being_deleted=(table(status="DELETING"), "fails"),
        ),
    },
    DynamoDBPointInTimeRecoverySensor: {
        **TROUBLES,
        **GONE,
        "on": recovery(None, backups("ENABLED", 1000, 2000), "met"),
        "off": recovery(None, backups("DISABLED"), "waits"),
        "rendered None": recovery("None", backups("ENABLED", 1000, 2000), "met"),
        "in the window": recovery("1970-01-01T00:25:00Z", backups("ENABLED", 1000, 2000), "met"),
        "not yet": recovery("1970-01-01 01:00:00+00:00", backups("ENABLED", 1000, 2000), "waits"),
        "never again": recovery("1970-01-01T00:00:00Z", backups("ENABLED", 1000, 2000), "fails"),
        "no instant": recovery("soon", backups("ENABLED", 1000, 2000), "fails"),
    },
    DynamoDBStreamEnabledSensor: {
        **TROUBLES,
        **GONE,
        **of_table(
            none=(table(), "waits"),
            any_type=(streaming("KEYS_ONLY"), "met"),
            being_switched_on=(streaming("KEYS_ONLY", TableStatus="UPDATING"), "waits"),
            being_deleted=(table(status="DELETING"), "fails"),
        ),
        "the wanted": ({**TABLE, "view_type": "NEW_IMAGE"}, {"dynamodb": streaming("NEW_IMAGE")}, "met"),
        "another": ({**TABLE, "view_type": "NEW_IMAGE"}, {"dynamodb": streaming("OLD_IMAGE")}, "waits"),
        "rendered None": ({**TABLE, "view_type": "None"}, {"dynamodb": streaming("OLD_IMAGE")}, "met"),
        "no type": ({**TABLE, "view_type": "IMAGE"}, {"dynamodb": streaming("OLD_IMAGE")}, "fails"),
    },
    DynamoDBUnitsAvailableSensor: {
        **{name: ({**each[0], "ratio": 0.5}, each[1], each[2]) for name, each in TROUBLES.items()},
        "enough": units(Metrics(3000, 600), "met", units_per_second=50),
        "too little": units(Metrics(3001, 600), "waits", units_per_second=50),
        "enough of a share": units(Metrics(3000), "met", ratio="0.5"),
        "too little of a share": units(Metrics(3600), "waits", ratio=0.5),
        "nothing recorded": units(Metrics(), "met", ratio=1),
        "more than there is": units(Metrics(), "waits", units_per_second=101),
        "on-demand": units(
            Metrics(30_000),
            "met",
            described_as=described(BillingModeSummary=ON_DEMAND),
            quotas=QUOTA,
            ratio=0.5,
        ),
        "on-demand with a maximum": units(
            Metrics(30_000),
            "waits",
            described_as=described(
                BillingModeSummary=ON_DEMAND, OnDemandThroughput={"MaxReadRequestUnits": 600}
            ),
            quotas=QUOTA,
            ratio=0.5,
        ),
        "no such index": units(Metrics(), "fails", ratio=0.5, index_name="by-city"),
        "in the making": units(Metrics(), "waits", described_as=described(TableStatus="CREATING"), ratio=0.5),
        "being deleted": units(Metrics(), "fails", described_as=described(TableStatus="DELETING"), ratio=0.5),
        "no head-room asked": units(Metrics(), "fails"),
        "two head-rooms asked": units(Metrics(), "fails", ratio=0.5, units_per_second=5),
        "no share": units(Metrics(), "fails", ratio=1.5),
        "no operation": units(Metrics(), "fails", ratio=0.5, operation="scan"),
    },
    DynamoDBExportSensor: {
        **{name: on_s3({"manifest_uri": MANIFEST}, *each) for name, each in S3_TROUBLE.items()},
        "complete": on_s3({"manifest_uri": MANIFEST}, [(200, OURS), (200, md5_of(OURS))] * 2, "met"),
        "its folder": on_s3({"s3_uri": f"{FOLDER}/"}, [(200, OURS), (200, md5_of(OURS))] * 2, "met"),
        "no manifest": on_s3({"manifest_uri": MANIFEST}, ABSENT, "waits"),
        "ours without its checksum": on_s3(
            {"manifest_uri": MANIFEST}, [(200, OURS), ABSENT, ABSENT] * 2, "fails"
        ),
        "theirs without its checksum": on_s3(
            {"manifest_uri": MANIFEST}, [(200, THEIRS), ABSENT, ABSENT] * 2, "waits"
        ),
        "edited": on_s3({"manifest_uri": MANIFEST}, [(200, OURS), (200, md5_of(b""))] * 2, "fails"),
        "no JSON": on_s3({"manifest_uri": MANIFEST}, (200, b"<html>"), "fails"),
        "of a newer package": on_s3(
            {"manifest_uri": MANIFEST}, (200, summary(airflowDynamoPipeline={"version": 2})), "fails"
        ),
        "one of several": on_s3(
            {"s3_uri": "s3://exports/orders"}, [FOLDERS, ABSENT, (200, OURS), (200, md5_of(OURS))] * 2, "met"
        ),
        "one beside a damaged one": on_s3(
            {"s3_uri": "s3://exports/orders"},
            [FOLDERS, (200, b"{"), (200, OURS), (200, md5_of(OURS))] * 2,
            "met",
        ),
        "none of several": on_s3({"s3_uri": "s3://exports/orders"}, [FOLDERS, ABSENT, ABSENT] * 2, "waits"),
        "none at all": on_s3({"s3_uri": "s3://exports/orders"}, folders(), "waits"),
        "all too old": on_s3(
            LATER, [FOLDERS, (200, OURS), (200, md5_of(OURS)), (200, OURS), (200, md5_of(OURS))] * 2, "waits"
        ),
        "under way": ({"export_arn": ARN}, {"dynamodb": exported("IN_PROGRESS")}, "waits"),
        "completed": ({"export_arn": ARN}, {"dynamodb": exported("COMPLETED", ItemCount=7)}, "met"),
        "failed": (
            {"export_arn": ARN},
            {"dynamodb": exported("FAILED", FailureCode="S3NoSuchBucket")},
            "fails",
        ),
        "unknown": ({"export_arn": ARN}, {"dynamodb": no_export()}, "fails"),
        "no URI": on_s3({"manifest_uri": "s3://exports/x.json"}, ABSENT, "fails"),
        "nothing named": on_s3({}, ABSENT, "fails"),
        "named twice": on_s3({"manifest_uri": MANIFEST, "s3_uri": FOLDER}, ABSENT, "fails"),
    },
    S3KeyExistsSensor: {
        **{
            name: on_s3({"bucket_key": "s3://exports/*", "wildcard_match": True}, *each)
            for name, each in S3_TROUBLE.items()
        },
        "there": on_s3(KEY, (200, b""), "met"),
        "not there": on_s3(KEY, [(404, b""), (200, b"")] * 2, "waits"),
        "no bucket at all": on_s3(KEY, (404, b""), "fails"),
        "forbidden": on_s3(KEY, (403, b""), "fails"),
    },
    S3PrefixNotEmptySensor: {
        **{name: on_s3(PREFIX, *each) for name, each in S3_TROUBLE.items()},
        "something": on_s3(PREFIX, listing(("orders/a", 0)), "met"),
        "nothing": on_s3(PREFIX, listing(), "waits"),
        "a folder's mark": on_s3(PREFIX, listing(("orders/", 0)), "waits"),
        "no URI": on_s3({"s3_uri": "orders"}, listing(), "fails"),
    },
}
EACH = [
    pytest.param(kind, *case, id=f"{kind.__name__}-{name}")
    for kind, cases in CASES.items()
    for name, case in cases.items()
]


class StillWaiting(Exception):
    """The trigger went to sleep."""


def as_it_pokes(sensor: Any) -> str:
    try:
        return "met" if sensor.poke(Context()) else "waits"
    except AirflowFailException:
        return "fails"


def as_it_defers(trigger: Any) -> tuple[str, dict[str, Any]]:
    """What the trigger decides, and its event."""

    async def nap(_: float) -> None:
        raise StillWaiting

    async def first() -> Any:
        return await anext(trigger.run())

    trigger.sleep = nap
    try:
        event = asyncio.run(first()).payload
    except StillWaiting:
        return "waits", {}
    return ("met" if event["status"] == "success" else "fails"), event


def all_sensors() -> set[type[Any]]:
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(sensors.__path__, f"{sensors.__name__}.")
    ]
    return {
        found
        for module in modules
        for name, found in inspect.getmembers(module, inspect.isclass)
        if found.__module__ == module.__name__ and name.endswith("Sensor") and not name.startswith("_")
    }


def test_no_sensor_is_without_cases() -> None:
    assert all_sensors() == CASES.keys()
    assert all(issubclass(kind, WaitsForCondition) for kind in CASES)


def test_no_condition_is_without_a_sensor() -> None:
    assert sorted(CONDITIONS) == sorted(kind.condition for kind in CASES)


@pytest.mark.parametrize("kind", CASES)
def test_each_decision_is_among_a_sensors_cases(kind: type[Any]) -> None:
    assert {"met", "waits", "fails"} == {end for _, _, end in CASES[kind].values()}


@pytest.mark.parametrize(("kind", "settings", "replies", "expected"), EACH)
def test_both_ways_of_waiting_decide_alike(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Any],
    settings: dict[str, Any],
    replies: dict[str, Any],
    expected: str,
) -> None:
    scripted(monkeypatch, replies)
    sensor = kind(task_id="wait", **settings)
    poked = as_it_pokes(sensor)
    try:
        trigger = sensor._trigger()
    except ValueError:  # a setting so wrong that nothing is deferred
        assert expected == poked == "fails"
        return
    deferred, event = as_it_defers(trigger)

    assert (expected, expected) == (poked, deferred)
    if deferred == "fails" and kind is not S3KeyExistsSensor:  # that one looks once more
        with pytest.raises(AirflowFailException):
            sensor.execute_complete(Context(), event)


@pytest.mark.parametrize(("kind", "settings", "replies", "expected"), EACH)
def test_it_says_what_it_saw_and_what_it_waits_for(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Any],
    settings: dict[str, Any],
    replies: dict[str, Any],
    expected: str,
) -> None:
    log = RecordedLog()
    monkeypatch.setattr(kind, "log", log)
    scripted(monkeypatch, replies)

    found = as_it_pokes(kind(task_id="wait", **settings))

    said = log.text.strip()
    assert (expected == "fails") == (not said)
    assert (found == "waits") == (
        "; waiting" in said or said.startswith("waiting") or "looking again in" in said
    )


@pytest.mark.parametrize(
    ("kind", "settings", "reply", "value"),
    [
        (
            DynamoDBExportSensor,
            {"manifest_uri": MANIFEST},
            {"s3": [(200, OURS), (200, md5_of(OURS))] * 2},
            {"manifest_uri": MANIFEST, "item_count": 7},
        ),
        (
            DynamoDBExportSensor,
            {"export_arn": ARN},
            {"dynamodb": exported("COMPLETED", ItemCount=7, BilledSizeBytes=9, ExportManifest="k.json")},
            {"export_arn": ARN, "manifest_uri": "s3://b/k.json", "item_count": 7, "billed_bytes": 9},
        ),
        (DynamoDBTableExistsSensor, TABLE, {"dynamodb": table()}, None),
    ],
)
def test_both_ways_return_what_was_found(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Any],
    settings: dict[str, Any],
    reply: dict[str, Any],
    value: Any,
) -> None:
    scripted(monkeypatch, reply)
    sensor = kind(task_id="wait", **settings)

    assert value == sensor.execute(Context())
    _, event = as_it_defers(sensor._trigger())
    assert value == sensor.execute_complete(Context(), event)
