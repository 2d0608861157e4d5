"""Export a table by whichever way is cheapest in the time there is: a scan, or a native export.

Trigger it in the Airflow UI: the form asks for the table, the target and the time. The log of the task names
every way that was looked at.
"""

from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param

from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator

with DAG(
    "export_by_choice",
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
        "finish_within_seconds": Param(
            3600,
            type="number",
            exclusiveMinimum=0,
            description="A scan that is expected to take longer is not chosen if anything else is possible",
        ),
    },
):
    # [START operator]
    DynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        method="auto",
        finish_within_seconds="{{ params.finish_within_seconds }}",
        retries=2,
    )
    # [END operator]
