"""Stories of two runs at once, and of a sensor whose triggerer is killed."""

from dataclasses import dataclass
from typing import Any

from tests.airflow.scheduler.api import Instance
from tests.airflow.scheduler.exports import Export
from tests.airflow.scheduler.running import wait_until
from tests.airflow.scheduler.tap import Call
from tests.airflow.scheduler.world import World


@dataclass(frozen=True, slots=True)
class TwoRuns:
    """Two runs of one DAG, which read the same table at the same time."""

    run_states: list[str]
    results: list[dict[str, Any]]
    exports: list[Export]


def two_runs(world: World) -> TwoRuns:
    """Neither gets its first page before the other has asked for one."""
    source = world.source("two-runs")
    first_pages = world.dynamodb.hold(source.is_scan)
    instances = [world.begin_export(source, segments=1) for _ in range(2)]
    first_pages.wait_for(2)
    first_pages.release()
    states = [world.airflow.wait_for_end(instance) for instance in instances]
    return TwoRuns(states, [world.airflow.api.result(instance) for instance in instances], source.exports())


@dataclass(frozen=True, slots=True)
class Deferred:
    """A sensor that waited in two triggerers, one after the other."""

    state: str  # of the task, while it waited
    triggerers: list[int]
    run_state: str
    attempts: int


def triggerer_is_killed(world: World) -> Deferred:
    """Kill it while it looks, start another, and fulfil the condition when that one looks."""
    airflow = world.airflow
    source = world.source("deferred", recoverable=False)

    def is_look(call: Call) -> bool:
        return call.operation == "DescribeContinuousBackups" and call.asked["TableName"] == source.name

    def looked(times: int) -> bool:
        return len(world.dynamodb.calls(is_look)) >= times

    run_id = airflow.api.trigger("scheduler_wait", table_name=source.name)
    instance = Instance("scheduler_wait", run_id, "recoverable")
    wait_until("looks of the triggerer", lambda: looked(3))  # the worker's was the first
    state, first = airflow.api.look(instance)["state"], _triggerer(world, instance)
    airflow.kill("triggerer")
    seen = len(world.dynamodb.calls(is_look))
    airflow.start("triggerer")
    wait_until("looks of the new triggerer", lambda: looked(seen + 2))  # one may have been on its way
    second = _triggerer(world, instance)
    source.make_recoverable()
    run_state = airflow.wait_for_end(instance)
    return Deferred(state, [first, second], run_state, airflow.api.look(instance)["try_number"])


def _triggerer(world: World, instance: Instance) -> int:
    number: int = world.airflow.api.look(instance)["triggerer_job"]["id"]
    return number
