"""Export a large table by several tasks at the same time, then check the export.

### What it does

Press Trigger: the form asks for the table, the target and the rate. `export.plan` decides the export and
divides it into eight ranges, `export.range` has one mapped task for each of them, of which four run at the
same time, and `export.commit` writes the manifest when all came to their end. `check` reads the files again.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for an export and
a verification. The bucket must exist. Four slots of the workers, on machines with a core for each.

### Results

* While a range runs: its items, its share of the rate and the time left, in its log and as `progress`.
* `export.commit` returns the manifest, the counts, the capacity consumed and the rate that was held.
* `check` returns the counts that it found equal to the manifest.

### If it fails

The first line of the error says what to do. A range that fails is retried alone. When no retry is left, press
Clear on that range: it goes on after its last finished part, the other ranges stay as they are, and the
commit follows.
"""

# --8<-- [start:group]
from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.dags.ranges import export_task_group
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator

with DAG(
    "mapped_export",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": params.table_name("orders"),
        "s3_uri": params.s3_uri("s3://backups/orders"),
        "ratio": params.ratio(),
    },
) as dag:
    export = export_task_group(
        ranges=8,
        at_once=4,
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        ratio="{{ params.ratio }}",
        retries=3,
    )
    check = DynamoDBVerifyOperator(
        task_id="check", manifest_uri="{{ ti.xcom_pull(task_ids='export.commit')['manifest_uri'] }}"
    )
    export >> check
# --8<-- [end:group]
