"""Our ``DynamoDBVerifyOperator`` with a table: an export against its manifest and against the table."""

from __future__ import annotations

import logging

from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator
from tests.benchmarks.backups import Backup
from tests.benchmarks.worker import UNITS_PER_SECOND, Job, bare_context


def run(job: Job) -> int:
    """Compare the job's table with the backup of it and return how many items our summary states."""
    logging.getLogger("airflow").setLevel(logging.WARNING)
    operator = DynamoDBVerifyOperator(
        task_id="verify",
        manifest_uri=Backup(job.items, job.files, scanned=True).manifest_uri,
        table_name=job.table,
        units_per_second=UNITS_PER_SECOND,
        segments=job.segments,
    )
    return int(operator.execute(bare_context("verify"))["item_count"])
