"""Backups that the endpoint makes once and serves: exports as ours lie in S3, by the package's own encoders.

A backup is named by what it holds: ``std-100000-4`` has 100 000 items in four files. Their keys are all
different; what lies beside the keys repeats as the endpoint's pages do. ``std-100000-4-scanned`` holds the
items exactly as a Scan of the table ``std-100000`` hands them out, so with keys that repeat.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.manifest import NATIVE_VERSION, OurPart, Summary, checksum, encode_files
from airflow_dynamo_pipeline.engine.records import Part
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS
from airflow_dynamo_pipeline.formats.dynamodb_json import DynamoDBJson
from tests.benchmarks.items import key_value
from tests.benchmarks.tables import Pages
from tests.benchmarks.worker import BUCKET

EXPORT_ID = "2026-01-02-03-04-05-0a1b2c3d"
MADE_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BLOCK_ITEMS = 2000
NAME = re.compile(r"(std)-(\d+)-(\d+)(-scanned)?")
KEY_BYTES = len(key_value(0))


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds and where it lies.

    >>> Backup(1000, 2).prefix
    'backups/std-1000-2/AWSDynamoDB/2026-01-02-03-04-05-0a1b2c3d/'
    """

    items: int
    files: int = 1
    scanned: bool = False  # as Scan hands the items out, repeated keys and all

    @classmethod
    def named(cls, name: str) -> Backup:
        """Undo ``name``; raises ValueError."""
        found = NAME.fullmatch(name)
        if found is None:
            raise ValueError(f"{name!r} names no backup")
        return cls(int(found[2]), int(found[3]), bool(found[4]))

    @property
    def name(self) -> str:
        """What it is called."""
        return f"std-{self.items}-{self.files}{'-scanned' * self.scanned}"

    @property
    def layout(self) -> ExportLayout:
        """Its keys."""
        return ExportLayout(S3Location(BUCKET, f"backups/{self.name}"), EXPORT_ID)

    @property
    def prefix(self) -> str:
        """Below it lie its objects."""
        return self.layout.key() + "/"

    @property
    def manifest_uri(self) -> str:
        """Where a reader begins."""
        return self.layout.manifest_uri


def make(backup: Backup, pages: Pages) -> dict[str, bytes]:
    """Every object of a backup, by key."""
    layout, found, parts = backup.layout, {}, []
    bounds = [backup.items * number // backup.files for number in range(backup.files + 1)]
    for number, (first, end) in enumerate(itertools.pairwise(bounds)):
        key = layout.part_key(0, number, "made", ".json.gz")
        found[key], size = file_of(first, end, pages, scanned=backup.scanned)
        parts.append(part_of(key, found[key], end - first, size))
    files, summary = encode_files(parts), summary_of(backup, parts).to_json()
    return found | {
        layout.files_key: files,
        layout.files_checksum_key: checksum(files),
        layout.summary_checksum_key: checksum(summary),
        layout.summary_key: summary,
    }


def file_of(first: int, end: int, pages: Pages, *, scanned: bool) -> tuple[bytes, int]:
    """One gzip file with the items of these positions, and the size of its lines."""
    gzip, encoder = COMPRESSIONS["gzip"].open(), DynamoDBJson()
    pieces, size = [], 0
    for start in range(first, end, BLOCK_ITEMS):
        texts = items_of(start, min(start + BLOCK_ITEMS, end), pages, scanned=scanned)
        block = b"".join(encoder.encode([msgspec.Raw(text) for text in texts]))
        pieces.append(gzip.compress(block))
        size += len(block)
    return b"".join([*pieces, gzip.flush()]), size


def items_of(first: int, end: int, pages: Pages, *, scanned: bool) -> Iterator[bytes]:
    """Items as JSON text."""
    for position in range(first, end):
        text = pages.text(position % pages.items)
        if scanned:
            yield text
        else:
            at = text.index(b"order#")
            yield text[:at] + key_value(position).encode() + text[at + KEY_BYTES :]


def part_of(key: str, body: bytes, items: int, size: int) -> Part:
    """What a manifest says of a file."""
    digest = hashlib.md5(body)
    return Part(
        key=key,
        item_count=items,
        bytes=size,
        stored_bytes=len(body),
        md5=base64.b64encode(digest.digest()).decode(),
        etag=digest.hexdigest(),
    )


def summary_of(backup: Backup, parts: list[Part]) -> Summary:
    """What our own export says of itself."""
    ours = OurPart(
        file_format="dynamodb_json",
        compression="gzip",
        segments=1,
        parts=len(parts),
        bytes=sum(part.bytes for part in parts),
        stored_bytes=sum(part.stored_bytes for part in parts),
        scanned_count=backup.items,
        first_page_at=MADE_AT,
        last_page_at=MADE_AT,
    )
    return Summary(
        version=NATIVE_VERSION,
        start_time=MADE_AT,
        end_time=MADE_AT,
        export_time=MADE_AT,
        table_arn=f"arn:aws:dynamodb:eu-west-1:123456789012:table/std-{backup.items}",
        s3_bucket=BUCKET,
        s3_prefix=backup.layout.location.prefix,
        manifest_files_s3_key=backup.layout.files_key,
        item_count=backup.items,
        output_format="DYNAMODB_JSON",
        ours=ours,
    )
