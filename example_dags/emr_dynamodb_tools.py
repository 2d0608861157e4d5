"""Run AWS's own export and import tools on EMR, and read and write the same backups by this package.

### What it does

Press Trigger: the form asks for the tables, the folder, the cluster and the jar. `their_export` is the step
that the templates of AWS Data Pipeline had: it runs `DynamoDBExport` of AWS's emr-dynamodb-tools by its class
name. `our_import` reads that backup into another table. `our_export` writes a backup in the same format, and
`their_import` reads it by AWS's `DynamoDBImport`.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for an export, an
import and for `emr-pipeline-role`. A cluster of EMR with Hadoop, and the jar of emr-dynamodb-tools on S3. The
machines may read and write both tables and the bucket.

### Results

* `their_export` leaves files and a `manifest` in the folder; `our_import` returns how many items it read from
  them.
* `our_export` leaves the same; `their_import` ends when AWS's tool has read all files of its `manifest`.

### If it fails

The error of a step names its id: its logs are below the cluster's log folder. Clear adds the step again, and
AWS's tools begin anew: they have no checkpoints.
"""

# --8<-- [start:tools]
from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.amazon.aws.operators.emr import EmrAddStepsOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.airflow_versions import Param
from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator

JAR = "s3://dynamodb-dpl-us-east-1/emr-ddb-storage-handler/4.11.0/"
JAR += "emr-dynamodb-tools-4.11.0-SNAPSHOT-jar-with-dependencies.jar"
A_DAY: dict[str, Any] = {
    "waiter_delay": 60,
    "waiter_max_attempts": 1440,
}  # the default gives up after an hour


def tool(name: str, *arguments: str) -> dict[str, Any]:
    """A step that runs one of AWS's tools by its class."""
    jar = {
        "Jar": "{{ params.jar }}",
        "MainClass": f"org.apache.hadoop.dynamodb.tools.{name}",
        "Args": [*arguments, "{{ params.ratio }}"],
    }
    return {"Name": name, "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}


with DAG(
    "emr_dynamodb_tools",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": params.table_name("orders"),
        "target": params.table_name("orders-copy", "The table to write to; it must exist"),
        "s3_uri": params.s3_uri("s3://backups/data-pipeline"),
        "ratio": params.ratio(),
        "job_flow_id": Param(
            "j-0123456789ABC",
            type="string",
            title="Cluster",
            description="The id of a cluster of EMR that is alive",
            pattern="^j-[A-Z0-9]+$",
        ),
        "jar": params.object_uri(JAR, "Jar", "The jar of emr-dynamodb-tools"),
    },
) as dag:
    folder = "{{ params.s3_uri }}/{{ ts_nodash }}"
    their_export = EmrAddStepsOperator(
        task_id="their_export",
        job_flow_id="{{ params.job_flow_id }}",
        steps=[tool("DynamoDBExport", folder, "{{ params.table_name }}")],
        wait_for_completion=True,
        **A_DAY,
    )
    our_import = DynamoDBImportOperator(
        task_id="our_import", table_name="{{ params.target }}", s3_uri=folder, ratio="{{ params.ratio }}"
    )
    our_export = DynamoDBExportOperator(
        task_id="our_export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}/ours",
        ratio="{{ params.ratio }}",
        file_format="data_pipeline",
    )
    made = "{{ ti.xcom_pull(task_ids='our_export')['manifest_uri'].rpartition('/')[0] }}"
    their_import = EmrAddStepsOperator(
        task_id="their_import",
        job_flow_id="{{ params.job_flow_id }}",
        steps=[tool("DynamoDBImport", made, "{{ params.target }}")],
        wait_for_completion=True,
        **A_DAY,
    )
    their_export >> our_import >> our_export >> their_import
# --8<-- [end:tools]
