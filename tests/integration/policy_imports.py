"""The ways of importing that are tried under the policy printed for them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from airflow_dynamo_pipeline.cli.main import main
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator
from tests.airflow.conftest import FakeTask, context_of
from tests.integration.policy_runs import Run
from tests.integration.policy_simulator import Call
from tests.integration.policy_stage import INDEX, KEY, Stage, nothing
from tests.integration.world import QUICK

COUNT = 60
SINGLE = frozenset({"dynamodb:PutItem", "dynamodb:DeleteItem"})
INDEXED = "-indexed"  # after the name of the new table: one on demand, with an index
CHANGES = (
    {"Keys": {"pk": {"S": "a"}}, "NewImage": {"pk": {"S": "a"}, "shop": {"S": "x"}}},
    {"Keys": {"pk": {"S": "b"}}, "NewImage": {"pk": {"S": "b"}, "shop": {"N": "1"}}},  # not for the index
    {"Keys": {"pk": {"S": "c"}}, "OldImage": {"pk": {"S": "c"}}},
)


def _operator(stage: Stage, **settings: Any) -> DynamoDBImportOperator:
    rate = {} if "ratio" in settings else {"units_per_second": QUICK}
    given = {"table_name": stage.new_table, "s3_uri": stage.uri, "segments": 1, **rate, **settings}
    return DynamoDBImportOperator(task_id="import", **given)


def import_(stage: Stage, run_id: str = "", **settings: Any) -> dict[str, Any]:
    operator = _operator(stage, **settings)
    return operator.execute(context_of(FakeTask(run_id or uuid.uuid4().hex)))


def _import_all(stage: Stage, run_id: str = "", **settings: Any) -> None:
    result = import_(stage, run_id, **settings)
    assert (COUNT, COUNT) == (result["read"], result["written"] + result["skipped"])


def put_backup(stage: Stage) -> None:
    """A backup of AWS Data Pipeline without a manifest."""
    lines = [json.dumps({"pk": {"s": f"{number}"}, "text": {"s": "x" * 100}}) for number in range(COUNT)]
    stage.s3.put_object(
        Bucket=stage.bucket, Key=stage.key("backup/000000"), Body="\n".join(lines).encode() + b"\n"
    )


def put_changes(stage: Stage) -> None:
    """Changes that are encrypted; of their batch one item is refused, so each is written by itself."""
    changed = {"Metadata": {"WriteTimestampMicros": {"N": "1"}}}
    body = b"".join(json.dumps({**changed, **change}).encode() + b"\n" for change in CHANGES)
    key = stage.key("changes.json")
    stage.s3.put_object(Bucket=stage.bucket, Key=key, Body=body)
    stage.keys[f"arn:aws:s3:::{stage.bucket}/{key}"] = KEY
    schema = [{"AttributeName": "pk", "KeyType": "HASH"}]
    index = [{"AttributeName": "shop", "KeyType": "HASH"}]
    more: Any = {"GlobalSecondaryIndexes": [_index(index)]}
    stage.dynamodb.create_table(
        TableName=stage.new_table + INDEXED,
        KeySchema=schema,  # type: ignore[arg-type]  # words of the stubs' own
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "shop", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


def _index(key: list[dict[str, str]]) -> dict[str, Any]:
    return {"IndexName": INDEX, "KeySchema": key, "Projection": {"ProjectionType": "ALL"}}


def _changes(stage: Stage) -> None:
    result = import_(
        stage,
        table_name=stage.new_table + INDEXED,
        file_format="incremental",
        ratio=1,
        max_rejected=1,
        s3_sse_kms_key_id=KEY,
    )
    assert (3, 2, 1, 1) == tuple(result[name] for name in ("read", "written", "deleted", "rejected"))
    stage.dynamodb.delete_table(TableName=stage.new_table + INDEXED)


def _resume(stage: Stage) -> None:
    """Stopped at its first batch, and gone on with."""
    run_id = uuid.uuid4().hex
    first = _operator(stage, s3_uri=f"{stage.uri}/backup")

    def stop(call: Call) -> None:
        if call.operation == "BatchWriteItem" and first._stop is not None:
            first._stop.set()

    stage.after = stop
    with pytest.raises(Stopped):
        first.execute(context_of(FakeTask(run_id)))
    stage.after = nothing

    result = import_(stage, run_id, s3_uri=f"{stage.uri}/backup")

    assert ("resume", COUNT) == (result["start"], result["written"])


def _adopt(stage: Stage) -> None:
    run_id = uuid.uuid4().hex
    first = import_(stage, run_id, s3_uri=f"{stage.uri}/backup")

    assert {**first, "start": "adopt"} == import_(stage, run_id, s3_uri=f"{stage.uri}/backup")


def _from_the_command_line(stage: Stage) -> None:
    arguments = ("import", "--table", stage.new_table, f"{stage.uri}/backup", "--json")
    done = CliRunner().invoke(main, [*arguments, "--units-per-second", str(QUICK)])
    assert 0 == done.exit_code, done.output
    assert COUNT == json.loads(done.stdout)["written"]


def _run(name: str, act: Callable[[Stage], object], arguments: str, **more: Any) -> Run:
    return Run(
        name=name,
        operator="DynamoDBImportOperator",
        act=act,
        arguments=arguments,
        **{"prepare": put_backup, **more},
    )


EVERYTHING = _run(
    "import of encrypted changes into an on-demand table with an index",
    _changes,
    "--table {new_table}" + INDEXED + " --s3-uri {uri} --s3-sse-kms-key-id {key}",
    prepare=put_changes,
)
ABSOLUTE = "--table {new_table} --s3-uri {uri}/backup --no-on-demand-ratio"
BATCHES = _run(
    "import in batches",
    lambda stage: _import_all(stage, s3_uri=f"{stage.uri}/backup"),
    ABSOLUTE,
    unused=SINGLE,
)
CONDITIONAL = _run(
    "import of what is not there, with the records elsewhere",
    lambda stage: _import_all(
        stage,
        s3_uri=f"{stage.uri}/backup",
        on_conflict="skip",
        allow_protected=True,
        rejects_s3_uri=f"s3://{stage.bucket}/records",
    ),
    ABSOLUTE + " --on-conflict skip --allow-protected --rejects-s3-uri s3://{bucket}/records",
)
IMPORTS = (
    EVERYTHING,
    BATCHES,
    CONDITIONAL,
    _run("import that is resumed", _resume, ABSOLUTE, unused=SINGLE),
    _run("import that is adopted", _adopt, ABSOLUTE, unused=SINGLE),
    _run("import from the command line", _from_the_command_line, ABSOLUTE, unused=SINGLE),
    _run(
        "import by a ratio that is only rehearsed",
        lambda stage: _import_all(stage, s3_uri=f"{stage.uri}/backup", ratio=1, dry_run=True),
        "--table {new_table} --s3-uri {uri}/backup",
        unused=frozenset(
            {
                "dynamodb:BatchWriteItem",
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:ListBucketMultipartUploads",
                "s3:PutObject",
            }
        )
        | SINGLE,
    ),
)
