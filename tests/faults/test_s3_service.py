"""The fake's S3 by itself: what no other service on this machine does, and what tests do from outside."""

from __future__ import annotations

import base64
import http.client
import io
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.clock import ManualClock
from tests.faults.calls import Call
from tests.faults.s3 import S3, operation_of
from tests.faults.serving import service_at_work
from tests.faults.wire import Request
from tests.services import aws_client

BUCKET = "a-bucket"


@pytest.fixture
def s3() -> S3:
    found = S3()
    found.create_bucket(BUCKET)
    return found


@pytest.fixture
def url(s3: S3) -> Iterator[str]:
    with service_at_work(s3) as found:
        yield found


def test_an_endpoint_of_another_region_says_where_the_bucket_is(s3: S3, url: str) -> None:
    """Botocore then asks there by itself."""
    s3.create_bucket("far-away", region="eu-west-1")
    client: Any = aws_client("s3", url)
    answers: list[int] = []
    client.meta.events.register(
        "response-received.s3", lambda response_dict, **_: answers.append(response_dict["status_code"])
    )

    assert "eu-west-1" == client.head_bucket(Bucket="far-away")["BucketRegion"]
    assert [301, 200] == answers
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    signed = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request, SignedHeaders=host"
    connection.request("GET", "/far-away/k", headers={"Authorization": signed})
    reply = connection.getresponse()
    assert (301, "eu-west-1") == (reply.status, reply.headers["x-amz-bucket-region"])
    assert b"<Code>PermanentRedirect</Code>" in reply.read()
    connection.close()


def test_a_multipart_object_is_as_old_as_its_upload() -> None:
    clock = ManualClock()
    s3 = S3(clock)
    s3.create_bucket(BUCKET)
    with service_at_work(s3) as own:
        client: Any = aws_client("s3", own)
        target = {"Bucket": BUCKET, "Key": "k"}
        began_at = clock.now()
        upload = {**target, "UploadId": client.create_multipart_upload(**target)["UploadId"]}
        clock.advance(60)
        part = {"PartNumber": 1, "ETag": client.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]}
        client.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})

        assert began_at == client.head_object(**target)["LastModified"]
        client.put_object(**target, Body=b"y")
        assert clock.now() == client.head_object(**target)["LastModified"]


def test_what_is_uploaded_in_parts_by_boto3_itself_is_verified(s3: S3, url: str) -> None:
    body = bytes(range(256)) * 50_000
    client: Any = aws_client("s3", url)
    client.upload_fileobj(io.BytesIO(body), BUCKET, "k")

    assert body == s3.get(BUCKET, "k")
    head = client.head_object(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")
    assert ("COMPOSITE", "-2") == (head["ChecksumType"], head["ChecksumCRC32"][-2:])


def test_a_sum_of_the_whole_object_is_verified(url: str) -> None:
    client: Any = aws_client("s3", url)
    target = {"Bucket": BUCKET, "Key": "k"}
    begun = client.create_multipart_upload(**target, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    upload = {**target, "UploadId": begun["UploadId"]}
    part = {"PartNumber": 1, "ETag": client.upload_part(**upload, PartNumber=1, Body=b"abc")["ETag"]}
    call = {**upload, "MultipartUpload": {"Parts": [part]}, "ChecksumType": "FULL_OBJECT"}

    with pytest.raises(ClientError, match="BadDigest"):
        client.complete_multipart_upload(**call, ChecksumCRC32="AAAAAA==")
    right = base64.b64encode(zlib.crc32(b"abc").to_bytes(4, "big")).decode()
    assert right == client.complete_multipart_upload(**call, ChecksumCRC32=right)["ChecksumCRC32"]


def test_a_framed_body_is_kept_without_its_frame(s3: S3, url: str) -> None:
    """As clients send it over https, the sum in the trailer."""
    body = b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n"
    headers = {"Content-Encoding": "gzip,aws-chunked", "x-amz-trailer": "x-amz-checksum-crc32"}
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    connection.request("PUT", f"/{BUCKET}/k", body, headers)
    connection.getresponse().read()
    connection.close()

    assert b"abc" == s3.get(BUCKET, "k")
    head = aws_client("s3", url).head_object(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")
    assert ("gzip", "NSRBwg==") == (head["ContentEncoding"], head["ChecksumCRC32"])


@pytest.mark.parametrize(
    ("method", "path", "headers", "name"),
    [
        ("GET", f"/{BUCKET}", {}, "ListObjects"),
        ("GET", "/", {}, "ListBuckets"),
        ("GET", f"/{BUCKET}?versioning", {}, "GET bucket?versioning"),
        ("GET", f"/{BUCKET}/k?tagging", {}, "GET object?tagging"),
        ("PUT", f"/{BUCKET}/k", {"x-amz-copy-source": "/b/k"}, "CopyObject"),
        ("GET", f"/{BUCKET}/k?versionId=1", {}, "a version of an object"),
        ("PUT", f"/{BUCKET}/k", {"x-amz-tagging": "a=b"}, "x-amz-tagging"),
        ("GET", f"/{BUCKET}/there?partNumber=1", {}, "one part"),
        ("GET", f"/{BUCKET}/there", {"Range": "bytes=0-1,3-4"}, "several ranges"),
        ("GET", f"/{BUCKET}/there", {"If-Modified-Since": "Fri, 02 Jan 2026 03:04:05 GMT"}, "a date"),
        ("PUT", f"/{BUCKET}/k", {"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}, "crc64nvme"),
    ],
)
def test_what_is_not_simulated_is_refused(
    s3: S3, url: str, method: str, path: str, headers: dict[str, str], name: str
) -> None:
    s3.put(BUCKET, "there", b"abc")
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    connection.request(method, path, headers=headers)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()

    assert 501 == reply.status
    assert name in text


# --- from outside ---------------------------------------------------------------------------------


def test_a_snapshot_is_equal_to_another_as_long_as_nothing_changes(s3: S3) -> None:
    s3.put(BUCKET, "a", b"1")
    before = s3.objects(BUCKET)

    assert {"a": b"1"} == before
    s3.put(BUCKET, "a", b"1")
    assert before == s3.objects(BUCKET)
    s3.put(BUCKET, "a", b"2")
    assert before != s3.objects(BUCKET)


def test_what_is_put_from_outside_is_what_a_client_reads(s3: S3, url: str) -> None:
    tag = s3.put(BUCKET, "b/1", b"abc")
    s3.put(BUCKET, "a", b"")
    client: Any = aws_client("s3", url)
    found = client.get_object(Bucket=BUCKET, Key="b/1")

    assert (b"abc", tag) == (found["Body"].read(), found["ETag"])
    assert tag == s3.etag(BUCKET, "b/1")
    assert (["a", "b/1"], ["b/1"]) == (s3.keys(BUCKET), s3.keys(BUCKET, "b"))
    s3.delete(BUCKET, "b/1")
    with pytest.raises(KeyError):
        s3.get(BUCKET, "b/1")


def test_unfinished_uploads_are_seen_from_outside(s3: S3, url: str) -> None:
    client: Any = aws_client("s3", url)
    ids = {key: client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"] for key in ("b/1", "a")}

    assert [("a", ids["a"]), ("b/1", ids["b/1"])] == s3.uploads(BUCKET)
    assert [("b/1", ids["b/1"])] == s3.uploads(BUCKET, "b/")
    client.abort_multipart_upload(Bucket=BUCKET, Key="a", UploadId=ids["a"])
    assert [("b/1", ids["b/1"])] == s3.uploads(BUCKET)


def test_a_bucket_may_encrypt_by_a_key_of_its_own(s3: S3, url: str) -> None:
    s3.create_bucket("secrets", kms_key_id="arn:k")
    client: Any = aws_client("s3", url)
    client.put_object(Bucket="secrets", Key="k", Body=b"abc")
    client.put_object(Bucket="secrets", Key="plain", Body=b"abc", ServerSideEncryption="AES256")

    head = client.head_object(Bucket="secrets", Key="k")
    assert ("aws:kms", "arn:k") == (head["ServerSideEncryption"], head["SSEKMSKeyId"])
    plain = client.head_object(Bucket="secrets", Key="plain")
    assert ("AES256", None) == (plain["ServerSideEncryption"], plain.get("SSEKMSKeyId"))
    assert head["ETag"] != plain["ETag"]


class WatchfulClock(ManualClock):
    """Notes at each look whether anybody else could work meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.s3 = S3(self)
        self.alone: list[bool] = []

    def now(self) -> datetime:
        self.alone.append(self.s3._buckets.lock.locked())
        return super().now()


def test_a_condition_and_its_write_are_one_step() -> None:
    """S3 looks at the clock between the two: nobody else is let in then."""
    clock = WatchfulClock()
    clock.s3.create_bucket(BUCKET)
    request = Request("PUT", f"/{BUCKET}/k", {}, {"if-none-match": "*"})

    statuses = [clock.s3.answer(Call("s3", "PutObject", request, b"")).status for _ in range(2)]

    assert ([200, 412], [True]) == (statuses, clock.alone)


def test_a_refusal_of_a_head_has_no_body(s3: S3) -> None:
    reply = s3.answer(Call("s3", "HeadObject", Request("HEAD", f"/{BUCKET}/k", {}, {}), b""))

    assert (404, ()) == (reply.status, reply.body)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (("PUT", "/b", {}), "CreateBucket"),
        (("HEAD", "/b", {}), "HeadBucket"),
        (("DELETE", "/b", {}), "DeleteBucket"),
        (("GET", "/b", {"location": ""}), "GetBucketLocation"),
        (("GET", "/b", {"list-type": "2", "prefix": "uploads"}), "ListObjectsV2"),
        (("GET", "/b", {"prefix": "a"}), "ListObjects"),
        (("GET", "/b", {"uploads": "", "prefix": "a"}), "ListMultipartUploads"),
        (("POST", "/b", {"delete": ""}), "DeleteObjects"),
        (("PUT", "/b/k", {}), "PutObject"),
        (("PUT", "/b/k", {"x-id": "PutObject"}), "PutObject"),
        (("GET", "/b/uploads", {}), "GetObject"),
        (("HEAD", "/b/k", {"partNumber": "1"}), "HeadObject"),
        (("DELETE", "/b/k/", {}), "DeleteObject"),
        (("POST", "/b/k", {"uploads": ""}), "CreateMultipartUpload"),
        (("PUT", "/b/k", {"partNumber": "1", "uploadId": "x"}), "UploadPart"),
        (("POST", "/b/k", {"uploadId": "x"}), "CompleteMultipartUpload"),
        (("DELETE", "/b/k", {"uploadId": "x"}), "AbortMultipartUpload"),
        (("GET", "/b/k", {"uploadId": "x"}), "ListParts"),
    ],
)
def test_operations_have_the_names_that_s3_gives_them(
    call: tuple[str, str, dict[str, str]], name: str
) -> None:
    assert name == operation_of(Request(*call, headers={}))
