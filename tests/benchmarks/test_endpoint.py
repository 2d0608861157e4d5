"""The endpoint is honest: an ordinary client finds in it exactly what it declares."""

from __future__ import annotations

import http.client
import io
import json
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.client import Config
from botocore.exceptions import ClientError

from tests.benchmarks.endpoint import Endpoint, Server, running_endpoint
from tests.benchmarks.items import item_bytes, item_json, std_item

PAGE_BYTES = 1 << 20
BUCKET = "bench"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with running_endpoint(pages=2) as running:
        yield running


def client(service: str, endpoint: Endpoint) -> Any:
    make: Any = boto3.client  # the stubs know one overload for each service's literal name
    return make(
        service,
        endpoint_url=endpoint.url,
        region_name="eu-west-1",
        aws_access_key_id="AKIABENCH",
        aws_secret_access_key="bench",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def dynamodb(endpoint: Endpoint) -> Any:
    return client("dynamodb", endpoint)


@pytest.fixture(scope="module")
def s3(endpoint: Endpoint) -> Any:
    return client("s3", endpoint)


def scanned(dynamodb: Any, **call: Any) -> list[dict[str, Any]]:
    """Every page of a scan, as boto3's paginator sees it."""
    return list(dynamodb.get_paginator("scan").paginate(**call))


def items_of(pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for page in pages for item in page["Items"]]


@pytest.mark.parametrize("segments", [1, 4, 7])
def test_segments_hold_the_declared_items_together(endpoint: Endpoint, dynamodb: Any, segments: int) -> None:
    """Three full pages out of two in memory, and a short one: the third repeats the first."""
    stats = endpoint.stats()
    length = 3 * stats.items_per_page + 17
    calls = [{"Segment": segment, "TotalSegments": segments} for segment in range(segments)]

    pages = [page for call in calls for page in scanned(dynamodb, TableName=f"std-{length}", **call)]

    assert [std_item(position % stats.items) for position in range(length)] == items_of(pages)
    assert length == sum(page["Count"] for page in pages) == sum(page["ScannedCount"] for page in pages)


def test_pages_hold_no_more_than_the_service_allows_and_not_much_less(dynamodb: Any) -> None:
    pages = scanned(dynamodb, TableName="std-9000", ReturnConsumedCapacity="TOTAL")
    sizes = [sum(item_bytes(item) for item in page["Items"]) for page in pages]

    assert max(sizes) <= PAGE_BYTES
    assert min(sizes[:-1]) > 0.9 * PAGE_BYTES
    units = [page["ConsumedCapacity"]["CapacityUnits"] for page in pages]
    assert [-(-size // 4096) / 2 for size in sizes] == units


def test_a_page_waits_as_long_as_asked_for_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    server = Server(1, checks=False, scan_seconds=0.21)

    server._call("DescribeTable", b'{"TableName": "std-10"}')
    assert [] == slept
    server._call("Scan", b'{"TableName": "std-10"}')
    assert [0.21] == slept
    Server(1, checks=False)._call("Scan", b'{"TableName": "std-10"}')
    assert [0.21] == slept


@pytest.mark.parametrize(("length", "limit", "counts"), [(5, 2, [2, 2, 1]), (4, 2, [2, 2, 0])])
def test_limit_cuts_pages_as_the_service_does(
    dynamodb: Any, length: int, limit: int, counts: list[int]
) -> None:
    """A page that ends by Limit says LastEvaluatedKey even when nothing follows."""
    pages = scanned(dynamodb, TableName=f"std-{length}", Limit=limit)

    assert counts == [page["Count"] for page in pages]
    assert [std_item(position) for position in range(length)] == items_of(pages)


def test_more_segments_than_pages_leave_some_empty(dynamodb: Any) -> None:
    found = [
        len(items_of(scanned(dynamodb, TableName="std-10", Segment=segment, TotalSegments=3)))
        for segment in range(3)
    ]

    assert [0, 0, 10] == sorted(found)


START_KEY = {"ExclusiveStartKey": {"pk": {"S": "order#000000002000"}}}


@pytest.mark.parametrize("call", [{}, {"Limit": 7}, START_KEY])
def test_the_checksum_is_that_of_the_body(endpoint: Endpoint, call: dict[str, Any]) -> None:
    """Not every client looks at it, so this test does."""
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc)
    body = json.dumps({"TableName": "std-9000", **call})
    connection.request("POST", "/", body, {"X-Amz-Target": "DynamoDB_20120810.Scan"})
    reply = connection.getresponse()
    content = reply.read()

    assert reply.headers["Content-Type"] == "application/x-amz-json-1.0"
    assert reply.headers["x-amz-crc32"] == str(zlib.crc32(content))
    connection.close()


def test_items_have_the_size_that_the_benchmark_states() -> None:
    assert 540 == round(sum(len(item_json(position)) for position in range(5000)) / 5000)


def test_a_table_is_described(dynamodb: Any) -> None:
    table = dynamodb.describe_table(TableName="std-123")["Table"]

    assert 123 == table["ItemCount"]
    assert "ACTIVE" == table["TableStatus"]
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] > 0


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ({"TableName": "other"}, "ResourceNotFoundException"),
        ({"TableName": "std-1", "Segment": 2, "TotalSegments": 2}, "ValidationException"),
        ({"TableName": "std-1", "FilterExpression": "a = b"}, "ValidationException"),
    ],
)
def test_what_is_not_simulated_is_refused(dynamodb: Any, call: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        dynamodb.scan(**call)

    assert code == caught.value.response["Error"]["Code"]


def test_a_multipart_upload_counts_the_bytes_sent(endpoint: Endpoint, s3: Any) -> None:
    before = endpoint.stats().uploaded_bytes
    target = {"Bucket": BUCKET, "Key": "data/big"}
    upload = {**target, "UploadId": s3.create_multipart_upload(**target)["UploadId"]}
    bodies = [b"a" * (5 << 20), b"b" * 1000]

    tags = [s3.upload_part(**upload, PartNumber=n, Body=body)["ETag"] for n, body in enumerate(bodies, 1)]
    assert ["data/big"] == [row["Key"] for row in s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]]
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})

    size = (5 << 20) + 1000
    assert size == s3.head_object(**target)["ContentLength"]
    assert size == endpoint.stats().uploaded_bytes - before
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


def test_a_part_too_small_is_refused_and_an_aborted_upload_leaves_nothing(s3: Any) -> None:
    target = {"Bucket": BUCKET, "Key": "data/small-parts"}
    upload = {**target, "UploadId": s3.create_multipart_upload(**target)["UploadId"]}
    tags = [s3.upload_part(**upload, PartNumber=n, Body=b"x")["ETag"] for n in (1, 2)]
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]

    with pytest.raises(ClientError, match="EntityTooSmall"):
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    s3.abort_multipart_upload(**upload)

    with pytest.raises(ClientError, match="NoSuchUpload"):
        s3.upload_part(**upload, PartNumber=1, Body=b"x")
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="data/small-parts")


def test_big_uploads_by_boto3_arrive_whole(endpoint: Endpoint, s3: Any) -> None:
    before = endpoint.stats().uploaded_bytes
    s3.upload_fileobj(io.BytesIO(b"z" * 20_000_000), BUCKET, "data/managed")

    assert 20_000_000 == endpoint.stats().uploaded_bytes - before
    assert 20_000_000 == s3.head_object(Bucket=BUCKET, Key="data/managed")["ContentLength"]


@pytest.mark.parametrize("framing", ["transfer", "length"])
def test_aws_chunked_bodies_are_unframed(endpoint: Endpoint, s3: Any, framing: str) -> None:
    """As botocore sends them over https: a trailer after the last chunk."""
    body = b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n"
    headers = {"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "3"}
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc)
    chunked = framing == "transfer"
    content = iter([body]) if chunked else body
    connection.request("PUT", f"/{BUCKET}/framed", content, headers, encode_chunked=chunked)
    connection.getresponse().read()
    connection.close()

    assert b"abc" == s3.get_object(Bucket=BUCKET, Key="framed")["Body"].read()


def test_conditional_writes(s3: Any) -> None:
    target = {"Bucket": BUCKET, "Key": "checkpoint.json"}
    first = s3.put_object(**target, Body=b"1", IfNoneMatch="*")["ETag"]

    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(**target, Body=b"2", IfNoneMatch="*")
    second = s3.put_object(**target, Body=b"2", IfMatch=first)["ETag"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(**target, Body=b"3", IfMatch=first)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.put_object(Bucket=BUCKET, Key="absent", Body=b"3", IfMatch=first)

    found = s3.get_object(**target)
    assert (b"2", second) == (found["Body"].read(), found["ETag"])


def test_listing_pages_and_folders(s3: Any) -> None:
    keys = [f"list/{folder}/{number} & more" for folder in "ab" for number in range(3)]
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    paginate = s3.get_paginator("list_objects_v2").paginate
    whole = paginate(Bucket=BUCKET, Prefix="list/", PaginationConfig={"PageSize": 2})
    folders = paginate(Bucket=BUCKET, Prefix="list/", Delimiter="/")

    assert keys == [row["Key"] for page in whole for row in page["Contents"]]
    assert ["list/a/", "list/b/"] == [row["Prefix"] for page in folders for row in page["CommonPrefixes"]]
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})
    assert 0 == s3.list_objects_v2(Bucket=BUCKET, Prefix="list/")["KeyCount"]
    s3.head_bucket(Bucket=BUCKET)
