"""A table with point-in-time recovery, and attempts at its native exports through doors of the fake."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.adapters.native_exports import native_export_ports
from airflow_dynamo_pipeline.engine.finding import find_backup
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.native_export import advance
from airflow_dynamo_pipeline.engine.native_export_chain import Chain
from airflow_dynamo_pipeline.engine.native_export_request import NativeExportRequest
from airflow_dynamo_pipeline.engine.native_export_result import (
    Early,
    Finished,
    NativeExportResult,
    Nothing,
    Waiting,
)
from airflow_dynamo_pipeline.engine.sources import Backup
from airflow_dynamo_pipeline.errors import PipelineError
from tests.clock import EPOCH, VirtualClock
from tests.faults.attempts import BUCKET, PREFIX, QUIET_SECONDS, TABLE, items
from tests.faults.calls import Call
from tests.faults.dynamodb.native_exports import Exports, exports_of
from tests.faults.endpoint import FakeAws, Killed
from tests.faults.script import Fault

POLL_SECONDS = 30
URI = f"s3://{BUCKET}/{PREFIX}"
CHAIN_KEY = f"{PREFIX}/_dynamo-pipeline/{TABLE}.json"


@dataclass
class Attempt:
    """How one attempt ended: with a result, with nothing to do, with an error, or killed."""

    outcome: Finished | Nothing | PipelineError | Killed | None = None
    operations: list[str] = field(default_factory=list)
    struck: list[Fault] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    early: int = 0  # looks that were too early

    @property
    def result(self) -> NativeExportResult:
        """The result of an attempt that must have succeeded."""
        assert isinstance(self.outcome, Finished), repr(self.outcome)
        return self.outcome.result

    @property
    def error(self) -> PipelineError:
        """The error of an attempt that must have failed."""
        assert isinstance(self.outcome, PipelineError), repr(self.outcome)
        return self.outcome


@dataclass
class NativeWorld:
    """A fake AWS with one table, recoverable since an hour, and one empty bucket."""

    recovery_days: int = 35
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(QUIET_SECONDS))
    aws: FakeAws = field(init=False)

    def __post_init__(self) -> None:
        self.aws = FakeAws(self.clock)
        self.aws.s3.create_bucket(BUCKET)
        self.aws.dynamodb.create_table(TABLE)
        self.exports.s3 = self.aws.s3
        self.aws.dynamodb.put_items(TABLE, items(5))
        self.switch_recovery_on()
        self.pass_time(hours=1)

    @property
    def exports(self) -> Exports:
        """What DynamoDB was asked for, and what will come of it."""
        return exports_of(self.aws.dynamodb)

    def switch_recovery_on(self) -> None:
        """From this moment on the table can be recovered."""
        table = self.aws.dynamodb.table(TABLE)
        table.recovery_days, table.recovery_since = self.recovery_days, self.aws.clock.now()

    def pass_time(self, **span: float) -> None:
        """Let time pass outside of any attempt."""
        self.clock.advance(timedelta(**span).total_seconds())

    def run(
        self,
        *faults: Fault,
        run: str = "run",
        generation: str = "0",
        before: Callable[[Call], None] = lambda _: None,
        **settings: Any,
    ) -> Attempt:
        """One attempt from its beginning to its end, whichever that is."""
        attempt = Attempt()
        asked = NativeExportRequest.from_settings({"table_name": TABLE, "s3_uri": URI, **settings})
        work = Work(run=run, generation=generation, began_at=EPOCH)
        with self.aws.door(*faults) as door:
            door.before = before
            ports = native_export_ports(
                door.client,
                asked,
                stop=threading.Event(),
                say=attempt.said.append,
                warn=attempt.warned.append,
                clock=door.clock,
            )
            try:
                while isinstance(step := advance(asked, work, ports), Waiting | Early):
                    attempt.early += isinstance(step, Early)
                    self.pass_time(seconds=POLL_SECONDS)
                attempt.outcome = step
            except (PipelineError, Killed) as error:
                attempt.outcome = error
            attempt.operations, attempt.struck = door.operations(), list(door.script.struck)
        return attempt

    def changes(self, *faults: Fault, run: str = "hourly", **settings: Any) -> Attempt:
        """An attempt at an incremental export."""
        return self.run(*faults, run=run, **{"export_type": "incremental", **settings})

    @property
    def chain(self) -> Chain:
        """What is recorded on S3."""
        return msgspec.json.decode(self.aws.s3.get(BUCKET, CHAIN_KEY), type=Chain)

    def found(self, uris: Sequence[str]) -> Backup:
        """What the import finds at manifests."""
        store = MemoryStore()
        for key, body in self.aws.s3.objects(BUCKET).items():
            store.put(key, body)

        def silent(_: str) -> None:
            return None

        return find_backup(uris, "auto", store, changes_from=None, sniff=silent, say=silent, warn=silent)
