"""The JSON records an export leaves on S3 while it runs, and how they are read back.

Every record carries ``version``; a reader checks it first and refuses what it does not know.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import msgspec

from airflow_dynamo_pipeline.errors import UnexpectedReply, UnknownVersion

VERSION = 1
NO_KEY = msgspec.Raw(b"null")


class _Versioned(msgspec.Struct):
    version: int


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One finished file. ``bytes`` before compression, ``stored_bytes`` after."""

    key: str
    item_count: int
    bytes: int
    stored_bytes: int
    md5: str  # base64, of the stored bytes
    etag: str


class SegmentState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far one segment has come. A part is named only after its object exists."""

    version: int = VERSION
    attempt: str
    segment: int
    done: bool = False
    last_evaluated_key: msgspec.Raw = NO_KEY
    parts: tuple[Part, ...] = ()
    parts_made: int = 0
    pages: int = 0
    scanned_count: int = 0
    units: float = 0.0
    first_page_at: datetime | None = None
    last_page_at: datetime | None = None

    @property
    def start_key(self) -> bytes | None:
        """The raw JSON of the key to go on after; None: from the beginning."""
        raw = bytes(self.last_evaluated_key)
        return None if raw == b"null" else raw


class StoredPlan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the first attempt decided and every later one keeps."""

    version: int = VERSION
    fingerprint: str
    generation: str
    segments: int
    table_identity: str
    started_at: datetime
    ranges: int = 1  # that are worked on by different workers
    at_once: int = 1  # of them
    slack: float = 0.0  # share of the rate that none of them uses
    units_per_second: float = 0.0  # of all of them together, as planned; 0: for one worker


class LeaseRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who works on the export; ``beats`` changes while it lives."""

    version: int = VERSION
    attempt: str
    beats: int
    beat_at: datetime
    released: bool = False


Record = TypeVar("Record", bound=msgspec.Struct)


def encode(record: msgspec.Struct) -> bytes:
    """The record's JSON."""
    return msgspec.json.encode(record)


def decode(body: bytes, kind: type[Record], key: str) -> Record:
    """Read a record; raises UnknownVersion for a newer one, UnexpectedReply for what is none."""
    try:
        found = msgspec.json.decode(body, type=_Versioned).version
        if found > VERSION:
            raise UnknownVersion(key, found, VERSION)
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeError) as problem:
        raise UnexpectedReply(f"{key} is not a {kind.__name__}: {problem}") from problem
