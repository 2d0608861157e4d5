"""An export, its check, a rehearsal and an import, one after the other; the last import fails."""

import pendulum
from airflow.sdk import DAG, Param

from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator

MANIFEST = "{{ ti.xcom_pull('export')['manifest_uri'] }}"

with DAG(
    "told_to_openlineage",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={name: Param(type="string") for name in ("table_name", "copy_name", "s3_uri")},
):
    export = DynamoDBExportOperator(
        task_id="export", table_name="{{ params.table_name }}", s3_uri="{{ params.s3_uri }}", ratio=1
    )
    check = DynamoDBVerifyOperator(
        task_id="check", manifest_uri=MANIFEST, table_name="{{ params.table_name }}", ratio=1
    )
    rehearsal = DynamoDBImportOperator(
        task_id="rehearsal", table_name="{{ params.copy_name }}", s3_uri=MANIFEST, dry_run=True
    )
    copy = DynamoDBImportOperator(
        task_id="copy", table_name="{{ params.copy_name }}", s3_uri=MANIFEST, ratio=1
    )
    missing = DynamoDBImportOperator(task_id="missing", table_name="no-such-table", s3_uri=MANIFEST)
    export >> check >> rehearsal >> copy >> missing
