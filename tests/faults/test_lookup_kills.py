"""A lookup load over the wire, killed at every call it makes; then the same run again, and the next one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.conftest import Tally
from tests.faults.dynamodb.pair import texts
from tests.faults.endpoint import Killed
from tests.faults.import_world import MUTATING
from tests.faults.lookup_promises import (
    assert_digests_are_true,
    assert_no_success_before_its_time,
    assert_nothing_left_over,
    assert_table,
    holds,
)
from tests.faults.lookup_world import (
    GENERATIONS,
    LookupAttempt,
    LookupWorld,
    in_small_buckets,
    items_of,
    product,
)
from tests.faults.points import some_of
from tests.faults.script import Fault, Kind

WITH_EFFECT = {*MUTATING, "PutObject", "DeleteObject", "DeleteObjects"}
OLD = [product(number, "old") for number in range(10)]
NEW = [*OLD[:3], *(product(number) for number in range(3, 7)), *(product(n) for n in range(20, 23))]
NEWER = [*NEW[1:5], *(product(number, "newer") for number in (5, 20, 30))]
LARGE = 1_000_000
READS_TRIED = 6  # one in so many
CASES: dict[str, tuple[dict[str, Any], int]] = {  # settings, and beyond how many bytes is spilled
    "table": ({}, 400),
    "digests": ({"compare": "digests"}, LARGE),
    "generations": (GENERATIONS, LARGE),
}


@pytest.fixture(scope="module", params=CASES)
def loaded(request: pytest.FixtureRequest) -> Iterator[LookupWorld]:
    """A table that last night's load filled; tonight's query says something else."""
    settings, spill_bytes = CASES[request.param]
    with in_small_buckets(spill_bytes=spill_bytes):
        world = LookupWorld(OLD, settings=settings)
        assert 10 == world.load(run="last night").result.written
        world.rows = NEW
        yield world


def calls(loaded: LookupWorld) -> list[str]:
    """The calls of an undisturbed load."""
    return loaded.copy().load().operations


def killed_at(loaded: LookupWorld, at: int, *, after: bool, tally: Tally) -> LookupWorld:
    """What a load leaves that was killed at this call; nobody has been lied to."""
    world = loaded.copy()
    before = texts(world.items)
    killed = world.load(Fault(Kind.KILL, at, after=after))
    tally(len(killed.struck))
    assert isinstance(killed.outcome, Killed) or not killed.struck, at
    if not any(record["run"] == "tonight" for record in world.records):
        assert before == texts(world.items), "written before it was written down"
    assert_no_success_before_its_time(world, "tonight", items_of(NEW))
    assert_digests_are_true(world)
    if "generation_days" in world.settings:
        assert texts(holds(world)) in (texts(items_of(OLD)), texts(items_of(NEW))), "half a generation"
    return world


def assert_mended(world: LookupWorld, attempt: LookupAttempt) -> None:
    """The table is as its query says, and nothing says otherwise."""
    assert_table(world, items_of(world.rows))
    assert_digests_are_true(world)
    result = attempt.result
    assert result.inserted + result.updated + result.deleted == result.written
    state = world.state
    assert state is not None
    assert state["isApplied"]


def test_r5_an_undisturbed_load_inserts_updates_and_deletes_in_several_calls(loaded: LookupWorld) -> None:
    world = loaded.copy()

    attempt = world.load()

    assert_mended(world, attempt)
    assert_nothing_left_over(world)
    assert len(attempt.writes) >= 2
    if "generation_days" not in world.settings:
        assert (3, 3, 4, 3) == (
            attempt.result.unchanged,
            attempt.result.inserted,
            attempt.result.updated,
            attempt.result.deleted,
        )


def test_r5_killed_at_any_call_the_same_run_ends_with_the_table_of_its_query(
    loaded: LookupWorld, tally: Tally
) -> None:
    """After a call that only reads, everything is as after the call before it: of those a share is tried."""
    starts = set()
    for at, name in enumerate(calls(loaded), start=1):
        if name not in WITH_EFFECT and at % READS_TRIED:
            continue
        world = killed_at(loaded, at, after=True, tally=tally)

        retried = world.load()

        assert_mended(world, retried)
        starts.add(retried.result.start)
        if retried.result.start != "adopt":
            assert_nothing_left_over(world)
    assert {"new", "resume", "adopt"} == starts


def test_r5_killed_at_any_call_the_next_run_ends_with_the_table_of_its_query(
    loaded: LookupWorld, tally: Tally
) -> None:
    """And the killed run, tried again after that, does not put its old rows over the newer ones."""
    effects = [at for at, name in enumerate(calls(loaded), start=1) if name in WITH_EFFECT]
    for at in some_of(effects):
        world = killed_at(loaded, at, after=False, tally=tally)
        world.rows = NEWER

        following = world.load(run="tomorrow night")

        assert_mended(world, following)
        if at % 3 == 0:
            assert_mended(world, world.load())
