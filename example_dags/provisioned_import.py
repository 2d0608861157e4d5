"""Import a backup into a table with provisioned capacity, and put back the capacity that was found.

Nothing but the import needs the units: they are provisioned before it and whatever was found (mode, units,
indexes, autoscaling) is put back after it, also when the import or the change before it failed. Trigger the
DAG: the form asks for the table, the backup and the units.
"""

from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param

from airflow_dynamo_pipeline.operators.capacity import DynamoDBCapacityModeOperator
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator

TABLE = "{{ params.table_name }}"
RECORD = "{{ params.record_s3_uri }}"

with DAG(
    "provisioned_import",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={
        "table_name": Param("orders", type="string", minLength=3, description="The table to import into"),
        "s3_uri": Param(
            "s3://backups/orders",
            type="string",
            pattern="^s3://.+",
            description="The export or backup, as DynamoDBImportOperator takes it",
        ),
        "record_s3_uri": Param(
            "s3://backups/capacity",
            type="string",
            pattern="^s3://.+",
            description="Folder that keeps what was found until it is put back",
        ),
        "write_units": Param(
            2000,
            type="integer",
            minimum=1,
            description="Write capacity units per second to provision while the import runs",
        ),
    },
) as dag:
    remember = DynamoDBCapacityModeOperator(
        task_id="remember",
        table_name=TABLE,
        mode="keep",
        record_s3_uri=RECORD,
        retries=2,
    ).as_setup()
    provision = DynamoDBCapacityModeOperator(
        task_id="provision",
        table_name=TABLE,
        mode="provisioned",
        write_units="{{ params.write_units }}",
        record_s3_uri=RECORD,
        retries=2,
    ).as_setup()
    restore_items = DynamoDBImportOperator(
        task_id="import",
        table_name=TABLE,
        s3_uri="{{ params.s3_uri }}",
        ratio=0.9,
        retries=2,
    )
    put_back = DynamoDBCapacityModeOperator(
        task_id="put_back",
        table_name=TABLE,
        restore=True,
        record_s3_uri=RECORD,
        retries=5,
        retry_exponential_backoff=True,
    )
    remember >> provision >> restore_items >> put_back.as_teardown(setups=[remember, provision])
