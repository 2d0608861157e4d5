"""Export a large table by a Spark job on a cluster of EMR that is made for it, and ended after it.

### What it does

Press Trigger: the form asks for the table, the target and the rate. `size` looks how large the table is and
says how many machines that and the rate need, `create` makes a cluster of so many, `export` runs on it, `end`
ends it, whatever became of the export. It does what `resizeClusterBeforeRunning` did for AWS Data Pipeline.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy emr-export` and
`iam-policy emr-pipeline-role` print. The roles of the cluster: those of `iam-policy emr-resource-role` and
`iam-policy emr-service-role`.

### Results

* `size` returns what the cluster is made of and how many ranges it works on, `create` its id.
* While the job runs: links to the cluster and its logs, and a line once a minute with items, rate and time
  left.
* `export` returns the manifest, the counts, the capacity consumed and the rate that was held.

### If it fails

The first line of the error says what to do. Clear of `export` makes another cluster first and ends it
afterwards, and the export goes on from its checkpoints.
"""

# --8<-- [start:cluster]
from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.amazon.aws.operators.emr import EmrCreateJobFlowOperator, EmrTerminateJobFlowOperator

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task  # type: ignore[attr-defined]

from airflow_dynamo_pipeline.adapters.emr_cluster import emr_cluster_for, ranges_on
from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.emr import EmrDynamoDBExportOperator


@task(multiple_outputs=True)
def size(table_name: str, units_per_second: str) -> dict[str, Any]:
    """The cluster for a table and a rate, and how many ranges it works on."""
    table = DynamoDBPipelineHook().dynamodb_client().describe_table(TableName=table_name)["Table"]
    cluster = emr_cluster_for(
        name=f"export of {table_name}",
        size_bytes=table["TableSizeBytes"],
        units_per_second=float(units_per_second),
        instance_role="ExportMachines",
        most_instances=20,
        LogUri="s3://backups/logs/",
    )
    return {"cluster": cluster, **ranges_on(cluster)}


with DAG(
    "emr_cluster",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": params.table_name("orders"),
        "s3_uri": params.s3_uri("s3://backups/orders"),
        "units_per_second": params.units_per_second(20_000),
    },
) as dag:
    sized: Any = size("{{ params.table_name }}", "{{ params.units_per_second }}")
    create = EmrCreateJobFlowOperator(
        task_id="create",
        job_flow_overrides=sized["cluster"],
        emr_conn_id=None,
    ).as_setup()
    export = EmrDynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        units_per_second="{{ params.units_per_second }}",
        ranges=sized["ranges"],
        at_once=sized["at_once"],
        code_s3_uri="s3://backups/code",
        job_flow_id=create.output,
        deferrable=True,
    )
    end = EmrTerminateJobFlowOperator(task_id="end", job_flow_id=create.output)
    create >> export >> end.as_teardown(setups=create)
# --8<-- [end:cluster]
