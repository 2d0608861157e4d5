"""Export a large table by a job of EMR Serverless, and import the backup into another table by a second job.

### What it does

Press Trigger: the form asks for both tables, the target, the rates and the application. `export` and `load`
each decide what is to be done, refuse what cannot work, start one job run and wait for it in the triggerer.
EMR Serverless ends a job after seven days; the retry goes on from its checkpoints.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy emr-export` and
`iam-policy emr-import` print with `--job-role`. The job works by a role with the permissions of
`iam-policy emr-resource-role`. An application of the type Spark, whose image has Python 3.11 or newer.

### Results

* While a job runs: a link to its logs, and a line once a minute with items, rate and time left.
* `export` returns the manifest and the counts, `load` how many items were read, written and rejected.

### If it fails

The first line of the error says what to do, and where the job's logs are. A retry adopts a job that runs;
after one that failed it submits another, which goes on from the checkpoints. So does Clear.
"""

# --8<-- [start:serverless]
from __future__ import annotations

from typing import Any

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.airflow_versions import Param
from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.operators.emr import EmrDynamoDBExportOperator, EmrDynamoDBImportOperator

ON_SERVERLESS: dict[str, Any] = {
    "application_id": "{{ params.application_id }}",
    "execution_role_arn": "arn:aws:iam::111122223333:role/ExportJob",
    "log_uri": "s3://backups/logs",
    "code_s3_uri": "s3://backups/code",
    "python_path": "/usr/bin/python3.11",
    "ranges": 32,
    "deferrable": True,
    "retries": 3,
}

with DAG(
    "emr_serverless",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": params.table_name("orders"),
        "target": params.table_name("orders-copy", "The table to write to; it must exist"),
        "s3_uri": params.s3_uri("s3://backups/orders"),
        "ratio": params.ratio(),
        "application_id": Param(
            "00f1abcd",
            type="string",
            title="Application",
            description="The id of a Spark application of EMR Serverless",
            pattern="^[0-9a-z]+$",
        ),
    },
) as dag:
    export = EmrDynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        ratio="{{ params.ratio }}",
        **ON_SERVERLESS,
    )
    load = EmrDynamoDBImportOperator(
        task_id="load",
        table_name="{{ params.target }}",
        s3_uri="{{ ti.xcom_pull(task_ids='export')['manifest_uri'] }}",
        ratio="{{ params.ratio }}",
        **ON_SERVERLESS,
    )
    export >> load
# --8<-- [end:serverless]
