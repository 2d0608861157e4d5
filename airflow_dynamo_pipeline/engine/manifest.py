"""The manifest makes an export real: it lists every part, and is written last.

Its two files carry the keys of a native DynamoDB export, so that what reads those reads ours.
What only AWS can fill is absent. Our own keys stand under ``airflowDynamoPipeline``.
Source of the native keys: "DynamoDB table export output format", Amazon DynamoDB Developer Guide.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.ports import ObjectStore
from airflow_dynamo_pipeline.engine.records import Part
from airflow_dynamo_pipeline.errors import UnexpectedReply, UnknownVersion
from airflow_dynamo_pipeline.formats.data_pipeline import manifest_v3

NATIVE_VERSION = "2020-06-30"
OUR_VERSION = 1


class OurPart(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a native summary has no key for."""

    version: int = OUR_VERSION
    package_version: str = ""
    generation: str = ""
    file_format: str = ""
    compression: str = ""
    lossless: bool = True
    index_name: str | None = None
    filtered: bool = False
    segments: int = 0
    parts: int = 0
    bytes: int = 0
    stored_bytes: int = 0
    scanned_count: int = 0
    consumed_units: float = 0.0
    units_per_second_asked: float = 0.0
    units_per_second_held: float = 0.0  # by the attempt that committed
    first_page_at: datetime | None = None
    last_page_at: datetime | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``manifest-summary.json``."""

    version: str
    start_time: datetime
    end_time: datetime
    table_arn: str
    table_id: str | None = None
    export_time: datetime | None = None
    export_type: str | None = None  # this and the two times below: of a native incremental export
    export_from_time: datetime | None = None
    export_to_time: datetime | None = None
    s3_bucket: str
    s3_prefix: str | None = None
    s3_sse_algorithm: str | None = None
    s3_sse_kms_key_id: str | None = None
    manifest_files_s3_key: str
    billed_size_bytes: int | None = None  # of a native export
    item_count: int
    output_format: str
    ours: OurPart = msgspec.field(name="airflowDynamoPipeline", default_factory=OurPart)

    def to_json(self) -> bytes:
        """The body of the file; keys without a value are absent."""
        return msgspec.json.encode(self)


class _Version(msgspec.Struct):
    version: int = OUR_VERSION


class _Versioned(msgspec.Struct):
    """What is read first: the version of our part, whatever else a newer package put there."""

    ours: _Version = msgspec.field(name="airflowDynamoPipeline", default_factory=_Version)


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of ``manifest-files.json``."""

    item_count: int
    md5_checksum: str
    etag: str
    data_file_s3_key: str

    @classmethod
    def of(cls, part: Part) -> FileEntry:
        """The entry of a part."""
        return cls(
            item_count=part.item_count,
            md5_checksum=part.md5,
            etag=part.etag.strip('"'),
            data_file_s3_key=part.key,
        )


def encode_files(parts: Iterable[Part]) -> bytes:
    """The body of ``manifest-files.json``: one JSON object a line."""
    return msgspec.json.Encoder().encode_lines([FileEntry.of(part) for part in parts])


def connector_manifest(bucket: str, keys: Iterable[str]) -> bytes:
    """The body of ``manifest``, which the EMR DynamoDB connector reads: the same files by their URLs."""
    return manifest_v3([f"s3://{bucket}/{key}" for key in keys])


def decode_files(body: bytes, key: str) -> Sequence[FileEntry]:
    """Read ``manifest-files.json``; raises UnexpectedReply."""
    try:
        return msgspec.json.Decoder(FileEntry).decode_lines(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        raise UnexpectedReply(f"{key} is not a list of parts: {problem}") from problem


def decode_summary(body: bytes, key: str) -> Summary:
    """Read ``manifest-summary.json``, ours or a native one; raises UnexpectedReply or UnknownVersion."""
    try:
        found = msgspec.json.decode(body, type=_Versioned).ours.version
        if found > OUR_VERSION:
            raise UnknownVersion(key, found, OUR_VERSION)
        return msgspec.json.decode(body, type=Summary)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        raise UnexpectedReply(f"{key} is not a manifest summary: {problem}") from problem


def read_summary(store: ObjectStore, layout: ExportLayout) -> Summary | None:
    """The summary of an export, None while it is not committed."""
    stored = store.get(layout.summary_key)
    return None if stored is None else decode_summary(stored.body, layout.summary_key)


def checksum(body: bytes) -> bytes:
    """The text of a manifest's checksum file: its MD5 in base64."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())


def in_order(parts: Iterable[Part]) -> Iterator[Part]:
    """Parts by segment and number, which is the order of their names."""
    return iter(sorted(parts, key=lambda part: part.key))
