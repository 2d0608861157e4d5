"""The prefix that ImportTable is given, and what it is told of the files there."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.manifest import checksum
from airflow_dynamo_pipeline.engine.native_import import NativeImportRequest
from airflow_dynamo_pipeline.engine.native_import_source import NAMED, NativeSource, find_source
from airflow_dynamo_pipeline.errors import PreflightFailed

LINE = b'{"Item":{"id":{"S":"1"}}}\n'
ZSTD = b"\x28\xb5\x2f\xfd"  # how such a file begins; no test here reads on
EXPORT = "p/AWSDynamoDB/01-2"
TABLE: dict[str, Any] = {"AttributeDefinitions": [{}], "KeySchema": [{}]}


def found(objects: Mapping[str, bytes], uri: str = "s3://b/in", **settings: Any) -> NativeSource:
    store = MemoryStore()
    for key, body in objects.items():
        store.put(key, body)
    return find_source(request(uri, **settings), store, lambda _: None, lambda _: None)


def request(uri: str = "s3://b/in", **settings: Any) -> NativeImportRequest:
    given = {"table_name": "copy", "s3_uri": uri, "table_definition": TABLE}
    return NativeImportRequest.from_settings({**given, **settings})


def native_export(files: Mapping[str, bytes], output_format: str = "DYNAMODB_JSON") -> dict[str, bytes]:
    """A full export as DynamoDB writes it; one item is said to be in each file."""
    listed = b"".join(
        json.dumps(
            {
                "itemCount": 1,
                "md5Checksum": checksum(body).decode(),
                "etag": "",
                "dataFileS3Key": f"{EXPORT}/data/{name}",
            }
        ).encode()
        + b"\n"
        for name, body in files.items()
    )
    summary = {
        "version": "2020-06-30",
        "exportArn": "arn",
        "startTime": "2026-01-02T03:04:05.000Z",
        "endTime": "2026-01-02T03:04:05.000Z",
        "tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
        "s3Bucket": "b",
        "manifestFilesS3Key": f"{EXPORT}/manifest-files.json",
        "itemCount": len(files),
        "outputFormat": output_format,
    }
    return {
        f"{EXPORT}/manifest-summary.json": json.dumps(summary).encode(),
        f"{EXPORT}/manifest-files.json": listed,
        **{f"{EXPORT}/data/{name}": body for name, body in files.items()},
    }


@pytest.mark.parametrize(
    "uri", ["s3://b/p", f"s3://b/{EXPORT}", f"s3://b/{EXPORT}/manifest-summary.json"], ids=len
)
@pytest.mark.parametrize("output_format", ["DYNAMODB_JSON", "ION"])
def test_the_data_of_a_native_export_is_found_from_wherever_it_is_named(uri: str, output_format: str) -> None:
    zipped = gzip.compress(LINE)
    source = found(native_export({"a.json.gz": zipped, "b.json.gz": zipped}, output_format), uri)

    assert ("b", f"{EXPORT}/data/") == (source.location.bucket, source.location.prefix)
    assert (output_format, "GZIP", 2) == (source.input_format, source.compression, source.item_count)
    assert f"{EXPORT}/table-definition.json" == source.definition_key


@pytest.mark.parametrize(
    ("objects", "wanted"),
    [
        ({"in/a.json": LINE}, ("DYNAMODB_JSON", "NONE")),
        ({"in/a.json.gz": gzip.compress(LINE)}, ("DYNAMODB_JSON", "GZIP")),
        ({"in/a.csv": b"id\n1\n"}, ("CSV", "NONE")),
        ({"in/a.ion": b"$ion_1_0 {Item:{id:1}}"}, ("ION", "NONE")),
    ],
)
def test_format_and_compression_of_a_folder_are_told_by_its_files(
    objects: dict[str, bytes], wanted: tuple[str, str]
) -> None:
    source = found(objects)

    assert wanted == (source.input_format, source.compression)
    assert ("in/", None, None) == (source.location.prefix, source.item_count, source.definition_key)


def test_zstandard_is_told_by_how_a_file_begins() -> None:
    assert "ZSTD" == found({"in/a": ZSTD}, file_format="dynamodb_json").compression


def test_a_compression_that_is_asked_for_is_not_guessed() -> None:
    assert "GZIP" == found({"in/a": LINE}, compression="gzip").compression


def test_a_bucket_without_a_prefix_is_imported_as_a_whole() -> None:
    source = found({"a.json": LINE}, "s3://b")

    assert {"S3Bucket": "b"} == source.members(request())["S3BucketSource"]


def test_csv_options_go_with_csv_only() -> None:
    csv = found({"in/a.csv": b"1;2\n"}, csv_columns="id,n", csv_delimiter=";")
    asked = request(csv_columns="id,n", csv_delimiter=";")

    assert {"Csv": {"Delimiter": ";", "HeaderList": ["id", "n"]}} == csv.members(asked)["InputFormatOptions"]
    assert "InputFormatOptions" not in found({"in/a.csv": b"id\n"}).members(request())
    with pytest.raises(PreflightFailed, match=r"csv_columns, csv_delimiter: .*not of CSV"):
        found({"in/a.json": LINE}, csv_columns="id")


@pytest.mark.parametrize(
    ("extra", "where"),
    [("in/_SUCCESS", "in"), ("in/more/b.json", "in"), ("in/a.json.old", "in/a.json")],
    ids=["hidden", "folder", "longer name"],
)
def test_whatever_else_begins_with_the_prefix_is_refused(extra: str, where: str) -> None:
    with pytest.raises(PreflightFailed, match="1 files that are not of the backup") as caught:
        found({"in/a.json": LINE, extra: LINE}, f"s3://b/{where}")

    assert extra in str(caught.value)


def test_many_files_too_many_are_counted() -> None:
    strangers = {f"{EXPORT}/data/x{number:02}": LINE for number in range(NAMED + 3)}

    with pytest.raises(PreflightFailed, match=f"holds {NAMED + 3} files .* and 3 more"):
        found({**native_export({"a.json": LINE}), **strangers}, f"s3://b/{EXPORT}")


def test_an_export_without_files_is_refused() -> None:
    with pytest.raises(PreflightFailed, match="nothing to import"):
        found(native_export({}), f"s3://b/{EXPORT}")


def test_files_in_several_folders_are_refused() -> None:
    moved = {
        key.replace("data/b", "elsewhere/b"): body.replace(b"data/b", b"elsewhere/b")
        for key, body in native_export({"a.json": LINE, "b.json": LINE}).items()
    }

    with pytest.raises(PreflightFailed, match="do not lie in one folder"):
        found(moved, f"s3://b/{EXPORT}")


@pytest.mark.parametrize(
    ("body", "reader"),
    [(b'{"id":{"s":"1"}}\n', "data_pipeline"), (b'{"id":"1"}\n', "plain_json"), (b"PAR1", "parquet")],
)
def test_what_import_table_cannot_read_is_refused_with_what_can(body: bytes, reader: str) -> None:
    with pytest.raises(PreflightFailed, match=f"'{reader}'.*\nHINT: DynamoDBImportOperator"):
        found({"in/a": body})
