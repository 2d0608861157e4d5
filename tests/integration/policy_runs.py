"""Every operator and sensor at work, each in the ways that need different permissions."""

from __future__ import annotations

import asyncio
import importlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from click.testing import CliRunner

from airflow_dynamo_pipeline.adapters.policies import ALL_POLICIES
from airflow_dynamo_pipeline.airflow_versions import Context
from airflow_dynamo_pipeline.cli.main import main
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator
from airflow_dynamo_pipeline.sensors.dynamodb import (
    DynamoDBPointInTimeRecoverySensor,
    DynamoDBProvisionedModeSensor,
)
from airflow_dynamo_pipeline.sensors.s3 import S3KeyExistsSensor
from tests.airflow.conftest import FakeTask, context_of
from tests.integration.policy_simulator import Call
from tests.integration.policy_stage import ALIAS, INDEX, ITEMS, KEY, Stage, nothing
from tests.integration.world import QUICK
from tests.unit.airflow_parts import deferral_of

MIB = 1024 * 1024
IN_PIECES: Mapping[str, Any] = {"compression": "none", "part_bytes": 10 * MIB}
CAPACITY = frozenset({"cloudwatch:GetMetricStatistics", "servicequotas:GetServiceQuota"})
BEARABLE = frozenset({"servicequotas:GetServiceQuota"})  # an export takes 40,000 units then, and says so
HEAD_BUCKET = frozenset({"HeadBucket"})  # it has no prefix, so a policy for one prefix denies it


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One way of using an operator, and the arguments that print the policy for it."""

    name: str
    operator: str
    also: frozenset[str] = frozenset()  # other operators that work under its policy, and do here
    act: Callable[[Any], object]  # of a Stage, or where there is a fake of a FakeStage
    arguments: str  # of iam-policy; {table}, {uri} and so on are names of the stage
    prepare: Callable[[Any], object] = nothing  # before the policy is in force
    borne: frozenset[str] = frozenset()  # operations that are denied, which does no harm
    unused: frozenset[str] = frozenset()  # actions that only another way of using it needs
    bearable: frozenset[str] = BEARABLE  # actions whose lack is told and borne
    fake: Callable[[], Any] | None = None  # a world of the fault tests, instead of servers of this machine

    def printed(self, names: Mapping[str, str]) -> dict[str, Any]:
        """The policy for this run, as the command prints it."""
        return printed(self.operator, self.arguments.format_map(names))


def printed(operator: str, arguments: str) -> dict[str, Any]:
    """What ``dynamo-pipeline iam-policy`` prints for an operator, or for whatever else has a policy."""
    done = CliRunner().invoke(main, ["iam-policy", ALL_POLICIES[operator].command, *arguments.split()])
    assert 0 == done.exit_code, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


# --- exports --------------------------------------------------------------------------------------


def _resume(stage: Stage) -> None:
    """Stopped at its first page; what a killed attempt leaves is put beside it; gone on with."""
    run_id = uuid.uuid4().hex
    first = stage.operator(part_bytes=MIB)

    def stop(call: Call) -> None:
        if call.operation == "Scan" and first._stop is not None:
            first._stop.set()

    stage.after = stop
    with pytest.raises(Stopped):
        first.execute(context_of(FakeTask(run_id)))
    stage.after = nothing
    (part,) = [key for key in stage.listed() if "/data/" in key]
    stray = part.replace(".json.gz", "-stray.json.gz")
    stage.s3.put_object(Bucket=stage.bucket, Key=stray, Body=b"")
    stage.s3.create_multipart_upload(Bucket=stage.bucket, Key=stray)

    assert "resume" == stage.export(run_id, part_bytes=MIB)["start"]
    assert part in stage.listed()
    assert stray not in stage.listed()
    assert [] == stage.s3.list_multipart_uploads(Bucket=stage.bucket).get("Uploads", [])


def _adopt(stage: Stage) -> None:
    run_id = uuid.uuid4().hex
    first = stage.export(run_id)

    assert {**first, "start": "adopt"} == stage.export(run_id)


def _from_the_command_line(stage: Stage) -> None:
    """It has no run, so it looks through the folders that are there."""
    arguments = ("export", "--table", stage.table, "--s3-uri", stage.uri, "--json")
    for _ in range(2):
        done = CliRunner().invoke(main, [*arguments, "--units-per-second", str(QUICK)])
        assert 0 == done.exit_code, done.output
        assert len(ITEMS) == json.loads(done.stdout)["item_count"]


def _export(name: str, act: Callable[[Stage], object], arguments: str, **more: Any) -> Run:
    return Run(
        name=name,
        operator="DynamoDBExportOperator",
        act=act,
        arguments=arguments,
        borne=HEAD_BUCKET,
        **more,
    )


PLAIN = _export(
    "export", lambda stage: stage.export(ratio=1), "--table {table} --s3-uri {uri}", unused=CAPACITY
)
FULL = _export(
    "export of an on-demand table in pieces with a KMS key",
    lambda stage: stage.export(table_name=stage.large_table, ratio=1, s3_sse_kms_key_id=KEY, **IN_PIECES),
    "--table {large_table} --s3-uri {uri} --s3-sse-kms-key-id {key}",
)
ABSOLUTE = "--table {table} --s3-uri {uri} --no-on-demand-ratio"
TABLE = _export("export at an absolute rate", lambda stage: stage.export(), ABSOLUTE)
INDEXED = _export(
    "export of an index",
    lambda stage: stage.export(index_name=INDEX),
    ABSOLUTE + " --index-name {index}",
)
ENCRYPTED = _export(
    "export in pieces with the alias of a KMS key",
    lambda stage: stage.export(table_name=stage.large_table, s3_sse_kms_key_id=ALIAS, **IN_PIECES),
    ABSOLUTE.replace("{table}", "{large_table}") + " --s3-sse-kms-key-id {alias} --region-name us-east-1",
)
EXPORTS = (
    PLAIN,
    FULL,
    TABLE,
    INDEXED,
    ENCRYPTED,
    _export("export that is resumed", _resume, ABSOLUTE),
    _export("export that is adopted", _adopt, ABSOLUTE),
    _export("export from the command line", _from_the_command_line, ABSOLUTE),
    _export(
        "export to the top of a bucket, region and account named",
        lambda stage: stage.export(s3_uri=f"s3://{stage.bucket}"),
        "--table {table} --s3-uri s3://{bucket} --no-on-demand-ratio --region-name us-east-1 "
        "--account-id 111122223333",
    ),
    _export(
        "export to a target that a template fills in",
        lambda stage: stage.export(s3_uri=f"{stage.uri}/2026-01-02"),
        "--table {table} --s3-uri {uri}/* --no-on-demand-ratio",
    ),
)


# --- verify ---------------------------------------------------------------------------------------


def _verify(stage: Stage) -> None:
    operator = DynamoDBVerifyOperator(task_id="verify", manifest_uri=stage.manifest_uri)

    assert len(ITEMS) == operator.execute(context_of(FakeTask("verify")))["item_count"]


VERIFY = Run(
    name="check of any export below a prefix, with a KMS key",
    operator="DynamoDBVerifyOperator",
    prepare=lambda stage: stage.export_beforehand(KEY),
    act=_verify,
    arguments="--s3-uri {uri} --s3-sse-kms-key-id {key}",
)
ONE = Run(
    name="check of one export",
    operator="DynamoDBVerifyOperator",
    prepare=lambda stage: stage.export_beforehand(),
    act=_verify,
    arguments="--manifest-uri {manifest_uri}",
)


# --- sensors --------------------------------------------------------------------------------------


def execute_sensor(stage: Stage, sensor: Any) -> None:
    """Execute a sensor as Airflow does; one that defers comes back from its trigger."""
    if not sensor.deferrable or isinstance(sensor, S3KeyExistsSensor):
        sensor.execute(Context())
        return
    deferral = deferral_of(sensor)
    path, arguments = deferral.trigger.serialize()
    module, _, name = path.rpartition(".")
    trigger = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))

    async def nap(_: float) -> None:
        await asyncio.to_thread(stage.between_looks)

    async def first() -> Any:
        return (await anext(trigger.run())).payload

    trigger.sleep = nap
    sensor.resume_execution(deferral.method_name, {"event": asyncio.run(first())}, Context())


def _wait_for_mode(stage: Stage, **settings: Any) -> None:
    stage.between_looks = lambda: stage.dynamodb.update_table(
        TableName=stage.new_table,
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    )
    execute_sensor(stage, DynamoDBProvisionedModeSensor(task_id="w", table_name=stage.new_table, **settings))


def _wait_for_recovery(stage: Stage, **settings: Any) -> None:
    stage.between_looks = lambda: stage.dynamodb.update_continuous_backups(
        TableName=stage.new_table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    execute_sensor(
        stage, DynamoDBPointInTimeRecoverySensor(task_id="w", table_name=stage.new_table, **settings)
    )


def _put(stage: Stage) -> None:
    for key in ("daily/done", "daily/more/"):
        stage.s3.put_object(Bucket=stage.bucket, Key=key, Body=b"")


def _wait_for_object(stage: Stage, *keys: str, **settings: Any) -> None:
    """It comes late, so that its absence is seen as well."""
    stage.between_looks = lambda: _put(stage)
    uris = [f"s3://{stage.bucket}/{key}" for key in keys]
    execute_sensor(stage, S3KeyExistsSensor(task_id="w", bucket_key=uris, **settings))
    assert "daily/done" in stage.listed()


def _of_key(name: str, act: Callable[[Stage], object], arguments: str, **more: Any) -> Run:
    return Run(name=name, operator="S3KeyExistsSensor", act=act, arguments=arguments, **more)


KEY_EXISTS = _of_key(
    "wait for an object",
    lambda stage: _wait_for_object(stage, "daily/done"),
    "--bucket-key s3://{bucket}/daily/done",
    borne=HEAD_BUCKET,
)
MODE = Run(
    name="wait for provisioned mode",
    operator="DynamoDBProvisionedModeSensor",
    act=_wait_for_mode,
    arguments="--table {new_table}",
)
RECOVERY = Run(
    name="wait for point-in-time recovery",
    operator="DynamoDBPointInTimeRecoverySensor",
    act=_wait_for_recovery,
    arguments="--table {new_table} --region-name us-east-1 --account-id 111122223333",
)
SENSORS = (
    MODE,
    RECOVERY,
    KEY_EXISTS,
    replace(MODE, name=f"{MODE.name}, deferred", act=lambda stage: _wait_for_mode(stage, deferrable=True)),
    replace(
        RECOVERY,
        name=f"{RECOVERY.name}, deferred",
        act=lambda stage: _wait_for_recovery(stage, deferrable=True),
    ),
    # Its trigger is the amazon provider's and needs aiobotocore; the look before it defers is ours.
    _of_key(
        "find an object before deferring",
        lambda stage: _wait_for_object(stage, "daily/done", deferrable=True),
        "--bucket-key s3://{bucket}/daily/done",
        prepare=_put,
        unused=frozenset({"s3:ListBucket"}),
    ),
    _of_key(
        "wait for two objects",
        lambda stage: _wait_for_object(stage, "daily/done", "daily/more/"),
        "--bucket-key s3://{bucket}/daily/done --bucket-key s3://{bucket}/daily/more/",
        borne=HEAD_BUCKET,
    ),
    _of_key(
        "wait for an object like a wildcard",
        lambda stage: _wait_for_object(stage, "daily/d*e", wildcard_match=True),
        "--bucket-key s3://{bucket}/daily/d*e --wildcard-match",
        borne=HEAD_BUCKET,
    ),
    _of_key(
        "wait for an object like a regular expression",
        lambda stage: _wait_for_object(stage, "da.*ne", use_regex=True),
        "--bucket-key s3://{bucket}/da.*ne --use-regex",
        borne=HEAD_BUCKET,
    ),
)

RUNS = (*EXPORTS, VERIFY, ONE, *SENSORS)
MOST = (FULL, VERIFY, MODE, RECOVERY, KEY_EXISTS)  # the runs that need all that a policy can allow
