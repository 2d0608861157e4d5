"""The endpoint counts what is written exactly, and hands items back as DynamoDB does."""

from __future__ import annotations

import http.client
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.client import Config
from botocore.exceptions import ClientError

from tests.benchmarks.endpoint import Endpoint, running_endpoint
from tests.benchmarks.items import std_item
from tests.benchmarks.writes import MARK, last_requests


@pytest.fixture(scope="module", params=[False, True], ids=["counts", "checks"])
def endpoint(request: pytest.FixtureRequest) -> Iterator[Endpoint]:
    with running_endpoint(pages=1, checks=request.param) as running:
        yield running


@pytest.fixture(scope="module")
def checking() -> Iterator[Endpoint]:
    with running_endpoint(pages=1, checks=True) as running:
        yield running


def client(endpoint: Endpoint) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint.url,
        region_name="eu-west-1",
        aws_access_key_id="AKIABENCH",
        aws_secret_access_key="bench",
        config=Config(retries={"total_max_attempts": 1}),
    )


def puts(positions: Sequence[int]) -> list[dict[str, Any]]:
    return [{"PutRequest": {"Item": std_item(position)}} for position in positions]


def compact(table: str, positions: Sequence[int]) -> bytes:
    """A batch as a client writes it that counts bytes: no spaces."""
    call = {"RequestItems": {table: puts(positions)}, "ReturnConsumedCapacity": "TOTAL"}
    return json.dumps(call, separators=(",", ":")).encode()


def posted(endpoint: Endpoint, body: bytes, *, pieces: int = 1) -> tuple[int, bytes, str | None]:
    """Status, body and checksum of the answer to a batch sent without botocore."""
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc)
    connection.putrequest("POST", "/")
    connection.putheader("x-amz-target", "DynamoDB_20120810.BatchWriteItem")
    connection.putheader("content-length", str(len(body)))
    connection.endheaders()
    step = -(-len(body) // pieces)
    for start in range(0, len(body), step):
        connection.send(body[start : start + step])
    reply = connection.getresponse()
    found = reply.status, reply.read(), reply.headers["x-amz-crc32"]
    connection.close()
    return found


@pytest.mark.parametrize("count", [1, 7, 25])
def test_every_put_of_a_batch_is_counted(endpoint: Endpoint, count: int) -> None:
    before = endpoint.stats()

    reply = client(endpoint).batch_write_item(
        RequestItems={"std-100": puts(range(count))}, ReturnConsumedCapacity="TOTAL"
    )

    after = endpoint.stats()
    assert (1, count) == (after.writes - before.writes, after.written_items - before.written_items)
    assert after.write_bytes - before.write_bytes > 540 * count
    assert {} == reply["UnprocessedItems"]
    assert [{"TableName": "std-100", "CapacityUnits": float(count)}] == reply["ConsumedCapacity"]


def test_a_batch_in_pieces_and_without_spaces_is_counted_like_any_other(endpoint: Endpoint) -> None:
    before = endpoint.stats().written_items

    status, body, checksum = posted(endpoint, compact("std-100", range(25)), pieces=9)

    assert (200, str(zlib.crc32(body))) == (status, checksum)
    assert 25 == endpoint.stats().written_items - before


def test_capacity_is_told_only_to_those_who_ask(endpoint: Endpoint) -> None:
    for asked in ({}, {"ReturnConsumedCapacity": "NONE"}):
        reply = client(endpoint).batch_write_item(RequestItems={"std-100": puts([1])}, **asked)
        assert "ConsumedCapacity" not in reply


def test_a_word_in_a_string_is_not_taken_for_a_put(endpoint: Endpoint) -> None:
    before = endpoint.stats().written_items
    item = {**std_item(1), "note": {"S": 'a "PutRequest" and ]} and "RequestItems":{"x":'}}

    client(endpoint).batch_write_item(RequestItems={"std-100-u50": [{"PutRequest": {"Item": item}}]})

    assert 1 == endpoint.stats().written_items - before


def test_the_share_of_each_batch_comes_back_as_it_was_sent(endpoint: Endpoint) -> None:
    """Five of a hundred: of four batches of 25, one, one, one and two."""
    before, table = endpoint.stats(), "std-1000-u5"
    batches = [puts(range(start, start + 25)) for start in range(0, 100, 25)]

    replies = [
        client(endpoint).batch_write_item(RequestItems={table: batch}, ReturnConsumedCapacity="TOTAL")
        for batch in batches
    ]

    left = [reply["UnprocessedItems"][table] for reply in replies]
    assert [batch[-count:] for batch, count in zip(batches, (1, 1, 1, 2), strict=True)] == left
    units = [reply["ConsumedCapacity"][0]["CapacityUnits"] for reply in replies]
    assert [24.0, 24.0, 24.0, 23.0] == units
    after = endpoint.stats()
    assert (95, 5) == (
        after.written_items - before.written_items,
        after.returned_items - before.returned_items,
    )


def test_the_checksum_covers_what_is_handed_back(endpoint: Endpoint) -> None:
    sent = compact("std-500-u50", range(25))

    _, body, checksum = posted(endpoint, sent)

    assert str(zlib.crc32(body)) == checksum
    assert puts(range(13, 25)) == json.loads(body)["UnprocessedItems"]["std-500-u50"]
    assert sent[sent.index(MARK) - 1 : sent.rindex(b"]")].endswith(last_requests(sent, 12))


def test_never_all_of_a_batch_comes_back(endpoint: Endpoint) -> None:
    """The service answers with an error then, and a client that sends what is left ends some day."""
    for _ in range(30):
        reply = client(endpoint).batch_write_item(RequestItems={"std-7-u90": puts([1])})
        assert {} == reply["UnprocessedItems"]


def test_boto3s_batch_writer_writes_every_item_once_whatever_comes_back(checking: Endpoint) -> None:
    before = checking.stats()
    resource = boto3.resource(
        "dynamodb",
        endpoint_url=checking.url,
        region_name="eu-west-1",
        aws_access_key_id="AKIABENCH",
        aws_secret_access_key="bench",
    )
    with resource.Table("std-310-u20").batch_writer() as batch:
        for position in range(310):
            batch.put_item(Item={"pk": std_item(position)["pk"]["S"]})

    after = checking.stats()
    assert 310 == after.written_items - before.written_items
    assert 310 == after.distinct_items - before.distinct_items
    assert after.returned_items - before.returned_items >= 62
    assert 310 == after.wrong_items - before.wrong_items  # nothing but keys was written


def test_an_endpoint_that_checks_knows_what_was_written_twice_and_what_was_not_the_items(
    checking: Endpoint,
) -> None:
    before = checking.stats()
    changed = {**std_item(3), "state": {"S": "LOST"}}
    batch = [*puts([1, 2]), {"PutRequest": {"Item": changed}}]

    client(checking).batch_write_item(RequestItems={"std-20": batch})
    client(checking).batch_write_item(RequestItems={"std-20": puts([2])})

    after = checking.stats()
    assert 4 == after.written_items - before.written_items
    assert 3 == after.distinct_items - before.distinct_items
    assert (1, 1) == (
        after.repeated_items - before.repeated_items,
        after.wrong_items - before.wrong_items,
    )


@pytest.mark.parametrize(
    "batch",
    [
        {"std-100": puts([1, 1])},
        {"std-100": puts([1]), "std-200": puts([2])},
        {"std-100": [*puts([1]), {"DeleteRequest": {"Key": {"pk": {"S": "order#000000000002"}}}}]},
    ],
    ids=["a key twice", "two tables", "a delete"],
)
def test_an_endpoint_that_checks_refuses_what_it_could_miscount(
    checking: Endpoint, batch: dict[str, Any]
) -> None:
    before = checking.stats()

    with pytest.raises(ClientError, match="ValidationException"):
        client(checking).batch_write_item(RequestItems=batch)

    assert before.written_items == checking.stats().written_items


@pytest.mark.parametrize(
    ("batch", "code"),
    [
        ({"std-100": puts(range(26))}, "ValidationException"),
        ({"other": puts([1])}, "ResourceNotFoundException"),
    ],
)
def test_a_batch_that_the_service_would_refuse_is_refused(
    endpoint: Endpoint, batch: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError, match=code):
        client(endpoint).batch_write_item(RequestItems=batch)


def test_single_puts_are_counted_too(endpoint: Endpoint) -> None:
    before = endpoint.stats().written_items
    reply = client(endpoint).put_item(TableName="std-100", Item=std_item(9), ReturnConsumedCapacity="TOTAL")

    assert {"TableName": "std-100", "CapacityUnits": 1.0} == reply["ConsumedCapacity"]
    assert 1 == endpoint.stats().written_items - before


def test_a_table_has_no_tags_and_no_time_to_live(endpoint: Endpoint) -> None:
    dynamodb = client(endpoint)
    arn = dynamodb.describe_table(TableName="std-100-u5")["Table"]["TableArn"]

    assert [] == dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]
    told = dynamodb.describe_time_to_live(TableName="std-100-u5")["TimeToLiveDescription"]
    assert {"TimeToLiveStatus": "DISABLED"} == told
