"""An import of a folder of files into a table."""

import pendulum
from airflow.sdk import DAG, Param

from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator

with DAG(
    "scheduler_import",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"table_name": Param(type="string"), "s3_uri": Param(type="string")},
):
    DynamoDBImportOperator(
        task_id="import",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        units_per_second=1000,
        segments=2,
        retries=2,
    )
