"""Every night: make a DynamoDB table equal a query of Redshift, compare again, tell people by SNS.

### What it does

It comes paused and runs at three o'clock UTC. `ready` waits for the go-ahead on S3 of whoever fills the
warehouse, `active` for the table. The go-ahead has the date of the run in its name, in UTC: one that is named
the same every night is there from the second night on, and nothing is waited for. `mirror` runs the query,
compares its rows with what the last load left, writes what changed, and deletes what vanished. It refuses to
write when the query is empty, when it has a fifth fewer rows than the table has items, when keys repeat, or
when more items would be deleted than the form allows. `check` runs the query once more, reads the whole
table, and fails at the first difference.

### What it needs

The connections `redshift_default` (type `redshift`) and `aws_default`, with the permissions that
`dynamo-pipeline iam-policy redshift-lookup` and those for the sensors and a notice print.
The table with the key `product_id`, of type S. A topic of SNS, whose ARN is read from the environment
variable `NOTICES_TOPIC_ARN`. Scheduled runs use the defaults of the form: edit them, and the query.

### Results

* `mirror` returns how many rows were inserted, updated, deleted and unchanged. Every change is in a file
  below `changes_uri`, with the digests before and after.
* `check` returns the rows that are equal. If the warehouse changes between the two, it fails: press Clear on
  `mirror`, which brings what changed.
* A message by SNS with these counts, or with the first line of the error.

### If it fails

The first line of the error says what to do. A guard that refused has written nothing: look at the query, and
raise the limit it names only if the change is meant. Then press Clear. A load that was cut off goes on with
its change set, without asking the warehouse again.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.dags.notices import failure_notice, success_notice
from airflow_dynamo_pipeline.operators.lookup import RedshiftToDynamoDBOperator
from airflow_dynamo_pipeline.sensors.dynamodb import DynamoDBTableActiveSensor
from airflow_dynamo_pipeline.sensors.s3 import S3KeyExistsSensor

TOPIC = os.environ.get("NOTICES_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:dynamo-notices")
WAITING: dict[str, Any] = {
    "mode": "reschedule",  # no worker slot is held between two looks
    "poke_interval": 60,
    "timeout": timedelta(hours=6).total_seconds(),
}

# --8<-- [start:mirror]
# The end of the interval is the moment of a scheduled run; a run by hand may have none.
READY = (
    "{{ (data_interval_end if data_interval_end is defined else dag_run.run_after)"
    ".strftime(params.ready_uri) }}"
)

LOAD: dict[str, Any] = {
    "sql": "SELECT product_id, name, price, updated_at FROM programme.products WHERE is_listed",
    "table_name": "{{ params.table_name }}",
    "key_columns": ["product_id"],
    "s3_uri": "{{ params.s3_uri }}",
    "ratio": "{{ params.ratio }}",
    "retries": 2,
}

with DAG(
    "redshift_lookup_table",
    doc_md=__doc__,
    schedule="0 3 * * *",  # UTC
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    params={
        "table_name": params.table_name("product_lookup", "The lookup table; it is written to"),
        "s3_uri": params.s3_uri(
            "s3://backups/lookups", "Work on S3", "Change sets and records of all loads go below this prefix"
        ),
        "ready_uri": params.object_uri(
            "s3://backups/products-ready/%Y-%m-%d",
            "Go-ahead",
            "The load waits until this object exists; %Y, %m and %d are the date of the run in UTC",
        ),
        "ratio": params.ratio(kind="read and of the write"),
        "max_deletes": params.whole_number(
            10_000, "Deletes allowed", "With more than this many the load is refused and nothing is written"
        ),
    },
    on_failure_callback=failure_notice(TOPIC),
) as dag:
    ready = S3KeyExistsSensor(task_id="ready", bucket_key=READY, **WAITING)
    active = DynamoDBTableActiveSensor(task_id="active", table_name="{{ params.table_name }}", **WAITING)
    mirror = RedshiftToDynamoDBOperator(
        task_id="mirror",
        compare="digests",
        max_deletes="{{ params.max_deletes }}",
        on_failure_callback=failure_notice(TOPIC),
        **LOAD,
    )
    check = RedshiftToDynamoDBOperator(
        task_id="check",
        dry_run=True,
        max_changes=0,
        consistent_read=True,
        on_success_callback=success_notice(TOPIC, task_id="mirror"),
        on_failure_callback=failure_notice(TOPIC),
        **LOAD,
    )
    [ready, active] >> mirror >> check
# --8<-- [end:mirror]
