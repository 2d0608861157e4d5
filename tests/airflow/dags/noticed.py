"""An export that tells people of its end, as a task and as a run."""

import os

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.dags.notices import failure_notice, success_notice
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator

TOPIC = os.environ["NOTICES_TOPIC_ARN"]

with DAG(
    "noticed",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": params.table_name("orders"),
        "s3_uri": params.s3_uri("s3://backups/noticed"),
        "topic_arn": params.choice(TOPIC, [TOPIC, f"{TOPIC}-gone"], "Topic", "Where notices go"),
    },
    on_success_callback=success_notice(TOPIC, task_id="export"),
    on_failure_callback=failure_notice(TOPIC),
):
    DynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        units_per_second=1000,
        on_success_callback=success_notice("{{ params.topic_arn }}"),
        on_failure_callback=failure_notice("{{ params.topic_arn }}"),
    )
