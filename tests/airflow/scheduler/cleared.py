"""Stories of people who press Mark failed and Clear, and of an attempt lost after its work was done."""

from dataclasses import dataclass
from typing import Any

from tests.airflow.scheduler.api import Instance
from tests.airflow.scheduler.exports import Export
from tests.airflow.scheduler.killed import Left, Resumed, left_by, resumed
from tests.airflow.scheduler.running import wait_until
from tests.airflow.scheduler.tap import Call
from tests.airflow.scheduler.world import World, release_all, wait_for_all, wait_until_gone

HEARD = "told to stop by Airflow"  # the task says so, once no further page will be asked for


@dataclass(frozen=True, slots=True)
class MarkedFailed:
    """An export that was stopped by Mark failed, and then cleared."""

    scans_when_marked: int  # two of them were under way
    left: Left
    run_state: str
    attempts: int
    resumed: Resumed


def marked_failed(world: World) -> MarkedFailed:
    """Mark failed while both threads have a page under way; Clear when all is quiet."""
    api = world.airflow.api
    source = world.source("marked-failed")
    holds = world.hold_scans(source, 2, passing=2)
    instance = world.begin_export(source)
    wait_for_all(holds)
    scans = len(world.scans(source))
    task = world.task(instance)
    api.mark_failed(instance)
    wait_until("word of it", lambda: HEARD in world.airflow.task_log(instance, 1))
    release_all(holds)
    wait_until_gone(task)
    run_state = world.airflow.wait_for_end(instance)
    left = left_by(world, source)
    attempts = api.look(instance)["try_number"]
    api.clear(instance)
    return MarkedFailed(scans, left, run_state, attempts, resumed(world, source, instance, left))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run: what its export returned, and all that lies in the first export's folder."""

    run_state: str
    attempts: int
    result: dict[str, Any]
    scans: list[Call]
    objects: dict[str, str]


@dataclass(frozen=True, slots=True)
class Committed:
    """An export whose attempt was killed when the manifest was there; then the task was cleared."""

    objects: dict[str, str]  # in the folder when the attempt was dead
    retried: Outcome
    cleared: Outcome
    first: Export
    others: list[Export]


def killed_after_the_commit(world: World) -> Committed:
    """Hold the reply to the write of the manifest, and kill who waits for it; Clear after the retry."""
    source = world.source("committed")
    hold = world.s3.hold(source.is_commit)
    instance = world.begin_export(source)
    hold.wait_for(1)
    task = world.task(instance)
    task.kill()
    wait_until_gone(task)
    (export,) = source.exports()
    objects, scans = export.objects(), len(world.scans(source))
    hold.release()

    def outcome() -> Outcome:
        return _outcome(world, instance, export, world.scans(source)[scans:])

    world.airflow.wait_for_end(instance)
    retried = outcome()
    world.airflow.api.clear(instance)
    world.airflow.wait_for_end(instance)
    others = [other for other in source.exports() if other.layout != export.layout]
    return Committed(objects, retried, outcome(), export, others)


def _outcome(world: World, instance: Instance, export: Export, scans: list[Call]) -> Outcome:
    api = world.airflow.api
    return Outcome(
        run_state=api.run_state(instance.dag_id, instance.run_id),
        attempts=api.look(instance)["try_number"],
        result=api.result(instance),
        scans=scans,
        objects=export.objects(),
    )
