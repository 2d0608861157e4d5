"""The peer: the amazon provider's ``DynamoDBToS3Operator`` with the best settings it has.

``file_size=1e8``, because its default of 1000 bytes makes one S3 object of each page. It writes plain JSON
lines: it has no compression. It knows no segments of its own; for four of them four processes each run an
operator with ``Segment`` and ``TotalSegments`` in ``dynamodb_scan_kwargs``, as four Airflow tasks would.
Threads in one process cost it more CPU, because it parses in Python under one lock.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.providers.amazon.aws.transfers.dynamodb_to_s3 import DynamoDBToS3Operator

from tests.benchmarks.worker import BUCKET, Job

FILE_BYTES = 100_000_000


def run(job: Job) -> None:
    """Export the job's table, or its segment; the operator does not say how many items that were."""
    logging.getLogger("airflow").setLevel(logging.WARNING)
    scan: dict[str, Any] = {}
    if job.segment is not None:
        scan = {"Segment": job.segment, "TotalSegments": job.segments}
    operator = DynamoDBToS3Operator(
        task_id="export",
        dynamodb_table_name=job.table,
        s3_bucket_name=BUCKET,
        file_size=FILE_BYTES,
        s3_key_prefix="peer/data/",
        dynamodb_scan_kwargs=scan,
    )
    operator.execute({})
