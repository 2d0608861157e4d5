"""Workers that share out one import, each an attempt of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow_dynamo_pipeline.adapters.import_wiring import import_ports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_plan import ImportPorts
from airflow_dynamo_pipeline.engine.import_ranges import commit_import, import_range, plan_import
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.errors import PipelineError
from tests.clock import VirtualClock
from tests.faults.attempts import BUCKET, QUIET_SECONDS
from tests.faults.calls import Call
from tests.faults.endpoint import Door, HarnessClock, Killed
from tests.faults.import_world import ImportWorld, importing, working
from tests.faults.script import Fault, Kind
from tests.faults.sleeping import Asleep

Doing = Callable[[ImportRequest, ImportPorts], Any]
Record = dict[str, Any]


@dataclass
class Worker:
    """One process. Its outcome is what it returned, the error that ended it, or Killed."""

    world: ImportWorld
    doing: Doing
    settings: dict[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    clock: HarnessClock | None = None
    outcome: Any = None
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    struck: list[Fault] = field(default_factory=list)

    def run(self) -> Worker:
        """Work through a door of its own."""
        with self.world.aws.door(*self.faults, clock=self.clock) as door:
            self.through(door)
        return self

    def through(self, door: Door) -> None:
        """Work through this door."""
        request = importing(self.world.laid, **self.settings)
        ports = import_ports(
            door.client,
            request,
            stop=self.new_event(),
            say=self.said.append,
            warn=self.warned.append,
            clock=door.clock,
            around=door.around,
        )
        try:
            self.outcome = self.doing(request, ports)
        except (PipelineError, Killed) as error:
            self.outcome = error
        finally:
            self.calls = list(door.calls)
            self.struck = list(door.script.struck)
            door.frozen.set()  # whoever waits for a strike that never came goes on

    def new_event(self) -> threading.Event:
        """An event that the world's clock can wait for."""
        event: threading.Event = getattr(self.world.aws.clock, "threading", threading).Event()
        return event

    @property
    def operations(self) -> list[str]:
        """The names of the calls."""
        return [call.operation for call in self.calls]

    def failed(self, kind: type[BaseException], *words: str) -> str:
        """The message of an attempt that must have ended with this error, and said this."""
        assert isinstance(self.outcome, kind), repr(self.outcome)
        message = str(self.outcome)
        assert [] == [word for word in words if word not in message], message
        return message


def plan_of(ranges: int, at_once: int | None = None, work: Work | None = None) -> Doing:
    """What plans an import."""
    return lambda request, ports: plan_import(
        request, work or working(), ports, ranges=ranges, at_once=at_once
    )


def range_of(part: RangeWork) -> Doing:
    """What imports a range."""
    return lambda request, ports: import_range(request, ports, ImportReports(lambda _: None), part)


def commit_of(part: RangeWork) -> Doing:
    """What commits an import."""
    return lambda request, ports: commit_import(request, ports, part)


def planning(
    world: ImportWorld,
    *faults: Fault,
    ranges: int,
    at_once: int | None = None,
    work: Work | None = None,
    **more: Any,
) -> Any:
    """Plan an import; gives the ranges, or the error."""
    return Worker(world, plan_of(ranges, at_once, work), more, faults).run().outcome


def ranging(world: ImportWorld, part: RangeWork, *faults: Fault, **more: Any) -> Any:
    """Import a range; gives its result, or the error."""
    return Worker(world, range_of(part), more, faults).run().outcome


def committing(world: ImportWorld, part: RangeWork, *faults: Fault, **more: Any) -> Any:
    """Commit an import; gives its result, or the error."""
    return Worker(world, commit_of(part), more, faults).run().outcome


def sleeping(
    world: ImportWorld, doing: Doing, at: int, *, after: bool, minute: int = 0, **more: Any
) -> Asleep[Worker]:
    """A worker that sleeps at a call. It begins so many minutes after the services did."""
    clock = VirtualClock(QUIET_SECONDS, began_at=60.0 * minute)
    door = world.aws.door(Fault(Kind.FREEZE, at, after=after), clock=clock)
    return Asleep(Worker(world, doing, more, clock=clock), door, clock)


# --- what lies in the bucket --------------------------------------------------------------------


def whole_records(world: ImportWorld) -> list[Record]:
    """The record of every import that was planned, in the order of their ids."""
    objects = world.objects
    names = [key for key in sorted(objects) if key.endswith("/import.json") and "/ranges/" not in key]
    return [json.loads(objects[key]) for key in names]


def range_records(world: ImportWorld) -> list[Record]:
    """The record of every range that has begun."""
    objects = world.objects
    names = [key for key in sorted(objects) if key.endswith("/import.json") and "/ranges/" in key]
    return [json.loads(objects[key]) for key in names]


def assert_committed_once(world: ImportWorld, ranges: int) -> None:
    """One record says that the whole is done, one for each range; nothing only a resume needs is left."""
    assert [True] == [record["finishedAt"] is not None for record in whole_records(world)]
    assert [True] * ranges == [record["finishedAt"] is not None for record in range_records(world)]
    kept = ("/import.json", ".jsonl")
    assert [] == [key for key in world.objects if "/_imports/" in key and not key.endswith(kept)]
    assert [] == world.aws.s3.uploads(BUCKET)


def assert_not_committed(world: ImportWorld) -> None:
    """No record says that the whole is done."""
    assert [] == [record for record in whole_records(world) if record["finishedAt"] is not None]
