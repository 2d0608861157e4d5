"""An import over the wire, killed or told to stop at every call it makes, and resumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import ImportFailed, Stopped
from tests.faults.attempts import Item, items
from tests.faults.conftest import Tally
from tests.faults.endpoint import Killed
from tests.faults.import_backups import Laid, exported, files
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
from tests.faults.points import least, some_of
from tests.faults.script import Fault, Kind

pytestmark = pytest.mark.usefixtures("small_steps")
RATE = 12.0  # units per second at which a dozen items are a few calls, with a checkpoint between them
BAD = ["no JSON", '{"Item":{"other":{"S":"has no key"}}}']


def versioned(number: int, version: int, body: str = "new") -> Item:
    """An item of the source, or one that the table holds."""
    return {"pk": {"S": f"{number:05}"}, "v": {"N": str(version)}, "body": {"S": body}}


SOURCE = [versioned(number, 5) for number in range(10)]
OLDER, SAME, NEWER = versioned(1, 4, "old"), versioned(4, 5, "old"), versioned(7, 6, "old")
UNTOUCHED = versioned(99, 1, "old")
HELD = [OLDER, SAME, NEWER, UNTOUCHED]


@dataclass(frozen=True)
class Case:
    """One way of importing, and what must come of it."""

    laid: Laid
    wanted: list[Item]
    accounts: Accounts
    held: list[Item] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    rejects: tuple[tuple[str, int], ...] = ()

    def world(self) -> ImportWorld:
        """A world in which nothing has happened yet."""
        return ImportWorld(self.laid, self.held)

    def request(self, writers: int, **more: Any) -> dict[str, Any]:
        """Settings of the request."""
        return {"segments": writers, **self.settings, **more}

    def calls(self, writers: int) -> list[str]:
        """The calls of an undisturbed import."""
        return self.world().run(**self.request(writers)).operations

    def check(self, world: ImportWorld, attempt: ImportAttempt) -> None:
        """Everything is as if nothing had gone wrong."""
        assert_accounts(attempt)
        assert self.accounts == attempt.accounts
        assert_table(world, self.wanted)
        assert_finished_once(world)
        assert sorted(self.rejects) == world.rejects


def two_files(*more: str) -> Laid:
    """The source in two files, the second perhaps with lines that are no items."""
    return files(SOURCE[:7], [*more[:1], *SOURCE[7:], *more[1:]])


def newest(held: list[Item], *, kept: list[Item]) -> list[Item]:
    """The source and what the table held, ``kept`` in place of the source's items of the same keys."""
    by_key = {item["pk"]["S"]: item for item in [*held, *SOURCE, *kept]}
    return list(by_key.values())


CASES = {
    "overwrite": lambda: Case(two_files(), newest(HELD, kept=[]), accounts(10), HELD),
    "an export": lambda: Case(exported(12), items(12), accounts(12), settings={"units_per_second": RATE}),
    "rejects": lambda: Case(
        two_files(*BAD),
        SOURCE,
        accounts(12, rejected=2),
        settings={"max_rejected": 2, "units_per_second": RATE},
        rejects=(("given/part-1.json", 1), ("given/part-1.json", 5)),
    ),
    "skip": lambda: Case(
        two_files(),
        newest(HELD, kept=HELD),
        accounts(10, skipped=3),
        HELD,
        {"on_conflict": "skip", "units_per_second": RATE},
    ),
    "fail": lambda: Case(
        two_files(), newest([UNTOUCHED], kept=[]), accounts(10), [UNTOUCHED], {"on_conflict": "fail"}
    ),
    "newer": lambda: Case(
        two_files(),
        newest(HELD, kept=[SAME, NEWER]),
        accounts(10, skipped=2),
        HELD,
        {"on_conflict": "newer", "version_attribute": "v"},
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


@pytest.mark.parametrize("writers", [1, 3])
def test_an_undisturbed_import_is_whole_and_makes_several_calls(case: Case, writers: int) -> None:
    world = case.world()

    attempt = world.run(**case.request(writers))

    case.check(world, attempt)
    written = sum(attempt.operations.count(name) for name in ("BatchWriteItem", "PutItem"))
    assert written >= (3 if "units_per_second" in case.settings else 1)


def first_write(calls: list[str]) -> int:
    """The call that leaves the record of the import: before it nothing is written."""
    return calls.index("PutObject") + 1


def kill_and_resume(case: Case, at: int, *, writers: int, after: bool) -> int:
    """Let an attempt be killed at a call, and the next finish; returns how many kills there were."""
    world = case.world()
    killed = world.run(Fault(Kind.KILL, at, after=after), **case.request(writers))
    assert isinstance(killed.outcome, Killed) or not killed.struck, at
    assert_nothing_invented(world, case.wanted + SOURCE)
    assert_checkpoints_are_true(world)

    resumed = world.run(**case.request(writers))

    case.check(world, resumed)
    return len(killed.struck)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_i1_i2_killed_at_any_call_and_resumed_the_import_ends_as_if_nothing_had_happened(
    case: Case, after: bool, tally: Tally
) -> None:
    calls = case.calls(1)
    for at in some_of(range(first_write(calls), len(calls) + 1)):
        tally(kill_and_resume(case, at, writers=1, after=after))


@pytest.mark.parametrize("name", ["an export", "skip"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_i1_i2_killed_while_three_writers_are_at_work_it_ends_the_same(
    name: str, after: bool, tally: Tally
) -> None:
    case = CASES[name]()
    calls = case.calls(3)
    for at in some_of(range(first_write(calls) + after, len(calls) + 1, 2)):
        tally(kill_and_resume(case, at, writers=3, after=after))


def test_i2_killed_before_anything_was_written_the_next_attempt_begins_anew(tally: Tally) -> None:
    case = CASES["overwrite"]()
    for at in range(1, first_write(case.calls(1)) + 1):
        world = case.world()
        killed = world.run(Fault(Kind.KILL, at), **case.request(1))
        tally(len(killed.struck))
        assert [] == world.records

        attempt = world.run(**case.request(1))

        assert "new" == attempt.result.start
        case.check(world, attempt)


@pytest.mark.parametrize("name", ["rejects", "skip"])
def test_i1_i2_told_to_stop_at_any_call_it_leaves_a_checkpoint_and_the_next_attempt_finishes(
    name: str, tally: Tally
) -> None:
    case = CASES[name]()
    stopped = 0
    calls = case.calls(1)
    for at in some_of(range(first_write(calls), len(calls) + 1)):
        world = case.world()
        settings = case.request(1)
        attempt = ImportAttempt(world, importing(case.laid, **settings), stop_at=at).run()
        if isinstance(attempt.outcome, Stopped):
            stopped += 1
            assert_checkpoints_are_true(world)
            resumed = world.run(**settings)
            assert "watching it" not in "".join(resumed.said), "a lease was not released"
        else:
            resumed = attempt
        tally(1)
        case.check(world, resumed)
    assert stopped >= least(5)


def test_i2_killed_again_and_again_it_still_ends_whole_and_counts_each_reject_once(tally: Tally) -> None:
    case = CASES["rejects"]()
    for distance in range(2, 18, 5):
        world = case.world()
        world.run(Fault(Kind.KILL, 22), **case.request(1))
        for _ in range(3):
            killed = world.run(Fault(Kind.KILL, 20 + distance, after=True), **case.request(1))
            tally(len(killed.struck))
            assert_checkpoints_are_true(world)

        case.check(world, world.run(**case.request(1)))


def test_i2_rejects_that_no_checkpoint_names_are_gone_when_a_resumed_import_fails_for_too_many(
    tally: Tally,
) -> None:
    """Who mends what lies there and imports it finds each of them once."""
    case = CASES["rejects"]()
    settings = case.request(1, max_rejected=1)
    calls = case.world().run(**settings).calls
    puts = [n for n, call in enumerate(calls, start=1) if "/rejects/" in call.request.path]
    world = case.world()
    killed = world.run(Fault(Kind.KILL, puts[0], after=True), **settings)
    tally(len(killed.struck))
    assert world.rejects

    resumed = world.run(**settings)

    resumed.failed(ImportFailed, "2 items were rejected, max_rejected is 1")
    assert sorted(case.rejects) == world.rejects


def test_i2_a_kill_before_the_next_checkpoint_costs_what_was_written_since_and_no_more() -> None:
    """Batches that a checkpoint counts are not sent again."""
    case = CASES["an export"]()
    world = case.world()
    last = case.calls(1).count("BatchWriteItem")
    killed = world.run(Fault(Kind.KILL, last, on="BatchWriteItem"), **case.request(1))
    assert isinstance(killed.outcome, Killed)
    counted = sum(file["accounts"]["read"] for state in world.checkpoints for file in state["files"])
    assert 0 < counted < 12

    resumed = world.run(**case.request(1))

    sent = [call for call in resumed.calls if call.operation == "BatchWriteItem"]
    assert 12 - counted == sum(len(call.params["RequestItems"]["copy"]) for call in sent)
