"""What a story is told in: a running Airflow, the services, and ears between them."""

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # of Airflow's own requirements

from tests.airflow.scheduler.api import Instance
from tests.airflow.scheduler.exports import BUCKET, READY_KEY, Source, make_bucket
from tests.airflow.scheduler.running import RunningAirflow, running_airflow, wait_until
from tests.airflow.scheduler.tap import Call, Hold, Tap, tapped
from tests.services import Services, running_services

SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCY-not-in-any-log"
EXAMPLE_RATIO = 0.01


@dataclass(frozen=True, slots=True)
class World:
    """One for all stories; each has a table of its own."""

    airflow: RunningAirflow
    services: Services
    dynamodb: Tap
    s3: Tap

    def source(self, name: str, *, read_units: int = 100, recoverable: bool = True) -> Source:
        """A filled table, and an Airflow that is ready."""
        source = Source(name, self.services)
        source.fill(read_units=read_units, recoverable=recoverable)
        self.airflow.wait_until_ready()
        return source

    def begin_example(self, source: Source) -> Instance:
        """Trigger the example DAG as a person does; returns its export."""
        conf = {
            "table_name": source.name,
            "s3_uri": source.s3_uri,
            "ready_uri": f"s3://{BUCKET}/{READY_KEY}",
            "ratio": EXAMPLE_RATIO,
        }
        return Instance("export_table", self.airflow.api.trigger("export_table", **conf), "export")

    def begin_export(self, source: Source, **conf: Any) -> Instance:
        """Trigger an export in small parts, of two segments at 100 units per second unless told otherwise."""
        conf = {"table_name": source.name, "s3_uri": source.s3_uri, **conf}
        return Instance("scheduler_export", self.airflow.api.trigger("scheduler_export", **conf), "export")

    def hold_scans(self, source: Source, segments: int, *, passing: int) -> list[Hold]:
        """Let so many pages of each segment pass and hold the next."""
        return [
            self.dynamodb.hold(source.is_scan_of(segment), passing=passing) for segment in range(segments)
        ]

    def scans(self, source: Source) -> list[Call]:
        """The Scan calls of a table so far."""
        return self.dynamodb.calls(source.is_scan)

    def task(self, instance: Instance) -> psutil.Process:
        """The process in which the operator runs; its parent supervises it."""
        return psutil.Process(self.airflow.api.look(instance)["pid"])


def wait_for_all(holds: list[Hold]) -> None:
    """Return when each holds a reply."""
    for hold in holds:
        hold.wait_for(1)


def release_all(holds: list[Hold]) -> None:
    """Let everything go."""
    for hold in holds:
        hold.release()


def wait_until_gone(process: psutil.Process) -> None:
    """Return when a process has ended."""
    wait_until(f"end of process {process.pid}", lambda: _has_ended(process))


def _has_ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@contextlib.contextmanager
def running_world() -> Iterator[World]:
    """Start everything."""
    with contextlib.ExitStack() as stack:
        services = stack.enter_context(running_services())
        dynamodb_url, dynamodb = stack.enter_context(tapped(services.gateway_url))
        s3_url, s3 = stack.enter_context(tapped(services.moto_url))
        make_bucket(services)
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="airflow-scheduler-")))
        seen = dataclasses.replace(services, gateway_url=dynamodb_url, moto_url=s3_url)
        airflow = stack.enter_context(running_airflow(home, seen, SECRET_KEY))
        yield World(airflow, services, dynamodb, s3)
