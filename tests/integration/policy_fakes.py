"""What no server of this machine has, under the printed policies: the fake AWS of the fault tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_dynamo_pipeline.airflow_versions import AirflowFailException
from airflow_dynamo_pipeline.errors import ImportFailed
from airflow_dynamo_pipeline.operators.native import (
    DynamoDBPointInTimeExportOperator,
    DynamoDBTableImportOperator,
)
from airflow_dynamo_pipeline.sensors.dynamodb import DynamoDBExportSensor
from tests.airflow.conftest import FakeTask, context_of
from tests.faults.attempts import BUCKET, TABLE, items
from tests.faults.endpoint import FakeAws, Killed
from tests.faults.import_backups import files, native_base
from tests.faults.native_export_world import URI
from tests.faults.native_export_world import NativeWorld as ExportWorld
from tests.faults.native_import_world import PARAMETERS, TARGET
from tests.faults.native_import_world import NativeWorld as ImportWorld
from tests.faults.script import Fault, Kind
from tests.faults.table_world import COPY, TableWorld
from tests.faults.test_auto_export import HURRY, attempt
from tests.faults.test_table_definitions import world_with_everything
from tests.integration.policy_needs import KmsKeys
from tests.integration.policy_runs import Run
from tests.integration.policy_simulator import Policy, Simulator
from tests.integration.policy_stage import KEY
from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY


class World(Protocol):
    """A fake AWS and what happens in it."""

    @property
    def aws(self) -> FakeAws: ...


@dataclass
class FakeStage:
    """Where one run is tried."""

    world: Any
    keys: KmsKeys = field(default_factory=dict)

    @property
    def names(self) -> dict[str, str]:
        return {"table": TABLE, "uri": URI, "bucket": BUCKET, "key": KEY, "new_table": TARGET, "copy": COPY}

    def listed(self) -> list[str]:
        return sorted(self.world.aws.s3.objects(BUCKET))

    @contextmanager
    def under(self, document: Mapping[str, Any]) -> Iterator[Simulator]:
        simulator = Simulator(Policy(document), self.keys)
        with simulator.in_force():
            yield simulator


@contextmanager
def fake_stage(world: World, setenv: Callable[[str, str], None]) -> Iterator[FakeStage]:
    """The connection ``aws_default`` leads to the fake."""
    with world.aws.door() as door:
        extra = {
            "region_name": REGION,
            "endpoint_url": door.url,
            "config_kwargs": {"s3": {"addressing_style": "path"}, "proxies": {}},
        }
        known = {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": extra}
        setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(known))
        yield FakeStage(world)


def _done(outcome: object) -> Any:
    """What an attempt has come to; what ended it is raised as an operator raises it."""
    if isinstance(outcome, Exception):
        raise AirflowFailException(str(outcome)) from outcome
    return outcome


# --- native exports -------------------------------------------------------------------------------


def _killed_export(stage: FakeStage) -> None:
    """The first attempt is killed when it has asked, so the next looks for what it asked for."""
    killing = Fault(Kind.KILL, on="ExportTableToPointInTime")
    settings = {"s3_sse_algorithm": "KMS", "s3_sse_kms_key_id": KEY}
    killed = stage.world.run(killing, **settings).outcome
    if isinstance(killed, Exception):
        _done(killed)
    stage.world.pass_time(hours=9)
    assert 5 == _done(stage.world.run(**settings).outcome).result.item_count


def _export(_: FakeStage) -> None:
    operator = DynamoDBPointInTimeExportOperator(
        task_id="export", table_name=TABLE, s3_uri=URI, poke_interval=0
    )
    assert "COMPLETED" == operator.execute(context_of(FakeTask("run")))["status"]


def _encrypt(stage: FakeStage) -> None:
    """The bucket encrypts by itself."""
    stage.keys[f"arn:aws:s3:::{BUCKET}"] = KEY


def _export_beforehand(stage: FakeStage) -> None:
    _done(stage.world.run().outcome)


def _wait_for_export(stage: FakeStage) -> None:
    (made,) = stage.world.exports.made
    DynamoDBExportSensor(task_id="w", export_arn=made.arn).execute(context_of(FakeTask("run")))


NATIVE_EXPORT = Run(
    name="native export, killed and adopted, with a KMS key",
    operator="DynamoDBPointInTimeExportOperator",
    act=_killed_export,
    arguments="--table {table} --s3-uri {uri} --s3-sse-kms-key-id {key}",
    prepare=_encrypt,
    fake=ExportWorld,
)
PLAIN_EXPORT = Run(
    name="native export",
    operator="DynamoDBPointInTimeExportOperator",
    act=_export,
    arguments="--table {table} --s3-uri {uri} --region-name us-east-1 --account-id 111122223333",
    unused=frozenset({"dynamodb:ListExports"}),
    fake=ExportWorld,
)
EXPORT_ARN = Run(
    name="wait for a native export by its ARN",
    operator="DynamoDBExportSensor",
    act=_wait_for_export,
    arguments="--export-arn arn:aws:dynamodb:us-east-1:111122223333:table/{table}/export/*",
    prepare=_export_beforehand,
    fake=ExportWorld,
)


# --- an export that chooses its method ------------------------------------------------------------


PIECES = 1024 * 1024


def _choose_scan(stage: FakeStage) -> None:
    made = attempt(stage.world, part_bytes=PIECES)
    _done(made.error)
    assert "scan" == made.record["method"]


def _export_days_ago(stage: FakeStage) -> None:
    """So the changes since then are a choice, too; the table is large enough for one."""
    stage.world.aws.dynamodb.put_items(TABLE, items(40, size=300_000))
    _export_beforehand(stage)
    stage.world.pass_time(hours=1)


def _choose_native(stage: FakeStage) -> None:
    """Killed when it has asked, and adopted."""
    killed = attempt(stage.world, Fault(Kind.KILL, on="ExportTableToPointInTime"), part_bytes=PIECES, **HURRY)
    if not isinstance(killed.error, Killed):
        _done(killed.error)
        raise AirflowFailException("\n".join(killed.said))
    stage.world.pass_time(hours=9)
    made = attempt(stage.world, part_bytes=PIECES, **HURRY)
    _done(made.error)
    assert made.record["method"] in ("full", "incremental")


AUTO = "--table {table} --s3-uri {uri} --method auto --no-on-demand-ratio"
OF_SCAN = frozenset({"dynamodb:Scan", "s3:DeleteObject", "s3:ListBucketMultipartUploads"})
OF_NATIVE = frozenset(
    {
        "cloudwatch:GetMetricStatistics",
        "dynamodb:DescribeExport",
        "dynamodb:ExportTableToPointInTime",
        "dynamodb:ListExports",
        "s3:PutObjectAcl",
    }
)
AUTO_SCAN = Run(
    name="export that chooses a scan",
    operator="DynamoDBExportOperator",
    act=_choose_scan,
    arguments=AUTO,
    borne=frozenset({"HeadBucket"}),
    unused=OF_NATIVE,
    bearable=frozenset({"dynamodb:DescribeContinuousBackups"}),  # then a native one counts as impossible
    fake=ExportWorld,
)
AUTO_NATIVE = Run(
    name="export that chooses a native one",
    operator="DynamoDBExportOperator",
    act=_choose_native,
    arguments=AUTO,
    prepare=_export_days_ago,
    unused=OF_SCAN,
    bearable=frozenset({"cloudwatch:GetMetricStatistics"}),  # then nobody knows how much has changed
    fake=ExportWorld,
)


# --- native imports -------------------------------------------------------------------------------


def _good_backup() -> ImportWorld:
    return ImportWorld(native_base(items(3)))


def _bad_backup() -> ImportWorld:
    return ImportWorld(files([*items(1), {"pk": {"N": "1"}}]))


def _killed_import(stage: FakeStage) -> None:
    killed = stage.world.run(Fault(Kind.KILL, on="DescribeImport", after=True)).outcome
    if isinstance(killed, Exception):
        _done(killed)
    _done(stage.world.run().outcome)


def _failed_import(stage: FakeStage) -> None:
    """Its error quotes the log that ImportTable wrote."""
    outcome = stage.world.run().outcome
    if not isinstance(outcome, ImportFailed) or "logs:GetLogEvents" in str(outcome):
        _done(outcome)


def _import(stage: FakeStage) -> None:
    stage.world.book.seconds = 0.0
    operator = DynamoDBTableImportOperator(
        task_id="import",
        table_name=TARGET,
        s3_uri=stage.world.uri,
        table_definition=PARAMETERS,
        poke_interval=0.0,
    )
    operator.execute(context_of(FakeTask("run")))


IMPORT = "--table {new_table} --s3-uri s3://{bucket}"
NATIVE_IMPORT = Run(
    name="native import, killed and adopted, of encrypted files",
    operator="DynamoDBTableImportOperator",
    act=_killed_import,
    arguments=IMPORT + " --s3-sse-kms-key-id {key}",
    prepare=_encrypt,
    unused=frozenset({"logs:GetLogEvents"}),
    fake=_good_backup,
)
FAILED_IMPORT = Run(
    name="native import that fails",
    operator="DynamoDBTableImportOperator",
    act=_failed_import,
    arguments=IMPORT,
    unused=frozenset({"dynamodb:ListImports"}),
    fake=_bad_backup,
)
PLAIN_IMPORT = Run(
    name="native import",
    operator="DynamoDBTableImportOperator",
    act=_import,
    arguments=IMPORT + " --region-name us-east-1 --account-id 111122223333",
    unused=frozenset({"dynamodb:ListImports", "logs:GetLogEvents"}),
    fake=_good_backup,
)


# --- definitions of tables ------------------------------------------------------------------------


def _table_with_everything() -> TableWorld:
    world = world_with_everything()
    world.aws.s3.create_bucket(BUCKET)
    return world


def _save(stage: FakeStage) -> None:
    _done(stage.world.save().outcome)


def _save_beforehand(stage: FakeStage) -> None:
    world: TableWorld = stage.world
    world.saved = world.save().definition  # type: ignore[attr-defined]  # for the run after it


def _restore(stage: FakeStage) -> None:
    """Made; and made again over one that lost its tags."""
    world = stage.world
    for settings in ({}, {"onto_existing": True}):
        result = _done(world.restore(world.saved, **settings).outcome)
        if result.not_put_back:
            raise AirflowFailException(str(result.not_put_back))
        world.aws.dynamodb.table(COPY).tags.clear()


SAVE = Run(
    name="definition saved",
    operator="dynamo-pipeline table save",
    act=_save,
    arguments="--table {table}",
    fake=_table_with_everything,
)
RESTORE = Run(
    name="definition restored",
    operator="dynamo-pipeline table restore",
    act=_restore,
    arguments="--table {copy}",
    prepare=_save_beforehand,
    fake=_table_with_everything,
)

MOST_FAKES = (NATIVE_EXPORT, EXPORT_ARN, AUTO_SCAN, AUTO_NATIVE, NATIVE_IMPORT, FAILED_IMPORT, SAVE, RESTORE)
FAKES = (*MOST_FAKES, PLAIN_EXPORT, PLAIN_IMPORT)
ELSEWHERE_FAKES = [
    (NATIVE_EXPORT, "--table {table}2 --s3-uri {uri}", "dynamodb:DescribeTable"),
    (NATIVE_EXPORT, "--table {table} --s3-uri {uri}2 --s3-sse-kms-key-id {key}", "s3:GetObject"),
    (NATIVE_EXPORT, "--table {table} --s3-uri {uri}", "kms:GenerateDataKey"),
    (NATIVE_IMPORT, "--table {new_table}2 --s3-uri s3://{bucket}", "dynamodb:DescribeTable"),
    (NATIVE_IMPORT, "--table {new_table} --s3-uri s3://{bucket}", "kms:Decrypt"),
    (NATIVE_IMPORT, "--table {new_table} --s3-uri s3://{bucket}/elsewhere", "s3:GetObject"),
    (SAVE, "--table {table}2", "dynamodb:DescribeTable"),
    (RESTORE, "--table {table}", "dynamodb:DescribeTable"),
]
