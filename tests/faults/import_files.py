"""Files in a bucket of the fake, a table beside them, and attempts at importing the files into it."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_dynamo_pipeline.adapters.import_wiring import import_ports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_progress import ImportProgress
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.table_import import import_table
from airflow_dynamo_pipeline.errors import ImportRefused, PipelineError
from tests.clock import EPOCH, VirtualClock
from tests.faults.calls import Call
from tests.faults.endpoint import Door, FakeAws, Killed
from tests.faults.script import WRITES, Fault

TABLE = "copy"
BUCKET = "backups"
FOLDER = "old"
NO_WAITING = 1e9  # units per second at which no batch has to wait for its turn
QUIET_SECONDS = 0.004
Item = dict[str, Any]


def line(item: Item) -> bytes:
    """One line of DynamoDB JSON."""
    return json.dumps({"Item": item}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def lines(items: Sequence[Item]) -> bytes:
    """A file of DynamoDB JSON."""
    return b"".join(map(line, items))


def text_of(item: Item) -> str:
    """One text for one item."""
    return json.dumps(item, sort_keys=True)


@dataclass
class Files:
    """A fake AWS with one bucket and one table, on-demand unless ``write`` units are given."""

    key: Sequence[tuple[str, str]] = (("pk", "S"),)
    aws: FakeAws = field(default_factory=lambda: FakeAws(VirtualClock(QUIET_SECONDS)))
    write: int | None = None
    table_settings: Item = field(default_factory=dict)
    bucket: str = BUCKET

    def __post_init__(self) -> None:
        self.aws.s3.create_bucket(self.bucket)
        self.aws.dynamodb.create_table(TABLE, key=self.key, write=self.write, **self.table_settings)

    def put(self, name: str, body: bytes, *, zipped: bool = False) -> str:
        """Put a file into the folder; returns its key."""
        key = f"{FOLDER}/{name}"
        self.aws.s3.put(self.bucket, key, gzip.compress(body, 1, mtime=0) if zipped else body)
        return key

    def attempt(self, *faults: Fault, run: str = "run", **settings: Any) -> Attempt:
        """One attempt at an import of the folder, from its beginning to its end, whichever that is."""
        usual: Item = {"table_name": TABLE, "s3_uri": f"s3://{self.bucket}/{FOLDER}"}
        if "ratio" not in settings:
            usual["units_per_second"] = NO_WAITING
        request = ImportRequest.from_settings({**usual, **settings})
        return Attempt(self, request, faults, work=Work(run=run, generation="0", began_at=EPOCH)).run()

    def new_event(self) -> threading.Event:
        """An event that the clock can wait for."""
        event: threading.Event = getattr(self.aws.clock, "threading", threading).Event()
        return event

    @property
    def items(self) -> list[Item]:
        """What is in the table, in the order of its keys' texts."""
        return sorted(self.aws.dynamodb.items(TABLE), key=text_of)

    def rejects(self) -> list[Item]:
        """Every line of every file of rejected items."""
        keys = [key for key in self.aws.s3.keys(self.bucket) if "/rejects/" in key]
        return [json.loads(text) for key in keys for text in self.aws.s3.get(self.bucket, key).splitlines()]


@dataclass
class Attempt:
    """One process. Its outcome is a result, the error that ended it, or Killed."""

    files: Files
    request: ImportRequest
    faults: tuple[Fault, ...] = ()
    work: Work = field(default_factory=lambda: Work(run="run", generation="0", began_at=EPOCH))
    outcome: ImportResult | BaseException | None = None
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    reports: list[ImportProgress] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def run(self) -> Attempt:
        """Import through a door of its own."""
        with self.files.aws.door(*self.faults) as door:
            self.through(door)
        return self

    def through(self, door: Door) -> None:
        """Import through this door."""
        ports = import_ports(
            door.client,
            self.request,
            stop=self.files.new_event(),
            say=self.said.append,
            warn=self.warned.append,
            clock=door.clock,
            around=door.around,
        )
        try:
            self.outcome = import_table(self.request, self.work, ports, ImportReports(self.reports.append))
        except (PipelineError, Killed) as error:
            self.outcome = error
        finally:
            self.calls = door.calls

    @property
    def result(self) -> ImportResult:
        """The result of an attempt that must have succeeded."""
        assert isinstance(self.outcome, ImportResult), repr(self.outcome)
        return self.outcome

    @property
    def error(self) -> PipelineError:
        """The error of an attempt that must have failed."""
        assert isinstance(self.outcome, PipelineError), repr(self.outcome)
        return self.outcome

    @property
    def findings(self) -> list[tuple[str, str]]:
        """What an attempt was refused for before its first write: where, and what."""
        assert isinstance(self.outcome, ImportRefused), repr(self.outcome)
        return [(problem.where, problem.message) for problem in self.outcome.problems]

    @property
    def writes(self) -> list[Call]:
        """The calls that would change a table."""
        return [call for call in self.calls if call.operation in WRITES]
