"""One process working on an export through a door of the fake, and what must hold of what it left."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.adapters.wiring import export_ports
from airflow_dynamo_pipeline.engine.deadline import DeadlineClock
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.manifest import read_summary
from airflow_dynamo_pipeline.engine.plan import Ports
from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.engine.progress import Progress
from airflow_dynamo_pipeline.engine.requests import ExportRequest, S3Location
from airflow_dynamo_pipeline.engine.table_export import ExportResult, export_table
from airflow_dynamo_pipeline.engine.verify import verify_files
from airflow_dynamo_pipeline.errors import NotFound, PipelineError
from tests.clock import EPOCH, VirtualClock
from tests.faults.calls import Call
from tests.faults.endpoint import Door, FakeAws, HarnessClock, Killed
from tests.faults.script import Fault

TABLE = "orders"
BUCKET = "backups"
PREFIX = "daily"
NO_WAITING = 1e9  # units per second at which no page has to wait for its turn
QUIET_SECONDS = 0.004  # longer than any computing here, so that calls come in the same order every time
Item = dict[str, Any]
Objects = dict[str, bytes]


def items(count: int, *, size: int = 30) -> list[Item]:
    """Small items whose keys tell them apart."""
    return [{"pk": {"S": f"{number:05}"}, "body": {"S": "x" * size}} for number in range(count)]


def asked(**settings: Any) -> ExportRequest:
    """A request for an export that never waits for its turn, of parts of a few items."""
    usual = {"units_per_second": NO_WAITING, "segments": 1, "part_bytes": 200}
    if "ratio" in settings:
        del usual["units_per_second"]
    return ExportRequest(table_name=TABLE, s3_uri=f"s3://{BUCKET}/{PREFIX}", **{**usual, **settings})


@dataclass
class World:
    """A fake AWS with one table and one empty bucket.

    With ``read`` units per second the table is provisioned and throttles; else it is on-demand, unlimited.
    """

    held: list[Item]
    page_items: int | None = 2
    read: int | None = None
    aws: FakeAws = field(default_factory=lambda: FakeAws(VirtualClock(QUIET_SECONDS)))

    def __post_init__(self) -> None:
        self.aws.s3.create_bucket(BUCKET)
        self.aws.dynamodb.create_table(TABLE, key=(("pk", "S"),), read=self.read)
        if self.read is not None:
            self.aws.dynamodb.meter(TABLE)
        self.aws.dynamodb.page_items = self.page_items
        self.aws.dynamodb.put_items(TABLE, self.held)

    @property
    def objects(self) -> Objects:
        """Everything in the bucket."""
        return self.aws.s3.objects(BUCKET)

    def export(self, *faults: Fault, **settings: Any) -> Attempt:
        """One attempt from its beginning to its end, whichever that is."""
        return Attempt(self, asked(**settings), faults, stop=self.new_event()).run()

    def new_event(self) -> threading.Event:
        """An event that this world's clock can wait for."""
        event: threading.Event = getattr(self.aws.clock, "threading", threading).Event()
        return event

    def store(self) -> MemoryStore:
        """What is in the bucket now, for a reader that meets no faults."""
        copy = MemoryStore()
        for key, body in self.objects.items():
            copy.put(key, body)
        return copy


@dataclass
class Attempt:
    """One process. Its outcome is a result, the error that ended it, or Killed."""

    world: World
    request: ExportRequest
    faults: tuple[Fault, ...] = ()
    work: Work = field(default_factory=lambda: Work(run="dag|task|-1|run", generation="0", began_at=EPOCH))
    clock: HarnessClock | None = None
    impatient: bool = False
    seconds: float | None = None  # after which it stops by itself
    outcome: Any = None
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    reports: list[Progress] = field(default_factory=list)
    stopped: list[Progress] = field(default_factory=list)  # what there was after a stop
    stop: threading.Event = field(default_factory=threading.Event)
    calls: list[Call] = field(default_factory=list)
    struck: list[Fault] = field(default_factory=list)
    doing: Callable[[ExportRequest, Work, Ports, Reports], Any] = export_table

    def run(self) -> Attempt:
        """Export through a door of its own."""
        with self.world.aws.door(*self.faults, clock=self.clock) as door:
            self.through(door)
        return self

    def through(self, door: Door) -> None:
        """Export through this door."""
        door.impatient = self.impatient
        ports = export_ports(
            door.client,
            self.request,
            stop=self.stop,
            say=self.said.append,
            warn=self.warned.append,
            clock=in_time(door.clock, self.stop, self.seconds),
            around=door.around,
        )
        reports = Reports(self.reports.append, at_stop=self.stopped.append)
        try:
            self.outcome = self.doing(self.request, self.work, ports, reports)
        except (PipelineError, Killed) as error:
            self.outcome = error
        finally:
            self.calls = list(door.calls)
            self.struck = list(door.script.struck)
            door.frozen.set()  # whoever waits for a strike that never came goes on

    @property
    def operations(self) -> list[str]:
        """The names of the calls, in their order."""
        return [call.operation for call in self.calls]

    @property
    def result(self) -> ExportResult:
        """The result of an attempt that must have succeeded."""
        assert isinstance(self.outcome, ExportResult), repr(self.outcome)
        return self.outcome


def in_time(clock: Clock, stop: threading.Event, seconds: float | None) -> Clock:
    """A clock by which an attempt stops after so many seconds; None: it never does."""
    return clock if seconds is None else DeadlineClock(clock, stop, seconds)


def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a small file be an upload of several pieces."""
    monkeypatch.setattr("airflow_dynamo_pipeline.adapters.s3.PIECE_BYTES", 100)
    monkeypatch.setattr("tests.faults.s3.multipart.SMALLEST_PART_BYTES", 1)


# --- what lies in the bucket, read without the package's own readers ----------------------------


def places(objects: Objects) -> list[ExportLayout]:
    """Every export that has at least begun."""
    root = f"{PREFIX}/AWSDynamoDB/"
    names = {key.removeprefix(root).split("/")[0] for key in objects if key.startswith(root)}
    return [ExportLayout(S3Location(BUCKET, PREFIX), name) for name in sorted(names)]


def manifests(objects: Objects) -> list[str]:
    """Every manifest's key."""
    return sorted(key for key in objects if key.endswith("/manifest-summary.json"))


def data_keys(objects: Objects) -> list[str]:
    """Every data file, listed or not."""
    return sorted(key for key in objects if "/data/" in key)


def listed_keys(objects: Objects, place: ExportLayout) -> list[str]:
    """The files a manifest lists."""
    return sorted(json.loads(line)["dataFileS3Key"] for line in objects[place.files_key].splitlines())


def exported_items(objects: Objects, place: ExportLayout) -> list[Item]:
    """Every item in the files the manifest lists."""
    files = {key: objects[key] for key in listed_keys(objects, place)}
    plain = [gzip.decompress(body) if key.endswith(".gz") else body for key, body in files.items()]
    lines = [line for body in plain for line in body.split(b"\n")]
    return [json.loads(line)["Item"] for line in lines if line]


def text_of(item: Item) -> str:
    """One text for one item."""
    return json.dumps(item, sort_keys=True)


# --- promises -----------------------------------------------------------------------------------


def assert_whole(world: World) -> None:
    """One manifest; data/ holds what it lists and nothing else; every item stands in it once (E1, E5)."""
    (place,) = places(world.objects)
    assert_place_is_whole(world, place)


def assert_place_is_whole(world: World, place: ExportLayout) -> None:
    """The same of one export among several."""
    objects = world.objects
    assert place.summary_key in objects
    in_data = [key for key in data_keys(objects) if key.startswith(place.data_prefix)]
    assert in_data == listed_keys(objects, place)
    wanted = Counter(map(text_of, world.held))
    assert wanted == Counter(map(text_of, exported_items(objects, place)))
    assert len(world.held) == verify_files(place.manifest_uri, world.store()).item_count


def assert_nothing_left_over(world: World) -> None:
    """No checkpoint, no lease, no unfinished upload."""
    assert [] == [key for key in world.objects if "/_checkpoint/" in key]
    assert [] == world.aws.s3.uploads(BUCKET)


def assert_nothing_reads_as_complete(world: World) -> None:
    """Every reader refuses what was not committed (E3)."""
    store = world.store()
    assert [] == manifests(world.objects)
    for place in places(world.objects):
        assert read_summary(store, place) is None
        with pytest.raises(NotFound, match="was not committed"):
            verify_files(place.manifest_uri, store)


def assert_checkpoints_name_only_what_is_there(world: World) -> None:
    """No checkpoint is ahead of what is stored (E4)."""
    objects = world.objects
    for key, body in objects.items():
        if "/_checkpoint/0" in key:
            for part in json.loads(body)["parts"]:
                assert part["key"] in objects, key
                assert part["storedBytes"] == len(objects[part["key"]])
