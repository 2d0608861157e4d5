"""The fake's S3 lists as moto does: order, folders, pages, keys that need care."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.alike import Alike, Answer, in_a_new_bucket, s3_clients
from tests.services import Services

KEYS = [
    "a%2Bb",
    "a&b",
    "a+b",
    "a//b",
    "a/1",
    "a/10",
    "a/2",
    "a/b/1",
    "a/b/2",
    "a0",
    "a<b>",
    "k k",
    "z",
    "é/ü",
    "é/\u2028",
    "😀",
]


@pytest.fixture(scope="module")
def clients(services: Services) -> Iterator[tuple[Any, Any]]:
    with s3_clients(services) as found:
        yield found


@pytest.fixture
def empty(clients: tuple[Any, Any]) -> Alike:
    return in_a_new_bucket(clients)


@pytest.fixture(scope="module")
def both(clients: tuple[Any, Any]) -> Alike:
    """A bucket with ``KEYS``, that no test changes."""
    found = in_a_new_bucket(clients)
    for key in reversed(KEYS):
        found.call("put_object", Key=key, Body=key.encode())
    return found


def keys(answer: Answer) -> list[str]:
    return [row["Key"] for row in answer.get("Contents", ())]


def folders(answer: Answer) -> list[str]:
    return [row["Prefix"] for row in answer.get("CommonPrefixes", ())]


def pages(both: Alike, **params: Any) -> list[Answer]:
    found = [both.call("list_objects_v2", **params)]
    while token := found[-1].get("NextContinuationToken"):
        found.append(both.call("list_objects_v2", **params, ContinuationToken=token))
    return found


def test_an_empty_bucket_lists_nothing(empty: Alike) -> None:
    answer = empty.call("list_objects_v2")

    assert (0, False) == (answer["KeyCount"], answer["IsTruncated"])
    assert "Contents" not in answer


def test_keys_come_in_the_order_of_their_bytes(both: Alike) -> None:
    assert KEYS == keys(both.call("list_objects_v2")) == sorted(KEYS, key=str.encode)


def test_keys_are_written_as_in_a_url_if_the_client_asks_for_it(both: Alike) -> None:
    """Botocore asks by itself, and then decodes; who asks for it gets what came."""
    listed = keys(both.call("list_objects_v2", EncodingType="url", Prefix="a"))

    assert ["a%252Bb", "a%26b", "a%2Bb", "a//b"] == listed[:4]
    assert [f"%C3%A9/{rest}" for rest in ("%C3%BC", "%E2%80%A8")] == keys(
        both.call("list_objects_v2", EncodingType="url", StartAfter="z", MaxKeys=2)
    )


def test_a_space_in_a_url_is_a_plus(both: Alike) -> None:
    """So S3 writes it; moto writes %20. Clients read both."""
    ours, theirs = both.apart("list_objects_v2", EncodingType="url", Prefix="k")

    assert (["k+k"], ["k%20k"]) == (keys(ours), keys(theirs))


@pytest.mark.parametrize("prefix", ["a", "a/", "a+", "a%2B", "é/", "a/b/1", "k ", "zz"])
def test_a_prefix_chooses(both: Alike, prefix: str) -> None:
    assert [key for key in KEYS if key.startswith(prefix)] == keys(
        both.call("list_objects_v2", Prefix=prefix)
    )


@pytest.mark.parametrize(
    ("prefix", "delimiter", "wanted"),
    [
        ("", "/", ["a/", "é/"]),
        ("a/", "/", ["a//", "a/b/"]),
        ("a", "/", ["a/"]),
        ("a/b", "/", ["a/b/"]),
        ("", "b", ["a%2Bb", "a&b", "a+b", "a//b", "a/b", "a<b"]),
        ("a", "b/", ["a/b/"]),
        ("z", "/", []),
        ("", "&", ["a&"]),
    ],
)
def test_a_delimiter_makes_folders(both: Alike, prefix: str, delimiter: str, wanted: list[str]) -> None:
    assert wanted == folders(both.call("list_objects_v2", Prefix=prefix, Delimiter=delimiter))


@pytest.mark.parametrize("after", ["a/1", "a/11", "a", "😀", "a//"])
def test_a_listing_starts_after_a_key(both: Alike, after: str) -> None:
    assert [key for key in KEYS if key > after] == keys(both.call("list_objects_v2", StartAfter=after))


@pytest.mark.parametrize("size", [1, 3, 7, len(KEYS), len(KEYS) + 1])
def test_pages_hold_everything_once(both: Alike, size: int) -> None:
    found = pages(both, MaxKeys=size)

    assert KEYS == [key for page in found for key in keys(page)]
    assert -(-len(KEYS) // size) == len(found)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_folder_is_on_one_page_only(both: Alike, size: int) -> None:
    found = pages(both, MaxKeys=size, Delimiter="/")

    assert ["a/", "é/"] == [name for page in found for name in folders(page)]
    assert [key for key in KEYS if "/" not in key] == [key for page in found for key in keys(page)]
    assert [size] * (len(found) - 1) == [page["KeyCount"] for page in found[:-1]]


def test_a_page_of_no_keys_is_the_last(both: Alike) -> None:
    answer = both.call("list_objects_v2", MaxKeys=0)

    assert (0, False) == (answer["KeyCount"], answer["IsTruncated"])


def test_an_empty_token_is_refused(both: Alike) -> None:
    assert "InvalidArgument" == both.call("list_objects_v2", ContinuationToken="")["Error"]


def test_more_than_a_thousand_keys_make_two_pages(empty: Alike) -> None:
    wanted = [f"{number:04}" for number in range(1001)]
    for key in wanted:
        empty.call("put_object", Key=key, Body=b"")

    assert [1000, 1] == [page["KeyCount"] for page in pages(empty)]


# --- unfinished uploads: moto does not sort them, and passes over every parameter but the prefix ---


def test_uploads_are_listed_by_key(empty: Alike) -> None:
    for key in ("u/1", "u/2", "v +&"):
        empty.call("create_multipart_upload", Key=key)

    assert ["u/1", "u/2", "v +&"] == uploads(empty.call("list_multipart_uploads"))
    for prefix, wanted in (("u/", ["u/1", "u/2"]), ("w", [])):
        ours, theirs = empty.apart("list_multipart_uploads", Prefix=prefix)  # moto does not repeat the prefix
        assert wanted == uploads(ours) == uploads(theirs)


def uploads(answer: Answer) -> list[str]:
    return [row["Key"] for row in answer.get("Uploads", ())]


@pytest.fixture
def upload_ids(empty: Alike) -> list[str]:
    """Of u/1, u/2, u/2 again, u/3/x and v, as the fake knows them."""
    return [begun(empty, key) for key in ("u/1", "u/2", "u/2", "u/3/x", "v")]


def test_uploads_are_sorted(empty: Alike) -> None:
    for key in ("b", "a"):
        begun(empty, key)

    assert ["a", "b"] == uploads(empty.fake("list_multipart_uploads"))


def begun(both: Alike, key: str) -> str:
    upload_id: str = both.fake("create_multipart_upload", Key=key)["UploadId"]
    return upload_id


def test_uploads_come_in_pages(empty: Alike, upload_ids: list[str]) -> None:
    found: list[tuple[str, str]] = []
    markers: dict[str, str] = {}
    while True:
        page = empty.fake("list_multipart_uploads", MaxUploads=2, **markers)
        found += [(row["Key"], row["UploadId"]) for row in page.get("Uploads", ())]
        if not page["IsTruncated"]:
            break
        markers = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    assert list(zip(("u/1", "u/2", "u/2", "u/3/x", "v"), upload_ids, strict=True)) == found


def test_uploads_after_a_key_are_those_of_later_keys(empty: Alike, upload_ids: list[str]) -> None:
    assert ["u/3/x", "v"] == uploads(empty.fake("list_multipart_uploads", KeyMarker="u/2"))
    after_the_first = {"KeyMarker": "u/2", "UploadIdMarker": upload_ids[1]}
    assert ["u/2", "u/3/x", "v"] == uploads(empty.fake("list_multipart_uploads", **after_the_first))


def test_uploads_have_folders(empty: Alike, upload_ids: list[str]) -> None:
    answer = empty.fake("list_multipart_uploads", Prefix="u/", Delimiter="/")

    assert (["u/1", "u/2", "u/2"], ["u/3/"]) == (uploads(answer), folders(answer))
