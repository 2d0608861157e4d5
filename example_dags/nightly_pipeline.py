"""Every night: wait until the table and its surroundings are ready, export the table, check the export.

It comes paused. Each precondition is a task of its own, so the grid shows what the night waits for. Those of
the table itself wait until it exists. Triggered by hand, it asks for the table, the target and the rate.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param

from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator
from airflow_dynamo_pipeline.sensors.dynamodb import (
    DynamoDBDataExistsSensor,
    DynamoDBExportSensor,
    DynamoDBPointInTimeRecoverySensor,
    DynamoDBProvisionedModeSensor,
    DynamoDBStreamEnabledSensor,
    DynamoDBTableActiveSensor,
    DynamoDBTableExistsSensor,
    DynamoDBUnitsAvailableSensor,
)
from airflow_dynamo_pipeline.sensors.s3 import S3KeyExistsSensor, S3PrefixNotEmptySensor

WAITING: dict[str, Any] = {
    "mode": "reschedule",  # no worker slot is held between two looks
    "poke_interval": 60,
    "timeout": timedelta(hours=6).total_seconds(),
}
TABLE: dict[str, Any] = {"table_name": "{{ params.table_name }}", **WAITING}
MANIFEST_URI = "{{ ti.xcom_pull(task_ids='export')['manifest_uri'] }}"

with DAG(
    "nightly_pipeline",
    doc_md=__doc__,
    schedule="0 2 * * *",  # UTC
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
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
        "inputs_uri": Param(
            "s3://backups/incoming/",
            type="string",
            pattern="^s3://.+",
            description="The export waits until there is an object below this prefix",
        ),
        "ratio": Param(
            0.25,
            type="number",
            exclusiveMinimum=0,
            maximum=1,
            description="Share of the table's read capacity that other readers must leave and the export "
            "uses, above 0 and at most 1",
        ),
        "view_type": Param(
            "NEW_AND_OLD_IMAGES",
            enum=["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"],
            description="What the table's stream must hold",
        ),
    },
) as dag:
    ready = S3KeyExistsSensor(task_id="ready", bucket_key="{{ params.ready_uri }}", **WAITING)
    inputs = S3PrefixNotEmptySensor(task_id="inputs", s3_uri="{{ params.inputs_uri }}", **WAITING)
    exists = DynamoDBTableExistsSensor(task_id="exists", **TABLE)
    conditions = [
        DynamoDBDataExistsSensor(task_id="filled", **TABLE),
        DynamoDBTableActiveSensor(task_id="active", **TABLE),
        DynamoDBProvisionedModeSensor(task_id="provisioned", **TABLE),
        DynamoDBPointInTimeRecoverySensor(task_id="recoverable", **TABLE),
        DynamoDBStreamEnabledSensor(task_id="streaming", view_type="{{ params.view_type }}", **TABLE),
    ]
    units = DynamoDBUnitsAvailableSensor(
        task_id="units", ratio="{{ params.ratio }}", operation="read", **TABLE
    )
    export = DynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        ratio="{{ params.ratio }}",
        retries=2,
    )
    exported = DynamoDBExportSensor(task_id="exported", manifest_uri=MANIFEST_URI, **WAITING)
    check = DynamoDBVerifyOperator(task_id="check", manifest_uri=MANIFEST_URI)
    exists >> conditions
    [ready, inputs, *conditions] >> units >> export >> exported >> check  # units last: they change
