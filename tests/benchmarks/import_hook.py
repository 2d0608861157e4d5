"""A peer of the import: ``write_batch_data`` of the amazon provider's ``DynamoDBHook``."""

from __future__ import annotations

import logging

from airflow.providers.amazon.aws.hooks.dynamodb import DynamoDBHook

from tests.benchmarks.import_lines import plain_items
from tests.benchmarks.worker import Job


def run(job: Job) -> None:
    """Write every item of the job's backup; the hook does not say how many items that were."""
    logging.getLogger("airflow").setLevel(logging.WARNING)
    DynamoDBHook(table_name=job.table).write_batch_data(plain_items(job))
