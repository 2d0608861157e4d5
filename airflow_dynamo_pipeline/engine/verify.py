"""A manifest against its files: every finding named, nothing written."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterable, Iterator, Sequence
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
    check = ExportCheck(manifest_uri, store)
    for entry in check.entries:
        check.add(*_file(entry, check.reading(entry.data_file_s3_key)))
    return check.result()


class ExportCheck:
    """One export being verified: its manifest, and what was found of its files so far.

    ``problems`` already has, to begin with, what is wrong with the manifest and the list of keys.
    """

    def __init__(self, manifest_uri: str, store: ObjectStore) -> None:
        """Read the manifest and list the files; raises NotFound and UnexpectedReply."""
        self._uri = manifest_uri
        self._store = store
        self.layout = layout_of(manifest_uri)
        self.summary, self.entries, self.problems = _manifest(self.layout, store)
        listed = {entry.data_file_s3_key for entry in self.entries}
        self.problems += [
            Problem(key, "is in data/ but not in the manifest", "another writer put it there; move it away")
            for key in store.keys(self.layout.data_prefix)
            if key not in listed
        ]
        self._stored_bytes = self._plain_bytes = 0
        self._lock = threading.Lock()

    def reading(self, key: str) -> FileReading:
        """Begin to read one file."""
        return FileReading(key, self.summary, self._store)

    def add(self, found: FoundFile, problems: Iterable[Problem]) -> None:
        """Take what was read of one file, and what is wrong with it."""
        with self._lock:
            self._stored_bytes += found.stored_bytes
            self._plain_bytes += found.plain_bytes
            self.problems += problems

    def result(self) -> VerifyResult:
        """What was found when all files are read; raises InvalidExport with all findings."""
        if not self.problems:
            self.problems = _figures(
                self.layout,
                self.summary,
                bytes=self._plain_bytes,
                storedBytes=self._stored_bytes,
                parts=len(self.entries),
            )
        if self.problems:
            raise InvalidExport(self._uri, sorted(self.problems, key=lambda problem: problem.where))
        return VerifyResult(
            manifest_uri=self._uri,
            item_count=self.summary.item_count,
            files=len(self.entries),
            stored_bytes=self._stored_bytes,
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
class FoundFile:
    """What was read of one file."""

    stored_bytes: int = 0
    plain_bytes: int = 0


def _file(entry: FileEntry, reading: FileReading) -> tuple[FoundFile, list[Problem]]:
    """Read one file, and what is wrong with it."""
    key, lines = reading.name, 0
    try:
        for chunk in reading.chunks():
            lines += chunk.count(b"\n")
    except NotFound:
        return FoundFile(), [missing_file(key)]
    except ValueError as problem:
        return reading.found, [Problem(key, f"cannot be decompressed: {problem}")]
    return reading.found, file_problems(entry, reading.checksum, lines)


def missing_file(key: str) -> Problem:
    """The finding about a file that is not there."""
    return Problem(key, "is in the manifest but not in the bucket")


def file_problems(entry: FileEntry, checksum: str, items: int) -> list[Problem]:
    """A file's MD5 and its number of items against the manifest."""
    key = entry.data_file_s3_key
    if checksum != entry.md5_checksum:
        return [Problem(key, f"its MD5 is {checksum}, the manifest says {entry.md5_checksum}")]
    if items != entry.item_count:
        return [Problem(key, f"it holds {items} items, the manifest says {entry.item_count}")]
    return []


def _compression(key: str, summary: Summary) -> str:
    """By our own key where there is one, else by the file's name, as native exports name theirs."""
    if summary.ours.compression in COMPRESSIONS:
        return summary.ours.compression
    return "gzip" if key.endswith(".gz") else "none"


class FileReading:
    """One file of an export on its way: decompressed, counted and hashed. A format's reader may read it."""

    def __init__(self, key: str, summary: Summary, store: ObjectStore) -> None:
        self.name = key
        self._store = store
        self._compression = COMPRESSIONS[_compression(key, summary)]
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._stored_bytes = self._plain_bytes = 0

    def chunks(self) -> Iterator[bytes]:
        """The content, once; raises NotFound, and ValueError when it is damaged."""
        for chunk in self._compression.decompress(self._stored()):
            self._plain_bytes += len(chunk)
            yield chunk

    def _stored(self) -> Iterator[bytes]:
        for chunk in self._store.read(self.name):
            self._stored_bytes += len(chunk)
            self._md5.update(chunk)
            yield chunk

    def size(self) -> int:
        """The stored size."""
        return self._store.size(self.name)

    def range(self, start: int, length: int) -> bytes:
        """Some of the stored bytes, not hashed."""
        return self._store.read_range(self.name, start, length)

    @property
    def found(self) -> FoundFile:
        """How much was read so far."""
        return FoundFile(self._stored_bytes, self._plain_bytes)

    @property
    def checksum(self) -> str:
        """The MD5 of the stored bytes read so far, in base64."""
        return base64.b64encode(self._md5.digest()).decode()
