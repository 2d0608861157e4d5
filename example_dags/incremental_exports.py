"""A full export every week, and every hour what has changed since: by DynamoDB itself, at no capacity.

Both DAGs come paused. Start `full_native_export` first; it makes the base that the hourly changes follow on.
The table needs point-in-time recovery. Restore from the base and all windows after it: the file that
`chain_uri` in the XCom names lists them in their order.
"""

from __future__ import annotations

from typing import Any

import pendulum

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param

from airflow_dynamo_pipeline.operators.native import DynamoDBPointInTimeExportOperator
from airflow_dynamo_pipeline.sensors.dynamodb import DynamoDBPointInTimeRecoverySensor

PARAMS = {
    "table_name": Param("orders", type="string", minLength=3, description="The table to export"),
    "s3_uri": Param(
        "s3://backups/orders",
        type="string",
        pattern="^s3://.+",
        description="Exports go below this prefix; the same for both DAGs",
    ),
}
SETTINGS: dict[str, Any] = {
    "table_name": "{{ params.table_name }}",
    "s3_uri": "{{ params.s3_uri }}",
    "retries": 2,
}

with DAG(
    "full_native_export",
    doc_md=__doc__,
    schedule="@weekly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    is_paused_upon_creation=True,
    params=PARAMS,
) as full_dag:
    recoverable = DynamoDBPointInTimeRecoverySensor(
        task_id="recoverable", table_name="{{ params.table_name }}"
    )
    recoverable >> DynamoDBPointInTimeExportOperator(task_id="full", **SETTINGS)

with DAG(
    "incremental_exports",
    doc_md=__doc__,
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    params={
        **PARAMS,
        "on_gap": Param(
            "fail",
            enum=["fail", "full"],
            description="full: make a new base where changes cannot follow on what was exported before",
        ),
    },
) as changes_dag:
    DynamoDBPointInTimeExportOperator(
        task_id="changes", export_type="incremental", on_gap="{{ params.on_gap }}", **SETTINGS
    )
