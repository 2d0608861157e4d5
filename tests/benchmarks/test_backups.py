"""The backups an endpoint serves are what the package's own export would have left."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from airflow_dynamo_pipeline.adapters.s3 import S3Store
from airflow_dynamo_pipeline.engine.verify import verify_files
from tests.benchmarks.backups import Backup
from tests.benchmarks.endpoint import Endpoint, running_endpoint
from tests.benchmarks.items import key_value, std_item
from tests.benchmarks.worker import BUCKET


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with running_endpoint(pages=1) as running:
        yield running


@pytest.fixture(scope="module")
def s3(endpoint: Endpoint) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        region_name="eu-west-1",
        aws_access_key_id="AKIABENCH",
        aws_secret_access_key="bench",
    )


def items_in(s3: Any, backup: Backup) -> list[dict[str, Any]]:
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=backup.layout.data_prefix)["Contents"]
    assert backup.files == len(listed)
    bodies = [s3.get_object(Bucket=BUCKET, Key=row["Key"])["Body"].read() for row in listed]
    return [json.loads(line)["Item"] for body in bodies for line in gzip.decompress(body).splitlines()]


def test_keys_are_all_different_and_the_rest_repeats(endpoint: Endpoint, s3: Any) -> None:
    stats = endpoint.stats()
    backup = Backup(2 * stats.items + 5, files=3)
    endpoint.make(backup)

    expected = [
        {**std_item(position % stats.items), "pk": {"S": key_value(position)}}
        for position in range(backup.items)
    ]
    assert expected == items_in(s3, backup)


def test_a_scanned_backup_holds_what_a_scan_hands_out(endpoint: Endpoint, s3: Any) -> None:
    stats = endpoint.stats()
    backup = Backup(stats.items + 5, scanned=True)
    endpoint.make(backup)

    expected = [std_item(position % stats.items) for position in range(backup.items)]
    assert expected == items_in(s3, backup)


def test_its_manifest_is_true(endpoint: Endpoint, s3: Any) -> None:
    backup = Backup(4001, files=4)
    endpoint.make(backup)

    found = verify_files(backup.manifest_uri, S3Store(s3, BUCKET))

    assert (4001, 4) == (found.item_count, found.files)


def test_a_backup_of_any_size_can_be_read(endpoint: Endpoint, s3: Any) -> None:
    """Uploads from 1 MiB on are dropped; what the endpoint made itself is not."""
    backup = Backup(20_000)
    endpoint.make(backup)
    key = backup.layout.part_key(0, 0, "made", ".json.gz")

    size = s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"]
    tail = s3.get_object(Bucket=BUCKET, Key=key, Range=f"bytes={size - 100}-")["Body"].read()

    assert size > 2 << 20
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().endswith(tail)


def test_a_backup_is_named_by_what_it_holds() -> None:
    for backup in (Backup(5), Backup(17, 4), Backup(9, 2, scanned=True)):
        assert backup == Backup.named(backup.name)
    with pytest.raises(ValueError, match="names no backup"):
        Backup.named("std-x")
