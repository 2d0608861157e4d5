"""Export a table by whichever way is cheapest in the time there is: a scan, or a native export.

### What it does

Press Trigger: the form asks for the table, the target and the time. `export` looks at the size of the
table, its settings and the prices, picks a scan, a native export or native exports of the changes, and
does it.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for an export
and for a native export. Native exports need point-in-time recovery; without it the scan is what remains.

### Results

* The log of `export` names every way that was looked at, with its price and why it was taken or not.
* `export` returns the manifest and the counts; of a native export also its ARN.

### If it fails

The first line of the error says what to do. Then press Clear: a scan goes on after its last finished part,
a native export that is under way is adopted.
"""

from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator

with DAG(
    "export_by_choice",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": params.table_name("orders"),
        "s3_uri": params.s3_uri("s3://backups/orders"),
        "finish_within_seconds": params.seconds(
            3600,
            "Seconds there are",
            "A scan that is expected to take longer is not chosen if anything else is possible",
        ),
    },
):
    # [START operator]
    DynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        method="auto",
        finish_within_seconds="{{ params.finish_within_seconds }}",
        retries=2,
    )
    # [END operator]
