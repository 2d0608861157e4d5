"""Stories of attempts that are lost while they read."""

from dataclasses import dataclass
from typing import Any

from tests.airflow.scheduler.api import Instance
from tests.airflow.scheduler.exports import ITEMS, Export, Source
from tests.airflow.scheduler.running import wait_until
from tests.airflow.scheduler.tap import Call
from tests.airflow.scheduler.world import World, release_all, wait_for_all, wait_until_gone

FOUR_SHARES = 12_000  # units of a table from which the plan makes four segments
SLOW = 20  # units per second: the table takes 25 seconds, and a line of progress comes after ten


@dataclass(frozen=True, slots=True)
class Left:
    """What an attempt left behind."""

    checkpoints: dict[int, dict[str, Any]]
    lease: dict[str, Any]
    manifest: dict[str, Any] | None
    scans: list[Call]

    @property
    def items_missing(self) -> int:
        """How many items of the table the checkpoints do not have."""
        return ITEMS - sum(int(segment["scannedCount"]) for segment in self.checkpoints.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """An export that one attempt began and another finished."""

    left: Left
    run_state: str
    result: dict[str, Any]
    attempts: int
    scans: list[Call]  # after the first attempt's
    exports: list[Export]

    @property
    def start_keys(self) -> dict[int, Any]:
        """After which key each segment's first page was read; None: from the segment's beginning."""
        first = {call.asked["Segment"]: call for call in reversed(self.scans)}
        return {segment: call.asked.get("ExclusiveStartKey") for segment, call in first.items()}


@dataclass(frozen=True, slots=True)
class Watched:
    """What the API said of an attempt while it ran, and what came of it."""

    state: str
    progress: dict[str, Any]
    resumed: Resumed


def left_by(world: World, source: Source) -> Left:
    """Look at the one export of a table; whoever works on it must have ended."""
    (export,) = source.exports()
    return Left(export.checkpoints(), export.lease(), export.manifest(), world.scans(source))


def resumed(world: World, source: Source, instance: Instance, left: Left) -> Resumed:
    """Wait for the end of the run and look again."""
    state = world.airflow.wait_for_end(instance)
    api = world.airflow.api
    return Resumed(
        left=left,
        run_state=state,
        result=api.result(instance),
        attempts=api.look(instance)["try_number"],
        scans=world.scans(source)[len(left.scans) :],
        exports=source.exports(),
    )


def task_is_killed(world: World) -> Watched:
    """The example DAG's export, killed while the last of its four segments is being read."""
    source = world.source("task-is-killed", read_units=FOUR_SHARES)
    hold = world.dynamodb.hold(source.is_scan_of(0), passing=1)
    instance = world.begin_example(source)
    hold.wait_for(1)
    progress = wait_until("three segments in the progress", lambda: _segments_done(world, instance, 3))
    state = world.airflow.api.look(instance)["state"]
    task = world.task(instance)
    task.kill()
    wait_until_gone(task)
    left = left_by(world, source)
    hold.release()
    return Watched(state, progress, resumed(world, source, instance, left))


def _segments_done(world: World, instance: Instance, number: int) -> dict[str, Any] | None:
    progress = world.airflow.api.progress(instance)
    return progress if progress and number == progress["segments_done"] else None


def worker_is_lost(world: World) -> Resumed:
    """Task and supervisor are killed, so that nobody reports it; both segments have a finished part."""
    source = world.source("worker-is-lost")
    holds = world.hold_scans(source, 2, passing=7)
    instance = world.begin_export(source)
    wait_for_all(holds)
    task = world.task(instance)
    task.parent().kill()
    task.kill()
    wait_until_gone(task)
    left = left_by(world, source)
    release_all(holds)
    return resumed(world, source, instance, left)


def supervisor_is_lost(world: World) -> Resumed:
    """The supervisor alone is killed; the task reads on until it has something to say to Airflow."""
    source = world.source("supervisor-is-lost")
    hold = world.dynamodb.hold(source.is_scan, passing=1)
    instance = world.begin_export(source, units_per_second=SLOW)
    hold.wait_for(1)
    task = world.task(instance)
    task.parent().kill()
    hold.release()
    wait_until_gone(task)
    return resumed(world, source, instance, left_by(world, source))
