"""What S3's documentation promises, and the fake keeps, where moto does otherwise."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.alike import Alike, in_a_new_bucket, s3_clients
from tests.services import Services

ABC_MD5 = base64.b64encode(hashlib.md5(b"abc").digest()).decode()
OTHER_MD5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()


@pytest.fixture(scope="module")
def clients(services: Services) -> Iterator[tuple[Any, Any]]:
    with s3_clients(services) as found:
        yield found


@pytest.fixture
def both(clients: tuple[Any, Any]) -> Alike:
    return in_a_new_bucket(clients)


def refused(code: str, status: int = 400) -> dict[str, Any]:
    return {"Error": code, "Status": status}


@pytest.mark.parametrize(
    ("told", "refusal"),
    [
        ({"ChecksumCRC32": "AAAAAA=="}, refused("BadDigest")),
        ({"ChecksumCRC32": "zz"}, refused("InvalidRequest")),
        ({"ChecksumSHA256": base64.b64encode(bytes(32)).decode()}, refused("BadDigest")),
        ({"ContentMD5": OTHER_MD5}, refused("BadDigest")),
        ({"ContentMD5": "AAAA"}, refused("InvalidDigest")),
    ],
)
def test_a_body_that_is_not_what_its_sum_says_is_refused(
    both: Alike, told: dict[str, str], refusal: dict[str, Any]
) -> None:
    both.documented(refusal, "put_object", Key="k", Body=b"abc", **told)

    assert refused("NoSuchKey", 404) == both.fake("get_object", Key="k")


def test_a_body_that_is_what_its_md5_says_is_taken(both: Alike) -> None:
    assert 200 == both.call("put_object", Key="k", Body=b"abc", ContentMD5=ABC_MD5)["Status"]


@pytest.mark.parametrize(
    "condition",
    [{"IfNoneMatch": '"00"'}, {"IfMatch": "*"}, {"IfNoneMatch": "*", "IfMatch": '"00"'}],
    ids=["an ETag that must not be", "anything that must be", "both at once"],
)
def test_conditions_that_a_write_cannot_have_are_refused(both: Alike, condition: dict[str, str]) -> None:
    both.fake("put_object", Key="k", Body=b"old")

    both.documented(refused("NotImplemented", 501), "put_object", Key="k", Body=b"new", **condition)


def test_a_deletion_can_ask_that_anything_is_there(both: Alike) -> None:
    """Moto compares the asterisk."""
    both.call("put_object", Key="k", Body=b"")

    both.documented({"Status": 204}, "delete_object", Key="k", IfMatch="*")


def test_many_deletions_can_name_versions(both: Alike) -> None:
    """Moto deletes whatever is there."""
    both.fake("put_object", Key="k", Body=b"abc")
    answer = both.fake("delete_objects", Delete={"Objects": [{"Key": "k", "ETag": '"00"'}]})

    assert ["PreconditionFailed"] == [row["Code"] for row in answer["Errors"]]
    assert b"abc" == both.fake("get_object", Key="k")["Body"]


def test_quiet_deletions_tell_errors_only(both: Alike) -> None:
    both.call("put_object", Key="k", Body=b"")
    ours, theirs = both.apart("delete_objects", Delete={"Objects": [{"Key": "k"}], "Quiet": True})

    assert (False, True) == ("Deleted" in ours, "Deleted" in theirs)
    assert 0 == both.call("list_objects_v2")["KeyCount"]


def test_a_thousand_deletions_are_the_most(both: Alike) -> None:
    rows = [{"Key": str(number)} for number in range(1001)]

    both.documented(refused("MalformedXML"), "delete_objects", Delete={"Objects": rows})
    assert 1000 == len(both.call("delete_objects", Delete={"Objects": rows[:1000]})["Deleted"])


def test_a_key_has_a_thousand_and_twenty_four_bytes_at_most(both: Alike) -> None:
    both.documented(refused("KeyTooLongError"), "put_object", Key="é" * 513, Body=b"")
    both.call("put_object", Key="é" * 512, Body=b"")


def test_an_unknown_encryption_is_refused(both: Alike) -> None:
    refusal = refused("InvalidArgument")

    both.documented(refusal, "put_object", Key="k", Body=b"", ServerSideEncryption="rot13")


def test_what_kms_encrypts_has_an_etag_that_is_no_md5(both: Alike) -> None:
    told = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:us-east-1:111122223333:key/k"}
    tags = {both.fake("put_object", Key="k", Body=b"abc", **told)["ETag"] for _ in range(2)}

    assert 2 == len(tags)
    assert f'"{hashlib.md5(b"abc").hexdigest()}"' not in tags
    assert told.items() <= both.fake("head_object", Key="k").items()
