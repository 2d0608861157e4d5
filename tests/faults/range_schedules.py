"""Random schedules of several workers that share out a table which others change meanwhile."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from airflow_dynamo_pipeline.engine.export_ranges import RangeResult
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.engine.table_export import ExportResult
from airflow_dynamo_pipeline.errors import PipelineError
from tests.faults.attempts import (
    TABLE,
    Attempt,
    World,
    assert_checkpoints_name_only_what_is_there,
    assert_nothing_left_over,
    assert_nothing_reads_as_complete,
    data_keys,
    exported_items,
    items,
    listed_keys,
    places,
)
from tests.faults.calls import Call
from tests.faults.dynamodb.writer import Writer
from tests.faults.endpoint import Killed
from tests.faults.range_attempts import committing, planning, ranging
from tests.faults.schedules import SHARES, misfortune
from tests.faults.script import Fault

PLAN_CALLS, RANGE_CALLS, COMMIT_CALLS = 7, 30, 20  # at least, of an attempt: where its faults fall
MOST_TRIES = 12


@dataclass(frozen=True)
class RangeSchedule:
    """What happens in one trial."""

    seed: int
    count: int
    page_items: int
    ranges: int
    at_once: int
    segments: int
    part_bytes: int
    change_rate: float  # changes by others before each page
    faults: tuple[tuple[Fault, ...], ...]  # of the first attempts, whichever they are at

    @classmethod
    def of(cls, seed: int) -> RangeSchedule:
        """The schedule of this seed."""
        dice = random.Random(seed)
        ranges = dice.randint(2, 6)
        return cls(
            seed=seed,
            count=dice.randint(40, 200),
            page_items=dice.randint(1, 12),
            ranges=ranges,
            at_once=dice.randint(1, ranges),
            segments=dice.randint(ranges, 2 * ranges),
            part_bytes=dice.choice([1, 200, 1000, 5000]),
            change_rate=dice.choice([0.0, 0.5, 2.0]),
            faults=tuple(misfortune(dice) for _ in range(dice.randint(2, 2 * ranges))),
        )


@dataclass
class RangeTrial:
    """A schedule being played, by several workers at the same time."""

    schedule: RangeSchedule
    fault_points: int = 0
    outcomes: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        plan = self.schedule
        self._dice = random.Random(plan.seed + 1)
        self.world = World(items(plan.count), page_items=plan.page_items)
        self._writer = Writer(self.world.aws.dynamodb, TABLE, seed=plan.seed + 2)
        self._began = self.world.aws.dynamodb.tick
        self._lock = threading.Lock()
        self._left = list(reversed(plan.faults))

    @property
    def _settings(self) -> dict[str, Any]:
        return {"segments": self.schedule.segments, "part_bytes": self.schedule.part_bytes}

    def play(self) -> RangeTrial:
        """Plan, all ranges by several workers, and commit, each tried again until it is done."""
        plan = self.schedule
        parts = self._until_done(
            lambda: planning(self.world, ranges=plan.ranges, at_once=plan.at_once, **self._settings),
            PLAN_CALLS,
        )
        assert_nothing_reads_as_complete(self.world)
        self._work(parts)
        assert_nothing_reads_as_complete(self.world)
        assert_checkpoints_name_only_what_is_there(self.world)
        result = self._until_done(lambda: committing(self.world, parts[0], **self._settings), COMMIT_CALLS)
        assert isinstance(result, ExportResult)
        self._assert_whole()
        assert_nothing_left_over(self.world)
        return self

    def _work(self, parts: Sequence[RangeWork]) -> None:
        """One worker more than there are places; some ranges are tried twice at the same time."""
        waiting = [*parts, *self._dice.sample(list(parts), 1)]
        self._dice.shuffle(waiting)
        failures: list[BaseException] = []

        def work() -> None:
            while True:
                with self._lock:
                    part = waiting.pop() if waiting else None
                if part is None:
                    return
                try:
                    found = self._until_done(
                        partial(ranging, self.world, part, **self._settings), RANGE_CALLS
                    )
                    assert isinstance(found, RangeResult)
                except BaseException as error:  # noqa: BLE001  raised below
                    failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(self.schedule.at_once + 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [] == failures

    def _until_done(self, make: Callable[[], Attempt], calls: int) -> Any:
        for _ in range(len(self.schedule.faults) + MOST_TRIES):
            attempt = make()
            self._through(attempt, calls)
            if not isinstance(attempt.outcome, BaseException):
                return attempt.outcome
            assert isinstance(attempt.outcome, (PipelineError, Killed)), attempt.outcome
        raise AssertionError(attempt.outcome)

    def _through(self, attempt: Attempt, calls: int) -> None:
        with self._lock:
            faults = self._left.pop() if self._left else ()
        placed = [replace(fault, at=-(-fault.at * calls // SHARES)) for fault in faults]
        with self.world.aws.door(*placed) as door:
            door.before = self._others_work
            attempt.through(door)
        with self._lock:
            self.fault_points += len(attempt.struck)
            self.outcomes.append(attempt.outcome)

    def _others_work(self, call: Call) -> None:
        """Other users of the table change it between two pages."""
        if call.operation != "Scan":
            return
        with self._lock:
            for _ in range(int(self.schedule.change_rate + self._dice.random())):
                self._writer.step()

    def _assert_whole(self) -> None:
        """E1, E2, E5: untouched items exactly once, changed ones at most once and as they once were."""
        objects = self.world.objects
        (place,) = places(objects)
        assert data_keys(objects) == listed_keys(objects, place)
        found = exported_items(objects, place)
        by_key = {item["pk"]["S"]: item for item in found}
        assert len(found) == len(by_key), "an item stands in the export twice"
        history, now = self._writer.history, self.world.aws.dynamodb.tick
        for item in history.untouched(self._began, now):
            assert item == by_key.pop(item["pk"]["S"], None), "an untouched item is missing or other"
        for item in by_key.values():
            versions = history.versions_between({"pk": item["pk"]}, self._began, now)
            assert item in versions, "a version never held"
