"""Import a backup into a table with provisioned capacity, and put back the capacity that was found.

### What it does

Press Trigger: the form asks for the table, the backup and the units. `remember` records the mode, the
units, the indexes and the autoscaling of the table, `provision` provisions the units, `import` writes the
backup, and `put_back` puts back what was found, also when a task before it failed.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for an import
and for a change of the capacity mode. DynamoDB allows a table to change to on-demand a few times a day.

### Results

* `import` returns how many items were read, written, skipped and rejected.
* `provision` and `put_back` return the capacity that the table then has.

### If it fails

The first line of the error says what to do. If `put_back` is red, press Clear on it first: until it
succeeds the table is paid for at the units of the import. Then trigger a new run; the import goes on where
it stopped.
"""

from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.dags import params
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
        "table_name": params.table_name("orders", "The table to import into; it must exist"),
        "s3_uri": params.s3_uri(
            "s3://backups/orders", "Backup on S3", "A manifest, the folder of an export, or files of a backup"
        ),
        "record_s3_uri": params.s3_uri(
            "s3://backups/capacity", "Record of the capacity", "Keeps what was found until it is put back"
        ),
        "write_units": params.whole_number(
            2000,
            "Write units",
            "Write capacity units per second to provision while the import runs",
            least=1,
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
