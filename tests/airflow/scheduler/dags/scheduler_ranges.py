"""An export by three mapped tasks, in small parts."""

import pendulum
from airflow.sdk import DAG, Param

from airflow_dynamo_pipeline.dags.ranges import export_task_group

with DAG(
    "scheduler_ranges",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"table_name": Param(type="string"), "s3_uri": Param(type="string")},
):
    export_task_group(
        ranges=3,
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        units_per_second=150,
        segments=3,
        part_bytes=1024 * 1024,
        keep_checkpoint=True,
        retries=2,
    )
