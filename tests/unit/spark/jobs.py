"""A job and its ranges, as a plan hands them out."""

from __future__ import annotations

from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.spark.document import SparkJob

WORK = RangeWork(
    id="2026-01-02-03-04-05-01234567",
    number=0,
    ranges=3,
    at_once=2,
    slack=0.01,
    run="dag/export/run",
    generation="1",
    began_at="2026-01-02T03:04:05+00:00",
)
JOB = SparkJob(kind="export", settings={"table_name": "orders", "s3_uri": "s3://backups/orders"}, work=WORK)
