"""Prove every week that a table can be restored: export it, import the export elsewhere, compare.

### What it does

It comes paused; unpause it to run it weekly, or press Trigger. `export` reads the table, never faster than
asked. `make_scratch_table` makes a table for this run, `restore` imports the export into it, `compare`
compares both, item by item, and `drop_scratch_table` drops the scratch table, whatever became of the run.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for an export,
an import and a verification, and besides `dynamodb:CreateTable`, `dynamodb:DescribeTable` and
`dynamodb:DeleteTable` on tables named like the table with `-rehearsal-` behind it.

### Results

* `compare` returns the counts that it found equal. Green means: this backup can be restored.

### If it fails

The first line of the error says what to do. The table itself is never written to. Trigger a new run, which
makes a scratch table of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

import pendulum

try:
    from airflow.sdk import DAG, setup, teardown
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import setup, teardown  # type: ignore[attr-defined]

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator

MANIFEST = "{{ ti.xcom_pull(task_ids='export')['manifest_uri'] }}"
SCRATCH = "{{ ti.xcom_pull(task_ids='make_scratch_table')['table_name'] }}"


def scratch_name(table_name: str, run: str) -> str:
    """The scratch table of one run: no other run and no person makes a table of this name."""
    return f"{table_name}-rehearsal-{hashlib.sha256(run.encode()).hexdigest()[:12]}"


@setup
def make_scratch_table(table_name: str, run: str) -> dict[str, str]:
    """Make an empty on-demand table with the key of this one; indexes are not needed to compare items."""
    client = DynamoDBPipelineHook().dynamodb_client()
    source: Any = client.describe_table(TableName=table_name)["Table"]
    keys = {part["AttributeName"] for part in source["KeySchema"]}
    scratch = scratch_name(table_name, run)
    with contextlib.suppress(client.exceptions.ResourceInUseException):  # an earlier try made it
        client.create_table(
            TableName=scratch,
            KeySchema=source["KeySchema"],
            AttributeDefinitions=[
                one for one in source["AttributeDefinitions"] if one["AttributeName"] in keys
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    client.get_waiter("table_exists").wait(TableName=scratch, WaiterConfig={"Delay": 2})
    return {"table_name": scratch}


@teardown
def drop_scratch_table(scratch: dict[str, str] | None, table_name: str, run: str) -> None:
    """Drop the table that this run made and no other."""
    if scratch is None:
        return  # none was made
    name = scratch["table_name"]
    if name == table_name or name != scratch_name(table_name, run):
        raise ValueError(f"{name} is not the scratch table of this run: nothing is dropped")
    client = DynamoDBPipelineHook().dynamodb_client()
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):  # it is gone already
        client.delete_table(TableName=name)


with DAG(
    "restore_rehearsal",
    doc_md=__doc__,
    schedule="@weekly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    params={
        "table_name": params.table_name("orders", "The table to rehearse with; it is only read"),
        "s3_uri": params.s3_uri("s3://backups/rehearsals"),
        "ratio": params.ratio(),
    },
) as dag:
    export = DynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        ratio="{{ params.ratio }}",
        retries=2,
    )
    made = make_scratch_table("{{ params.table_name }}", "{{ run_id }}")
    restore = DynamoDBImportOperator(
        task_id="restore", table_name=SCRATCH, s3_uri=MANIFEST, ratio=1, retries=2
    )
    compare = DynamoDBVerifyOperator(
        task_id="compare", manifest_uri=MANIFEST, table_name=SCRATCH, ratio=1, retries=2
    )
    dropped = drop_scratch_table(made, "{{ params.table_name }}", "{{ run_id }}")
    export >> made >> restore >> compare >> dropped.as_teardown(setups=made)
