"""Export a large table by a Spark job on a cluster of EMR that is there already.

### What it does

Press Trigger: the form asks for the table, the target, the rate and the cluster. `export` decides the export,
refuses what cannot work, adds one step to the cluster and waits for it in the triggerer. `check` reads the
files again.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy emr-export` prints, and for
`check` those of `iam-policy verify`. The cluster's machines work by a role with the permissions of
`iam-policy emr-resource-role`. The cluster has Spark, Python 3.11 and a free core for each range at a time.

### Results

* While the job runs: links to the cluster and its logs, and a line once a minute with items, rate and time
  left.
* `export` returns the manifest, the counts, the capacity consumed and the rate that was held.
* `check` returns the counts that it found equal to the manifest.

### If it fails

The first line of the error says what to do, and where the job's logs are. A retry adopts a job that runs;
after one that failed it submits another, which goes on from the checkpoints. So does Clear.
"""

# --8<-- [start:export]
from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.airflow_versions import Param
from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.operators.emr import EmrDynamoDBExportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator

with DAG(
    "emr_export",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": params.table_name("orders"),
        "s3_uri": params.s3_uri("s3://backups/orders"),
        "ratio": params.ratio(),
        "job_flow_id": Param(
            "j-0123456789ABC",
            type="string",
            title="Cluster",
            description="The id of a cluster of EMR that is alive",
            pattern="^j-[A-Z0-9]+$",
        ),
    },
) as dag:
    export = EmrDynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        ratio="{{ params.ratio }}",
        ranges=64,
        at_once=16,
        code_s3_uri="s3://backups/code",
        job_flow_id="{{ params.job_flow_id }}",
        deferrable=True,
        retries=3,
    )
    check = DynamoDBVerifyOperator(
        task_id="check", manifest_uri="{{ ti.xcom_pull(task_ids='export')['manifest_uri'] }}"
    )
    export >> check
# --8<-- [end:export]
