"""Export a table and tell people by SNS: that it is done, that it failed, that it is late.

### What it does

Press Trigger: the form asks for the table, the target, the rate and the files. `export` reads the table;
its notice has the counts, the manifest and a link to the log. `check` reads the files again. When both are
done a last notice speaks of the run as a whole. A run that has not finished an hour after it was queued
sends another.

### What it needs

A topic of SNS with subscribers. Its ARN is read from the environment variable `NOTICES_TOPIC_ARN`. The
connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for an export, a
verification and a notice. Lateness needs Airflow 3.1 or newer; on older ones the other notices are sent
all the same.

### Results

* A message by SNS for each end. What is not known is called unknown.
* `export` returns the manifest and the counts, `check` the counts that it found equal.

### If it fails

The first line of the message has the first line of the error and says what to do. If no message comes, the
log has the reason: SNS that refuses does not change the state of a task.
"""

from __future__ import annotations

import os
from datetime import timedelta

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.dags.notices import failure_notice, lateness_settings, success_notice
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator

TOPIC = os.environ.get("NOTICES_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:dynamo-notices")

# --8<-- [start:notices]
with DAG(
    "export_with_notices",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": params.table_name("orders"),
        "s3_uri": params.s3_uri("s3://backups/orders"),
        "units_per_second": params.units_per_second(100),
        "compression": params.compression(),
    },
    on_success_callback=success_notice(TOPIC, task_id="export"),
    on_failure_callback=failure_notice(TOPIC),
    **lateness_settings(TOPIC, timedelta(hours=1)),
) as dag:
    export = DynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri="{{ params.s3_uri }}",
        units_per_second="{{ params.units_per_second }}",
        compression="{{ params.compression }}",
        retries=2,
        on_success_callback=success_notice(TOPIC),
        on_failure_callback=failure_notice(TOPIC),
    )
    check = DynamoDBVerifyOperator(
        task_id="check",
        manifest_uri="{{ ti.xcom_pull(task_ids='export')['manifest_uri'] }}",
        on_failure_callback=failure_notice(TOPIC),
    )
    export >> check
# --8<-- [end:notices]
