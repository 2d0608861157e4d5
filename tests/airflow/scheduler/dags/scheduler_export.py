"""An export in small parts, so that a kill in its middle finds some of them finished."""

import pendulum
from airflow.sdk import DAG, Param

from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator

with DAG(
    "scheduler_export",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": Param(type="string"),
        "s3_uri": Param(type="string"),
        "units_per_second": Param(100, type="number"),
        "segments": Param(2, type="integer"),
    },
):
    DynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        units_per_second="{{ params.units_per_second }}",
        segments="{{ params.segments }}",
        part_bytes=1024 * 1024,
        retries=2,
    )
