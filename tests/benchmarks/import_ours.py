"""Our side: ``DynamoDBImportOperator``, its defaults but for the rate and the number of batches at a time."""

from __future__ import annotations

import logging
import uuid

from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator
from tests.benchmarks.backups import Backup
from tests.benchmarks.worker import BUCKET, UNITS_PER_SECOND, Job, bare_context


def run(job: Job) -> int:
    """Import the job's backup and return how many items our summary says were written."""
    logging.getLogger("airflow").setLevel(logging.WARNING)
    operator = DynamoDBImportOperator(
        task_id="import",
        table_name=job.table,
        s3_uri=Backup(job.items, job.files).manifest_uri,
        units_per_second=UNITS_PER_SECOND,
        segments=job.segments,
        rejects_s3_uri=f"s3://{BUCKET}/records/{uuid.uuid4().hex}/",
    )
    return int(operator.execute(bare_context("import"))["written"])
