"""Our side: ``DynamoDBExportOperator``, its defaults but for the rate, which must not hold it back."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from tests.benchmarks.worker import BUCKET, Job

UNITS_PER_SECOND = 1e9


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
    return int(operator.execute(bare_context())["item_count"])


def bare_context() -> Any:
    """As much of Airflow's context as the operator asks for; each call is a run of its own."""
    instance = SimpleNamespace(
        dag_id="bench",
        task_id="export",
        map_index=-1,
        run_id=uuid.uuid4().hex,
        max_tries=0,
        xcom_push=lambda **_: None,
    )
    return {"ti": instance, "logical_date": datetime.now(UTC)}
