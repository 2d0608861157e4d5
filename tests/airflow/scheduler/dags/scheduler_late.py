"""A task that waits for an object, in a run that is late after a second."""

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.dags.notices import lateness_settings
from airflow_dynamo_pipeline.sensors.s3 import S3KeyExistsSensor

TOPIC = "arn:aws:sns:us-east-1:123456789012:dynamo-notices"  # as in the example DAG

with DAG(
    "scheduler_late",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": params.table_name("orders"),
        "ready_uri": params.object_uri("s3://backups/not-yet", "Go-ahead", "What the task waits for"),
    },
    **lateness_settings(TOPIC, timedelta(seconds=1)),
):
    S3KeyExistsSensor(task_id="wait", bucket_key="{{ params.ready_uri }}", poke_interval=1, timeout=600)
