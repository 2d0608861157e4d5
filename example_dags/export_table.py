"""Wait until a table is ready, export it under a throttle, check the export.

### What it does

Press Trigger: the form asks for the table, the target, the rate and the format. `ready` waits for the
go-ahead, an object on S3; `provisioned` and `recoverable` wait until the table is in provisioned mode and
has point-in-time recovery. `export` reads the table, never faster than asked. `check` reads the files
again.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for an export, a
verification and the three sensors. The bucket must exist. A table that is on-demand or has no
point-in-time recovery makes its sensor wait: remove the sensors that you do not want. A go-ahead that is
still there from an earlier run is taken for one: give each run one of its own.

### Results

* While `export` runs: items, rate and the time left, in its log and as `progress` (task state, or XCom).
* `export` returns the manifest, the counts, the capacity consumed and the rate that was held.
* `check` returns the counts that it found equal to the manifest.

### If it fails

The first line of the error says what to do. Then press Clear on the task: an export goes on after its last
finished part, and nothing is read twice.
"""

# [START readme]
from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator
from airflow_dynamo_pipeline.sensors.dynamodb import (
    DynamoDBPointInTimeRecoverySensor,
    DynamoDBProvisionedModeSensor,
)
from airflow_dynamo_pipeline.sensors.s3 import S3KeyExistsSensor

with DAG(
    "export_table",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": params.table_name("orders"),
        "s3_uri": params.s3_uri("s3://backups/orders"),
        "ready_uri": params.object_uri(
            "s3://backups/ready", "Go-ahead", "The export waits until this object exists"
        ),
        "ratio": params.ratio(),
        "file_format": params.file_format(),
    },
) as dag:
    ready = S3KeyExistsSensor(task_id="ready", bucket_key="{{ params.ready_uri }}", poke_interval=30)
    provisioned = DynamoDBProvisionedModeSensor(task_id="provisioned", table_name="{{ params.table_name }}")
    recoverable = DynamoDBPointInTimeRecoverySensor(
        task_id="recoverable", table_name="{{ params.table_name }}"
    )
    export = DynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        ratio="{{ params.ratio }}",
        file_format="{{ params.file_format }}",
        retries=2,
    )
    check = DynamoDBVerifyOperator(
        task_id="check", manifest_uri="{{ ti.xcom_pull(task_ids='export')['manifest_uri'] }}"
    )
    [ready, provisioned, recoverable] >> export >> check
# [END readme]
