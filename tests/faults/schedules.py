"""Random schedules: a table that others change while it is exported, and attempts that go wrong.

A schedule is a function of its seed, so that a seed is all that is needed to see a failure again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from airflow_dynamo_pipeline.errors import PipelineError
from tests.faults.attempts import (
    TABLE,
    Attempt,
    World,
    asked,
    assert_checkpoints_name_only_what_is_there,
    assert_nothing_left_over,
    assert_nothing_reads_as_complete,
    data_keys,
    exported_items,
    items,
    listed_keys,
    manifests,
    places,
)
from tests.faults.calls import Call
from tests.faults.dynamodb.writer import Writer
from tests.faults.endpoint import Killed
from tests.faults.script import AFTER_ONLY, BEFORE_ONLY, REFUSALS, Fault, Kind

NOT_HERE = {Kind.FREEZE, Kind.TIME_OUT, Kind.UNPROCESSED, *REFUSALS}
KINDS = [kind for kind in Kind if kind not in NOT_HERE]
ENDS = (
    Kind.KILL,
    Kind.UNAVAILABLE,
)  # what an attempt does not survive: the second for longer than its patience
FOR_EVER = 10_000
SHARES = 1000  # of the calls of an undisturbed export, at which faults fall


@dataclass(frozen=True)
class Schedule:
    """What happens in one trial. A fault's ``at`` counts thousandths of an undisturbed export's calls."""

    seed: int
    count: int
    page_items: int
    segments: int
    part_bytes: int
    change_rate: float  # changes by others before each page
    attempts: tuple[tuple[Fault, ...], ...]

    @classmethod
    def of(cls, seed: int) -> Schedule:
        """The schedule of this seed."""
        dice = random.Random(seed)
        return cls(
            seed=seed,
            count=dice.randint(20, 150),
            page_items=dice.randint(1, 12),
            segments=dice.randint(1, 5),
            part_bytes=dice.choice([1, 200, 1000, 5000]),
            change_rate=dice.choice([0.0, 0.5, 2.0]),
            attempts=tuple(misfortune(dice) for _ in range(dice.randint(1, 4))),
        )


def misfortune(
    dice: random.Random, kinds: Sequence[Kind] = KINDS, ends: Sequence[Kind] = ENDS
) -> tuple[Fault, ...]:
    """Some faults that pass, then one that does not."""
    passing = [_fault(dice, dice.choice(kinds)) for _ in range(dice.randint(0, 6))]
    last = _fault(dice, dice.choice(ends))
    if last.kind is Kind.UNAVAILABLE:
        last = Fault(last.kind, last.at, times=FOR_EVER)
    return (*(fault for fault in passing if fault.kind is not Kind.KILL), last)


def _fault(dice: random.Random, kind: Kind) -> Fault:
    after = kind in AFTER_ONLY or (kind not in BEFORE_ONLY and dice.random() < 0.5)
    return Fault(kind, dice.randint(1, SHARES), after=after, times=dice.choice([1, 1, 2, 4]))


@dataclass
class Trial:
    """A schedule being played."""

    schedule: Schedule
    fault_points: int = 0
    outcomes: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        plan = self.schedule
        self._dice = random.Random(plan.seed + 1)
        self.world = World(items(plan.count), page_items=plan.page_items)
        self._writer = Writer(self.world.aws.dynamodb, TABLE, seed=plan.seed + 2)
        self._began = self.world.aws.dynamodb.tick
        undisturbed = World(items(plan.count), page_items=plan.page_items)
        self._calls = len(undisturbed.export(**self._settings).operations)

    @property
    def _settings(self) -> dict[str, int]:
        return {"segments": self.schedule.segments, "part_bytes": self.schedule.part_bytes}

    def play(self) -> Trial:
        """Let every attempt meet its faults, then one finish undisturbed; check after each."""
        for faults in self.schedule.attempts:
            self._attempt(faults)
            if manifests(self.world.objects):
                self._assert_whole()
            else:
                assert_nothing_reads_as_complete(self.world)
            assert_checkpoints_name_only_what_is_there(self.world)
        last = self._attempt(())
        assert not isinstance(last.outcome, BaseException), last.outcome
        self._assert_whole()
        assert_nothing_left_over(self.world)
        return self

    def _attempt(self, faults: tuple[Fault, ...]) -> Attempt:
        attempt = Attempt(self.world, asked(**self._settings))
        placed = [replace(fault, at=-(-fault.at * self._calls // SHARES)) for fault in faults]
        with self.world.aws.door(*placed) as door:
            door.before = self._others_work
            attempt.through(door)
        self.fault_points += len(attempt.struck)
        self.outcomes.append(attempt.outcome)
        assert not isinstance(attempt.outcome, BaseException) or isinstance(
            attempt.outcome, (PipelineError, Killed)
        )
        return attempt

    def _others_work(self, call: Call) -> None:
        """Other users of the table change it between two pages, until the export is complete."""
        if call.operation != "Scan" or manifests(self.world.objects):
            return
        for _ in range(int(self.schedule.change_rate + self._dice.random())):
            self._writer.step()

    def _assert_whole(self) -> None:
        """E1, E2, E5: untouched items exactly once, changed ones at most once and as they once were."""
        objects = self.world.objects
        (place,) = places(objects)
        assert [place.summary_key] == manifests(objects)
        assert data_keys(objects) == listed_keys(objects, place)
        found = exported_items(objects, place)
        keys = [item["pk"]["S"] for item in found]
        assert len(keys) == len(set(keys)), "an item stands in the export twice"
        history, now = self._writer.history, self.world.aws.dynamodb.tick
        untouched = history.untouched(self._began, now)
        by_key = dict(zip(keys, found, strict=True))
        for item in untouched:
            assert item == by_key.pop(item["pk"]["S"], None), "an untouched item is missing or other"
        for item in by_key.values():
            assert item in history.versions_between({"pk": item["pk"]}, self._began, now), (
                "a version never held"
            )
