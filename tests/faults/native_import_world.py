"""Native imports through a door of the fake: attempts at one run, and what they left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_dynamo_pipeline.adapters.native_imports import native_import_ports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.native_import import NativeImportRequest
from airflow_dynamo_pipeline.engine.native_import_end import NativeImportResult, finish, wait
from airflow_dynamo_pipeline.engine.native_import_ports import NativeImportPorts
from airflow_dynamo_pipeline.engine.native_import_start import begin
from airflow_dynamo_pipeline.engine.table_definition import FILE_NAME
from airflow_dynamo_pipeline.errors import PipelineError
from tests.clock import EPOCH, VirtualClock
from tests.faults.attempts import BUCKET, QUIET_SECONDS, Item
from tests.faults.calls import Call
from tests.faults.dynamodb.native_imports import Imports, imports_of
from tests.faults.endpoint import Door, FakeAws, Killed
from tests.faults.import_backups import Laid
from tests.faults.script import Fault

TARGET = "copy"
RUN = "dag|task|-1|run"
LOOKS_EVERY = 60.0  # seconds
TAKES = 150.0  # seconds that an import runs: two looks find it running, the third does not
PARAMETERS: dict[str, Any] = {
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}


@dataclass
class NativeWorld:
    """A fake AWS with a backup in its bucket, where imports take their time; no table yet."""

    laid: Laid
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(QUIET_SECONDS))

    def __post_init__(self) -> None:
        self.aws = FakeAws(self.clock)
        self.aws.s3.create_bucket(BUCKET)
        for key, body in self.laid.objects.items():
            self.aws.s3.put(BUCKET, key, body)
        self.book.seconds = TAKES

    @property
    def book(self) -> Imports:
        """Every import that was begun, and how the next one goes."""
        return imports_of(self.aws.dynamodb)

    @property
    def uri(self) -> str:
        """Where the backup lies."""
        return self.laid.uris[0]

    @property
    def items(self) -> list[Item]:
        """What is in the table."""
        return self.aws.dynamodb.items(TARGET)

    @property
    def tables(self) -> list[str]:
        """The names of all tables."""
        return self.aws.dynamodb._database.names()

    def define(self, body: bytes) -> str:
        """Put a stored definition beside the manifest; returns its URI."""
        uri = self.uri.rpartition("/")[0] + f"/{FILE_NAME}"
        self.aws.s3.put(BUCKET, uri.removeprefix(f"s3://{BUCKET}/"), body)
        return uri

    def run(
        self,
        *faults: Fault,
        generation: str = "0",
        run: str = RUN,
        before: Callable[[Call], None] = lambda _: None,
        stop_on: str | None = None,
        **settings: Any,
    ) -> NativeAttempt:
        """One attempt to its end; with ``stop_on``, told to stop when it makes a call of that operation."""
        usual = {"table_name": TARGET, "s3_uri": self.uri, "table_definition": PARAMETERS}
        if "manifest_uri" in settings:
            del usual["s3_uri"]
        request = NativeImportRequest.from_settings({**usual, **settings})
        attempt = NativeAttempt(request, Work(run=run, generation=generation, began_at=EPOCH))
        with self.aws.door(*faults) as door:

            def meanwhile(call: Call) -> None:
                before(call)
                if call.operation == stop_on:
                    attempt.stop.set()

            door.before = meanwhile
            attempt.through(door)
        return attempt


@dataclass
class NativeAttempt:
    """One process. Its outcome is a result, the error that ended it, or Killed."""

    request: NativeImportRequest
    work: Work
    outcome: NativeImportResult | BaseException | None = None
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    operations: list[str] = field(default_factory=list)

    def through(self, door: Door) -> None:
        """What the operator's waiting mode does."""
        ports: NativeImportPorts = native_import_ports(
            door.client,
            stop=self.stop,
            say=self.said.append,
            warn=self.warned.append,
            clock=door.clock,
        )
        try:
            begun = begin(self.request, self.work, ports)
            over = replace(begun, native=wait(begun.native, LOOKS_EVERY, ports))
            self.outcome = finish(self.request, over, ports)
        except (PipelineError, Killed) as error:
            self.outcome = error
        finally:
            self.operations = door.operations()

    @property
    def result(self) -> NativeImportResult:
        """The result of an attempt that must have succeeded."""
        assert isinstance(self.outcome, NativeImportResult), repr(self.outcome)
        return self.outcome

    def failed(self, kind: type[BaseException], *words: str) -> str:
        """The message of an attempt that must have ended with this error, and said this."""
        assert isinstance(self.outcome, kind), repr(self.outcome)
        message = str(self.outcome)
        assert [] == [word for word in words if word not in message], message
        return message
