"""Import an export into a new table by DynamoDB itself, then prove that both hold the same items.

### What it does

Press Trigger: the form asks for the manifest and the name of the new table. `restore` has DynamoDB make
and fill the table, without write capacity, and puts back the settings that the saved definition has.
`compare` compares the table with the export, item by item.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for a native
import and a verification. The definition of the table lies beside the manifest, where
`save_table_definition` puts it. There is no table of that name yet.

### Results

* `restore` returns the ARNs of the import and of the table, the counts, and which settings were put back.
* `compare` returns the counts that it found equal.

### If it fails

The first line of the error says what to do; it names the partial table and the log of DynamoDB's import. A
retry adopts an import that is under way. After an import that failed, delete the partial table, then press
Clear.
"""

from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.operators.native import DynamoDBTableImportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator

with DAG(
    "import_into_a_new_table",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "manifest_uri": params.manifest_uri(
            "s3://backups/orders/AWSDynamoDB/01234567890123-abcdefab/manifest-summary.json",
            "The manifest of a full export",
        ),
        "table_name": params.table_name("orders-restored", "The table to make; none has this name"),
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
