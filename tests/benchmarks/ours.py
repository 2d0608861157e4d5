"""Our side: ``DynamoDBExportOperator``, its defaults but for the rate, which must not hold it back."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from tests.benchmarks.worker import BUCKET, UNITS_PER_SECOND, Job, bare_context


def run(job: Job) -> int:
    """Export the job's table and return how many items our summary states."""
    return run_export(job.table, BUCKET, job.segments, job.part_bytes)


def run_export(table: str, bucket: str, segments: int, part_bytes: int | None) -> int:
    """Export one table through the operator; the worker has pointed Airflow's connection to the endpoint."""
    logging.getLogger("airflow").setLevel(logging.WARNING)
    options: dict[str, Any] = {} if part_bytes is None else {"part_bytes": part_bytes}
    operator = DynamoDBExportOperator(
        task_id="export",
        table_name=table,
        s3_uri=f"s3://{bucket}/ours/{uuid.uuid4().hex}/",
        units_per_second=UNITS_PER_SECOND,
        segments=segments,
        **options,
    )
    return int(operator.execute(bare_context("export"))["item_count"])
