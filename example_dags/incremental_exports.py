"""A full export every week, and every hour what has changed since: by DynamoDB itself, at no capacity.

### What it does

Both DAGs come paused. Start `full_native_export` first: `recoverable` waits for point-in-time recovery and
`full` makes the base. `changes` of `incremental_exports` then exports every hour what has changed, without
a gap. Restore from the base and all windows after it.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for a native
export, and a table with point-in-time recovery. Both DAGs need the same table and the same target: edit
the defaults, since scheduled runs use them.

### Results

* `full` and `changes` return the manifests, the counts, the window and `chain_uri`.
* The file that `chain_uri` names lists the base and all windows in their order.

### If it fails

The first line of the error says what to do. Then press Clear: an export that is under way is adopted,
never begun twice. A gap (recovery was off for a time) needs a new base: trigger with a new base for the
gap.
"""

from __future__ import annotations

from typing import Any

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.operators.native import DynamoDBPointInTimeExportOperator
from airflow_dynamo_pipeline.sensors.dynamodb import DynamoDBPointInTimeRecoverySensor

PARAMS = {
    "table_name": params.table_name("orders"),
    "s3_uri": params.s3_uri(
        "s3://backups/orders", description="Exports go below this prefix; the same for both DAGs"
    ),
}
SETTINGS: dict[str, Any] = {
    "table_name": "{{ params.table_name }}",
    "s3_uri": "{{ params.s3_uri }}",
    "retries": 2,
}

with DAG(
    "full_native_export",
    doc_md=__doc__,
    schedule="@weekly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    is_paused_upon_creation=True,
    params=PARAMS,
) as full_dag:
    recoverable = DynamoDBPointInTimeRecoverySensor(
        task_id="recoverable", table_name="{{ params.table_name }}"
    )
    recoverable >> DynamoDBPointInTimeExportOperator(task_id="full", **SETTINGS)

with DAG(
    "incremental_exports",
    doc_md=__doc__,
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    params={
        **PARAMS,
        "on_gap": params.on_gap(),
    },
) as changes_dag:
    DynamoDBPointInTimeExportOperator(
        task_id="changes", export_type="incremental", on_gap="{{ params.on_gap }}", **SETTINGS
    )
