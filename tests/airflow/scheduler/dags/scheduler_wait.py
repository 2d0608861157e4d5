"""A sensor that waits in the triggerer."""

import pendulum
from airflow.sdk import DAG, Param

from airflow_dynamo_pipeline.sensors.dynamodb import DynamoDBPointInTimeRecoverySensor

with DAG(
    "scheduler_wait",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"table_name": Param(type="string")},
):
    DynamoDBPointInTimeRecoverySensor(
        task_id="recoverable",
        table_name="{{ params.table_name }}",
        deferrable=True,
        poke_interval=1,
        timeout=600,
    )
