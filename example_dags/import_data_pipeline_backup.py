"""Restore a backup that AWS Data Pipeline or the EMR connector made into a table that is there.

### What it does

Press Trigger: the form asks for the backup, the table, the rate and what happens to items that are there.
`look` reads all of the backup and writes nothing. `restore` writes it, never faster than asked.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for an import.
The table must exist, with the key that the items of the backup have.

### Results

* The log of `look` says what would be written, for how long and for what price.
* `restore` returns how many items were read, written, skipped and rejected; the sum is always right.
* Rejected items stand with their reasons in the file that `rejects_uri` names.

### If it fails

The first line of the error says what to do. Then press Clear on the task: an import goes on after what was
accounted for. To stop between the two tasks and ask a person, see `import_with_approval`.
"""

from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator

with DAG(
    "import_data_pipeline_backup",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "s3_uri": params.s3_uri(
            "s3://backups/data-pipeline/2019-04-23",
            "Backup on S3",
            "The folder of the backup, with or without its manifest",
        ),
        "table_name": params.table_name("orders", "The table to write to; it must exist"),
        "ratio": params.ratio(kind="write"),
        "on_conflict": params.on_conflict("skip"),
        "max_rejected": params.max_rejected(),
    },
) as dag:
    settings = {
        "s3_uri": "{{ params.s3_uri }}",
        "table_name": "{{ params.table_name }}",
        "ratio": "{{ params.ratio }}",
        "on_conflict": "{{ params.on_conflict }}",
        "max_rejected": "{{ params.max_rejected }}",
    }
    look = DynamoDBImportOperator(task_id="look", dry_run=True, **settings)
    restore = DynamoDBImportOperator(task_id="restore", retries=2, **settings)
    look >> restore
