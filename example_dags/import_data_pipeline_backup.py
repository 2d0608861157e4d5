"""Restore a backup that AWS Data Pipeline or the EMR connector made into a table that is there.

The task `look` reads all of it and writes nothing: its log says what would be written, for how long and
for what price. Trigger the DAG in the Airflow UI: the form asks for the backup, the table and the rate.
"""

from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param

from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator

with DAG(
    "import_data_pipeline_backup",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "s3_uri": Param(
            "s3://backups/data-pipeline/2019-04-23",
            type="string",
            pattern="^s3://.+",
            description="The folder of the backup, with or without its manifest",
        ),
        "table_name": Param("orders", type="string", minLength=3, description="The table to write to"),
        "ratio": Param(
            0.25,
            type="number",
            exclusiveMinimum=0,
            maximum=1.5,
            description="Share of the table's write capacity, above 0 and at most 1.5",
        ),
        "on_conflict": Param(
            "skip",
            enum=["skip", "overwrite", "fail"],
            description="What to do where the table has an item with the same key",
        ),
        "max_rejected": Param(
            0, type="integer", minimum=0, description="How many items may be rejected before it fails"
        ),
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
