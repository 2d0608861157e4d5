"""Workers that share out one export, each an attempt of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_dynamo_pipeline.engine.export_ranges import commit_export, export_range, plan_export
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from tests.clock import EPOCH, VirtualClock
from tests.faults.attempts import BUCKET, QUIET_SECONDS, Attempt, Objects, World, asked
from tests.faults.script import Fault, Kind
from tests.faults.sleeping import Asleep


def planning(
    world: World,
    *faults: Fault,
    ranges: int,
    at_once: int | None = None,
    generation: str = "0",
    **settings: Any,
) -> Attempt:
    """An attempt at the plan; its outcome is the ranges."""

    def plan(request: Any, work: Work, ports: Any, _: Any) -> tuple[RangeWork, ...]:
        return plan_export(request, work, ports, ranges=ranges, at_once=at_once)

    work = Work(run="dag|plan|-1|run", generation=generation, began_at=EPOCH)
    return Attempt(world, asked(**settings), faults, work, stop=world.new_event(), doing=plan)


def ranging(world: World, part: RangeWork, *faults: Fault, **settings: Any) -> Attempt:
    """An attempt at one range."""

    def one(request: Any, _: Work, ports: Any, reports: Any) -> Any:
        return export_range(request, ports, reports, part)

    return Attempt(world, asked(**settings), faults, stop=world.new_event(), doing=one)


def committing(world: World, part: RangeWork, *faults: Fault, **settings: Any) -> Attempt:
    """An attempt at the commit."""

    def commit(request: Any, _: Work, ports: Any, __: Any) -> Any:
        return commit_export(request, ports, part)

    return Attempt(world, asked(**settings), faults, stop=world.new_event(), doing=commit)


def planned(world: World, **settings: Any) -> Sequence[RangeWork]:
    """The ranges of a plan that nothing disturbs."""
    parts: Sequence[RangeWork] = planning(world, **settings).run().outcome
    assert not isinstance(parts, BaseException), parts
    return parts


@dataclass(frozen=True)
class Saved:
    """What lay in a world's bucket at some time, to try something else from there."""

    world: World
    objects: Objects

    @classmethod
    def of(cls, world: World) -> Saved:
        """As it is now."""
        return cls(world, world.objects)

    def restore(self) -> World:
        """The world with its bucket as it was."""
        s3 = self.world.aws.s3
        assert [] == s3.uploads(BUCKET)
        for key in self.world.objects:
            s3.delete(BUCKET, key)
        for key, body in self.objects.items():
            s3.put(BUCKET, key, body)
        return self.world


class Sleeper(Asleep[Attempt]):
    """An attempt that begins so many minutes after the services did, and freezes at one of its calls."""

    def __init__(self, attempt: Attempt, at: int, *, after: bool, minute: int = 0) -> None:
        clock = VirtualClock(QUIET_SECONDS, began_at=60.0 * minute)
        attempt.clock = clock
        fault = Fault(Kind.FREEZE, at, after=after)
        super().__init__(attempt, attempt.world.aws.door(fault, clock=clock), clock)
