"""One attempt of Spark's at one range: waits while another attempt has it, ends when Spark ends it."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from types import FrameType

from airflow_dynamo_pipeline.adapters.import_wiring import import_ports
from airflow_dynamo_pipeline.adapters.wiring import export_ports
from airflow_dynamo_pipeline.engine.export_ranges import export_range
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_ranges import import_range
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import LeaseHeld, PipelineError, StaleAttempt, Stopped, Temporary
from airflow_dynamo_pipeline.spark.clients import clients_of
from airflow_dynamo_pipeline.spark.document import SparkJob

LOOK_EVERY_SECONDS = 5.0
PARENT_SECONDS = 1.0
REPORT_SECONDS = 30.0

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a range, as an executor tells the driver: ``error`` is empty or says why it failed."""

    number: int
    result: JsonObject = field(default_factory=dict)
    error: str = ""

    @classmethod
    def from_text(cls, text: str) -> Outcome:
        """Read what ``to_text`` wrote."""
        return cls(**json.loads(text))

    def to_text(self) -> str:
        """The outcome as a line of JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Attempt:
    """A range of a job; ``is_last``: Spark makes no other attempt after this one."""

    job: str  # its document
    number: int
    is_last: bool = field(kw_only=True)

    def run(self) -> str:
        """Bring the range to its end and return its Outcome as text.

        Raises what a retry can help while Spark will make another attempt, and Stopped when it was ended.
        """
        try:
            with stopping_with_spark() as stop:
                result = self._result(stop)
        except Stopped:
            raise  # nobody waits for an answer any more
        except PipelineError as error:
            if isinstance(error, Temporary) and not self.is_last:
                raise
            return Outcome(number=self.number, error=str(error)).to_text()
        except Exception:
            if not self.is_last:
                raise
            return Outcome(number=self.number, error=traceback.format_exc()).to_text()
        return Outcome(number=self.number, result=result).to_text()

    def _result(self, stop: threading.Event) -> JsonObject:
        job = SparkJob.from_json(self.job)
        part = job.parts[self.number]
        say = functools.partial(_say, part)
        while True:
            try:
                return bring_to_its_end(job, part, stop, say)
            except (LeaseHeld, StaleAttempt) as error:
                say(f"{error}; looking again until the range is done")
            if stop.wait(LOOK_EVERY_SECONDS):
                raise Stopped("ended by Spark while another attempt had the range")


def bring_to_its_end(job: SparkJob, part: RangeWork, stop: threading.Event, say: Say) -> JsonObject:
    """Export or import one range; raises what ``export_range`` and ``import_range`` raise."""
    request, clients = job.request, clients_of(job)
    if isinstance(request, ExportRequest):
        ports = export_ports(clients, request, stop=stop, say=say, warn=say)
        reports = Reports(lambda progress: say(progress.line()), REPORT_SECONDS)
        return export_range(request, ports, reports, part).to_json()
    to_import = import_ports(clients, request, stop=stop, say=say, warn=say)
    import_reports = ImportReports(lambda progress: say(progress.line()), REPORT_SECONDS)
    return import_range(request, to_import, import_reports, part).to_json()


@contextmanager
def stopping_with_spark() -> Iterator[threading.Event]:
    """An event that is set when Spark ends this process, or the executor it belongs to is gone.

    Spark's daemon hangs up (SIGHUP) when its executor died; a cluster's manager terminates (SIGTERM).
    A killed attempt may also be killed outright: then its lease is silent, and the next attempt sees that.
    """
    stop = threading.Event()
    numbers = (signal.SIGHUP, signal.SIGTERM)

    def end(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=stop.set).start()  # the interrupted thread may hold the event's lock

    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, end) for number in numbers} if is_main else {}
    ended = threading.Event()
    watch = threading.Thread(target=_watch_parent, args=(stop, ended, os.getppid()), daemon=True)
    watch.start()
    try:
        yield stop
    finally:
        ended.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch_parent(stop: threading.Event, ended: threading.Event, parent: int) -> None:
    while not ended.wait(PARENT_SECONDS):
        if os.getppid() != parent:
            stop.set()
            return


def _say(part: RangeWork, line: str) -> None:
    sys.stderr.write(f"range {part.number} of {part.id}: {line}\n")
