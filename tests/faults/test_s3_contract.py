"""The fake's S3 answers as moto does: buckets, objects, conditions, ranges and deletions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.alike import Alike, in_a_new_bucket, s3_clients
from tests.services import Services

ABC_TAG = f'"{hashlib.md5(b"abc").hexdigest()}"'
OTHER_TAG = f'"{hashlib.md5(b"other").hexdigest()}"'
STRANGE_KEYS = [
    "a b",
    "a+b",
    "a%2Bb",
    "a&b",
    "a<b>",
    "é/ü",
    "\u2028",
    "😀",
    '"',
    "it's",
    "t\tx",
    "a//b",
    "/a",
]
STRANGE_KEYS += ["a?b#c", "~*(1)", "a=b;c", "trailing/", " space "]


@pytest.fixture(scope="module")
def clients(services: Services) -> Iterator[tuple[Any, Any]]:
    with s3_clients(services) as found:
        yield found


@pytest.fixture
def both(clients: tuple[Any, Any]) -> Alike:
    return in_a_new_bucket(clients)


def error(code: str, status: int) -> dict[str, Any]:
    return {"Error": code, "Status": status}


# --- buckets --------------------------------------------------------------------------------------


def test_a_bucket_is_found_in_its_region(both: Alike) -> None:
    assert "us-east-1" == both.call("head_bucket")["BucketRegion"]
    both.call("get_bucket_location")


def test_a_bucket_elsewhere_is_found_there(both: Alike) -> None:
    name = "elsewhere"
    both.call("create_bucket", Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    assert "eu-west-1" == both.call("head_bucket", Bucket=name)["BucketRegion"]
    assert "eu-west-1" == both.call("get_bucket_location", Bucket=name)["LocationConstraint"]
    both.call("put_object", Bucket=name, Key="k", Body=b"")
    again = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    wanted = error("BucketAlreadyOwnedByYou", 409)
    assert wanted == both.call("create_bucket", Bucket=name, **again)

    assert error("BucketNotEmpty", 409) == both.call("delete_bucket", Bucket=name)
    both.call("delete_object", Bucket=name, Key="k")
    both.call("delete_bucket", Bucket=name)
    assert error("404", 404) == both.call("head_bucket", Bucket=name)


def test_a_bucket_of_the_first_region_can_be_created_again(both: Alike) -> None:
    both.call("put_object", Key="k", Body=b"")
    both.call("create_bucket")

    assert 1 == both.call("list_objects_v2")["KeyCount"]


def test_a_bucket_has_a_name_of_three_characters_at_least(both: Alike) -> None:
    assert error("InvalidBucketName", 400) == both.call("create_bucket", Bucket="ab")


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("put_object", {"Key": "k", "Body": b"x"}),
        ("put_object", {"Key": "k", "Body": b"x", "IfNoneMatch": "*"}),
        ("get_object", {"Key": "k"}),
        ("delete_object", {"Key": "k"}),
        ("delete_objects", {"Delete": {"Objects": [{"Key": "a"}]}}),
        ("list_objects_v2", {}),
        ("list_multipart_uploads", {}),
        ("create_multipart_upload", {"Key": "k"}),
        ("upload_part", {"Key": "k", "UploadId": "x", "PartNumber": 1, "Body": b""}),
        ("get_bucket_location", {}),
        ("delete_bucket", {}),
    ],
)
def test_a_missing_bucket_is_named_by_every_operation(
    both: Alike, operation: str, more: dict[str, Any]
) -> None:
    assert error("NoSuchBucket", 404) == both.call(operation, Bucket="missing-bucket", **more)


@pytest.mark.parametrize("operation", ["head_bucket", "head_object"])
def test_a_head_has_no_code_but_its_status(both: Alike, operation: str) -> None:
    key = {"Key": "k"} if operation == "head_object" else {}

    assert error("404", 404) == both.call(operation, Bucket="missing-bucket", **key)


# --- objects --------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"abc", bytes(range(256)) * 5000])
def test_what_is_put_is_read(both: Alike, body: bytes) -> None:
    tag = both.call("put_object", Key="k", Body=body)["ETag"]

    assert f'"{hashlib.md5(body).hexdigest()}"' == tag
    assert (body, tag) == tuple(both.call("get_object", Key="k")[name] for name in ("Body", "ETag"))
    assert len(body) == both.call("head_object", Key="k", ChecksumMode="ENABLED")["ContentLength"]


@pytest.mark.parametrize("key", STRANGE_KEYS)
def test_any_key_will_do(both: Alike, key: str) -> None:
    both.call("put_object", Key=key, Body=key.encode())

    assert key.encode() == both.call("get_object", Key=key)["Body"]
    assert [key] == [row["Key"] for row in both.call("list_objects_v2")["Contents"]]
    deleted = both.call("delete_objects", Delete={"Objects": [{"Key": key}]})
    assert [{"Key": key}] == deleted["Deleted"]
    assert 0 == both.call("list_objects_v2")["KeyCount"]


def test_what_is_not_there_is_not_found(both: Alike) -> None:
    assert error("NoSuchKey", 404) == both.call("get_object", Key="k")
    assert error("404", 404) == both.call("head_object", Key="k")
    assert 204 == both.call("delete_object", Key="k")["Status"]


def test_type_metadata_and_storage_class_stay_with_an_object(both: Alike) -> None:
    told = {
        "ContentType": "text/x",
        "Metadata": {"a": "B", "c-d": "e"},
        "CacheControl": "no-cache",
        "ContentEncoding": "gzip",
        "ContentLanguage": "en",
        "ContentDisposition": "inline",
        "StorageClass": "STANDARD_IA",
    }
    both.call("put_object", Key="k", Body=b"abc", **told)

    assert told.items() <= both.call("head_object", Key="k").items()
    assert told.items() <= both.call("get_object", Key="k").items()
    both.call("put_object", Key="k", Body=b"abc")
    assert "binary/octet-stream" == both.call("head_object", Key="k")["ContentType"]


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_checksum_is_kept(both: Alike, algorithm: str) -> None:
    both.call("put_object", Key="k", Body=b"abc", ChecksumAlgorithm=algorithm)

    assert f"Checksum{algorithm}" in both.call("head_object", Key="k", ChecksumMode="ENABLED")
    assert f"Checksum{algorithm}" not in both.call("head_object", Key="k")
    listed = both.call("list_objects_v2")["Contents"]
    assert [[algorithm]] == [row["ChecksumAlgorithm"] for row in listed]


# --- conditions -----------------------------------------------------------------------------------

PRECONDITION = ("PreconditionFailed", 412)
WRITES: list[tuple[bytes | None, dict[str, str], tuple[str, int] | None]] = [
    (None, {"IfNoneMatch": "*"}, None),
    (b"abc", {"IfNoneMatch": "*"}, PRECONDITION),
    (b"abc", {"IfMatch": ABC_TAG}, None),
    (b"abc", {"IfMatch": ABC_TAG.strip('"')}, None),
    (b"abc", {"IfMatch": OTHER_TAG}, PRECONDITION),
    (None, {"IfMatch": ABC_TAG}, ("NoSuchKey", 404)),
]


@pytest.mark.parametrize(("held", "condition", "refusal"), WRITES)
def test_a_write_on_condition(
    both: Alike, held: bytes | None, condition: dict[str, str], refusal: tuple[str, int] | None
) -> None:
    if held is not None:
        both.call("put_object", Key="k", Body=held)
    answer = both.call("put_object", Key="k", Body=b"new", **condition)

    if refusal:
        assert error(*refusal) == answer
    assert (held if refusal else b"new") == both.call("get_object", Key="k").get("Body")


def test_a_version_that_was_replaced_is_named_in_vain(both: Alike) -> None:
    first = both.call("put_object", Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    second = both.call("put_object", Key="k", Body=b"2", IfMatch=first)["ETag"]

    assert error(*PRECONDITION) == both.call("put_object", Key="k", Body=b"3", IfMatch=first)
    both.call("put_object", Key="k", Body=b"1", IfMatch=second)
    both.call("put_object", Key="k", Body=b"4", IfMatch=first)  # the ETag of the content, not of the write


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"IfMatch": ABC_TAG}, 200),
        ({"IfMatch": OTHER_TAG}, 412),
        ({"IfNoneMatch": ABC_TAG}, 304),
        ({"IfNoneMatch": OTHER_TAG}, 200),
    ],
)
def test_a_read_on_condition(both: Alike, operation: str, condition: dict[str, str], status: int) -> None:
    both.call("put_object", Key="k", Body=b"abc")

    assert status == both.call(operation, Key="k", **condition)["Status"]


def test_a_deletion_on_condition(both: Alike) -> None:
    both.call("put_object", Key="k", Body=b"abc")

    assert error(*PRECONDITION) == both.call("delete_object", Key="k", IfMatch=OTHER_TAG)
    assert 204 == both.call("delete_object", Key="k", IfMatch=ABC_TAG)["Status"]
    assert error("NoSuchKey", 404) == both.call("delete_object", Key="k", IfMatch=ABC_TAG)


# --- ranges ---------------------------------------------------------------------------------------

TEN = bytes(range(10))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("bytes=0-3", TEN[:4]),
        ("bytes=0-0", TEN[:1]),
        ("bytes=4-", TEN[4:]),
        ("bytes=-3", TEN[7:]),
        ("bytes=8-30", TEN[8:]),
        ("bytes=5-2", TEN),
        ("bytes=", TEN),
    ],
)
def test_a_range_is_read(both: Alike, asked: str, found: bytes) -> None:
    both.call("put_object", Key="k", Body=TEN)

    assert found == both.call("get_object", Key="k", Range=asked)["Body"]
    assert len(found) == both.call("head_object", Key="k", Range=asked)["ContentLength"]


@pytest.mark.parametrize(("size", "asked"), [(10, "bytes=10-"), (10, "bytes=20-30"), (0, "bytes=0-")])
def test_a_range_behind_the_end_cannot_be_read(both: Alike, size: int, asked: str) -> None:
    both.call("put_object", Key="k", Body=TEN[:size])

    assert error("InvalidRange", 416) == both.call("get_object", Key="k", Range=asked)
    assert 416 == both.call("head_object", Key="k", Range=asked)["Status"]


# --- deletions ------------------------------------------------------------------------------------


def test_many_deletions_are_told_one_by_one(both: Alike) -> None:
    for key in ("a", "b"):
        both.call("put_object", Key=key, Body=b"")
    objects = [{"Key": key} for key in ("a", "nothing", "b")]

    assert objects == both.call("delete_objects", Delete={"Objects": objects})["Deleted"]
    assert 0 == both.call("list_objects_v2")["KeyCount"]


def test_nothing_to_delete_is_no_request(both: Alike) -> None:
    assert error("MalformedXML", 400) == both.call("delete_objects", Delete={"Objects": []})
