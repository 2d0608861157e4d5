"""Random schedules of imports: backups of every kind, and attempts that go wrong in several ways.

A schedule is a function of its seed, so that a seed is all that is needed to see a failure again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_dynamo_pipeline.errors import PipelineError
from tests.faults.attempts import NO_WAITING, Item
from tests.faults.endpoint import Killed
from tests.faults.import_backups import Change, Laid, chain, files, native_base, native_window
from tests.faults.import_world import (
    Accounts,
    ImportAttempt,
    ImportWorld,
    accounts,
    assert_accounts,
    assert_checkpoints_are_true,
    assert_finished_once,
    assert_nothing_invented,
    assert_table,
    importing,
)
from tests.faults.schedules import KINDS, SHARES, misfortune
from tests.faults.script import Fault, Kind

ALL_KINDS = [*KINDS, Kind.UNPROCESSED]
MODES = ("overwrite", "skip", "newer", "changes")
HELD_SHARE = 0.3  # of the keys, which the table has already
Held = dict[int, Item]


@dataclass(frozen=True)
class Scene:
    """A backup, a table before and after, and what must be accounted for."""

    laid: Laid
    held: list[Item]
    wanted: list[Item]
    possible: list[Item]  # whatever may ever stand in the table
    accounts: Accounts
    rejects: list[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True)
class ImportSchedule:
    """What happens in one trial. A fault's ``at`` counts thousandths of an undisturbed import's calls."""

    seed: int
    mode: str
    count: int
    files: int
    writers: int
    bad: int  # lines that are no items
    units_per_second: float
    attempts: tuple[tuple[Fault, ...], ...]
    stops: tuple[int | None, ...]  # thousandths at which an attempt is told to stop

    @classmethod
    def of(cls, seed: int) -> ImportSchedule:
        """The schedule of this seed."""
        dice = random.Random(seed)
        tries = dice.randint(1, 4)
        return cls(
            seed=seed,
            mode=dice.choice(MODES),
            count=dice.randint(20, 150),
            files=dice.randint(1, 6),
            writers=dice.randint(1, 5),
            bad=dice.choice([0, 0, 1, 5]),
            units_per_second=dice.choice([NO_WAITING, 100.0, 25.0]),
            attempts=tuple(misfortune(dice, ALL_KINDS, [Kind.KILL]) for _ in range(tries)),
            stops=tuple(dice.choice([None, dice.randint(1, SHARES)]) for _ in range(tries)),
        )

    def scene(self) -> Scene:
        """What the trial is about."""
        dice = random.Random(self.seed + 1)
        return _changes(self, dice) if self.mode == "changes" else _base(self, dice)


def _item(number: int, version: int, of: str) -> Item:
    return {"pk": {"S": f"{number:05}"}, "v": {"N": str(version)}, "of": {"S": of}}


def _key(number: int) -> Item:
    return {"pk": {"S": f"{number:05}"}}


def _base(plan: ImportSchedule, dice: random.Random) -> Scene:
    """Files in a folder, with some lines that are no items, and a table that has some of the keys."""
    source = [_item(number, dice.randint(1, 5), "source") for number in range(plan.count)]
    held: Held = {
        number: _item(number, dice.randint(1, 5), "table")
        for number in range(plan.count + 5)
        if dice.random() < HELD_SHARE
    }
    stays: dict[str, Callable[[Item, Item], bool]] = {
        "overwrite": lambda _new, _old: False,
        "skip": lambda _new, _old: True,
        "newer": lambda new, old: int(old["v"]["N"]) >= int(new["v"]["N"]),
    }
    kept = {n for n in held if n >= plan.count or stays[plan.mode](source[n], held[n])}
    wanted = {**dict(enumerate(source)), **{n: held[n] for n in kept}}
    parts: list[list[Item | str]] = [list(source[n :: plan.files]) for n in range(plan.files)]
    for _ in range(plan.bad):
        part = dice.choice(parts)
        part.insert(dice.randint(0, len(part)), "no JSON")
    rejects = [
        (f"given/part-{number}.json", line)
        for number, part in enumerate(parts)
        for line, one in enumerate(part, start=1)
        if isinstance(one, str)
    ]
    laid = files(*parts)
    skipped = len(kept & set(range(plan.count)))
    told = accounts(laid.lines, skipped=skipped, rejected=plan.bad)
    return Scene(laid, list(held.values()), list(wanted.values()), source, told, sorted(rejects))


def _changes(plan: ImportSchedule, dice: random.Random) -> Scene:
    """A full export and windows in which items come, change and go."""
    state: Held = {number: _item(number, 0, "source") for number in range(plan.count)}
    possible = list(state.values())
    base = native_base(*(possible[part :: plan.files] for part in range(plan.files)))
    windows = []
    deleted = 0
    for number in range(dice.randint(1, 4)):
        changes: list[Change] = []
        for one in dice.sample(range(plan.count + 10), dice.randint(1, plan.count // 2)):
            image = None if dice.random() < 0.3 else _item(one, number + 1, "source")
            changes.append((_key(one), image))
            if image is None:
                state.pop(one, None)
                deleted += 1
            else:
                state[one] = image
                possible.append(image)
        half = len(changes) // 2
        windows.append(native_window(number, changes[:half], changes[half:]))
    laid = chain(base, windows)
    return Scene(laid, [], list(state.values()), possible, accounts(laid.lines, deleted=deleted))


@dataclass
class ImportTrial:
    """A schedule being played."""

    schedule: ImportSchedule
    fault_points: int = 0
    outcomes: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scene = self.schedule.scene()
        self.world = ImportWorld(self.scene.laid, self.scene.held)
        undisturbed = ImportWorld(self.scene.laid, self.scene.held)
        self._calls = len(undisturbed.run(**self._settings).operations)

    @property
    def _settings(self) -> dict[str, Any]:
        plan = self.schedule
        settings: dict[str, Any] = {
            "segments": plan.writers,
            "max_rejected": plan.bad,
            "units_per_second": plan.units_per_second,
        }
        if plan.mode == "changes":
            return settings
        settings |= {"file_format": "dynamodb_json", "on_conflict": plan.mode}
        return settings | ({"version_attribute": "v"} if plan.mode == "newer" else {})

    def play(self) -> ImportTrial:
        """Let every attempt meet its faults, then one finish undisturbed; check after each."""
        for faults, stop in zip(self.schedule.attempts, self.schedule.stops, strict=True):
            self._attempt(faults, stop)
            assert_nothing_invented(self.world, self.scene.possible)
            assert_checkpoints_are_true(self.world)
        last = self._attempt((), None)
        assert_accounts(last)
        assert self.scene.accounts == last.accounts
        assert_table(self.world, self.scene.wanted)
        assert_finished_once(self.world)
        assert self.scene.rejects == self.world.rejects
        return self

    def _attempt(self, faults: tuple[Fault, ...], stop: int | None) -> ImportAttempt:
        placed = tuple(replace(fault, at=self._place(fault.at)) for fault in faults)
        request = importing(self.scene.laid, **self._settings)
        stop_at = None if stop is None else self._place(stop)
        attempt = ImportAttempt(self.world, request, placed, stop_at=stop_at).run()
        self.fault_points += len(attempt.struck) + (stop_at is not None)
        self.outcomes.append(attempt.outcome)
        assert not isinstance(attempt.outcome, BaseException) or isinstance(
            attempt.outcome, (PipelineError, Killed)
        )
        return attempt

    def _place(self, share: int) -> int:
        """A share of the calls as the number of a call."""
        return -(-share * self._calls // SHARES)
