"""Faults that pass cost an import nothing; others end it with a checkpoint, never as a success."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from airflow_dynamo_pipeline.engine.ledger import Ledger, Outcome
from airflow_dynamo_pipeline.errors import ImportFailed, ServiceTrouble, Stopped
from tests.faults.attempts import items
from tests.faults.calls import Call
from tests.faults.conftest import Tally
from tests.faults.import_backups import files, native_base
from tests.faults.import_world import (
    TARGET,
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
from tests.faults.script import AFTER_ONLY, BEFORE_ONLY, REFUSALS, Fault, Kind
from tests.faults.wire import Reply

pytestmark = pytest.mark.usefixtures("small_steps")
ITEMS = items(12)
FOR_EVER = 1_000_000
EVERY = 6  # calls
PASSING = [kind for kind in Kind if kind not in {Kind.KILL, Kind.FREEZE, *REFUSALS}]
BOUNDARIES = [
    (kind, after)
    for kind in PASSING
    for after in (False, True)
    if kind not in (AFTER_ONLY if not after else BEFORE_ONLY)
]
MODES: dict[str, dict[str, Any]] = {
    "BatchWriteItem": {"on_conflict": "overwrite", "units_per_second": 12.0},
    "PutItem": {"on_conflict": "skip"},
}
THROTTLES = {Kind.THROTTLE, Kind.THROTTLE_ON_DEMAND}


def world() -> ImportWorld:
    return ImportWorld(files(ITEMS[:7], ITEMS[7:]))


def assert_whole(attempt: ImportAttempt) -> None:
    assert accounts(len(ITEMS)) == attempt.accounts
    assert_accounts(attempt)
    assert_table(attempt.world, ITEMS)
    assert_finished_once(attempt.world)


def name_of(boundary: tuple[Kind, bool]) -> str:
    kind, after = boundary
    return f"{kind.name.lower()}-{'after' if after else 'before'}"


def points(boundary: tuple[Kind, bool], calls: list[str]) -> list[int]:
    """The last call of each operation that may write, and some of all; which, differs between boundaries."""
    begin = calls.index("PutObject")
    last = {len(calls) - calls[::-1].index(name) for name in calls[begin:]}
    if boundary[0] is Kind.TIME_OUT:  # each costs two real seconds
        return sorted(last)
    return sorted(last | set(range(1 + BOUNDARIES.index(boundary) % EVERY, len(calls) + 1, EVERY)))


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=name_of)
def test_i1_one_fault_at_any_call_costs_neither_the_import_nor_an_item(
    boundary: tuple[Kind, bool], tally: Tally
) -> None:
    kind, after = boundary
    for at in points(boundary, world().run(**MODES["BatchWriteItem"]).operations):
        one = world()
        request = importing(one.laid, **MODES["BatchWriteItem"])
        fault = Fault(kind, at, after=after)
        attempt = ImportAttempt(one, request, (fault,), impatient=kind is Kind.TIME_OUT).run()
        tally(max(1, len(attempt.struck)))
        assert_whole(attempt)


WRITES = [
    (operation, *boundary)
    for operation in MODES
    for boundary in BOUNDARIES
    if operation == "BatchWriteItem" or boundary[0] is not Kind.UNPROCESSED
]


@pytest.mark.parametrize(
    ("operation", "kind", "after"), WRITES, ids=lambda part: getattr(part, "name", str(part))
)
def test_i1_i3_a_write_that_fails_again_and_again_is_counted_once(
    operation: str, kind: Kind, after: bool, tally: Tally
) -> None:
    """Also when its effect was done and the reply lost: what was found is then our own item."""
    one = world()
    fault = Fault(kind, 2, on=operation, after=after, times=2 if kind is Kind.TIME_OUT else 4)
    request = importing(one.laid, **MODES[operation])

    attempt = ImportAttempt(one, request, (fault,), impatient=kind is Kind.TIME_OUT).run()

    tally(max(1, len(attempt.struck)))
    assert_whole(attempt)


def handing_everything_back(answer: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
    """A service that processes no item of a batch, as when every partition is too hot."""

    def hand_back(call: Call) -> Reply:
        if call.operation != "BatchWriteItem":
            return answer(call)
        body = json.dumps({"UnprocessedItems": call.params["RequestItems"]}).encode()
        return Reply(200, [body], {"Content-Type": "application/x-amz-json-1.0"})

    return hand_back


@pytest.mark.parametrize("throttle", sorted(THROTTLES, key=str))
def test_i1_items_that_are_never_processed_are_never_called_written(
    throttle: Kind, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = world()
    honest = one.aws.answer
    monkeypatch.setattr(one.aws, "answer", handing_everything_back(honest))
    refusal = Fault(throttle, on="PutItem", times=FOR_EVER)
    attempt = ImportAttempt(one, importing(one.laid, units_per_second=12.0), (refusal,), stop_at=60).run()
    tally(attempt.operations.count("BatchWriteItem") + len(attempt.struck))

    attempt.failed(Stopped)
    assert len(attempt.struck) >= 3  # it asked why by a single write, again and again
    assert [] == one.items
    assert_nothing_reads_as_finished(one)
    assert_checkpoints_are_true(one)
    monkeypatch.setattr(one.aws, "answer", honest)
    assert_whole(one.run())


def test_i1_a_batch_that_is_handed_back_by_half_for_ever_still_ends_with_each_item_once(tally: Tally) -> None:
    one = world()

    attempt = one.run(Fault(Kind.UNPROCESSED, on="BatchWriteItem", times=FOR_EVER))

    tally(len(attempt.struck))
    assert_whole(attempt)
    assert len(attempt.struck) >= 4


def test_i1_trouble_that_lasts_longer_than_the_engines_patience_fails_the_attempt_and_the_next_resumes(
    tally: Tally,
) -> None:
    one, settings = world(), MODES["BatchWriteItem"]
    failed = one.run(Fault(Kind.UNAVAILABLE, 3, on="BatchWriteItem", times=FOR_EVER), **settings)
    tally(len(failed.struck))
    failed.failed(ServiceTrouble)
    assert_nothing_reads_as_finished(one)
    assert_checkpoints_are_true(one)

    resumed = one.run(**settings)

    assert "resume" == resumed.result.start
    assert_whole(resumed)


def test_i1_rejects_outlive_a_checkpoint_that_could_not_be_written(tally: Tally) -> None:
    """A file of rejects, or the checkpoint that names it, fails as the stop comes: the last one names it."""
    laid = files([ITEMS[0], "no JSON", *ITEMS[1:]])
    settings: dict[str, Any] = {"max_rejected": 1, "units_per_second": 4.0}
    calls = ImportWorld(laid).run(**settings).calls
    first = next(n for n, call in enumerate(calls, start=1) if "/rejects/" in call.request.path)
    for at in (first, first + 1):
        one = ImportWorld(laid)
        request = importing(laid, **settings)
        stopped = ImportAttempt(one, request, (Fault(Kind.UNAVAILABLE, at),), stop_at=at).run()
        tally(len(stopped.struck))
        stopped.failed(Stopped)
        (state,) = one.checkpoints
        assert 1 == sum(file["accounts"]["rejected"] for file in state["files"])
        assert_checkpoints_are_true(one)

        last = one.run(**settings)

        assert accounts(13, rejected=1) == last.accounts
        assert [("given/part-0.json", 2)] == one.rejects
        assert_finished_once(one)


@pytest.mark.parametrize("lost", ["resolved", "counted"])
def test_i1_accounts_that_do_not_add_up_fail_the_task(lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that forgets an item, before its block counts or while it is counted."""
    honest = Ledger.resolve

    def forgetful(self: Ledger, entries: Any, outcome: Outcome) -> None:
        known = list(entries)
        if lost == "resolved":
            honest(self, known[1:], outcome)
            return
        honest(self, known, outcome)
        known[0].block.file.state = _one_less(known[0].block.file.state)

    monkeypatch.setattr(Ledger, "resolve", forgetful)
    one = world()

    attempt = one.run()

    attempt.failed(ImportFailed, "do not add up", TARGET)
    assert_nothing_reads_as_finished(one)


def _one_less(state: Any) -> Any:
    less = msgspec.structs.replace(state.accounts, written=state.accounts.written - 1)
    return msgspec.structs.replace(state, accounts=less)


def test_i1_a_file_that_is_not_what_its_manifest_says_is_no_success() -> None:
    """One item less than the manifest counts."""
    laid = native_base(ITEMS)
    key = next(key for key in laid.objects if key.endswith("manifest-files.json"))
    told = json.loads(laid.objects[key]) | {"itemCount": 13}
    summary = next(key for key in laid.objects if key.endswith("manifest-summary.json"))
    said = json.loads(laid.objects[summary]) | {"itemCount": 13}
    bodies = {key: json.dumps(told).encode() + b"\n", summary: json.dumps(said).encode()}
    one = ImportWorld(type(laid)(laid.uris, {**laid.objects, **bodies}, 13))

    attempt = one.run()

    message = str(attempt.outcome)
    assert "it holds 12 items, the manifest says 13" in message, message
    assert_nothing_reads_as_finished(one)
