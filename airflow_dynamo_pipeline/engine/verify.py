"""A manifest against its files: every finding named, nothing written."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import msgspec

from airflow_dynamo_pipeline.engine.layout import ROOT, ExportLayout
from airflow_dynamo_pipeline.engine.manifest import (
    FileEntry,
    Summary,
    checksum,
    decode_files,
    decode_summary,
)
from airflow_dynamo_pipeline.engine.ports import JsonObject, ObjectStore
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import InvalidExport, InvalidSetting, NotFound, Problem
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS

SUMMARY_NAME = "manifest-summary.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyResult:
    """What was compared and found equal."""

    manifest_uri: str
    item_count: int
    files: int
    stored_bytes: int

    def to_json(self) -> JsonObject:
        """The result as a JSON object."""
        return asdict(self)


def layout_of(manifest_uri: str) -> ExportLayout:
    """The layout of the export whose ``manifest-summary.json`` this is; raises InvalidSetting."""
    location = S3Location.parse(manifest_uri, "manifest_uri")
    names = location.prefix.split("/")
    if len(names) < 3 or names[-1] != SUMMARY_NAME or names[-3] != ROOT:  # noqa: PLR2004  root, id, file
        raise InvalidSetting(
            "manifest_uri", manifest_uri, f"s3://bucket/prefix/{ROOT}/<export-id>/{SUMMARY_NAME}"
        )
    return ExportLayout(S3Location(location.bucket, "/".join(names[:-3])), names[-2])


def verify_files(manifest_uri: str, store: ObjectStore) -> VerifyResult:
    """Read every file the manifest lists and compare checksum and item count.

    Finds missing, extra, truncated, swapped and changed files and edited manifests. Streams: memory
    does not grow with the files. Raises NotFound without a manifest, InvalidExport with all findings.
    """
    layout = layout_of(manifest_uri)
    summary, entries, problems = _manifest(layout, store)
    listed = {entry.data_file_s3_key for entry in entries}
    problems += [
        Problem(key, "is in data/ but not in the manifest", "another writer put it there; move it away")
        for key in store.keys(layout.data_prefix)
        if key not in listed
    ]
    stored_bytes = plain_bytes = 0
    for entry in entries:
        found, problem = _file(entry, summary, store)
        stored_bytes += found.stored_bytes
        plain_bytes += found.plain_bytes
        problems += [problem] if problem else []
    if not problems:
        problems = _figures(layout, summary, bytes=plain_bytes, storedBytes=stored_bytes, parts=len(entries))
    if problems:
        raise InvalidExport(manifest_uri, problems)
    return VerifyResult(
        manifest_uri=manifest_uri,
        item_count=summary.item_count,
        files=len(entries),
        stored_bytes=stored_bytes,
    )


def _manifest(layout: ExportLayout, store: ObjectStore) -> tuple[Summary, list[FileEntry], list[Problem]]:
    body = _required(store, layout.summary_key, layout)
    files = _required(store, layout.files_key, layout)
    summary = decode_summary(body, layout.summary_key)
    entries = list(decode_files(files, layout.files_key))
    problems = [
        Problem(
            name, f"its checksum file {checksum_key} does not match", "the manifest was edited or is damaged"
        )
        for name, checksum_key, content in (
            (layout.summary_key, layout.summary_checksum_key, body),
            (layout.files_key, layout.files_checksum_key, files),
        )
        if not _matches(store, checksum_key, content)
    ]
    total = sum(entry.item_count for entry in entries)
    if total != summary.item_count:
        problems.append(
            Problem(layout.summary_key, f"itemCount is {summary.item_count}, its files list {total}")
        )
    if summary.manifest_files_s3_key != layout.files_key:
        problems.append(
            Problem(
                layout.summary_key, f"manifestFilesS3Key is {summary.manifest_files_s3_key}, not beside it"
            )
        )
    if summary.ours.file_format == "data_pipeline":
        problems += _connector_manifest(layout, entries, store)
    return summary, entries, problems


def _connector_manifest(
    layout: ExportLayout, entries: Sequence[FileEntry], store: ObjectStore
) -> list[Problem]:
    """The EMR connector's list of files has no checksum of its own, but names the same files."""
    key = layout.data_pipeline_manifest_key
    found = store.get(key)
    wanted = [f"s3://{layout.location.bucket}/{entry.data_file_s3_key}" for entry in entries]
    if found is None:
        return [Problem(key, "is missing: an EMR import would not find the files")]
    try:
        listed = [str(entry["url"]) for entry in msgspec.json.decode(found.body)["entries"]]
    except (msgspec.DecodeError, UnicodeError, LookupError, TypeError) as problem:
        return [Problem(key, f"is not a list of files: {problem!r}", "it was edited or is damaged")]
    if listed == wanted:
        return []
    if [urlsplit(url).path for url in listed] == [urlsplit(url).path for url in wanted]:
        hint = "the export was copied: write the new bucket into the URLs, or an EMR import reads the old one"
        return [Problem(key, f"its URLs are not of bucket {layout.location.bucket}", hint)]
    return [Problem(key, f"lists other files than {layout.files_key}", "it was edited or is damaged")]


def _figures(layout: ExportLayout, summary: Summary, **counted: int) -> list[Problem]:
    """Our own figures against the files; a native summary has none."""
    if not summary.ours.file_format:
        return []
    said = msgspec.to_builtins(summary.ours)
    return [
        Problem(layout.summary_key, f"{name} is {said[name]}, its files have {count}")
        for name, count in counted.items()
        if said[name] != count
    ]


def _required(store: ObjectStore, key: str, layout: ExportLayout) -> bytes:
    found = store.get(key)
    if found is None:
        hint = f"{key} is missing: the export was not committed, or is not there"
        raise NotFound("export", layout.manifest_uri, hint)
    return found.body


def _matches(store: ObjectStore, key: str, content: bytes) -> bool:
    found = store.get(key)
    return found is not None and found.body.strip() == checksum(content)


@dataclass(frozen=True, slots=True)
class _Found:
    """What was read of one file."""

    stored_bytes: int = 0
    plain_bytes: int = 0


def _file(entry: FileEntry, summary: Summary, store: ObjectStore) -> tuple[_Found, Problem | None]:
    """Read one file, and what is wrong with it."""
    key = entry.data_file_s3_key
    reading = _Reading(store.read(key))
    lines = plain_bytes = 0
    try:
        for chunk in COMPRESSIONS[_compression(key, summary)].decompress(reading):
            lines += chunk.count(b"\n")
            plain_bytes += len(chunk)
    except NotFound:
        return _Found(), Problem(key, "is in the manifest but not in the bucket")
    except ValueError as problem:
        return _Found(reading.size), Problem(key, f"cannot be decompressed: {problem}")
    found = _Found(reading.size, plain_bytes)
    if reading.checksum != entry.md5_checksum:
        text = f"its MD5 is {reading.checksum}, the manifest says {entry.md5_checksum}"
        return found, Problem(key, text)
    if lines != entry.item_count:
        return found, Problem(key, f"it holds {lines} items, the manifest says {entry.item_count}")
    return found, None


def _compression(key: str, summary: Summary) -> str:
    """By our own key where there is one, else by the file's name, as native exports name theirs."""
    if summary.ours.compression in COMPRESSIONS:
        return summary.ours.compression
    return "gzip" if key.endswith(".gz") else "none"


class _Reading:
    """Counts and hashes chunks on their way."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            self._md5.update(chunk)
            yield chunk

    @property
    def checksum(self) -> str:
        return base64.b64encode(self._md5.digest()).decode()
