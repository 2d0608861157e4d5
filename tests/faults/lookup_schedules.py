"""Random schedules of lookup loads: nights of changed rows, and attempts that go wrong in several ways.

A schedule is a function of its seed, so that a seed is all that is needed to see a failure again.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_dynamo_pipeline.errors import PipelineError
from airflow_dynamo_pipeline.lookup.result import LookupResult
from tests.faults.attempts import NO_WAITING, Item
from tests.faults.dynamodb.pair import texts
from tests.faults.endpoint import Killed
from tests.faults.lookup_promises import (
    assert_digests_are_true,
    assert_named_files_are_there,
    assert_no_success_before_its_time,
    assert_table,
    holds,
)
from tests.faults.lookup_world import (
    GENERATIONS,
    TARGET,
    LookupWorld,
    Row,
    in_small_buckets,
    item_of,
    items_of,
    product,
)
from tests.faults.schedules import KINDS, SHARES, misfortune
from tests.faults.script import Fault, Kind

ALL_KINDS = [*KINDS, Kind.UNPROCESSED]
WAYS: Mapping[str, Mapping[str, Any]] = {
    "table": {},
    "digests": {"compare": "digests"},
    "generations": GENERATIONS,
}


@dataclass(frozen=True)
class Night:
    """What the query says, and what meets its load. A fault's ``at`` counts thousandths of a load's calls."""

    rows: Sequence[Row]
    attempts: tuple[tuple[Fault, ...], ...]
    stops: tuple[int | None, ...]  # thousandths at which an attempt is told to stop
    is_given_up: bool  # no attempt is let finish: the next night's load finds what they left
    others: Sequence[Row]  # which others put into the table before


@dataclass(frozen=True)
class LookupSchedule:
    """What happens in one trial."""

    seed: int
    way: str
    segments: int
    units_per_second: float
    spill_bytes: int
    nights: tuple[Night, ...]

    @classmethod
    def of(cls, seed: int) -> LookupSchedule:
        """The schedule of this seed."""
        dice = random.Random(seed)
        way = dice.choice(sorted(WAYS))
        keys = dice.randint(5, 60)
        count = dice.randint(2, 4)
        return cls(
            seed=seed,
            way=way,
            segments=dice.randint(1, 4),
            units_per_second=dice.choice([NO_WAITING, 100.0, 25.0]),
            spill_bytes=dice.choice([500, 2000, 1_000_000]),
            nights=tuple(_night(dice, keys, way, is_last=number == count - 1) for number in range(count)),
        )

    @property
    def settings(self) -> dict[str, Any]:
        """Those of every load."""
        return {**WAYS[self.way], "segments": self.segments, "units_per_second": self.units_per_second}


def _night(dice: random.Random, keys: int, way: str, *, is_last: bool) -> Night:
    chosen = dice.sample(range(2 * keys), dice.randint(1, keys))
    tries = dice.randint(0, 3)
    others = dice.sample(range(2 * keys), dice.choice([0, 0, 3])) if way == "table" else []
    return Night(
        rows=[product(number, dice.choice(["one", "two", "three"])) for number in chosen],
        attempts=tuple(misfortune(dice, ALL_KINDS, [Kind.KILL]) for _ in range(tries)),
        stops=tuple(dice.choice([None, None, dice.randint(1, SHARES)]) for _ in range(tries)),
        is_given_up=not is_last and dice.random() < 0.4,
        others=[product(number, "theirs") for number in others],
    )


@dataclass
class LookupTrial:
    """A schedule being played."""

    schedule: LookupSchedule
    fault_points: int = 0
    outcomes: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._world = LookupWorld([], settings=self.schedule.settings)
        self._possible: list[Item] = []
        self._calls = 0

    def play(self) -> LookupTrial:
        """Let every attempt of every night meet its faults; check after each."""
        with in_small_buckets(spill_bytes=self.schedule.spill_bytes):
            for number, night in enumerate(self.schedule.nights):
                self._play(night, f"night {number}")
        return self

    def _play(self, night: Night, run: str) -> None:
        world = self._world
        world.rows = night.rows
        theirs = [item_of(row) for row in night.others]
        world.aws.dynamodb.put_items(TARGET, theirs)
        self._possible += items_of(night.rows) + theirs
        undisturbed = world.copy().load(run=run)
        self._calls = len(undisturbed.operations)
        before = texts(holds(world))
        for faults, stop in zip(night.attempts, night.stops, strict=True):
            self._attempt(run, faults, stop)
            self._assert_honest(run, before)
        if not night.is_given_up:
            last = self._attempt(run, (), None)
            assert isinstance(last, LookupResult), last
            self._assert_honest(run, before)
            assert_table(world, items_of(night.rows))

    def _attempt(self, run: str, faults: tuple[Fault, ...], stop: int | None) -> object:
        placed = [replace(fault, at=self._place(fault.at)) for fault in faults]
        attempt = self._world.attempt(*placed, run=run)
        attempt.stop_at = None if stop is None else self._place(stop)
        attempt.run()
        self.fault_points += len(attempt.struck) + (stop is not None)
        self.outcomes.append(attempt.outcome)
        assert isinstance(attempt.outcome, (LookupResult, PipelineError, Killed)), attempt.outcome
        return attempt.outcome

    def _assert_honest(self, run: str, before: list[str]) -> None:
        """Nothing says what is not so, and nothing is in the table that nobody meant to be there."""
        world = self._world
        assert_no_success_before_its_time(world, run, items_of(world.rows))
        assert_digests_are_true(world)
        assert_named_files_are_there(world)
        found = texts(holds(world))
        assert set(found) <= set(texts(self._possible))
        if self.schedule.way == "generations":
            assert found in (before, texts(items_of(world.rows))), "half a generation counts"

    def _place(self, share: int) -> int:
        """A share of the calls as the number of a call."""
        return -(-share * self._calls // SHARES)
