"""The sensors of tables, units, prefixes and exports, each waiting for something that comes late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_dynamo_pipeline.sensors.dynamodb import (
    DynamoDBDataExistsSensor,
    DynamoDBExportSensor,
    DynamoDBStreamEnabledSensor,
    DynamoDBTableActiveSensor,
    DynamoDBTableExistsSensor,
    DynamoDBUnitsAvailableSensor,
)
from airflow_dynamo_pipeline.sensors.s3 import S3PrefixNotEmptySensor
from tests.integration.policy_runs import Run, execute_sensor
from tests.integration.policy_simulator import Call
from tests.integration.policy_stage import KEY, Stage, nothing

LATE = "-late"  # after the name of the new table: a table that is made while somebody waits for it
ITEM: Any = {"pk": {"S": "1"}}


def _make_late(stage: Stage) -> None:
    stage.dynamodb.create_table(
        TableName=stage.new_table + LATE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def _wait_for_table(stage: Stage, **settings: Any) -> None:
    stage.between_looks = lambda: _make_late(stage)
    execute_sensor(
        stage, DynamoDBTableExistsSensor(task_id="w", table_name=stage.new_table + LATE, **settings)
    )
    stage.dynamodb.delete_table(TableName=stage.new_table + LATE)


def _wait_for_data(stage: Stage, **settings: Any) -> None:
    """The table is made between the Scan that does not find it and DescribeTable."""

    def make(call: Call) -> None:
        if call.operation == "DescribeTable" and not call.denied:
            stage.after = nothing
            _make_late(stage)

    stage.after = make
    stage.between_looks = lambda: stage.dynamodb.put_item(TableName=stage.new_table + LATE, Item=ITEM)
    execute_sensor(
        stage, DynamoDBDataExistsSensor(task_id="w", table_name=stage.new_table + LATE, **settings)
    )
    stage.dynamodb.delete_table(TableName=stage.new_table + LATE)


def _wait_until_active(stage: Stage, **settings: Any) -> None:
    execute_sensor(stage, DynamoDBTableActiveSensor(task_id="w", table_name=stage.new_table, **settings))


def _wait_for_stream(stage: Stage, **settings: Any) -> None:
    stage.between_looks = lambda: stage.dynamodb.update_table(
        TableName=stage.new_table,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    execute_sensor(stage, DynamoDBStreamEnabledSensor(task_id="w", table_name=stage.new_table, **settings))


def _wait_for_units(stage: Stage, **settings: Any) -> None:
    execute_sensor(
        stage,
        DynamoDBUnitsAvailableSensor(task_id="w", table_name=stage.on_demand_table, ratio=0.5, **settings),
    )


def _wait_for_prefix(stage: Stage, **settings: Any) -> None:
    stage.between_looks = lambda: stage.s3.put_object(Bucket=stage.bucket, Key="daily/more/1", Body=b"x")
    uri = f"s3://{stage.bucket}/daily/more/"
    execute_sensor(stage, S3PrefixNotEmptySensor(task_id="w", s3_uri=uri, **settings))


def _hide_manifest(stage: Stage) -> None:
    """An encrypted export whose manifest comes while somebody waits for it."""
    stage.export_beforehand(KEY)
    place = {"Bucket": stage.bucket, "Key": stage.manifest_uri.partition(f"{stage.bucket}/")[2]}
    body = stage.s3.get_object(**place)["Body"].read()  # type: ignore[arg-type]  # words of the stubs' own
    stage.s3.delete_object(**place)  # type: ignore[arg-type]
    stage.between_looks = lambda: stage.s3.put_object(**place, Body=body)  # type: ignore[arg-type]


def _wait_for_manifest(stage: Stage, **settings: Any) -> None:
    execute_sensor(stage, DynamoDBExportSensor(task_id="w", manifest_uri=stage.manifest_uri, **settings))


def _wait_below_prefix(stage: Stage) -> None:
    execute_sensor(stage, DynamoDBExportSensor(task_id="w", s3_uri=stage.uri))


def _run(name: str, sensor: type, act: Callable[..., None], arguments: str, **more: Any) -> Run:
    return Run(name=name, operator=sensor.__name__, act=act, arguments=arguments, **more)


TABLE_EXISTS = _run(
    "wait for a table", DynamoDBTableExistsSensor, _wait_for_table, "--table {new_table}" + LATE
)
DATA_EXISTS = _run("wait for an item", DynamoDBDataExistsSensor, _wait_for_data, "--table {new_table}" + LATE)
TABLE_ACTIVE = _run(
    "wait until a table is active", DynamoDBTableActiveSensor, _wait_until_active, "--table {new_table}"
)
STREAM = _run("wait for a stream", DynamoDBStreamEnabledSensor, _wait_for_stream, "--table {new_table}")
UNITS = _run("wait for units", DynamoDBUnitsAvailableSensor, _wait_for_units, "--table {on_demand_table}")
PREFIX = _run(
    "wait for a prefix", S3PrefixNotEmptySensor, _wait_for_prefix, "--s3-uri s3://{bucket}/daily/more/"
)
MANIFEST = _run(
    "wait for the manifest of an encrypted export",
    DynamoDBExportSensor,
    _wait_for_manifest,
    "--manifest-uri {manifest_uri} --s3-sse-kms-key-id {key}",
    prepare=_hide_manifest,
)
BELOW = _run(
    "wait for any export below a prefix",
    DynamoDBExportSensor,
    _wait_below_prefix,
    "--s3-uri {uri} --s3-sse-kms-key-id {key}",
    prepare=_hide_manifest,
)
WAITS_THAT_DEFER = (TABLE_EXISTS, DATA_EXISTS, STREAM, PREFIX, MANIFEST)


def _deferred(run: Run) -> Run:
    act: Any = run.act
    return replace(run, name=f"{run.name}, deferred", act=lambda stage: act(stage, deferrable=True))


MOST_WAITS = (TABLE_EXISTS, DATA_EXISTS, TABLE_ACTIVE, STREAM, UNITS, PREFIX, MANIFEST, BELOW)
WAITS = (*MOST_WAITS, *map(_deferred, WAITS_THAT_DEFER))
