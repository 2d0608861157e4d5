"""Wait until a table is ready, export it under a throttle, check the export.

Trigger it in the Airflow UI: the form asks for the table, the target and the rate.
"""

# [START readme]
from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param

from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator
from airflow_dynamo_pipeline.sensors.dynamodb import (
    DynamoDBPointInTimeRecoverySensor,
    DynamoDBProvisionedModeSensor,
)
from airflow_dynamo_pipeline.sensors.s3 import S3KeyExistsSensor

with DAG(
    "export_table",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": Param("orders", type="string", minLength=3, description="The table to export"),
        "s3_uri": Param(
            "s3://backups/orders",
            type="string",
            pattern="^s3://.+",
            description="Exports go below this prefix",
        ),
        "ready_uri": Param(
            "s3://backups/ready", type="string", description="The export waits until this object exists"
        ),
        "ratio": Param(
            0.25,
            type="number",
            exclusiveMinimum=0,
            maximum=1.5,
            description="Share of the table's read capacity, above 0 and at most 1.5",
        ),
        "file_format": Param(
            "dynamodb_json",
            enum=["dynamodb_json", "data_pipeline", "plain_json"],
            description="dynamodb_json is lossless and what a native export writes",
        ),
    },
) as dag:
    ready = S3KeyExistsSensor(task_id="ready", bucket_key="{{ params.ready_uri }}", poke_interval=30)
    provisioned = DynamoDBProvisionedModeSensor(task_id="provisioned", table_name="{{ params.table_name }}")
    recoverable = DynamoDBPointInTimeRecoverySensor(
        task_id="recoverable", table_name="{{ params.table_name }}"
    )
    export = DynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        ratio="{{ params.ratio }}",
        file_format="{{ params.file_format }}",
        retries=2,
    )
    check = DynamoDBVerifyOperator(
        task_id="check", manifest_uri="{{ ti.xcom_pull(task_ids='export')['manifest_uri'] }}"
    )
    [ready, provisioned, recoverable] >> export >> check
# [END readme]
