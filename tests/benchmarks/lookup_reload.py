"""A nightly script without a comparison: every row by the ``batch_writer`` of boto3's table resource."""

from __future__ import annotations

import boto3

from tests.benchmarks.lookup_items import plain
from tests.benchmarks.worker import CREDENTIALS, Job


def run(job: Job) -> int:
    """Write every product and return how many were handed over."""
    resource = boto3.resource("dynamodb", endpoint_url=job.url, **CREDENTIALS)
    count = 0
    with resource.Table(f"reload-{job.items}").batch_writer() as batch:
        for count, item in enumerate(plain(job.items), 1):  # noqa: B007  the last count is the answer
            batch.put_item(Item=item)
    return count
