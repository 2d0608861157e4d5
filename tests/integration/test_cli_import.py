"""``dynamo-pipeline import`` as people run it: stopped by a real signal, called again, and again."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.integration.test_cli import PATIENCE_SECONDS, Command, ended, read_until, running
from tests.integration.world import create_table, multiset
from tests.services import Services, aws_client

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

ITEMS = [{"pk": {"S": f"{number:03}"}, "text": {"S": "x" * 100}} for number in range(300)]
SLOW, QUICK = ("--units-per-second", "2"), ("--units-per-second", "100000")


@pytest.fixture
def gateway(services: Services) -> DynamoDBClient:
    """DynamoDB Local, with moto's tags."""
    return aws_client("dynamodb", services.gateway_url)


@pytest.fixture
def table(gateway: DynamoDBClient) -> Iterator[str]:
    name = create_table(gateway)
    yield name
    gateway.delete_table(TableName=name)


@pytest.fixture
def command(services: Services, s3: S3Client, bucket: str, table: str) -> Command:
    body = b"".join(json.dumps({"Item": item}).encode() + b"\n" for item in ITEMS)
    s3.put_object(Bucket=bucket, Key="old/part-0.json", Body=body)
    arguments = ("import", "--table", table, f"s3://{bucket}/old", "--json")
    return Command(services.gateway_url, services.moto_url, arguments)


def held(gateway: DynamoDBClient, table: str) -> list[dict[str, object]]:
    """The items of the table, read consistently."""
    pages = gateway.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [dict(item) for page in pages for item in page["Items"]]


def wait_until_begun(gateway: DynamoDBClient, table: str) -> None:
    """Until the first items are there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not held(gateway, table):
        assert time.monotonic() < deadline, "nothing was written"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_the_same_command_goes_on_and_a_third_call_is_refused(
    command: Command, gateway: DynamoDBClient, table: str, number: signal.Signals
) -> None:
    with running(command.start(*SLOW)) as process:
        read_until(process.stderr, "new: files, items uncounted in 1 files")
        wait_until_begun(gateway, table)
        process.send_signal(number)
        stopped = ended(process)
    left = len(held(gateway, table))

    result = command.run(*QUICK).result
    refused = command.run(*QUICK)

    assert (130, "") == (stopped.code, stopped.out)
    assert 0 < left < len(ITEMS)
    assert ("resume", len(ITEMS), len(ITEMS)) == (result["start"], result["read"], result["written"])
    assert multiset(ITEMS) == multiset(held(gateway, table))
    assert (10, "") == (refused.code, refused.out)
    assert "was imported into table" in refused.err


def test_items_that_are_rejected_are_in_the_exit_code_of_dry_run_and_import(
    command: Command, s3: S3Client, bucket: str, gateway: DynamoDBClient, table: str
) -> None:
    s3.put_object(Bucket=bucket, Key="old/part-1.json", Body=b'{"Item": {"no_key": {"S": "x"}}}\n')

    looked = command.run("--dry-run", *QUICK)
    too_many = command.run(*QUICK)
    tolerated = command.run("--max-rejected", "1", *QUICK)

    assert [3, 1, 3] == [looked.code, too_many.code, tolerated.code]
    assert [1, 1] == [json.loads(done.out)["rejected"] for done in (looked, tolerated)]
    assert "" == too_many.out
    assert multiset(ITEMS) == multiset(held(gateway, table))


def test_an_import_that_another_one_works_on_is_locked(
    command: Command, gateway: DynamoDBClient, table: str
) -> None:
    with running(command.start(*SLOW)):
        wait_until_begun(gateway, table)
        second = command.run(*QUICK)

    assert (11, "") == (second.code, second.out)
    assert "LeaseHeld" == json.loads(second.err.splitlines()[-1])["code"]


def test_a_dry_run_may_be_followed_by_the_import(
    command: Command, gateway: DynamoDBClient, table: str
) -> None:
    looked = command.run("--dry-run", *QUICK)

    assert [] == held(gateway, table)
    assert (True, len(ITEMS)) == (looked.result["dry_run"], looked.result["written"])
    assert "dry run: nothing was written. 300 items read, 300 would be written" in looked.err
    assert "new" == command.run(*QUICK).result["start"]
