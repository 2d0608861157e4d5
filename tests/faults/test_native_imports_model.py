"""The fake's ImportTable: what DynamoDB's documentation says of tokens, tables and lists."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.attempts import BUCKET, items
from tests.faults.endpoint import Door
from tests.faults.import_backups import files
from tests.faults.native_import_world import PARAMETERS, TAKES, TARGET, NativeWorld

HOURS = 3600.0


@pytest.fixture
def world() -> NativeWorld:
    """Three items in two files."""
    return NativeWorld(files(items(3)[:1], items(3)[1:]))


@pytest.fixture
def door(world: NativeWorld) -> Iterator[Door]:
    with world.aws.door() as opened:
        yield opened


def call(token: str = "token", table: str = TARGET, **members: Any) -> dict[str, Any]:
    return {
        "ClientToken": token,
        "S3BucketSource": {"S3Bucket": BUCKET, "S3KeyPrefix": "given/"},
        "InputFormat": "DYNAMODB_JSON",
        "TableCreationParameters": {**copy.deepcopy(PARAMETERS), "TableName": table},
        **members,
    }


def begun(door: Door, **members: Any) -> dict[str, Any]:
    found: dict[str, Any] = door.client("dynamodb").import_table(**call(**members))["ImportTableDescription"]
    return found


def looked_at(door: Door, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = door.client("dynamodb").describe_import(ImportArn=arn)["ImportTableDescription"]
    return found


def test_an_import_ends_when_its_time_is_over(world: NativeWorld, door: Door) -> None:
    arn = begun(door)["ImportArn"]
    assert "EndTime" not in looked_at(door, arn)
    world.clock.advance(TAKES)

    over = looked_at(door, arn)
    assert TAKES == (over["EndTime"] - over["StartTime"]).total_seconds()


def test_an_import_runs_for_its_time_and_its_table_is_being_made_meanwhile(
    world: NativeWorld, door: Door
) -> None:
    client, arn = door.client("dynamodb"), begun(door)["ImportArn"]

    assert "IN_PROGRESS" == looked_at(door, arn)["ImportStatus"]
    assert "CREATING" == client.describe_table(TableName=TARGET)["Table"]["TableStatus"]
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.scan(TableName=TARGET)
    world.clock.advance(TAKES)
    assert ("COMPLETED", 3) == tuple(
        looked_at(door, arn)[name] for name in ("ImportStatus", "ImportedItemCount")
    )
    assert 3 == client.scan(TableName=TARGET)["Count"]


def test_the_same_call_is_answered_with_the_same_import_for_eight_hours(
    world: NativeWorld, door: Door
) -> None:
    first = begun(door)
    world.clock.advance(8 * HOURS - 1)

    assert first["ImportArn"] == begun(door)["ImportArn"]
    world.clock.advance(1)
    with pytest.raises(door.client("dynamodb").exceptions.ResourceInUseException):
        begun(door)
    assert 1 == len(world.book.made)


def test_another_call_with_the_token_conflicts(world: NativeWorld, door: Door) -> None:
    begun(door)

    with pytest.raises(door.client("dynamodb").exceptions.ImportConflictException):
        begun(door, InputCompressionType="GZIP")
    assert 1 == len(world.book.made)


def test_a_table_that_exists_is_refused(world: NativeWorld, door: Door) -> None:
    world.aws.dynamodb.create_table(TARGET)

    with pytest.raises(door.client("dynamodb").exceptions.ResourceInUseException):
        begun(door)


def test_a_bucket_that_is_not_there_fails_the_import(world: NativeWorld, door: Door) -> None:
    arn = begun(door, S3BucketSource={"S3Bucket": "nowhere"})["ImportArn"]
    world.clock.advance(TAKES)

    assert ("FAILED", "S3NoSuchBucket") == tuple(
        looked_at(door, arn)[name] for name in ("ImportStatus", "FailureCode")
    )


def test_the_rest_of_an_object_that_cannot_be_read_is_passed_over(world: NativeWorld, door: Door) -> None:
    world.aws.s3.put(
        BUCKET, "given/part-0.json", b'{"Item":{"pk":{"S":"a"}}}\nnonsense\n{"Item":{"pk":{"S":"b"}}}\n'
    )
    arn = begun(door)["ImportArn"]
    world.clock.advance(TAKES)
    found = looked_at(door, arn)

    assert ("FAILED", 3, 3, 1) == tuple(
        found[name] for name in ("ImportStatus", "ImportedItemCount", "ProcessedItemCount", "ErrorCount")
    )


def test_imports_are_listed_by_table_in_pages(door: Door) -> None:
    client = door.client("dynamodb")
    arns = [begun(door, token=f"{number}", table=f"copy-{number}")["ImportArn"] for number in range(3)]
    table_arn = looked_at(door, arns[1])["TableArn"]

    first = client.list_imports(PageSize=2)
    rest = client.list_imports(PageSize=2, NextToken=first["NextToken"])
    assert arns == [each["ImportArn"] for page in (first, rest) for each in page["ImportSummaryList"]]
    assert "NextToken" not in rest
    assert [arns[1]] == [
        each["ImportArn"] for each in client.list_imports(TableArn=table_arn)["ImportSummaryList"]
    ]


def test_an_import_nobody_began_is_not_found(door: Door) -> None:
    with pytest.raises(door.client("dynamodb").exceptions.ImportNotFoundException):
        looked_at(door, "arn:aws:dynamodb:us-east-1:123456789012:table/copy/import/1")
