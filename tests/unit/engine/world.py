"""A small world for the engine: a table, a bucket, a clock, and a record of what was said."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, Item, MemoryStore, MemoryTable
from airflow_dynamo_pipeline.engine.checkpoint import Checkpoint
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.manifest import decode_files
from airflow_dynamo_pipeline.engine.plan import Ports
from airflow_dynamo_pipeline.engine.ports import (
    CapacitySource,
    Clock,
    IndexDescription,
    ObjectStore,
    ScanCall,
    TableDescription,
    TableReader,
    Throughput,
)
from airflow_dynamo_pipeline.engine.progress import Progress
from airflow_dynamo_pipeline.engine.requests import ExportRequest, S3Location
from airflow_dynamo_pipeline.engine.table_export import ExportResult, export_table
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS
from airflow_dynamo_pipeline.items.page import ReplyText
from tests.clock import EPOCH, VirtualClock

NO_WAITING = 1e9  # units per second at which no page has to wait for its turn
TABLE_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"


def items(count: int, *, size: int = 10) -> list[Item]:
    return [{"pk": {"S": f"{number:05}"}, "body": {"S": "x" * size}} for number in range(count)]


def request(**changes: Any) -> ExportRequest:
    return ExportRequest(**{"table_name": "orders", "s3_uri": "s3://backups/daily", **changes})


def work(run: str | None = "dag|task|-1|run", generation: str = "0") -> Work:
    return Work(run=run, generation=generation, began_at=EPOCH)


def layout(export_id: str = "2026-01-02-03-04-05-0a1b2c3d") -> ExportLayout:
    return ExportLayout(S3Location("backups", "daily"), export_id)


def described(**changes: Any) -> TableDescription:
    return MemoryTable(items(10), **changes).describe()


def index(name: str, **changes: Any) -> IndexDescription:
    fields: dict[str, Any] = {
        "name": name,
        "arn": f"{TABLE_ARN}/index/{name}",
        "is_global": True,
        "status": "ACTIVE",
        "size_bytes": 4096,
        "item_count": 4,
        "throughput": Throughput(provisioned=77.0),
        **changes,
    }
    return IndexDescription(**fields)


class SmallPages:
    """A table whose pages hold at most a few items, whatever limit is asked for."""

    def __init__(self, inner: TableReader, most: int = 2) -> None:
        self.inner = inner
        self.most = most

    def describe(self) -> TableDescription:
        return self.inner.describe()

    def scan(self, call: ScanCall) -> ReplyText:
        return self.inner.scan(replace(call, limit=min(self.most, call.limit or self.most)))


class HookedTable(SmallPages):
    """Acts ahead of each page."""

    def __init__(self, inner: TableReader) -> None:
        super().__init__(inner)
        self.before: Callable[[ScanCall], None] = lambda _call: None

    def scan(self, call: ScanCall) -> ReplyText:
        self.before(call)
        return super().scan(call)


@dataclass(kw_only=True)
class World:
    """Ports to export with, and what went out by them."""

    table: TableReader = field(default_factory=lambda: SmallPages(MemoryTable(items(10))))
    store: ObjectStore = field(default_factory=MemoryStore)
    capacity: CapacitySource = field(default_factory=FixedCapacity)
    clock: Clock = field(default_factory=VirtualClock)
    stop: threading.Event = field(default_factory=threading.Event)
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    reports: list[Progress] = field(default_factory=list)

    @property
    def ports(self) -> Ports:
        return Ports(
            table=self.table,
            store=self.store,
            capacity=self.capacity,
            clock=self.clock,
            stop=self.stop,
            say=self.said.append,
            warn=self.warned.append,
        )

    def export(
        self, asked: ExportRequest | None = None, job: Work | None = None, *, report_seconds: float = 10.0
    ) -> ExportResult:
        asked = asked or request(units_per_second=NO_WAITING, segments=1)
        reports = Reports(self.reports.append, report_seconds)
        return export_table(asked, job or work(), self.ports, reports)

    def stop_at_the_first_page(self) -> None:
        """Told to stop as soon as the export has begun."""
        table = HookedTable(self.table)
        table.before = lambda _call: self.stop.set()
        self.table = table


def checkpoint_of(store: ObjectStore, attempt: str, segments: int = 1) -> Checkpoint:
    return Checkpoint(store, layout(), attempt, segments)


def data_keys(store: ObjectStore) -> list[str]:
    return [key for key in store.keys("") if "/data/" in key]


def listed_keys(store: ObjectStore, place: ExportLayout) -> list[str]:
    stored = store.get(place.files_key)
    assert stored is not None, "no manifest-files.json"
    return [entry.data_file_s3_key for entry in decode_files(stored.body, place.files_key)]


def lines_of(store: ObjectStore, key: str) -> list[bytes]:
    name = "gzip" if key.endswith(".gz") else "none"
    return b"".join(COMPRESSIONS[name].decompress(store.read(key))).splitlines()


def exported(store: ObjectStore, place: ExportLayout) -> Counter[str]:
    """How often each key stands in the files that the manifest lists."""
    lines = [line for key in listed_keys(store, place) for line in lines_of(store, key)]
    return Counter(json.loads(line)["Item"]["pk"]["S"] for line in lines)


def manifests(store: ObjectStore) -> list[str]:
    return [key for key in store.keys("") if key.endswith("/manifest-summary.json")]
