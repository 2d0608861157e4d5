"""Look at what an import would write, ask a person, and import only what was approved.

### What it does

Press Trigger: the form asks for the backup, the table, the rate and what happens to items that are there.
`look` reads all of the backup and writes nothing. `approve` then waits for a person: Airflow lists it
under Required Actions, with the figures of `look`. Approve, and `restore` writes the backup; reject, and
it is skipped. `restore` refuses a backup that changed since `look`.

### What it needs

Airflow 3.1 or newer with its standard provider; on older ones this file defines no DAG. The connection
`aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for an import. The table must
exist.

### Results

* `look` returns what would be written; its log has the price.
* `approve` returns who decided and when.
* `restore` returns how many items were read, written, skipped and rejected.

### If it fails

The first line of the error says what to do. Then press Clear on the task. Clear of `look` asks anew, since
the tasks after it are cleared with it: do that if the backup changed. `approve` waits until somebody answers.
"""

from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow.exceptions import AirflowOptionalProviderFeatureException

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except (ImportError, AirflowOptionalProviderFeatureException):  # older than Airflow 3.1
    ApprovalOperator = None  # type: ignore[assignment, misc]

# --8<-- [start:approval]
FIGURES = """
{%- set found = ti.xcom_pull(task_ids='look') -%}
{%- set plan = found['plan'] -%}
| | |
|---|---|
| Table | `{{ params.table_name }}` |
| Source | `{{ params.s3_uri }}` |
| Items in the backup | {{ '{:,}'.format(found['read']) }} |
| Items to write | {{ '' if params.on_conflict == 'overwrite' else 'at most ' -}}
{{ '{:,}'.format(found['written']) }} |
| Items rejected | {{ '{:,}'.format(found['rejected']) }}; \
max_rejected is {{ '{:,}'.format(params.max_rejected) }} |
| Items that are there | on_conflict: {{ params.on_conflict }} |
| Write units | {{ '{:,}'.format(plan['write_units']) }}; with global indexes at most \
{{ '{:,}'.format(plan['write_units_at_most']) }} |
| Units per second | {{ '{:,.1f}'.format(found['units_per_second_asked']) }} |
| Dollars | at most {{ 'unknown' if plan['dollars_at_most'] is none else plan['dollars_at_most'] }}, \
{{ plan['billing'] }}, {{ plan['prices'] }} |

{% if found['rejected'] > params.max_rejected -%}
**Reject this: the import would fail**, since more items would be rejected than max_rejected allows. The log \
of `look` names the first of them. Mend them, or trigger again with a higher max_rejected.

{% endif -%}
Nothing was written yet. Approve to write the backup into the table; reject to leave the table as it is.
"""

if ApprovalOperator is not None:
    with DAG(
        "import_with_approval",
        doc_md=__doc__,
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        params={
            "s3_uri": params.s3_uri(
                "s3://backups/orders",
                "Backup on S3",
                "A manifest, the folder of an export, or files of a backup",
            ),
            "table_name": params.table_name("orders", "The table to write to; it must exist"),
            "ratio": params.ratio(kind="write"),
            "file_format": params.import_format(),
            "on_conflict": params.on_conflict("overwrite"),
            "max_rejected": params.max_rejected(),
        },
    ) as dag:
        settings = {
            "s3_uri": "{{ params.s3_uri }}",
            "table_name": "{{ params.table_name }}",
            "ratio": "{{ params.ratio }}",
            "file_format": "{{ params.file_format }}",
            "on_conflict": "{{ params.on_conflict }}",
            "max_rejected": "{{ params.max_rejected }}",
        }
        look = DynamoDBImportOperator(task_id="look", dry_run=True, **settings)
        approve = ApprovalOperator(
            task_id="approve",
            subject="Import {{ params.s3_uri }} into table {{ params.table_name }}?",
            body=FIGURES,
        )
        restore = DynamoDBImportOperator(
            task_id="restore",
            expected_backup_id="{{ ti.xcom_pull(task_ids='look')['backup_id'] }}",
            retries=2,
            **settings,
        )
        look >> approve >> restore
# --8<-- [end:approval]
