"""What the engine needs from the world, as small protocols.

The AWS sides live in ``adapters``; in-memory ones in ``adapters.memory``.
One contract suite (``tests/contract``) runs over all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from airflow_dynamo_pipeline.items.page import ReplyText


class Clock(Protocol):
    """Time as an argument, so that no test sleeps."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        ...

    def now(self) -> datetime:
        """The wall clock's instant, in UTC."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set (True) or the seconds are over (False)."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Throughput:
    """What DescribeTable says of the read, or write, capacity of a table or index, in units per second."""

    provisioned: float = 0.0  # 0: on-demand
    on_demand_max: float | None = None  # OnDemandThroughput.MaxReadRequestUnits, or MaxWriteRequestUnits
    warm: float | None = None  # WarmThroughput.ReadUnitsPerSecond, or WriteUnitsPerSecond


@dataclass(frozen=True, slots=True)
class KeyAttribute:
    """One attribute of a primary or index key; ``tag`` is S, N or B."""

    name: str
    tag: str


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexDescription:
    """One secondary index of a table."""

    name: str
    arn: str
    is_global: bool
    status: str
    size_bytes: int
    item_count: int
    throughput: Throughput  # for reads
    write_throughput: Throughput = Throughput()
    key: Sequence[KeyAttribute] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TableDescription:
    """The part of DescribeTable's reply that the engine acts on."""

    name: str
    arn: str
    table_id: str | None
    created_at: str  # tells a table from one recreated under its name, where there is no id
    region: str
    status: str
    on_demand: bool
    size_bytes: int  # refreshed by DynamoDB about every six hours: an estimate
    item_count: int  # likewise
    throughput: Throughput  # for reads
    write_throughput: Throughput = Throughput()
    indexes: Mapping[str, IndexDescription] = field(default_factory=dict)
    key: Sequence[KeyAttribute] = ()  # the partition key, then the sort key if there is one
    deletion_protected: bool = False
    replicas: Sequence[str] = ()  # regions
    has_stream: bool = False
    table_class: str = "STANDARD"

    @property
    def identity(self) -> str:
        """Changes when the table is deleted and made anew under the same name."""
        return f"{self.table_id or ''}/{self.created_at}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanCall:
    """One Scan request. ``start_key`` is the raw JSON of a LastEvaluatedKey."""

    segment: int
    total_segments: int
    limit: int | None
    start_key: bytes | None


class TableReader(Protocol):
    """One table (or index) as a source of pages."""

    def describe(self) -> TableDescription:
        """Describe the table; raises NotFound or AccessDenied."""
        ...

    def scan(self, call: ScanCall) -> ReplyText:
        """One reply's JSON body, its checksum verified; raises Throttled and the rest of the error tree."""
        ...


class ConditionFailed(Exception):
    """A conditional write met another item: ``item`` is that item's JSON text, where the reply has it."""

    def __init__(self, item: bytes | None) -> None:
        super().__init__("the condition of a write does not hold")
        self.item = item


class TableWriter(Protocol):
    """One table as a place for items. Bodies and replies are the JSON text of DynamoDB's API."""

    def describe(self) -> TableDescription:
        """Describe the table; raises NotFound or AccessDenied."""
        ...

    def ttl_attribute(self) -> str | None:
        """The attribute by which DynamoDB expires items, None when it expires none; raises AccessDenied."""
        ...

    def tags(self) -> Mapping[str, str]:
        """The table's tags; raises AccessDenied."""
        ...

    def write(self, operation: str, body: bytes) -> ReplyText:
        """Call BatchWriteItem, PutItem or DeleteItem, once.

        Raises ItemRefused for what DynamoDB calls invalid, ConditionFailed, Throttled and the rest of the
        error tree.
        """
        ...


class CapacitySource(Protocol):
    """What limits a table besides its own settings."""

    def table_read_quota(self) -> float:
        """The account's ceiling for one on-demand table, in read units per second."""
        ...

    def consumed_read_units_per_second(self, table_name: str, index_name: str | None) -> float:
        """What all readers consumed of late: the 99th percentile of an hour's one-minute means."""
        ...

    def table_write_quota(self) -> float:
        """The account's ceiling for one on-demand table, in write units per second."""
        ...

    def consumed_write_units_per_second(self, table_name: str, index_name: str | None) -> float:
        """What all writers consumed of late, likewise."""
        ...

    def write_units_since(self, table_name: str, begin: datetime) -> float:
        """All write units of the table itself since an instant, up to an hour of earlier ones among them."""
        ...


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's bytes and the version (ETag) a conditional write can name."""

    body: bytes
    version: str


class Absent:
    """The type of ``ABSENT``."""

    def __repr__(self) -> str:
        """Name the constant."""
        return "ABSENT"


ABSENT: Final = Absent()


class VersionConflict(Exception):
    """A conditional write found another version than it named."""


class ObjectWriter(Protocol):
    """One object being streamed; it becomes visible, whole, at ``close``."""

    def write(self, data: bytes) -> None:
        """Append bytes."""
        ...

    def close(self) -> str:
        """Make the object visible and return its ETag."""
        ...

    def abort(self) -> None:
        """Drop everything; nothing becomes visible. Safe to call twice or after a failed close."""
        ...


class ObjectStore(Protocol):
    """A flat place for named bytes. A reader sees all of an object or none."""

    def region(self) -> str | None:
        """Where the bucket is, None if the store has no regions; raises NotFound or AccessDenied."""
        ...

    def probe(self, key: str) -> None:
        """Find out, leaving nothing behind, whether objects can be written; raises AccessDenied."""
        ...

    def get(self, key: str) -> StoredObject | None:
        """Read a small object; None when there is none."""
        ...

    def read(self, key: str) -> Iterator[bytes]:
        """Stream an object in chunks; raises NotFound."""
        ...

    def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
        """Write a small object and return its version.

        ``expect`` is the version to replace, ``ABSENT`` for none, or None for either;
        raises VersionConflict when the store holds another.
        """
        ...

    def create(self, key: str) -> ObjectWriter:
        """Begin to stream an object of any size."""
        ...

    def size(self, key: str) -> int:
        """An object's size in bytes; raises NotFound."""
        ...

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Some of an object's bytes, fewer at its end; raises NotFound."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key under a prefix, in order."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """The folder names directly under a prefix that ends in a slash, without slashes."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are passed over."""
        ...

    def abort_uploads(self, prefix: str) -> int:
        """Drop every unfinished upload under a prefix; returns how many there were."""
        ...


JsonObject = dict[str, Any]
