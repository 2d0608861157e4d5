"""Wrappers of the ports that try again what a retry can help."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from airflow_dynamo_pipeline.engine.backoff import retrying
from airflow_dynamo_pipeline.engine.ports import (
    Absent,
    CapacitySource,
    Clock,
    ObjectStore,
    ObjectWriter,
    ScanCall,
    StoredObject,
    TableDescription,
    TableReader,
    TableWriter,
    VersionConflict,
)
from airflow_dynamo_pipeline.errors import PipelineError, Stopped, Temporary, UnexpectedReply
from airflow_dynamo_pipeline.items.page import ReplyText

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Retries:
    """How a wrapper tries again: full jitter, up to ten minutes a call, ended by the stop event."""

    clock: Clock
    stop: threading.Event
    warn: Callable[[str], None]

    def __call__(self, call: Callable[[], Result]) -> Result:
        """Call until it succeeds or the patience is over."""
        return retrying(self.clock, self.stop, before_pause=self.note)(call)

    def note(self, error: PipelineError) -> None:
        """Say that a call failed and will be tried again."""
        self.warn(f"{error}; trying again")


class RetryingTable:
    """A table whose description is tried again. Pages are the engine's: it pays for every try."""

    def __init__(
        self, inner: TableReader, clock: Clock, stop: threading.Event, warn: Callable[[str], None]
    ) -> None:
        self._inner = inner
        self._retries = Retries(clock, stop, warn)

    def describe(self) -> TableDescription:
        """Describe the table."""
        return self._retries(self._inner.describe)

    def scan(self, call: ScanCall) -> ReplyText:
        """Read one page, once."""
        return self._inner.scan(call)


class RetryingTableWriter:
    """A table for writing whose descriptions are tried again. Writes are the engine's."""

    def __init__(
        self, inner: TableWriter, clock: Clock, stop: threading.Event, warn: Callable[[str], None]
    ) -> None:
        self._inner = inner
        self._retries = Retries(clock, stop, warn)

    def describe(self) -> TableDescription:
        """Describe the table."""
        return self._retries(self._inner.describe)

    def ttl_attribute(self) -> str | None:
        """The attribute by which DynamoDB expires items."""
        return self._retries(self._inner.ttl_attribute)

    def tags(self) -> Mapping[str, str]:
        """The table's tags."""
        return self._retries(self._inner.tags)

    def write(self, operation: str, body: bytes) -> ReplyText:
        """Write, once."""
        return self._inner.write(operation, body)


class RetryingCapacity:
    """CloudWatch and Service Quotas, tried again."""

    def __init__(
        self, inner: CapacitySource, clock: Clock, stop: threading.Event, warn: Callable[[str], None]
    ) -> None:
        self._inner = inner
        self._retries = Retries(clock, stop, warn)

    def table_read_quota(self) -> float:
        """The account's ceiling for one table."""
        return self._retries(self._inner.table_read_quota)

    def consumed_read_units_per_second(self, table_name: str, index_name: str | None) -> float:
        """What all readers consumed of late."""
        return self._retries(lambda: self._inner.consumed_read_units_per_second(table_name, index_name))

    def table_write_quota(self) -> float:
        """The account's ceiling for writes to one table."""
        return self._retries(self._inner.table_write_quota)

    def consumed_write_units_per_second(self, table_name: str, index_name: str | None) -> float:
        """What all writers consumed of late."""
        return self._retries(lambda: self._inner.consumed_write_units_per_second(table_name, index_name))

    def write_units_since(self, table_name: str, begin: datetime) -> float:
        """All write units of the table itself since an instant."""
        return self._retries(lambda: self._inner.write_units_since(table_name, begin))


class RetryingStore:
    """A store whose calls are tried again without ever doing a thing twice."""

    def __init__(
        self, inner: ObjectStore, clock: Clock, stop: threading.Event, warn: Callable[[str], None]
    ) -> None:
        self._inner = inner
        self._retries = Retries(clock, stop, warn)

    def region(self) -> str | None:
        """Where the bucket is."""
        return self._retries(self._inner.region)

    def probe(self, key: str) -> None:
        """Whether objects can be written."""
        self._retries(lambda: self._inner.probe(key))

    def get(self, key: str) -> StoredObject | None:
        """Read a small object."""
        return self._retries(lambda: self._inner.get(key))

    def read(self, key: str) -> Iterator[bytes]:
        """Stream an object; after a cut it is opened again and what was handed out is passed over."""
        chunks: Iterator[bytes] | None = None
        handed_out = 0

        def next_chunk() -> bytes:
            nonlocal chunks
            try:
                chunks = chunks or _opened_after(self._inner, key, handed_out)
                return next(chunks, b"")
            except Temporary:
                chunks = None
                raise

        while chunk := self._retries(next_chunk):
            handed_out += len(chunk)
            yield chunk

    def size(self, key: str) -> int:
        """An object's size in bytes."""
        return self._retries(lambda: self._inner.size(key))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Some of an object's bytes."""
        return self._retries(lambda: self._inner.read_range(key, start, length))

    def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
        """Write a small object.

        A first try whose reply was lost may have written: then the second finds a conflict with
        our own bytes, and that is success.
        """
        tries = 0

        def write() -> str:
            nonlocal tries
            tries += 1
            try:
                return self._inner.put(key, body, expect=expect)
            except VersionConflict:
                found = self._inner.get(key) if tries > 1 else None
                if found is not None and found.body == body:
                    return found.version
                raise

        return self._retries(write)

    def create(self, key: str) -> RetryingWriter:
        """Begin to stream an object."""
        return RetryingWriter(self._inner.create(key), self._retries)

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key under a prefix."""
        return iter(self._retries(lambda: list(self._inner.keys(prefix))))

    def folders(self, prefix: str) -> Iterator[str]:
        """The folder names directly under a prefix."""
        return iter(self._retries(lambda: list(self._inner.folders(prefix))))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects."""
        some = list(keys)
        self._retries(lambda: self._inner.delete(some))

    def abort_uploads(self, prefix: str) -> int:
        """Drop unfinished uploads."""
        return self._retries(lambda: self._inner.abort_uploads(prefix))


class StoppableStore(RetryingStore):
    """The same for whoever reads for long and does nothing else: raises Stopped between two chunks."""

    def read(self, key: str) -> Iterator[bytes]:
        """Stream an object."""
        for chunk in super().read(key):
            self._retries.clock.monotonic()  # a look at a clock that may have a deadline
            if self._retries.stop.is_set():
                raise Stopped("told to stop while reading files")
            yield chunk


def _opened_after(store: ObjectStore, key: str, skip: int) -> Iterator[bytes]:
    """Open an object and read up to where the last reader came."""
    chunks = iter(store.read(key))
    while skip > 0:
        chunk = next(chunks, b"")
        if not chunk:
            raise UnexpectedReply(f"{key} became shorter while it was read")
        if len(chunk) > skip:
            return itertools.chain([chunk[skip:]], chunks)
        skip -= len(chunk)
    return chunks


class RetryingWriter:
    """A streamed object whose pieces are tried again; the inner writer keeps what it could not send."""

    def __init__(self, inner: ObjectWriter, retries: Retries) -> None:
        self._inner = inner
        self._retries = retries

    def write(self, data: bytes) -> None:
        """Append bytes."""
        try:
            self._inner.write(data)
        except Temporary as error:
            self._retries.note(error)
            self._retries(lambda: self._inner.write(b""))

    def close(self) -> str:
        """Make the object visible."""
        return self._retries(self._inner.close)

    def abort(self) -> None:
        """Drop everything."""
        self._retries(self._inner.abort)
