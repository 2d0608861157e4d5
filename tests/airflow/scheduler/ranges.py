"""The story of three mapped tasks: one is killed, one is stopped by a person and then cleared."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.airflow.scheduler.api import Instance
from tests.airflow.scheduler.cleared import HEARD
from tests.airflow.scheduler.exports import Export, Source, items_read
from tests.airflow.scheduler.running import wait_until
from tests.airflow.scheduler.tap import Call, Hold
from tests.airflow.scheduler.world import World, wait_until_gone

RANGES = 3  # of one segment each
A_PART = 530  # items, of two kilobytes each; a segment has more


@dataclass(frozen=True, slots=True)
class State:
    """The run and its export at its first end, and at its last."""

    run_state: str
    ranges: list[tuple[str, int]]  # state and attempts
    commit: str
    checkpoints: dict[int, dict[str, Any]]
    leases: list[dict[str, Any]]
    manifest: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedOut:
    """What became of the ranges."""

    killed: dict[str, Any]  # the checkpoint of segment 1 when its process was dead
    start_keys: dict[int, Any]  # the first page of segment 1 after that
    scans_when_marked: int  # of segment 2
    scans_when_failed: int
    failed: State
    whole: State
    result: dict[str, Any]
    names: list[str]
    scans: list[Call]
    keys: Counter[str]

    def asked_twice(self, segment: int) -> list[str]:
        """The pages of a segment that were asked for more than once."""
        asked = Counter(
            json.dumps(call.asked.get("ExclusiveStartKey"))
            for call in self.scans
            if segment == call.asked["Segment"]
        )
        return [key for key, times in asked.items() if times > 1]


def ranges_are_lost(world: World) -> SharedOut:
    """Kill range 1 behind its first part, mark range 2 failed, and clear it when the run has failed."""
    source = world.source("ranges-are-lost", read_units=1000)
    behind_a_part = world.dynamodb.hold(_after_items(source.is_scan_of(1), A_PART))
    third_page = world.dynamodb.hold(source.is_scan_of(2), passing=2)
    api = world.airflow.api
    run_id = api.trigger("scheduler_ranges", table_name=source.name, s3_uri=source.s3_uri)
    ranges = [Instance("scheduler_ranges", run_id, "export.range", number) for number in range(RANGES)]
    behind_a_part.wait_for(1)
    _kill(world, ranges[1])
    (export,) = source.exports()
    killed, before = export.checkpoints()[1], len(world.scans(source))
    behind_a_part.release()
    third_page.wait_for(1)
    marked = _scans_of(world, source, 2)
    _mark_failed(world, ranges[2], third_page)
    world.airflow.wait_for_end(ranges[0])
    failed, stopped = _state(world, ranges, export), _scans_of(world, source, 2)
    later = world.scans(source)[before:]
    api.clear(ranges[2])
    world.airflow.wait_for_end(ranges[0])
    return SharedOut(
        killed=killed,
        start_keys={1: _first_page(later, 1)},
        scans_when_marked=marked,
        scans_when_failed=stopped,
        failed=failed,
        whole=_state(world, ranges, export),
        result=api.result(_commit(ranges)),
        names=[api.look(one)["rendered_map_index"] for one in ranges],
        scans=world.scans(source),
        keys=export.keys(),
    )


def _after_items(wanted: Callable[[Call], bool], items: int) -> Callable[[Call], bool]:
    """Whether a call is wanted and those before it had read so many items."""
    read = 0

    def is_behind(call: Call) -> bool:
        nonlocal read
        if not wanted(call):
            return False
        before, read = read, read + items_read([call])
        return before >= items

    return is_behind


def _kill(world: World, instance: Instance) -> None:
    task = world.task(instance)
    task.kill()
    wait_until_gone(task)


def _mark_failed(world: World, instance: Instance, page: Hold) -> None:
    """As a person does; the page that is under way comes once the process heard of it."""
    task = world.task(instance)
    world.airflow.api.mark_failed(instance)
    wait_until("word of it", lambda: HEARD in world.airflow.task_log(instance, 1))
    page.release()
    wait_until_gone(task)


def _commit(ranges: list[Instance]) -> Instance:
    return Instance("scheduler_ranges", ranges[0].run_id, "export.commit")


def _scans_of(world: World, source: Source, segment: int) -> int:
    return len(world.dynamodb.calls(source.is_scan_of(segment)))


def _first_page(scans: list[Call], segment: int) -> Any:
    return next(call.asked.get("ExclusiveStartKey") for call in scans if segment == call.asked["Segment"])


def _state(world: World, ranges: list[Instance], export: Export) -> State:
    api = world.airflow.api
    found = [api.look(one) for one in ranges]
    return State(
        run_state=api.run_state(ranges[0].dag_id, ranges[0].run_id),
        ranges=[(one["state"], one["try_number"]) for one in found],
        commit=api.look(_commit(ranges))["state"],
        checkpoints=export.checkpoints(),
        leases=[export.range_lease(number) for number in range(len(ranges))],
        manifest=export.manifest(),
    )
