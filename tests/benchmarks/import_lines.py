"""How the peers read a backup: as a person would who has boto3 and the standard library.

One object after the other, gunzipped as it comes, a line at a time: ``json.loads``, then boto3's own
``TypeDeserializer``, because the peers take Python values and turn them into DynamoDB's again.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer

from tests.benchmarks.backups import Backup
from tests.benchmarks.worker import BUCKET, CREDENTIALS, Job


def plain_items(job: Job) -> Iterator[dict[str, Any]]:
    """Every item of the job's backup in Python's values."""
    s3 = boto3.client("s3", endpoint_url=job.url, **CREDENTIALS)
    prefix = Backup(job.items, job.files).layout.data_prefix
    deserialize = TypeDeserializer().deserialize
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
        for row in page["Contents"]:
            body = s3.get_object(Bucket=BUCKET, Key=row["Key"])["Body"]
            with gzip.open(body) as lines:
                for line in lines:
                    item = json.loads(line)["Item"]
                    yield {name: deserialize(value) for name, value in item.items()}
