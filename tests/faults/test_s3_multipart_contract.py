"""The fake's multipart uploads go as moto's do, and where moto is lax as S3's documentation says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.alike import Alike, in_a_new_bucket, s3_clients
from tests.services import Services

BIG, SMALL = b"a" * (5 << 20), b"b"
Part = tuple[int, bytes]


@pytest.fixture(scope="module")
def clients(services: Services) -> Iterator[tuple[Any, Any]]:
    with s3_clients(services) as found:
        yield found


@pytest.fixture
def both(clients: tuple[Any, Any]) -> Alike:
    return in_a_new_bucket(clients)


def tag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


def named(*parts: Part) -> dict[str, Any]:
    """The document that completes an upload."""
    return {"Parts": [{"PartNumber": number, "ETag": tag(body)} for number, body in parts]}


def uploaded(both: Alike, *parts: Part, key: str = "k", **settings: Any) -> dict[str, Any]:
    """Begin an upload and fill it; what names it in later calls."""
    target = {"Key": key}
    target["UploadId"] = both.call("create_multipart_upload", Key=key, **settings)["UploadId"]
    for number, body in parts:
        assert tag(body) == both.call("upload_part", **target, PartNumber=number, Body=body)["ETag"]
    return target


def test_parts_become_an_object(both: Alike) -> None:
    parts = [(1, BIG), (2, b"c" * len(BIG)), (7, SMALL)]
    target = uploaded(both, *parts)
    assert 0 == both.call("list_objects_v2")["KeyCount"]

    answer = both.call("complete_multipart_upload", **target, MultipartUpload=named(*parts))

    digests = b"".join(hashlib.md5(body).digest() for _, body in parts)
    assert f'"{hashlib.md5(digests).hexdigest()}-3"' == answer["ETag"]
    found = both.call("get_object", Key="k")
    assert (b"".join(body for _, body in parts), answer["ETag"]) == (found["Body"], found["ETag"])
    assert "Uploads" not in both.call("list_multipart_uploads")


def test_a_part_is_replaced_by_one_of_its_number(both: Alike) -> None:
    target = uploaded(both, (1, BIG), (2, b"old"), (2, SMALL))
    both.call("complete_multipart_upload", **target, MultipartUpload=named((1, BIG), (2, SMALL)))

    assert BIG + SMALL == both.call("get_object", Key="k")["Body"]


def test_parts_that_are_not_named_are_dropped(both: Alike) -> None:
    target = uploaded(both, (1, BIG), (2, b"dropped"), (3, SMALL))
    both.call("complete_multipart_upload", **target, MultipartUpload=named((1, BIG), (3, SMALL)))

    assert BIG + SMALL == both.call("get_object", Key="k")["Body"]


def test_a_part_may_be_named_without_quotes(both: Alike) -> None:
    target = uploaded(both, (1, SMALL))
    bare = {"Parts": [{"PartNumber": 1, "ETag": tag(SMALL).strip('"')}]}

    assert 200 == both.call("complete_multipart_upload", **target, MultipartUpload=bare)["Status"]


def test_type_and_metadata_are_those_of_the_beginning(both: Alike) -> None:
    told: dict[str, Any] = {"ContentType": "text/x", "Metadata": {"a": "b"}}
    target = uploaded(both, (1, SMALL), **told)
    both.call("complete_multipart_upload", **target, MultipartUpload=named((1, SMALL)))

    assert told.items() <= both.call("head_object", Key="k").items()


def test_an_aborted_upload_leaves_nothing(both: Alike) -> None:
    target = uploaded(both, (1, SMALL))
    both.call("abort_multipart_upload", **target)

    assert "Uploads" not in both.call("list_multipart_uploads")
    assert 0 == both.call("list_objects_v2")["KeyCount"]
    for operation in ("abort_multipart_upload", "list_parts"):
        assert "NoSuchUpload" == both.call(operation, **target)["Error"]


def test_parts_are_listed_in_pages(both: Alike) -> None:
    target = uploaded(both, (3, SMALL), (1, BIG), (2, SMALL))
    both.call("list_parts", **target)
    first = both.call("list_parts", **target, MaxParts=2)

    assert [1, 2] == [part["PartNumber"] for part in first["Parts"]]
    assert (True, 2) == (first["IsTruncated"], first["NextPartNumberMarker"])
    rest = both.call("list_parts", **target, MaxParts=2, PartNumberMarker=2)
    assert [3] == [part["PartNumber"] for part in rest["Parts"]]
    both.call("list_parts", **uploaded(both, key="empty"))


def test_the_last_part_only_may_be_small(both: Alike) -> None:
    target = uploaded(both, (1, SMALL), (2, SMALL))
    document = named((1, SMALL), (2, SMALL))

    answer = both.call("complete_multipart_upload", **target, MultipartUpload=document)

    assert {"Error": "EntityTooSmall", "Status": 400} == answer
    both.call("abort_multipart_upload", **target)


@pytest.mark.parametrize("stray", [(2, b"other"), (3, SMALL)], ids=["another body", "another number"])
def test_a_part_that_was_not_uploaded_cannot_be_named(both: Alike, stray: Part) -> None:
    target = uploaded(both, (1, BIG), (2, SMALL))

    answer = both.call("complete_multipart_upload", **target, MultipartUpload=named((1, BIG), stray))

    assert {"Error": "InvalidPart", "Status": 400} == answer


def test_an_upload_of_no_parts_cannot_be_completed(both: Alike) -> None:
    target = uploaded(both, (1, SMALL))

    answer = both.call("complete_multipart_upload", **target, MultipartUpload={"Parts": []})

    assert {"Error": "MalformedXML", "Status": 400} == answer


def test_an_object_that_must_not_be_there_keeps_the_upload_waiting(both: Alike) -> None:
    target = uploaded(both, (1, SMALL))
    both.call("put_object", Key="k", Body=b"old")
    call = {**target, "MultipartUpload": named((1, SMALL)), "IfNoneMatch": "*"}

    assert {"Error": "PreconditionFailed", "Status": 412} == both.call("complete_multipart_upload", **call)
    assert b"old" == both.call("get_object", Key="k")["Body"]
    both.call("delete_object", Key="k")
    assert 200 == both.call("complete_multipart_upload", **call)["Status"]


def test_a_number_beyond_ten_thousand_is_refused(both: Alike) -> None:
    target = uploaded(both)

    answer = both.call("upload_part", **target, PartNumber=10_001, Body=SMALL)

    assert {"Error": "InvalidArgument", "Status": 400} == answer


# --- where moto is lax ----------------------------------------------------------------------------


def test_parts_are_named_in_their_order(both: Alike) -> None:
    """Moto sorts what does not rise."""
    target = uploaded(both, (1, BIG), (2, BIG))

    both.documented(
        {"Error": "InvalidPartOrder", "Status": 400},
        "complete_multipart_upload",
        **target,
        MultipartUpload=named((2, BIG), (1, BIG)),
    )


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("upload_part", {"PartNumber": 1, "Body": b""}),
        ("complete_multipart_upload", {"MultipartUpload": named((1, SMALL))}),
    ],
)
def test_an_upload_that_ended_takes_nothing(both: Alike, operation: str, more: dict[str, Any]) -> None:
    """Moto answers 500."""
    target = uploaded(both, (1, SMALL))
    both.call("complete_multipart_upload", **target, MultipartUpload=named((1, SMALL)))

    both.documented({"Error": "NoSuchUpload", "Status": 404}, operation, **target, **more)


def test_an_upload_belongs_to_its_key(both: Alike) -> None:
    """Moto takes a part for any key."""
    target = {**uploaded(both), "Key": "another"}

    both.documented(
        {"Error": "NoSuchUpload", "Status": 404}, "upload_part", **target, PartNumber=1, Body=SMALL
    )


@pytest.mark.parametrize(
    ("held", "refusal"), [(b"old", ("PreconditionFailed", 412)), (None, ("NoSuchKey", 404))]
)
def test_an_upload_may_replace_a_version_it_names(
    both: Alike, held: bytes | None, refusal: tuple[str, int]
) -> None:
    """Moto passes over If-Match here."""
    target = uploaded(both, (1, SMALL))
    if held is not None:
        both.call("put_object", Key="k", Body=held)
    call = {**target, "MultipartUpload": named((1, SMALL)), "IfMatch": tag(b"another")}

    both.documented({"Error": refusal[0], "Status": refusal[1]}, "complete_multipart_upload", **call)


def test_an_upload_with_checksums_names_each(both: Alike) -> None:
    """Moto asks for none, and computes the sum of the whole instead of the sum of sums."""
    target = uploaded(both, ChecksumAlgorithm="CRC32")
    part = both.call("upload_part", **target, PartNumber=1, Body=SMALL, ChecksumAlgorithm="CRC32")
    row = {"PartNumber": 1, "ETag": part["ETag"]}
    whole = {"Parts": [{**row, "ChecksumCRC32": part["ChecksumCRC32"]}]}

    refused = both.fake("complete_multipart_upload", **target, MultipartUpload={"Parts": [row]})
    assert {"Error": "InvalidRequest", "Status": 400} == refused
    done = both.fake("complete_multipart_upload", **target, MultipartUpload=whole)
    assert done["ChecksumCRC32"].endswith("-1")
