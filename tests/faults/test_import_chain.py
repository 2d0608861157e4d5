"""A full export and the changes that follow on it: applied in their order, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import ImportRefused, Stopped
from tests.faults.attempts import Item
from tests.faults.conftest import Tally
from tests.faults.endpoint import Killed
from tests.faults.import_backups import BASE_AT, WINDOW, Change, Laid, chain, native_base, native_window
from tests.faults.import_sleeper import Sleeper
from tests.faults.import_world import (
    MUTATING,
    ImportAttempt,
    ImportWorld,
    accounts,
    assert_accounts,
    assert_checkpoints_are_true,
    assert_finished_once,
    assert_nothing_reads_as_finished,
    assert_table,
    importing,
)
from tests.faults.points import some_of
from tests.faults.script import Fault, Kind

pytestmark = pytest.mark.usefixtures("small_steps")


def key(number: int) -> Item:
    return {"pk": {"S": f"{number:05}"}}


def item(number: int, state: str) -> Item:
    return {**key(number), "state": {"S": state}}


def became(number: int, state: str | None) -> Change:
    """A line of a window: what an item became, None when it was deleted."""
    return key(number), None if state is None else item(number, state)


BASE = [item(number, "base") for number in range(8)]
BASE_LAID = native_base(BASE[:5], BASE[5:])
WINDOWS = [
    native_window(0, [became(0, "first"), became(1, None)], [became(8, "first"), became(2, "first")]),
    native_window(1, [became(1, "second"), became(2, "second"), became(8, None), became(9, "second")]),
    native_window(2, [became(0, None), became(2, "third"), became(3, None), became(77, None)]),
]
CHAIN = chain(BASE_LAID, WINDOWS)
AFTERWARDS = [item(1, "second"), item(2, "third"), *BASE[4:], item(9, "second")]
ACCOUNTS = accounts(20, deleted=5)
OTHERS = [item(500, "of somebody else")]


def world() -> ImportWorld:
    return ImportWorld(CHAIN, OTHERS)


def assert_applied(one: ImportWorld, attempt: ImportAttempt) -> None:
    assert_accounts(attempt)
    assert ACCOUNTS == attempt.accounts
    assert_table(one, AFTERWARDS + OTHERS)
    assert_finished_once(one)


@pytest.mark.parametrize("writers", [1, 3])
def test_i11_a_chain_leaves_the_table_as_the_last_window_says(writers: int) -> None:
    one = world()

    attempt = one.run(segments=writers)

    assert_applied(one, attempt)
    assert 0 == attempt.result.duplicates  # an item that changes is no duplicate


def test_i11_windows_are_put_in_order_however_they_are_given() -> None:
    shuffled = Laid((CHAIN.uris[2], CHAIN.uris[0], CHAIN.uris[3], CHAIN.uris[1]), CHAIN.objects, CHAIN.lines)
    one = ImportWorld(shuffled, OTHERS)

    assert_applied(one, one.run())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_i2_i11_killed_at_any_call_and_resumed_every_window_is_applied_after_the_one_before(
    after: bool, tally: Tally
) -> None:
    calls = world().run().operations
    for at in some_of(range(calls.index("PutObject") + 1, len(calls) + 1)):
        one = world()
        killed = one.run(Fault(Kind.KILL, at, after=after))
        assert isinstance(killed.outcome, Killed), at
        assert_checkpoints_are_true(one)

        resumed = one.run(segments=2)

        tally(len(killed.struck))
        assert_applied(one, resumed)


def test_i2_i11_told_to_stop_in_the_middle_of_a_window_it_goes_on_there(tally: Tally) -> None:
    calls = world().run().operations
    stopped = 0
    for at in range(calls.index("BatchWriteItem") + 1, len(calls) + 1, 2):
        one = world()
        attempt = ImportAttempt(one, importing(CHAIN, units_per_second=8.0), stop_at=at).run()
        stopped += isinstance(attempt.outcome, Stopped)
        tally(1)
        assert_applied(one, attempt if attempt.outcome and not_failed(attempt) else one.run())
    assert stopped >= 3


@pytest.mark.parametrize("writers", [1, 3])
def test_i2_i11_a_stale_attempt_that_wakes_after_the_last_window_sets_nothing_back(
    writers: int, tally: Tally
) -> None:
    """It slept in a call whose effect was done; before the next write it finds that the lease is lost."""
    calls = world().run().operations
    for at in range(calls.index("PutObject") + writers, len(calls) + 1, 3):
        one = world()
        stale = Sleeper(one, at, after=True, segments=writers)
        successor = one.run()
        assert ACCOUNTS == successor.accounts

        tally(len(stale.wake(asleep=30.0).struck))

        assert_table(one, AFTERWARDS + OTHERS)
        assert_finished_once(one)


def not_failed(attempt: ImportAttempt) -> bool:
    return not isinstance(attempt.outcome, BaseException)


@pytest.mark.parametrize("missing", [0, 1])
def test_i11_a_chain_with_a_gap_is_refused_and_the_missing_window_named(missing: int) -> None:
    broken = chain(BASE_LAID, [window for number, window in enumerate(WINDOWS) if number != missing])
    begin, end = BASE_AT + missing * WINDOW, BASE_AT + (missing + 1) * WINDOW

    refused(ImportWorld(broken), {}, f"{begin:%Y-%m-%dT%H:%M:%S}", f"{end:%Y-%m-%dT%H:%M:%S}", "are missing")


def test_i11_changes_without_a_known_base_are_refused() -> None:
    refused(ImportWorld(chain(WINDOWS[0], WINDOWS[1:])), {}, "no known base")


def test_i11_changes_that_follow_on_what_the_table_is_said_to_be_are_applied() -> None:
    one = ImportWorld(chain(WINDOWS[0], WINDOWS[1:]), BASE)

    attempt = one.run(changes_from=BASE_AT.isoformat())

    assert accounts(12, deleted=5) == attempt.accounts
    assert_table(one, AFTERWARDS)


def test_i11_changes_that_begin_after_what_the_table_is_said_to_be_are_refused() -> None:
    laid = chain(WINDOWS[1], WINDOWS[2:])

    refused(ImportWorld(laid, BASE), {"changes_from": BASE_AT.isoformat()}, "are missing")


@pytest.mark.parametrize(
    "mode",
    [
        {"on_conflict": "skip"},
        {"on_conflict": "fail"},
        {"on_conflict": "newer", "version_attribute": "state"},
        {"on_conflict": "condition", "condition_expression": "attribute_not_exists(pk)"},
    ],
    ids=lambda mode: mode["on_conflict"],
)
def test_i11_changes_are_never_applied_under_a_condition(mode: dict[str, Any]) -> None:
    refused(world(), mode, f"'{mode['on_conflict']}' cannot be used with incremental exports")


def refused(one: ImportWorld, settings: dict[str, Any], *words: str) -> None:
    """The import is refused with these words, and nothing was written."""
    before = one.items
    attempt = one.run(**settings)

    attempt.failed(ImportRefused, *words)
    assert not MUTATING & set(attempt.operations)
    assert before == one.items
    assert_nothing_reads_as_finished(one)
    assert [] == one.records


def test_i12_changes_delete_items_and_nothing_else() -> None:
    one = world()

    attempt = one.run()

    assert set(attempt.operations) & MUTATING == {"BatchWriteItem"}
    requests = [
        request
        for call in attempt.calls
        if call.operation == "BatchWriteItem"
        for request in call.params["RequestItems"]["copy"]
    ]
    deleted = [request["DeleteRequest"]["Key"] for request in requests if "DeleteRequest" in request]
    assert sorted([key(1), key(8), key(0), key(3), key(77)], key=str) == sorted(deleted, key=str)
