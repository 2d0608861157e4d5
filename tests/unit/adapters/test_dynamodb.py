from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.dynamodb import DynamoDBTable, description
from airflow_dynamo_pipeline.adapters.dynamodb_writer import DynamoDBWriter
from airflow_dynamo_pipeline.engine.ports import KeyAttribute, ScanCall, Throughput
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import AccessDenied, UnexpectedReply
from tests.unit.scripted_aws import Scripted, refused, table

DESCRIBED: dict[str, Any] = {
    "TableName": "orders",
    "TableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
    "TableStatus": "ACTIVE",
    "KeySchema": [
        {"AttributeName": "sk", "KeyType": "RANGE"},
        {"AttributeName": "pk", "KeyType": "HASH"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
        {"AttributeName": "day", "AttributeType": "B"},
    ],
    "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 5},
    "OnDemandThroughput": {"MaxReadRequestUnits": 70, "MaxWriteRequestUnits": 60},
    "WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000},
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-day",
            "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
            "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2},
            "OnDemandThroughput": {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1},
        }
    ],
    "DeletionProtectionEnabled": True,
    "Replicas": [{"RegionName": "us-east-1"}, {"RegionName": "eu-west-1"}],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
}


class Answering:
    """A transport that answers one text and notes what it was asked."""

    def __init__(self, reply: bytes = b"{}") -> None:
        self.reply = reply
        self.calls: list[tuple[str, bytes]] = []

    def call(self, operation: str, body: bytes) -> bytes:
        self.calls.append((operation, body))
        return self.reply


def scanned(start_key: bytes | None = None, limit: int | None = None, **asked: Any) -> dict[str, Any]:
    """The body of a Scan."""
    transport = Answering()
    request = ExportRequest(table_name="orders", s3_uri="s3://b/p", **asked)
    reader = DynamoDBTable(Scripted("dynamodb", table()).client, request, print, transport)
    reader.scan(ScanCall(segment=2, total_segments=5, limit=limit, start_key=start_key))
    ((operation, body),) = transport.calls
    assert "Scan" == operation
    assert start_key is None or start_key in body
    found: dict[str, Any] = json.loads(body)
    return found


def test_capacity_is_described_for_reads_and_for_writes() -> None:
    found = description(DESCRIBED, "eu-west-1")

    assert Throughput(provisioned=10, on_demand_max=70, warm=12_000) == found.throughput
    assert Throughput(provisioned=5, on_demand_max=60, warm=4_000) == found.write_throughput
    assert Throughput(provisioned=3) == found.indexes["by-day"].throughput
    assert Throughput(provisioned=2) == found.indexes["by-day"].write_throughput


def test_a_key_is_described_with_its_types_and_its_partition_key_first() -> None:
    found = description(DESCRIBED, "eu-west-1")

    assert (KeyAttribute("pk", "S"), KeyAttribute("sk", "N")) == found.key
    assert (KeyAttribute("day", "B"),) == found.indexes["by-day"].key


def test_what_a_write_should_know_is_described() -> None:
    found = description(DESCRIBED, "eu-west-1")

    assert found.deletion_protected
    assert ["us-east-1"] == found.replicas
    assert found.has_stream


def test_the_class_of_a_table_is_described() -> None:
    rare = "STANDARD_INFREQUENT_ACCESS"

    assert (
        rare == description({**DESCRIBED, "TableClassSummary": {"TableClass": rare}}, "eu-west-1").table_class
    )
    assert "STANDARD" == description(DESCRIBED, "eu-west-1").table_class


def test_a_plain_table_has_none_of_it() -> None:
    bare = {name: DESCRIBED[name] for name in ("TableName", "TableArn", "TableStatus")}
    found = description(bare, "eu-west-1")

    assert (False, [], False, ()) == (found.deletion_protected, found.replicas, found.has_stream, found.key)


def test_a_scan_says_which_segment_of_which_table() -> None:
    assert {
        "TableName": "orders",
        "ReturnConsumedCapacity": "TOTAL",
        "Segment": 2,
        "TotalSegments": 5,
    } == scanned()


def test_a_scan_carries_all_that_was_asked_for() -> None:
    body = scanned(
        limit=7,
        index_name="by-day",
        consistent_read=True,
        filter_expression="#n < :v",
        expression_attribute_names={"#n": "n"},
        expression_attribute_values={":v": {"B": b"\xff"}},
    )

    assert 7 == body["Limit"]
    assert "by-day" == body["IndexName"]
    assert body["ConsistentRead"]
    assert "#n < :v" == body["FilterExpression"]
    assert {"#n": "n"} == body["ExpressionAttributeNames"]
    assert {":v": {"B": "/w=="}} == body["ExpressionAttributeValues"]


def test_a_scan_goes_on_after_a_key_as_it_was_given() -> None:
    body = scanned(start_key=b'{"pk":{"S":"\\u00e9"}, "n":{"N":"1.50"}}')

    assert {"pk": {"S": "é"}, "n": {"N": "1.50"}} == body["ExclusiveStartKey"]


@pytest.mark.parametrize("key", [b'{"pk":{"S":"a"}},"TableName":"other"', b"{", b"[]", b"", b'{"a":{}} {}'])
def test_a_key_that_is_more_or_less_than_one_object_reaches_no_request(key: bytes) -> None:
    with pytest.raises(UnexpectedReply, match="not a key"):
        scanned(start_key=key)


def test_a_write_is_the_transports() -> None:
    transport = Answering(b'{"UnprocessedItems":{}}')
    writer = DynamoDBWriter(Scripted("dynamodb", table()).client, "orders", transport)

    assert b'{"UnprocessedItems":{}}' == writer.write("BatchWriteItem", b"body")
    assert [("BatchWriteItem", b"body")] == transport.calls


@pytest.mark.parametrize(
    ("status", "attribute"),
    [("ENABLED", "until"), ("ENABLING", "until"), ("DISABLED", None), ("DISABLING", None)],
)
def test_items_expire_where_a_table_has_an_attribute_for_it(status: str, attribute: str | None) -> None:
    told = {"TimeToLiveDescription": {"TimeToLiveStatus": status, "AttributeName": "until"}}

    assert attribute == writer((200, told)).ttl_attribute()


def test_a_table_that_never_had_one_expires_nothing() -> None:
    assert writer((200, {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}})).ttl_attribute() is None


def test_tags_are_read_to_the_last_page() -> None:
    pages = [
        (200, {"Tags": [{"Key": "a", "Value": "1"}], "NextToken": "more"}),
        (200, {"Tags": [{"Key": "b", "Value": "2"}]}),
    ]

    assert {"a": "1", "b": "2"} == writer(table(), *pages).tags()


def test_a_missing_permission_is_named() -> None:
    with pytest.raises(AccessDenied, match="dynamodb:DescribeTimeToLive on table orders"):
        writer(refused("AccessDeniedException")).ttl_attribute()
    with pytest.raises(AccessDenied, match="dynamodb:ListTagsOfResource on table orders"):
        writer(table(), refused("AccessDeniedException")).tags()


def test_a_writer_describes_its_table() -> None:
    assert "ACTIVE" == writer(table()).describe().status


def writer(*replies: Any) -> DynamoDBWriter:
    return DynamoDBWriter(Scripted("dynamodb", *replies).client, "orders", Answering())
