"""An import through a door of the fake, and what must hold of the table and the bucket afterwards."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.import_wiring import import_ports
from airflow_dynamo_pipeline.engine import import_housekeeping, requests
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_progress import ImportProgress
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.table_import import import_table
from airflow_dynamo_pipeline.errors import PipelineError
from airflow_dynamo_pipeline.formats import lines
from tests.clock import EPOCH, VirtualClock
from tests.faults.attempts import BUCKET, NO_WAITING, QUIET_SECONDS, Item, Objects, in_time, text_of
from tests.faults.calls import Call
from tests.faults.endpoint import Door, FakeAws, HarnessClock, Killed
from tests.faults.import_backups import Laid
from tests.faults.script import Fault

TARGET = "copy"
RUN = "dag|task|-1|run"
KEPT = ("read", "written", "deleted", "skipped", "conflicted", "rejected", "expired")
MUTATING = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
ON_TABLES = frozenset({"CreateTable", "UpdateTable", "DeleteTable", "UpdateTimeToLive"})
IN_S3 = frozenset({"PutObject", "CreateMultipartUpload", "UploadPart", "DeleteObject", "DeleteObjects"})
Accounts = dict[str, int]


def importing(laid: Laid, **settings: Any) -> ImportRequest:
    """A request for an import that never waits for its turn, by one writer."""
    usual = {"table_name": TARGET, "s3_uri": list(laid.uris), "units_per_second": NO_WAITING, "segments": 1}
    return ImportRequest.from_settings({**usual, **settings})


def working(run: str = RUN, generation: str = "0") -> Work:
    """Which run of which task an attempt belongs to."""
    return Work(run=run, generation=generation, began_at=EPOCH)


@contextlib.contextmanager
def in_small_steps() -> Iterator[None]:
    """Blocks of a few lines and frequent checkpoints, so that a small import has several of each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests, "MIN_PART_BYTES", 1)
        patch.setattr(lines, "BLOCK_BYTES", 200)
        patch.setattr(lines, "PIECE_BYTES", 200)
        patch.setattr(import_housekeeping, "CHECKPOINT_SECONDS", 0.5)
        yield


@dataclass
class ImportWorld:
    """A fake AWS with a backup in its bucket and a table to import it into.

    ``held`` are items that the table has already; ``table`` are settings of ``DynamoDB.create_table``.
    """

    laid: Laid
    held: Sequence[Item] = ()
    table: dict[str, Any] = field(default_factory=dict)
    aws: FakeAws = field(default_factory=lambda: FakeAws(VirtualClock(QUIET_SECONDS)))

    def __post_init__(self) -> None:
        self.aws.s3.create_bucket(BUCKET)
        for key, body in self.laid.objects.items():
            self.aws.s3.put(BUCKET, key, body)
        self.aws.dynamodb.create_table(TARGET, **self.table)
        self.aws.dynamodb.put_items(TARGET, self.held)

    def run(self, *faults: Fault, work: Work | None = None, **settings: Any) -> ImportAttempt:
        """One attempt from its beginning to its end, whichever that is."""
        return ImportAttempt(self, importing(self.laid, **settings), faults, work or working()).run()

    @property
    def items(self) -> list[Item]:
        """What is in the table."""
        return self.aws.dynamodb.items(TARGET)

    @property
    def objects(self) -> Objects:
        """Everything in the bucket."""
        return self.aws.s3.objects(BUCKET)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The record of every import that has at least begun."""
        found = self.objects
        return [json.loads(found[key]) for key in sorted(found) if key.endswith("/import.json")]

    @property
    def checkpoints(self) -> list[dict[str, Any]]:
        """Every checkpoint that is there."""
        found = self.objects
        return [json.loads(found[key]) for key in sorted(found) if key.endswith("/checkpoint.json")]

    @property
    def rejects(self) -> list[tuple[str, int]]:
        """File and line of every rejected item in the files that lie there."""
        bodies = [body for key, body in sorted(self.objects.items()) if "/rejects/" in key]
        told = [json.loads(one)["rejected"] for body in bodies for one in body.splitlines()]
        return sorted((one["file"], one["line"]) for one in told)


@dataclass
class ImportAttempt:
    """One process. Its outcome is a result, the error that ended it, or Killed."""

    world: ImportWorld
    request: ImportRequest
    faults: tuple[Fault, ...] = ()
    work: Work = field(default_factory=working)
    clock: HarnessClock | None = None
    impatient: bool = False
    seconds: float | None = None  # after which it stops by itself
    stop_at: int | None = None  # the call before which it is told to stop
    outcome: ImportResult | BaseException | None = None
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    reports: list[ImportProgress] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    calls: list[Call] = field(default_factory=list)
    struck: list[Fault] = field(default_factory=list)

    def run(self) -> ImportAttempt:
        """Import through a door of its own."""
        with self.world.aws.door(*self.faults, clock=self.clock) as door:
            self.through(door)
        return self

    def through(self, door: Door) -> None:
        """Import through this door."""
        door.impatient = self.impatient
        if self.stop_at is not None:
            stop_at = self.stop_at
            door.before = lambda _: self.stop.set() if len(door.calls) + 1 >= stop_at else None
        ports = import_ports(
            door.client,
            self.request,
            stop=self.stop,
            say=self.said.append,
            warn=self.warned.append,
            clock=in_time(door.clock, self.stop, self.seconds),
            around=door.around,
        )
        try:
            self.outcome = import_table(self.request, self.work, ports, ImportReports(self.reports.append))
        except (PipelineError, Killed) as error:
            self.outcome = error
        finally:
            self.calls = list(door.calls)
            self.struck = list(door.script.struck)
            door.frozen.set()  # whoever waits for a strike that never came goes on
        assert not ON_TABLES & set(self.operations), "an import changed a table itself"

    @property
    def operations(self) -> list[str]:
        """The names of the calls."""
        return [call.operation for call in self.calls]

    @property
    def result(self) -> ImportResult:
        """The result of an attempt that must have succeeded."""
        assert isinstance(self.outcome, ImportResult), repr(self.outcome)
        return self.outcome

    @property
    def accounts(self) -> Accounts:
        """What its result says became of the items."""
        told = self.result.to_json()
        return {name: told[name] for name in KEPT}

    def failed(self, kind: type[BaseException], *words: str) -> str:
        """The message of an attempt that must have ended with this error, and said this."""
        assert isinstance(self.outcome, kind), repr(self.outcome)
        message = str(self.outcome)
        assert [] == [word for word in words if word not in message], message
        return message


def accounts(lines: int, **others: int) -> Accounts:
    """The accounts of an import that wrote all it did not do otherwise with."""
    told = dict.fromkeys(KEPT, 0) | others
    missed = told["skipped"] + told["conflicted"] + told["rejected"]
    return told | {"read": lines, "written": lines - missed}


# --- promises -----------------------------------------------------------------------------------


def assert_accounts(attempt: ImportAttempt) -> None:
    """What was read is every line of the source, and became one thing each (I1)."""
    told = attempt.accounts
    became = told["written"] + told["skipped"] + told["conflicted"] + told["rejected"]
    assert attempt.world.laid.lines == told["read"]
    assert told["read"] == became


def assert_table(world: ImportWorld, wanted: Sequence[Item]) -> None:
    """The table holds this and nothing else (I2)."""
    assert Counter(map(text_of, wanted)) == Counter(map(text_of, world.items))


def assert_nothing_invented(world: ImportWorld, possible: Sequence[Item]) -> None:
    """Every item was there before or stands in the source."""
    known = set(map(text_of, [*possible, *world.held]))
    assert [] == [item for item in world.items if text_of(item) not in known]


def assert_finished_once(world: ImportWorld) -> None:
    """One record says that the import is done; nothing that only a resume needs is left."""
    assert 1 == sum(record["finishedAt"] is not None for record in world.records)
    assert_nothing_left_over(world)


def assert_nothing_left_over(world: ImportWorld) -> None:
    """No checkpoint, no lease, no unfinished upload."""
    kept = ("/import.json", ".jsonl")
    left = [key for key in world.objects if "/_imports/" in key and not key.endswith(kept)]
    assert [] == left
    assert [] == world.aws.s3.uploads(BUCKET)


def assert_nothing_reads_as_finished(world: ImportWorld) -> None:
    """No record says that the import is done."""
    assert [] == [record for record in world.records if record["finishedAt"] is not None]


def assert_checkpoints_are_true(world: ImportWorld) -> None:
    """A checkpoint adds up, and the files of rejected items that it names hold what it counts (I1)."""
    objects = world.objects
    for state in world.checkpoints:
        told = [file["accounts"] for file in state["files"]]
        for one in told:
            assert one["read"] == one["written"] + one["skipped"] + one["conflicted"] + one["rejected"]
        assert set(state["rejects"]) <= set(objects)
        kept = sum(len(objects[key].splitlines()) for key in state["rejects"])
        assert sum(one["rejected"] for one in told) == kept
