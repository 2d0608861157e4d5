from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine import requests
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.manifest import checksum
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.verify import layout_of, verify_files
from airflow_dynamo_pipeline.errors import InvalidExport, InvalidSetting, NotFound, UnexpectedReply
from tests.unit.engine.world import NO_WAITING, World, data_keys, request


class Exported:
    """A finished export of ten items in five files, ready to be damaged."""

    def __init__(self, compression: str = "gzip", file_format: str = "dynamodb_json") -> None:
        self.store = MemoryStore()
        world = World(store=self.store)
        parts = {"segments": 1, "part_bytes": 100, "file_format": file_format}
        asked = request(units_per_second=NO_WAITING, compression=compression, **parts)
        self.result = world.export(asked)
        self.uri = self.result.manifest_uri
        self.layout = layout_of(self.uri)
        self.files = data_keys(self.store)

    def body(self, key: str) -> bytes:
        return self.store.objects[key].body

    def write(self, key: str, body: bytes) -> None:
        self.store.put(key, body)

    def findings(self) -> dict[str, str]:
        with pytest.raises(InvalidExport) as caught:
            verify_files(self.uri, self.store)
        assert self.uri == caught.value.manifest
        return {problem.where: problem.message for problem in caught.value.problems}


@pytest.fixture(params=["gzip", "none"])
def export(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Exported:
    monkeypatch.setattr(requests, "MIN_PART_BYTES", 1)
    return Exported(request.param)


def test_a_whole_export_is_found_whole_and_nothing_is_written(export: Exported) -> None:
    before = dict(export.store.objects)
    found = verify_files(export.uri, export.store)

    assert (10, 5, export.result.stored_bytes) == (found.item_count, found.files, found.stored_bytes)
    assert before == export.store.objects


def test_e6_a_missing_file_is_named(export: Exported) -> None:
    export.store.delete([export.files[1]])

    assert {export.files[1]: "is in the manifest but not in the bucket"} == export.findings()


def test_e6_an_extra_file_is_named(export: Exported) -> None:
    extra = export.layout.data_prefix + "extra.json"
    export.write(extra, b"")

    assert {extra: "is in data/ but not in the manifest"} == export.findings()


@pytest.mark.parametrize("left", [0, 1, 20, -1])
def test_e6_a_truncated_file_is_named(export: Exported, left: int) -> None:
    key = export.files[2]
    export.write(key, export.body(key)[:left])

    assert [key] == list(export.findings())


def test_e6_two_swapped_files_are_both_named(export: Exported) -> None:
    one, two = export.files[:2]
    first, second = export.body(one), export.body(two)
    export.write(one, second)
    export.write(two, first)

    assert {one, two} == set(export.findings())


def test_e6_any_flipped_bit_is_named(export: Exported) -> None:
    key = export.files[0]
    body = export.body(key)
    for at in range(len(body)):
        for bit in (0, 7):
            flipped = bytearray(body)
            flipped[at] ^= 1 << bit
            export.write(key, bytes(flipped))
            assert [key] == list(export.findings()), (at, bit)


def test_e6_bytes_added_to_a_file_are_found(export: Exported) -> None:
    key = export.files[0]
    export.write(key, export.body(key) + b"\n")

    assert [key] == list(export.findings())


def test_e6_all_findings_come_at_once(export: Exported) -> None:
    export.store.delete([export.files[0]])
    export.write(export.files[1], b"x")
    export.write(export.layout.data_prefix + "y", b"")

    assert {export.files[0], export.files[1], export.layout.data_prefix + "y"} == set(export.findings())


def drop_first_line(body: bytes) -> bytes:
    return b"".join(body.splitlines(keepends=True)[1:])


def double_first_line(body: bytes) -> bytes:
    return body.splitlines(keepends=True)[0] + body


def count_less(body: bytes) -> bytes:
    return body.replace(b'"itemCount":2', b'"itemCount":1', 1)


@pytest.mark.parametrize("edit", [drop_first_line, double_first_line, count_less])
@pytest.mark.parametrize("hidden", [False, True], ids=["", "with its checksum"])
def test_e6_an_edited_list_of_files_is_named(
    export: Exported, edit: Callable[[bytes], bytes], hidden: bool
) -> None:
    edited = edit(export.body(export.layout.files_key))
    export.write(export.layout.files_key, edited)
    if hidden:
        export.write(export.layout.files_checksum_key, checksum(edited))
    found = export.findings()

    assert "itemCount is 10" in found[export.layout.summary_key]
    assert hidden == (export.layout.files_key not in found)


def test_e6_counts_that_were_exchanged_name_both_files(export: Exported) -> None:
    lines = [json.loads(line) for line in export.body(export.layout.files_key).splitlines()]
    lines[0]["itemCount"], lines[1]["itemCount"] = 1, 3
    edited = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    export.write(export.layout.files_key, edited)
    export.write(export.layout.files_checksum_key, checksum(edited))

    assert {
        export.files[0]: "it holds 2 items, the manifest says 1",
        export.files[1]: "it holds 2 items, the manifest says 3",
    } == export.findings()


@pytest.mark.parametrize("key", ["summary_key", "files_key"])
def test_e6_an_edited_manifest_is_named_even_if_its_meaning_is_the_same(export: Exported, key: str) -> None:
    where = getattr(export.layout, key)
    export.write(where, export.body(where).replace(b'":', b'": '))

    assert "does not match" in export.findings()[where]


@pytest.mark.parametrize("key", ["summary_checksum_key", "files_checksum_key"])
def test_e6_a_missing_checksum_file_is_a_finding(export: Exported, key: str) -> None:
    export.store.delete([getattr(export.layout, key)])
    (where,) = export.findings()

    assert getattr(export.layout, key.replace("_checksum", "")) == where


def test_e6_a_manifest_cut_short_names_the_file(export: Exported) -> None:
    export.write(export.layout.files_key, export.body(export.layout.files_key)[:-9])

    with pytest.raises(UnexpectedReply, match=r"manifest-files\.json is not a list of parts"):
        verify_files(export.uri, export.store)


@pytest.mark.parametrize("key", ["summary_key", "files_key"])
def test_e3_without_its_manifest_an_export_is_refused(export: Exported, key: str) -> None:
    missing = getattr(export.layout, key)
    export.store.delete([missing])

    with pytest.raises(NotFound) as caught:
        verify_files(export.uri, export.store)
    assert f"{missing} is missing: the export was not committed" in str(caught.value)


def test_a_native_export_is_verified_by_the_names_of_its_files(export: Exported) -> None:
    summary = json.loads(export.body(export.layout.summary_key))
    del summary["airflowDynamoPipeline"]
    body = json.dumps(summary).encode()
    export.write(export.layout.summary_key, body)
    export.write(export.layout.summary_checksum_key, checksum(body) + b"\n")

    assert 10 == verify_files(export.uri, export.store).item_count


def test_the_uri_of_a_summary_gives_its_layout() -> None:
    place = ExportLayout(S3Location("b", "p/q"), "id")

    assert place == layout_of(place.manifest_uri)
    assert ExportLayout(S3Location("b", ""), "id") == layout_of("s3://b/AWSDynamoDB/id/manifest-summary.json")


@pytest.mark.parametrize(
    "uri",
    [
        "s3://b/AWSDynamoDB/id/",
        "s3://b/id/manifest-summary.json",
        "s3://b/manifest-summary.json",
        "b/p",
        "s3://",
    ],
)
def test_a_uri_that_is_no_summarys_is_refused(uri: str) -> None:
    with pytest.raises(InvalidSetting, match="manifest_uri is"):
        layout_of(uri)


def for_emr(monkeypatch: pytest.MonkeyPatch) -> tuple[Exported, str, dict[str, object]]:
    """An export for the EMR connector, the key of its list of files, and what that list says."""
    monkeypatch.setattr(requests, "MIN_PART_BYTES", 1)
    export = Exported(file_format="data_pipeline")
    key = export.layout.data_pipeline_manifest_key
    return export, key, json.loads(export.body(key))


def test_a_list_for_emr_that_a_json_tool_saved_is_the_same_list(monkeypatch: pytest.MonkeyPatch) -> None:
    export, key, listed = for_emr(monkeypatch)
    export.write(key, json.dumps(listed, indent=4).encode())

    assert 10 == verify_files(export.uri, export.store).item_count


def test_a_list_for_emr_of_another_bucket_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    export, key, listed = for_emr(monkeypatch)
    export.write(key, json.dumps(listed).replace("s3://backups/", "s3://original/").encode())

    assert {key: "its URLs are not of bucket backups"} == export.findings()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"entries":[{}]}', b"\xff", b'{"entries":7}'])
def test_a_list_for_emr_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    export, key, _ = for_emr(monkeypatch)
    export.write(key, body)

    assert export.findings()[key].startswith("is not a list of files")
