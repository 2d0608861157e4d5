"""Import an export into a new table by DynamoDB itself, then prove that both hold the same items.

The export has the definition of its table beside its manifest, as `save_table_definition` leaves it. Trigger
it in the Airflow UI: the form asks for the manifest and for the name of the new table.
"""

from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param

from airflow_dynamo_pipeline.operators.native import DynamoDBTableImportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator

with DAG(
    "import_into_a_new_table",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "manifest_uri": Param(
            "s3://backups/orders/AWSDynamoDB/01234567890123-abcdefab/manifest-summary.json",
            type="string",
            pattern="^s3://.+/manifest-summary.json$",
            description="The manifest of a full export",
        ),
        "table_name": Param(
            "orders-restored", type="string", minLength=3, description="The table to make; none has this name"
        ),
    },
) as dag:
    restore = DynamoDBTableImportOperator(
        task_id="restore",
        manifest_uri="{{ params.manifest_uri }}",
        table_name="{{ params.table_name }}",
        restore_settings=True,
        deferrable=True,
        retries=2,
    )
    compare = DynamoDBVerifyOperator(
        task_id="compare",
        manifest_uri="{{ params.manifest_uri }}",
        table_name="{{ params.table_name }}",
    )
    restore >> compare
