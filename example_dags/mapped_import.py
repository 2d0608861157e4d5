"""Import a large backup by several tasks at the same time.

### What it does

Press Trigger: the form asks for the backup, the table, the rate and what happens to items that are there.
`import.plan` divides the files of the backup into eight ranges, or as many as there are files;
`import.range` has one mapped task for each of them, of which four run at the same time; `import.commit`
checks that all were finished and adds their accounts up.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for an import. The
table must exist. Four slots of the workers, on machines with a core for each.

### Results

* While a range runs: its items, its share of the rate and the time left, in its log and as `progress`.
* `import.commit` returns how many items were read, written, skipped and rejected, by all ranges together.

### If it fails

The first line of the error says what to do. A range that fails is retried alone. When no retry is left, press
Clear on that range: it goes on after what it had accounted for, the other ranges stay as they are, and the
commit follows.
"""

# --8<-- [start:group]
from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.dags.ranges import import_task_group

with DAG(
    "mapped_import",
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
        "on_conflict": params.on_conflict("overwrite"),
    },
) as dag:
    import_task_group(
        ranges=8,
        at_once=4,
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        ratio="{{ params.ratio }}",
        on_conflict="{{ params.on_conflict }}",
        retries=3,
    )
# --8<-- [end:group]
