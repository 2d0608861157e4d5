"""A peer of the import: the ``batch_writer`` of boto3's table resource."""

from __future__ import annotations

import boto3

from tests.benchmarks.import_lines import plain_items
from tests.benchmarks.worker import CREDENTIALS, Job


def run(job: Job) -> int:
    """Write every item of the job's backup and return how many were handed over."""
    resource = boto3.resource("dynamodb", endpoint_url=job.url, **CREDENTIALS)
    count = 0
    with resource.Table(job.table).batch_writer() as batch:
        for count, item in enumerate(plain_items(job), 1):  # noqa: B007  the last count is the answer
            batch.put_item(Item=item)
    return count
