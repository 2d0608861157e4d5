from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.manifest import (
    FileEntry,
    OurPart,
    Summary,
    checksum,
    decode_files,
    decode_summary,
    encode_files,
    in_order,
    read_summary,
)
from airflow_dynamo_pipeline.engine.records import Part
from airflow_dynamo_pipeline.errors import UnexpectedReply, UnknownVersion
from tests.unit.engine.world import TABLE_ARN, layout

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
OURS = OurPart(
    package_version="1",
    generation="2",
    file_format="dynamodb_json",
    compression="gzip",
    segments=4,
    parts=2,
    consumed_units=3.5,
    first_page_at=AT,
)
SUMMARY = Summary(
    version="2020-06-30",
    start_time=AT,
    end_time=AT + timedelta(minutes=2),
    table_arn=TABLE_ARN,
    table_id="0a1b",
    export_time=AT,
    s3_bucket="backups",
    s3_prefix="daily",
    manifest_files_s3_key="daily/AWSDynamoDB/x/manifest-files.json",
    item_count=12,
    output_format="DYNAMODB_JSON",
    ours=OURS,
)
NATIVE = b"""{"version":"2020-06-30","exportArn":"arn:aws:dynamodb:us-east-1:1:table/t/export/0-a",
"startTime":"2020-11-04T07:28:34.028Z","endTime":"2020-11-04T07:33:43.897Z",
"tableArn":"arn:aws:dynamodb:us-east-1:1:table/t","tableId":"12345a12","exportTime":"2020-11-04T07:28:34.028Z",
"s3Bucket":"ddb","s3Prefix":null,"s3SseAlgorithm":"AES256","s3SseKmsKeyId":null,
"manifestFilesS3Key":"AWSDynamoDB/0-a/manifest-files.json","billedSizeBytes":0,"itemCount":8,
"outputFormat":"DYNAMODB_JSON","exportType":"FULL_EXPORT"}"""


def part(key: str, count: int = 3) -> Part:
    return Part(key=key, item_count=count, bytes=30, stored_bytes=20, md5="bWQ1", etag='"e-1"')


def test_the_summary_has_the_keys_of_a_native_export() -> None:
    assert {
        "version": "2020-06-30",
        "startTime": "2026-01-02T03:04:05.678000Z",
        "endTime": "2026-01-02T03:06:05.678000Z",
        "tableArn": TABLE_ARN,
        "tableId": "0a1b",
        "exportTime": "2026-01-02T03:04:05.678000Z",
        "s3Bucket": "backups",
        "s3Prefix": "daily",
        "manifestFilesS3Key": "daily/AWSDynamoDB/x/manifest-files.json",
        "itemCount": 12,
        "outputFormat": "DYNAMODB_JSON",
    } == {key: value for key, value in json.loads(SUMMARY.to_json()).items() if not key.startswith("airflow")}


def test_what_has_no_value_and_what_only_aws_can_fill_is_absent() -> None:
    written = json.loads(SUMMARY.to_json())

    assert not {"exportArn", "s3SseAlgorithm", "s3SseKmsKeyId", "billedSizeBytes"} & set(written)


def test_our_own_keys_stand_under_one_of_their_own() -> None:
    ours = json.loads(SUMMARY.to_json())["airflowDynamoPipeline"]

    assert (1, "2", 4, 3.5) == (ours["version"], ours["generation"], ours["segments"], ours["consumedUnits"])
    assert {"unitsPerSecondAsked", "unitsPerSecondHeld", "firstPageAt", "lastPageAt", "lossless"} <= set(ours)


def test_a_summary_read_back_is_the_summary_written() -> None:
    assert SUMMARY == decode_summary(SUMMARY.to_json(), "key")


def test_a_native_summary_is_read_with_an_empty_prefix() -> None:
    found = decode_summary(NATIVE.replace(b'"s3Prefix":null', b'"s3Prefix":""'), "key")

    assert (8, "ddb", "") == (found.item_count, found.s3_bucket, found.ours.generation)


def test_a_newer_version_is_refused() -> None:
    body = SUMMARY.to_json().replace(
        b'"airflowDynamoPipeline":{"version":1', b'"airflowDynamoPipeline":{"version":2'
    )

    with pytest.raises(UnknownVersion, match="key has version 2; this package reads up to 1"):
        decode_summary(body, "key")


def test_a_newer_version_is_refused_before_its_other_keys_are_read() -> None:
    body = SUMMARY.to_json().replace(
        b'"airflowDynamoPipeline":{"version":1', b'"airflowDynamoPipeline":{"version":2,"parts":["a"],"x":1'
    )
    body = body.replace(b',"parts":2', b"")

    with pytest.raises(UnknownVersion, match="key has version 2"):
        decode_summary(body, "key")


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff", SUMMARY.to_json()[:-20]])
def test_what_is_no_summary_names_the_key(body: bytes) -> None:
    with pytest.raises(UnexpectedReply, match="the/key is not a manifest summary"):
        decode_summary(body, "the/key")


def test_each_part_is_one_line_with_the_native_keys() -> None:
    body = encode_files([part("a"), part("b", 4)])

    assert [
        {"itemCount": 3, "md5Checksum": "bWQ1", "etag": "e-1", "dataFileS3Key": "a"},
        {"itemCount": 4, "md5Checksum": "bWQ1", "etag": "e-1", "dataFileS3Key": "b"},
    ] == [json.loads(line) for line in body.splitlines()]
    assert body.endswith(b"\n")


def test_the_list_of_parts_read_back_is_the_list_written() -> None:
    parts = [part("a"), part("b", 4)]

    assert [FileEntry.of(one) for one in parts] == list(decode_files(encode_files(parts), "key"))


def test_an_export_without_items_lists_no_parts() -> None:
    assert [] == list(decode_files(encode_files([]), "key"))


def test_what_is_no_list_of_parts_names_the_key() -> None:
    with pytest.raises(UnexpectedReply, match="the/key is not a list of parts"):
        decode_files(encode_files([part("a")])[:-9], "the/key")


def test_a_checksum_is_the_md5_in_base64() -> None:
    assert hashlib.md5(b"x").digest() == base64.b64decode(checksum(b"x"))


def test_parts_are_listed_by_segment_and_number() -> None:
    place = layout()
    keys = [place.part_key(segment, number, "a", ".gz") for segment in (0, 1, 11) for number in (0, 2, 10)]

    assert keys == [one.key for one in in_order(part(key) for key in reversed(keys))]


def test_an_export_that_is_not_committed_has_no_summary() -> None:
    store = MemoryStore()

    assert read_summary(store, layout()) is None
    store.put(layout().summary_key, SUMMARY.to_json())
    assert SUMMARY == read_summary(store, layout())
