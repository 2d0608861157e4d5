"""Every night: wait until the table and its surroundings are ready, export the table, check the export.

### What it does

It comes paused and runs at two o'clock UTC. Each precondition is a task of its own, so that the grid shows
what the night waits for: `ready` and `inputs` on S3; `exists`, then `filled`, `active`, `provisioned`,
`recoverable` and `streaming` of the table; at last `units`, which waits until other readers leave enough
capacity. `export` reads the table, `exported` sees its manifest, and `check` reads the files again.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for an export, a
verification and each sensor. Scheduled runs use the defaults of the form: edit them. The go-ahead of `ready`
has one name for all nights: whoever puts it has to remove it after the export, or from the second night on
nothing is waited for. The DAG `redshift_lookup_table` shows a go-ahead with the date in its name.

### Results

* `export` returns the manifest, the counts and the capacity consumed; `check` the counts that are equal.

### If it fails

A sensor that fails has waited for six hours, or cannot succeed: the first line of its error says which.
Mend it and press Clear on the task; the tasks after it follow. An export goes on after its last finished
part.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator
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

WAITING: dict[str, Any] = {
    "mode": "reschedule",  # no worker slot is held between two looks
    "poke_interval": 60,
    "timeout": timedelta(hours=6).total_seconds(),
}
TABLE: dict[str, Any] = {"table_name": "{{ params.table_name }}", **WAITING}
MANIFEST_URI = "{{ ti.xcom_pull(task_ids='export')['manifest_uri'] }}"

with DAG(
    "nightly_pipeline",
    doc_md=__doc__,
    schedule="0 2 * * *",  # UTC
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    params={
        "table_name": params.table_name("orders"),
        "s3_uri": params.s3_uri("s3://backups/orders"),
        "ready_uri": params.object_uri(
            "s3://backups/ready", "Go-ahead", "The export waits until this object exists"
        ),
        "inputs_uri": params.s3_uri(
            "s3://backups/incoming/",
            "Inputs",
            "The export waits until there is an object below this prefix",
        ),
        "ratio": params.ratio(most=1.0),
        "view_type": params.view_type("What the table's stream must hold before the export begins"),
    },
) as dag:
    ready = S3KeyExistsSensor(task_id="ready", bucket_key="{{ params.ready_uri }}", **WAITING)
    inputs = S3PrefixNotEmptySensor(task_id="inputs", s3_uri="{{ params.inputs_uri }}", **WAITING)
    exists = DynamoDBTableExistsSensor(task_id="exists", **TABLE)
    conditions = [
        DynamoDBDataExistsSensor(task_id="filled", **TABLE),
        DynamoDBTableActiveSensor(task_id="active", **TABLE),
        DynamoDBProvisionedModeSensor(task_id="provisioned", **TABLE),
        DynamoDBPointInTimeRecoverySensor(task_id="recoverable", **TABLE),
        DynamoDBStreamEnabledSensor(task_id="streaming", view_type="{{ params.view_type }}", **TABLE),
    ]
    units = DynamoDBUnitsAvailableSensor(
        task_id="units", ratio="{{ params.ratio }}", operation="read", **TABLE
    )
    export = DynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        ratio="{{ params.ratio }}",
        retries=2,
    )
    exported = DynamoDBExportSensor(task_id="exported", manifest_uri=MANIFEST_URI, **WAITING)
    check = DynamoDBVerifyOperator(task_id="check", manifest_uri=MANIFEST_URI)
    exists >> conditions
    [ready, inputs, *conditions] >> units >> export >> exported >> check  # units last: they change
