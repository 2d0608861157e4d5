"""Streams: what changed, in shards that roll, split and are trimmed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.faults.dynamodb.errors import Refused, invalid
from tests.faults.dynamodb.keys import HASHES
from tests.faults.dynamodb.sizes import item_size
from tests.faults.dynamodb.values import Item

Json = dict[str, Any]

RETENTION = timedelta(hours=24)
VIEW_TYPES = ("NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY")
WITH_NEW = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
WITH_OLD = ("OLD_IMAGE", "NEW_AND_OLD_IMAGES")
# Numbers gain a digit early in every test, so that nobody who compares them as text goes unnoticed.
FIRST_SEQUENCE = 10**21 - 3
TTL_IDENTITY = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


@dataclass(frozen=True, slots=True)
class Change:
    """One effect on a table: an item as it was and as it is from ``tick`` on."""

    tick: int
    at: datetime
    table_name: str
    key: Item
    old: Item | None
    new: Item | None
    by_ttl: bool

    @property
    def event(self) -> str:
        """What streams call it."""
        if self.old is None:
            return "INSERT"
        return "REMOVE" if self.new is None else "MODIFY"


@dataclass(frozen=True, slots=True)
class Record:
    """A change as a stream keeps it."""

    sequence: int
    at: datetime
    document: Json
    size_bytes: int


@dataclass(slots=True)
class Shard:
    """A range of hashes for as long as it takes records."""

    shard_id: str
    parent_id: str | None
    low: int
    high: int
    starting: int
    ending: int | None = None
    closed_at: datetime | None = None
    records: list[Record] = field(default_factory=list)
    trimmed_through: int = -1  # the last sequence number that is gone

    def trim(self, horizon: datetime) -> None:
        """Drop what is older than the horizon."""
        gone = len(list(itertools.takewhile(lambda record: record.at <= horizon, self.records)))
        if gone:
            self.trimmed_through = self.records[gone - 1].sequence
            del self.records[:gone]

    def describe(self, *, as_open: bool) -> Json:
        """The shard's part of DescribeStream."""
        numbers = {"StartingSequenceNumber": str(self.starting)}
        if self.ending is not None and not as_open:
            numbers["EndingSequenceNumber"] = str(self.ending)
        described: Json = {"ShardId": self.shard_id, "SequenceNumberRange": numbers}
        if self.parent_id:
            described["ParentShardId"] = self.parent_id
        return described


class Stream:
    """One stream of one table, from being enabled to a day after being disabled.

    ``view_type`` is one of VIEW_TYPES. ``sequences`` gives the sequence numbers, ascending.
    """

    def __init__(
        self,
        *,
        arn: str,
        table: str,
        key_schema: list[dict[str, str]],
        view_type: str,
        created_at: datetime,
        sequences: Iterator[int],
    ) -> None:
        if view_type not in VIEW_TYPES:
            raise invalid(
                "Invalid StreamViewType: Stream ViewType must not be null or empty when enabling streams."
            )
        self.arn = arn
        self.label = arn.rpartition("/")[2]
        self.table_name = table
        self.key_schema = key_schema
        self.view_type = view_type
        self.created_at = created_at
        self.disabled_at: datetime | None = None
        self._sequences = sequences
        self._shards: dict[str, Shard] = {}
        self._numbers = itertools.count(1)
        self._stalled = 0
        self._orphaning = 0
        self._leaving_open = 0
        self._open(0, HASHES, parent=None, at=created_at)

    # --- what a test does to it -------------------------------------------------------------------

    def roll(self, at: datetime, shard_id: str | None = None) -> list[str]:
        """Close a shard, or every open one, and begin a child of the same range in its place.

        Returns the ids of the children.
        """
        shards = self.open_shards if shard_id is None else [self._shards[shard_id]]
        return [self._succeed(shard, [(shard.low, shard.high)], at)[0] for shard in shards]

    def split(self, at: datetime, shard_id: str | None = None) -> list[str]:
        """Close a shard, or the first open one, and begin two children of half its range each."""
        shard = self.open_shards[0] if shard_id is None else self._shards[shard_id]
        middle = (shard.low + shard.high) // 2
        return self._succeed(shard, [(shard.low, middle), (middle, shard.high)], at)

    def stall(self, pages: int) -> None:
        """Let the next pages that are asked for be empty, whatever lies behind them."""
        self._stalled = pages

    def orphan_children(self, replies: int) -> None:
        """Leave parents out of the next DescribeStream replies that list their children."""
        self._orphaning = replies

    def leave_parents_open(self, replies: int) -> None:
        """Show closed shards as open in the next DescribeStream replies."""
        self._leaving_open = replies

    def disable(self, at: datetime) -> None:
        """Take no more records."""
        self.disabled_at = at
        for shard in self.open_shards:
            self._close(shard, at)

    @property
    def open_shards(self) -> list[Shard]:
        """The shards that take records."""
        return [shard for shard in self._shards.values() if shard.ending is None]

    # --- what the service does with it ------------------------------------------------------------

    def is_gone(self, now: datetime) -> bool:
        """Whether a disabled stream's day is over."""
        return self.disabled_at is not None and now - self.disabled_at >= RETENTION

    def record(self, change: Change, hash_place: int, region: str) -> None:
        """Take a change of the table."""
        shard = next(each for each in self.open_shards if each.low <= hash_place < each.high)
        sequence = next(self._sequences)
        document, size = self._document(change, sequence, region)
        shard.records.append(Record(sequence, change.at, document, size))

    def _document(self, change: Change, sequence: int, region: str) -> tuple[Json, int]:
        images: Json = {"Keys": change.key}
        if self.view_type in WITH_NEW and change.new is not None:
            images["NewImage"] = change.new
        if self.view_type in WITH_OLD and change.old is not None:
            images["OldImage"] = change.old
        size = sum(item_size(image) for image in images.values())
        document = {
            "eventID": f"{sequence:032x}",
            "eventName": change.event,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": region,
            "dynamodb": {
                "ApproximateCreationDateTime": math.floor(change.at.timestamp()),
                **images,
                "SequenceNumber": str(sequence),
                "SizeBytes": size,
                "StreamViewType": self.view_type,
            },
        }
        if change.by_ttl:
            document["userIdentity"] = TTL_IDENTITY
        return document, size

    def shard(self, shard_id: str, now: datetime) -> Shard:
        """A shard that is still there, trimmed; raises ResourceNotFoundException."""
        self._trim(now)
        if shard_id not in self._shards:
            raise Refused(
                "ResourceNotFoundException",
                f"Requested resource not found: Shard: {shard_id} in stream: {self.arn} not found",
            )
        return self._shards[shard_id]

    def describe_shards(self, now: datetime, parent_id: str | None = None) -> list[Json]:
        """Every shard of one DescribeStream reply, or the children of one; as wrong as a test wants it."""
        self._trim(now)
        shards: Iterable[Shard] = self._shards.values()
        if self._orphaning:
            self._orphaning -= 1
            parents = {shard.parent_id for shard in self._shards.values()}
            shards = [shard for shard in shards if shard.shard_id not in parents]
        as_open = self._leaving_open > 0
        self._leaving_open = max(0, self._leaving_open - 1)
        return [
            shard.describe(as_open=as_open)
            for shard in shards
            if parent_id is None or shard.parent_id == parent_id
        ]

    def takes_stall(self) -> bool:
        """Whether the page being asked for is to be empty."""
        self._stalled -= 1
        return self._stalled >= 0

    def next_sequence(self) -> int:
        """A number above all records so far."""
        return next(self._sequences)

    def _trim(self, now: datetime) -> None:
        for shard in list(self._shards.values()):
            shard.trim(now - RETENTION)
            if shard.closed_at is not None and now - shard.closed_at >= RETENTION:
                del self._shards[shard.shard_id]

    def _succeed(self, parent: Shard, ranges: list[tuple[int, int]], at: datetime) -> list[str]:
        self._close(parent, at)
        return [self._open(low, high, parent=parent.shard_id, at=at) for low, high in ranges]

    def _close(self, shard: Shard, at: datetime) -> None:
        shard.ending = next(self._sequences)
        shard.closed_at = at

    def _open(self, low: int, high: int, *, parent: str | None, at: datetime) -> str:
        number = next(self._numbers)
        shard_id = f"shardId-{int(at.timestamp() * 1000):020}-{number:08x}"
        self._shards[shard_id] = Shard(shard_id, parent, low, high, starting=next(self._sequences))
        return shard_id
