"""A table, a bucket and a process on a StepClock: all of an export but DynamoDB, S3 and real time.

The engine is the real one, from the plan to the manifest, with the retries that the adapters put around the
ports. Items are not made: a page says how much it evaluated and holds one small item.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity
from airflow_dynamo_pipeline.engine.capacity import read_rate
from airflow_dynamo_pipeline.engine.ports import (
    Absent,
    ObjectStore,
    ObjectWriter,
    ScanCall,
    StoredObject,
    TableDescription,
    Throughput,
)
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import ServiceTrouble, Throttled
from tests.benchmarks.weather import REFUSAL_SECONDS, Weather
from tests.benchmarks.windows import Ledger
from tests.step_clock import StepClock

BLOCK_BYTES = 4096  # half a unit
FULL_PAGE_BLOCKS = 257
FULL_PAGE_BYTES = FULL_PAGE_BLOCKS * BLOCK_BYTES
ITEM_BYTES = (200, 1_000, 4_000, 20_000, 100_000, 400 * 1024)  # one of them for each region of a segment
REGION_BYTES = 64 << 20
RAGGED_REGIONS = 8  # one in so many
SAID_ITEM_BYTES = 1_000  # as DescribeTable's figures have it
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"

Result = TypeVar("Result")


class Killed(BaseException):
    """The process of this attempt is gone."""


class Life:
    """The clock as one attempt sees it, until it is killed: from then on nothing it does has an effect."""

    def __init__(self, clock: StepClock) -> None:
        self.clock = clock
        self.stop: threading.Event = clock.threading.Event()
        self._never: threading.Event = clock.threading.Event()
        self._is_over = False

    def monotonic(self) -> float:
        """The clock's time."""
        return self.clock.monotonic()

    def now(self) -> datetime:
        """The clock's instant."""
        return self.clock.now()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait, unless killed meanwhile; raises Killed."""
        self._go_on()
        is_set = self.clock.wait(event, seconds)
        self._go_on()
        return is_set

    def take(self, seconds: float) -> None:
        """Let a call take its time; raises Killed."""
        self.wait(self._never, seconds)

    def kill(self) -> None:
        """End it here and now."""
        self._is_over = True
        self.clock.wake_everyone()

    def _go_on(self) -> None:
        if self._is_over:
            raise Killed


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How large a simulated table is, and how it is read."""

    units: float  # what one scan of it consumes
    segments: int
    capacity: float  # provisioned, at first
    seed: int

    @property
    def segment_bytes(self) -> int:
        """All segments are of one size."""
        return int(self.units * 2 * BLOCK_BYTES / self.segments)

    def page_bytes(self, segment: int, start: int, limit: int | None) -> tuple[int, int]:
        """Bytes and items of the page that begins at this byte of a segment.

        In most regions pages are full, in the others they end anywhere from 4 KB on; a Limit cuts as well.
        """
        region = hash((self.seed, segment, start // REGION_BYTES))
        item = ITEM_BYTES[region % len(ITEM_BYTES)]
        ragged = region // len(ITEM_BYTES) % RAGGED_REGIONS == 0
        most = (
            (1 + hash((self.seed, segment, start)) % FULL_PAGE_BLOCKS) * BLOCK_BYTES
            if ragged
            else FULL_PAGE_BYTES
        )
        limited = most if limit is None else min(most, limit * item)
        size = min(max(limited, min(item, FULL_PAGE_BYTES)), self.segment_bytes - start)
        return size, max(1, size // item)


@dataclass(frozen=True, slots=True)
class SimulatedTable:
    """The table as one attempt sees it; what it reads goes to the ledger, when it is asked for."""

    shape: Shape
    request: ExportRequest
    life: Life
    weather: Weather
    ledger: Ledger

    def describe(self) -> TableDescription:
        """Describe the table. The rate that follows from it is the target in force from now on."""
        self.life.take(self.weather.store_seconds(self.life.monotonic()))
        now = self.life.monotonic()
        size = self.shape.segment_bytes * self.shape.segments
        table = TableDescription(
            name="orders",
            arn=ARN,
            table_id="0a1b2c3d",
            created_at="2026-01-01T00:00:00+00:00",
            region="us-east-1",
            status="ACTIVE",
            on_demand=False,
            size_bytes=size,
            item_count=size // SAID_ITEM_BYTES,
            throughput=Throughput(provisioned=self.shape.capacity * self.weather.capacity_share(now)),
        )
        self.ledger.target.set(now, read_rate(self.request, table, FixedCapacity()).units_per_second)
        return table

    def scan(self, call: ScanCall) -> bytes:
        """One page, or none; what a reply that is lost did cost is consumed all the same."""
        now = self.life.monotonic()
        reasons = self.weather.refusal(call.segment, now)
        if reasons is not None:
            self.life.take(REFUSAL_SECONDS)
            raise Throttled("simulated", [(reason, ARN) for reason in reasons])
        start = int(call.start_key[1:-1]) if call.start_key else 0
        size, items = self.shape.page_bytes(call.segment, start, call.limit)
        units = max(1, -(-size // BLOCK_BYTES)) / 2
        self.ledger.read(now, units)
        self.life.take(self.weather.reply_seconds(now))
        if self.weather.loses_reply(now):
            raise ServiceTrouble("simulated")
        more = (
            b"" if start + size >= self.shape.segment_bytes else b'"LastEvaluatedKey":"%d",' % (start + size)
        )
        return (
            b'{"Items":[{"pk":{"N":"1"}}],"Count":1,"ScannedCount":%d,%b"ConsumedCapacity":{"CapacityUnits":%.1f}}'
        ) % (items, more, units)


class SlowStore:
    """A store whose calls take their time, half of it before their effect and half after it."""

    def __init__(self, inner: ObjectStore, life: Life, weather: Weather) -> None:
        self._inner = inner
        self._life = life
        self._weather = weather

    def taking_time(self, call: Callable[[], Result]) -> Result:
        """Make a call; raises Killed, before its effect or after it."""
        seconds = self._weather.store_seconds(self._life.monotonic())
        self._life.take(seconds / 2)
        result = call()
        self._life.take(seconds / 2)
        return result

    def region(self) -> str | None:
        """Where the bucket is."""
        return self.taking_time(self._inner.region)

    def probe(self, key: str) -> None:
        """Find out whether objects can be written."""
        self.taking_time(lambda: self._inner.probe(key))

    def get(self, key: str) -> StoredObject | None:
        """Read an object."""
        return self.taking_time(lambda: self._inner.get(key))

    def read(self, key: str) -> Iterator[bytes]:
        """Stream an object."""
        return self.taking_time(lambda: self._inner.read(key))

    def size(self, key: str) -> int:
        """An object's size."""
        return self.taking_time(lambda: self._inner.size(key))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Some of an object's bytes."""
        return self.taking_time(lambda: self._inner.read_range(key, start, length))

    def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
        """Write an object."""
        return self.taking_time(lambda: self._inner.put(key, body, expect=expect))

    def create(self, key: str) -> ObjectWriter:
        """Begin to stream an object; only its end takes time, for what comes before fits one piece."""
        return SlowWriter(self._inner.create(key), self)

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key under a prefix."""
        return self.taking_time(lambda: self._inner.keys(prefix))

    def folders(self, prefix: str) -> Iterator[str]:
        """The folders under a prefix."""
        return self.taking_time(lambda: self._inner.folders(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects."""
        self.taking_time(lambda: self._inner.delete(list(keys)))

    def abort_uploads(self, prefix: str) -> int:
        """Drop unfinished uploads."""
        return self.taking_time(lambda: self._inner.abort_uploads(prefix))


@dataclass(frozen=True, slots=True)
class SlowWriter:
    """An object being streamed into a SlowStore."""

    inner: ObjectWriter
    store: SlowStore

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self.inner.write(data)

    def close(self) -> str:
        """Make the object visible."""
        return self.store.taking_time(self.inner.close)

    def abort(self) -> None:
        """Drop everything."""
        self.store.taking_time(self.inner.abort)
