"""Backups of every generation, imported from where they lie: the table holds what the golden files say."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from airflow_dynamo_pipeline.errors import ImportRefused, InvalidExport
from tests.faults.any_items import meanings
from tests.faults.import_files import BUCKET, TABLE, Files, line, lines

Item = dict[str, Any]
TESTS = Path(__file__).parents[1]
GOLDEN = TESTS / "unit" / "formats" / "golden"
FULL = "01693685827463-2d8752fd"
WINDOW = "01693785600000-ac809da5"
ROOT = "nightly/AWSDynamoDB"
GENERATIONS = {
    "data_pipeline/all_lower": ("id", "N"),
    "data_pipeline/connector_4": ("str", "S"),
    "data_pipeline/connector_5": ("num", "N"),
    "data_pipeline/hive_connector": ("attr1", "S"),
    "data_pipeline/hive_guide": ("Name", "S"),
    "data_pipeline/hive_names": ("a:b,c", "N"),
    "data_pipeline/published": ("Id", "N"),
    "data_pipeline/upper": ("id", "N"),
    "dynamodb_json/native_full": ("pk", "S"),
    "dynamodb_json/own_export": ("id", "N"),
}


def golden(name: str) -> tuple[bytes, list[Any]]:
    """A file as it was stored, and what is in it, written by hand."""
    return (GOLDEN / f"{name}.lines").read_bytes(), json.loads((GOLDEN / f"{name}.items.json").read_text())


@pytest.mark.parametrize("file_format", ["auto", "named"])
@pytest.mark.parametrize("name", sorted(GENERATIONS))
def test_i9_a_folder_of_any_generation_is_imported(name: str, file_format: str) -> None:
    body, wanted = golden(name)
    key, tag = GENERATIONS[name]
    with_key = [item for item in wanted if tag in item.get(key, {})]
    files = Files(key=((key, tag),))
    files.put("000000_0", body)

    result = files.attempt(
        max_rejected=len(wanted) - len(with_key),
        file_format="auto" if file_format == "auto" else name.split("/", maxsplit=1)[0],
    ).result

    assert (len(wanted), len(with_key)) == (result.read, result.written)
    assert with_key
    assert meanings(with_key) == meanings(files.items)


# --- AWS Data Pipeline --------------------------------------------------------------------------


def data_pipeline_backup(folder: str, *, bucket: str, listed: int = 2) -> dict[str, bytes]:
    """Two files of a backup, one file that its manifest does not list, and what else lies there."""
    bodies = [b'{"id":{"n":"%d"},"v":{"s":"%d"}}\n' % (n, n) for n in range(3)]
    names = ["0e8e0c2c-6f1f-4a53-9d6f-3b0a4d1c2e5f", "7d1b9a50-12c4-4c8e-8f0e-5a6b7c8d9e0f", "orphan"]
    entries = ",\n".join(
        f'{{"url":"s3://{bucket}/{folder}/{name}","mandatory":true}}' for name in names[:listed]
    )
    manifest = f'{{"name":"DynamoDB-export","version":3,\n"entries": [\n{entries}\n]}}'
    return {
        **{f"{folder}/{name}": body for name, body in zip(names, bodies, strict=True)},
        f"{folder}/manifest": manifest.encode(),
        f"{folder}/_SUCCESS": b"",
    }


@pytest.mark.parametrize("end", ["", "/", "/manifest"])
def test_i9_a_data_pipeline_backup_that_was_copied_to_another_bucket_is_imported_without_orphans(
    end: str,
) -> None:
    files = Files(key=(("id", "N"),))
    for key, body in data_pipeline_backup("2019/01", bucket="long-gone").items():
        files.aws.s3.put(BUCKET, key, body)

    attempt = files.attempt(s3_uri=f"s3://{BUCKET}/2019/01{end}")

    assert 2 == attempt.result.written
    assert ["0", "1"] == sorted(item["id"]["N"] for item in files.items)


def test_i9_a_data_pipeline_backup_without_its_manifest_is_a_folder_of_files() -> None:
    files = Files(key=(("id", "N"),))
    for key, body in data_pipeline_backup("2019/01", bucket=BUCKET).items():
        if not key.endswith("manifest"):
            files.aws.s3.put(BUCKET, key, body)

    attempt = files.attempt(s3_uri=f"s3://{BUCKET}/2019/01")

    assert 3 == attempt.result.written


def test_i9_a_data_pipeline_backup_that_lacks_a_file_is_refused_by_its_name() -> None:
    files = Files(key=(("id", "N"),))
    backup = data_pipeline_backup("2019/01", bucket=BUCKET, listed=3)
    del backup["2019/01/orphan"]
    for key, body in backup.items():
        files.aws.s3.put(BUCKET, key, body)

    attempt = files.attempt(s3_uri=f"s3://{BUCKET}/2019/01")

    assert any("orphan" in message for _, message in attempt.findings)
    assert [] == attempt.writes


# --- DynamoDB's own exports ---------------------------------------------------------------------


def md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def native(files: Files, export_id: str, bodies: list[tuple[bytes, int]], **summary: Any) -> str:
    """Put an export there as DynamoDB leaves it, with its sums; returns the URI of its summary."""
    folder = f"{ROOT}/{export_id}"
    entries = []
    for number, (body, count) in enumerate(bodies):
        key = f"{folder}/data/asdl{number}.json.gz"
        files.aws.s3.put(BUCKET, key, body)
        entries.append(
            {"itemCount": count, "md5Checksum": md5(body), "etag": f"{number}-1", "dataFileS3Key": key}
        )
    told = {
        "version": "2020-06-30",
        "exportArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/orders/export/{export_id}",
        "startTime": "2023-09-03T00:17:07.463Z",
        "endTime": "2023-09-03T00:22:30.120Z",
        "tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
        "tableId": "b116b490-6460-4d4a-9a6b-5d360abf4fb3",
        "exportTime": "2023-09-03T00:00:00.028Z",
        "s3Bucket": BUCKET,
        "s3Prefix": "nightly",
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{folder}/manifest-files.json",
        "billedSizeBytes": 1234,
        "itemCount": sum(count for _, count in bodies),
        "outputFormat": "DYNAMODB_JSON",
        **summary,
    }
    told = {name: value for name, value in told.items() if value != "absent"}
    listed = "".join(json.dumps(entry) + "\n" for entry in entries).encode()
    for name, body in (("manifest-files", listed), ("manifest-summary", json.dumps(told).encode())):
        files.aws.s3.put(BUCKET, f"{folder}/{name}.json", body)
        files.aws.s3.put(BUCKET, f"{folder}/{name}.md5", md5(body).encode())
    files.aws.s3.put(BUCKET, f"{folder}/_started", b"")
    return f"s3://{BUCKET}/{folder}/manifest-summary.json"


CHANGES: Item = {
    "version": "2023-08-01",
    "exportTime": "absent",
    "exportFromTime": "2023-09-03T00:00:00.000Z",
    "exportToTime": "2023-09-04T00:00:00.000Z",
    "outputView": "NEW_AND_OLD_IMAGES",
    "exportType": "INCREMENTAL_EXPORT",
}


@pytest.mark.parametrize("place", ["manifest", "folder", "root"])
def test_i9_a_native_full_export_is_imported_with_its_sums_checked(place: str) -> None:
    files = Files()
    body, wanted = golden("dynamodb_json/native_full")
    more = lines([{"pk": {"S": "another file"}}])
    uri = native(files, FULL, [(gzip.compress(body), len(wanted)), (gzip.compress(more), 1)])
    uri = {"manifest": uri, "folder": uri.rpartition("/")[0], "root": f"s3://{BUCKET}/nightly"}[place]

    attempt = files.attempt(s3_uri=uri)

    assert len(wanted) + 1 == attempt.result.written
    assert meanings([*wanted, {"pk": {"S": "another file"}}]) == meanings(files.items)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        pytest.param(
            lambda body: gzip.compress(gzip.decompress(body) + b"\n", mtime=1), "its MD5 is", id="sum"
        ),
        pytest.param(lambda body: body[:-20], "", id="cut"),
    ],
)
def test_i9_a_native_export_whose_file_was_changed_fails_by_its_name(edit: Any, said: str) -> None:
    files = Files()
    body, wanted = golden("dynamodb_json/native_full")
    uri = native(files, FULL, [(gzip.compress(body), len(wanted))])
    key = f"{ROOT}/{FULL}/data/asdl0.json.gz"
    files.aws.s3.put(BUCKET, key, edit(files.aws.s3.get(BUCKET, key)))

    attempt = files.attempt(s3_uri=uri)

    assert isinstance(attempt.error, InvalidExport | ImportRefused)
    assert key in str(attempt.error)
    assert said in str(attempt.error)


def test_i9_a_native_export_that_holds_less_than_its_manifest_says_fails_by_its_file() -> None:
    files = Files()
    body, wanted = golden("dynamodb_json/native_full")
    uri = native(files, FULL, [(gzip.compress(body), len(wanted) + 1)])

    attempt = files.attempt(s3_uri=uri)

    assert isinstance(attempt.error, InvalidExport)
    assert f"it holds {len(wanted)} items, the manifest says {len(wanted) + 1}" in str(attempt.error)


def test_i9_a_full_export_and_the_changes_after_it_give_the_table_of_the_later_moment() -> None:
    files = Files(key=(("PK", "S"),))
    before: list[Item] = [
        {"PK": {"S": "CUST#100"}, "FirstName": {"S": "Old"}},
        {"PK": {"S": "CUST#300"}, "FirstName": {"S": "Jose"}},
        {"PK": {"S": "CUST#500"}},
    ]
    changes, wanted = golden("incremental/native")
    changes = b"".join(changes.splitlines(keepends=True)[:3])  # the fourth is of a table with a sort key
    base = native(files, FULL, [(gzip.compress(lines(before)), 3)])
    window = native(files, WINDOW, [(gzip.compress(changes), 3)], **CHANGES)

    result = files.attempt(s3_uri=[base, window]).result

    assert (6, 6) == (result.read, result.written)
    puts = [change["put"] for change in wanted[:3] if "put" in change]
    assert meanings([*puts, before[2]]) == meanings(files.items)


def test_i9_changes_alone_are_applied_to_the_table_they_follow_on() -> None:
    files = Files(key=(("PK", "S"), ("SK", "N")))
    files.aws.dynamodb.put_items(TABLE, [{"PK": {"S": "CUST#400"}, "SK": {"N": n}} for n in ("6", "7")])
    changes, _ = golden("incremental/native")
    window = native(files, WINDOW, [(gzip.compress(changes.splitlines(keepends=True)[3]), 1)], **CHANGES)

    result = files.attempt(s3_uri=window, changes_from=datetime(2023, 9, 3, tzinfo=UTC)).result

    assert (1, 1) == (result.read, result.written)
    assert ["6"] == [item["SK"]["N"] for item in files.items]


def test_i9_a_native_export_in_ion_is_imported() -> None:
    files = Files(key=(("Id", "N"),))
    body = (TESTS / "golden" / "native_export.ion").read_bytes()
    uri = native(files, FULL, [(gzip.compress(body), 2)], outputFormat="ION")

    result = files.attempt(s3_uri=uri).result

    assert 2 == result.written
    book, other = sorted(files.items, key=lambda item: int(item["Id"]["N"]))
    assert ({"N": "2000.5"}, {"BOOL": False}) == (book["Price"], book["InPublication"])
    assert {"NULL": True} == other["Gone"]
    wanted = {"Big": {"N": "12345678901234567890123456789012345678"}, "Note": {"S": 'line\nquote" é 😀'}}
    assert wanted == {name: other[name] for name in wanted}
    assert meanings([{"w": {"NS": ["1.5", "-20"]}}]) == meanings([{"w": other["Weights"]}])


# --- files that do not describe themselves ------------------------------------------------------

DECLARED: Item = {
    "id": "N",
    "name": "S",
    "price": "N",
    "tags": "SS",
    "extra": "M",
    "note": {"name": "remark", "type": "S"},
}
ROWS: list[Item] = [
    {
        "id": {"N": "1"},
        "name": {"S": 'Smith, "Jo"'},
        "price": {"N": "1.50"},
        "tags": {"SS": ["a", "b"]},
        "extra": {"M": {"n": {"N": "1.0"}}},
    },
    {"id": {"N": "2"}, "price": {"N": "-1E-130"}, "remark": {"S": "é"}, "name": {"S": "two lines"}},
]


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_i9_csv_with_declared_columns_is_imported(compression: str) -> None:
    text = (
        (TESTS / "golden" / "quoted.csv").read_bytes().replace(b"two\r\n", b"two ").replace(b"two\n", b"two ")
    )
    packers: dict[str, Callable[[bytes], bytes]] = {
        "none": bytes,
        "gzip": gzip.compress,
        "zstd": zstandard.ZstdCompressor().compress,
    }
    files = Files(key=(("id", "N"),))
    files.put("customers.csv", packers[compression](text))

    attempt = files.attempt(attributes=json.dumps(DECLARED))

    assert 2 == attempt.result.written
    assert meanings(ROWS) == meanings(files.items)


def test_i9_plain_json_with_declared_attributes_is_imported() -> None:
    files = Files(key=(("id", "N"),))
    files.put(
        "rows.jsonl",
        b'{"id":1,"name":"Smith, \\"Jo\\"","price":1.50,"tags":["a","b"],"extra":{"n":1.0}}\n'
        b'{"id":2,"name":"two lines","price":-1E-130,"note":"\xc3\xa9"}\n',
    )

    attempt = files.attempt(file_format="plain_json", attributes=DECLARED)

    assert 2 == attempt.result.written
    assert meanings(ROWS) == meanings(files.items)


def test_i9_parquet_is_imported() -> None:
    table = pa.table(
        {
            "id": pa.array([1, 2], pa.int64()),
            "name": ['Smith, "Jo"', "two lines"],
            "price": ["1.50", "-1E-130"],
            "tags": [["a", "b"], None],
            "note": [None, "é"],
        }
    )
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    files = Files(key=(("id", "N"),))
    files.put("part-0.parquet", sink.getvalue())
    declared = {name: what for name, what in DECLARED.items() if name != "extra"}

    attempt = files.attempt(attributes=declared)

    assert 2 == attempt.result.written
    assert meanings([{k: v for k, v in row.items() if k != "extra"} for row in ROWS]) == meanings(files.items)


@pytest.mark.parametrize("name", ["rows.csv", "part.parquet"])
def test_i9_what_does_not_describe_itself_is_refused_before_the_first_write_without_a_declaration(
    name: str,
) -> None:
    files = Files(key=(("id", "N"),))
    files.put(name, b"id\n1\n" if name.endswith("csv") else b"PAR1 and no more PAR1")

    attempt = files.attempt()

    assert attempt.findings
    assert [] == attempt.writes


# --- whether it can be begun at all -------------------------------------------------------------


def findings(files: Files, **settings: Any) -> list[tuple[str, str]]:
    attempt = files.attempt(**settings)
    assert [] == attempt.writes
    assert [] == files.rejects()
    return attempt.findings


def prepared(**table: Any) -> Files:
    files = Files(**table)
    files.put("part-1", line({"pk": {"S": "a"}, "ttl": {"N": "1"}}))
    return files


def test_a_table_with_another_key_is_refused_with_both_keys() -> None:
    ((where, message),) = findings(prepared(key=(("id", "N"), ("sk", "S"))))

    assert "table_name" == where
    assert "table copy has the key id (N), sk (S), and none of the first 1 items has it" in message


def test_a_key_of_another_type_is_refused_likewise() -> None:
    ((_, message),) = findings(prepared(key=(("pk", "N"),)))

    assert "table copy has the key pk (N), and none of the first 1 items has it" in message


def test_a_table_that_is_not_there_and_a_folder_without_files_are_both_named() -> None:
    found = findings(Files(), table_name="gone", s3_uri=f"s3://{BUCKET}/nothing")

    assert ["table_name", "s3_uri"] == [where for where, _ in found]
    assert "no such table: gone" in found[0][1]


@pytest.mark.parametrize(
    ("settings", "tags", "said"),
    [
        ({"DeletionProtectionEnabled": True}, {}, "is protected against deletion"),
        ({}, {"env": "Production"}, "has the tag env=Production"),
        ({}, {"prod": "true"}, "has the tag prod=true"),
    ],
)
def test_a_protected_table_is_refused_unless_it_is_allowed(
    settings: Item, tags: dict[str, str], said: str
) -> None:
    told = [{"Key": name, "Value": value} for name, value in tags.items()]
    files = prepared(table_settings={**settings, **({"Tags": told} if told else {})})

    ((where, message),) = findings(files)

    assert "table_name" == where
    assert said in message
    assert 1 == files.attempt(allow_protected=True).result.written


def test_every_finding_is_named_at_once() -> None:
    files = prepared(
        key=(("id", "N"),),
        table_settings={"DeletionProtectionEnabled": True, "Tags": [{"Key": "stage", "Value": "live"}]},
    )

    found = findings(files, rejects_s3_uri="s3://no-such-bucket/rejects")

    wanted = ["protected against deletion", "tag stage=live", "has the key id (N)", "no-such-bucket"]
    assert len(wanted) == len(found), found
    for part, (_, message) in zip(wanted, found, strict=True):
        assert part in message


def test_changes_can_only_overwrite() -> None:
    files = Files(key=(("PK", "S"),))
    changes, _ = golden("incremental/native")
    window = native(files, WINDOW, [(gzip.compress(changes), 4)], **CHANGES)

    found = findings(
        files, s3_uri=window, changes_from="2023-09-03T00:00:00Z", on_conflict="skip", max_rejected=1
    )

    assert [("on_conflict", "'skip' cannot be used with incremental exports")] == found


def test_a_stream_and_a_time_to_live_are_warned_of() -> None:
    stream = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}}
    files = prepared(table_settings=stream)
    expiring(files)

    attempt = files.attempt()

    assert 1 == attempt.result.written
    assert any(
        "table copy has a stream: every item written is a record in it" in one for one in attempt.warned
    )
    assert any("table copy expires items by ttl" in one and "are imported" in one for one in attempt.warned)


def expiring(files: Files) -> None:
    client_call = {"TableName": TABLE, "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "ttl"}}
    with files.aws.door() as door:
        door.client("dynamodb").update_time_to_live(**client_call)


@pytest.mark.parametrize(("expired_items", "kept"), [("keep", 5), ("drop", 3)])
def test_expired_items_are_kept_or_dropped_and_counted(expired_items: str, kept: int) -> None:
    now = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())
    files = Files()
    expiring(files)
    values = [
        {"N": str(now - 10)}, {"N": str(now - 86400 * 300)}, {"N": str(now + 3600)},
        {"N": str(now - 86400 * 365 * 6)}, {"S": str(now - 10)},
    ]  # fmt: skip
    files.put("part-1", lines([{"pk": {"S": str(n)}, "ttl": value} for n, value in enumerate(values)]))

    result = files.attempt(expired_items=expired_items).result

    assert (5, kept, 5 - kept, 2) == (result.read, result.written, result.skipped, result.expired)
    assert ["2", "3", "4"] == [item["pk"]["S"] for item in files.items][-3:]
    assert kept == len(files.items)
