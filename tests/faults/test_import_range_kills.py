"""Plan, ranges and commit of one import, each killed at every call it makes, and tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.errors import ImportRefused
from tests.faults.attempts import Item, items
from tests.faults.conftest import Tally
from tests.faults.endpoint import Killed
from tests.faults.import_backups import Laid, exported, files
from tests.faults.import_range_attempts import (
    Doing,
    Worker,
    assert_committed_once,
    assert_not_committed,
    commit_of,
    plan_of,
    planning,
    range_of,
    whole_records,
)
from tests.faults.import_world import (
    KEPT,
    Accounts,
    ImportWorld,
    accounts,
    assert_checkpoints_are_true,
    assert_nothing_invented,
    assert_table,
    working,
)
from tests.faults.points import some_of
from tests.faults.script import Fault, Kind

pytestmark = pytest.mark.usefixtures("small_steps")
RATE = (
    24.0  # units per second of two workers at which a dozen items are a few calls, with checkpoints between
)


def versioned(number: int, version: int, body: str = "new") -> Item:
    """An item of the source, or one that the table holds."""
    return {"pk": {"S": f"{number:05}"}, "v": {"N": str(version)}, "body": {"S": body}}


SOURCE = [versioned(number, 5) for number in range(12)]
HELD = [versioned(1, 4, "old"), versioned(4, 5, "old"), versioned(7, 6, "old"), versioned(99, 1, "old")]
THREE_FILES = files(SOURCE[:5], SOURCE[5:8], SOURCE[8:])
WITH_BAD_LINES = files([*SOURCE[:5], "no JSON"], ['{"Item":{"other":{"S":"x"}}}', *SOURCE[5:8]], SOURCE[8:])


def held_or_new(kept: list[Item]) -> list[Item]:
    """What the table held and the source, ``kept`` in place of the source's items of the same keys."""
    return list({item["pk"]["S"]: item for item in [*HELD, *SOURCE, *kept]}.values())


@dataclass(frozen=True)
class Case:
    """One way of importing by ranges, and what must come of it."""

    laid: Laid
    wanted: list[Item]
    accounts: Accounts
    held: list[Item] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    rejects: tuple[tuple[str, int], ...] = ()
    ranges: int = 2

    def world(self) -> ImportWorld:
        """A world in which nothing has happened yet."""
        return ImportWorld(self.laid, self.held)

    def check(self, world: ImportWorld, result: Any) -> None:
        """Everything is as if nothing had gone wrong, and no other run makes it again unasked."""
        told = result.to_json()
        assert self.accounts == {name: told[name] for name in KEPT}
        (record,) = whole_records(world)
        assert self.accounts == {name: record["result"][name] for name in KEPT}
        assert_table(world, self.wanted)
        assert_committed_once(world, self.ranges)
        assert sorted(self.rejects) == world.rejects
        refused = planning(world, ranges=self.ranges, work=working("another run"), **self.settings)
        assert isinstance(refused, ImportRefused), refused
        assert "imported into table copy already" in str(refused)


CASES: dict[str, Callable[[], Case]] = {
    "an export": lambda: Case(
        exported(12), items(12), accounts(12), settings={"units_per_second": RATE}, ranges=3
    ),
    "rejects": lambda: Case(
        WITH_BAD_LINES,
        SOURCE,
        accounts(14, rejected=2),
        settings={"max_rejected": 2, "units_per_second": RATE},
        rejects=(("given/part-0.json", 6), ("given/part-1.json", 1)),
    ),
    "skip": lambda: Case(
        THREE_FILES,
        held_or_new(HELD),
        accounts(12, skipped=3),
        HELD,
        {"on_conflict": "skip", "units_per_second": RATE},
    ),
    "newer": lambda: Case(
        THREE_FILES,
        held_or_new(HELD[1:]),
        accounts(12, skipped=2),
        HELD,
        {"on_conflict": "newer", "version_attribute": "v"},
    ),
    "condition": lambda: Case(
        THREE_FILES,
        held_or_new([HELD[0], HELD[1]]),
        accounts(12, skipped=2),
        HELD,
        {
            "on_conflict": "condition",
            "condition_expression": "attribute_not_exists(pk) OR body <> :old OR v > :five",
            "expression_attribute_values": {":old": {"S": "old"}, ":five": {"N": "5"}},
        },
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


class Story:
    """Plan, ranges and commit in their order, of which one is killed and done again."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.world = case.world()
        self.parts: tuple[RangeWork, ...] = ()

    def doing(self, step: int) -> Doing:
        """What a step does: the plan is the first, the commit the last."""
        if step == 0:
            return plan_of(self.case.ranges)
        return range_of(self.parts[step - 1]) if step <= self.case.ranges else commit_of(self.parts[0])

    def worker(self, step: int, *faults: Fault) -> Worker:
        """An attempt at a step."""
        done = Worker(self.world, self.doing(step), self.case.settings, faults).run()
        if step == 0 and isinstance(done.outcome, tuple):
            self.parts = done.outcome
        return done

    def until(self, step: int) -> Story:
        """Do what comes before a step."""
        for one in range(step):
            done = self.worker(one)
            assert not isinstance(done.outcome, BaseException), repr(done.outcome)
        return self

    def end(self, step: int) -> None:
        """Do a step and all that follow, and look at what came of it."""
        done = None
        for one in range(step, self.case.ranges + 2):
            done = self.worker(one)
            assert not isinstance(done.outcome, BaseException), repr(done.outcome)
        assert done is not None
        self.case.check(self.world, done.outcome)


def calls_of(case: Case, step: int) -> list[str]:
    """The calls of a step when nothing goes wrong."""
    return Story(case).until(step).worker(step).operations


def kill_and_try_again(case: Case, step: int, at: int, tally: Tally, *, after: bool) -> None:
    story = Story(case).until(step)
    killed = story.worker(step, Fault(Kind.KILL, at, after=after))
    assert isinstance(killed.outcome, Killed) or not killed.struck, at
    assert_nothing_invented(story.world, case.wanted + SOURCE)
    assert_checkpoints_are_true(story.world)
    if step <= case.ranges:
        assert_not_committed(story.world)
    tally(len(killed.struck))

    story.end(step)


def test_i1_undisturbed_ranges_end_whole_and_make_several_calls(case: Case) -> None:
    story = Story(case).until(1)
    written = 0
    for number in range(1, case.ranges + 1):
        operations = story.worker(number).operations
        written += sum(operations.count(name) for name in ("BatchWriteItem", "PutItem"))

    story.end(case.ranges + 1)

    assert written >= 6


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", [0, 1, 3], ids=["the plan", "a range", "the commit"])
def test_i1_i2_i6_killed_at_any_call_and_tried_again_the_whole_ends_as_if_nothing_had_happened(
    step: int, after: bool, tally: Tally
) -> None:
    case = CASES["rejects"]()
    for at in some_of(range(1, len(calls_of(case, step)) + 1)):
        kill_and_try_again(case, step, at, tally, after=after)


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"rejects"}))
def test_i1_i2_a_range_killed_at_any_call_from_its_first_record_on_goes_on(name: str, tally: Tally) -> None:
    case = CASES[name]()
    calls = calls_of(case, 1)
    second = [at for at, call in enumerate(calls, start=1) if call == "PutObject"][1]  # the first is a probe
    for at in some_of(range(second, len(calls) + 1)):
        kill_and_try_again(case, 1, at, tally, after=False)
