"""Stopped by its own clock at any moment: finished, or a checkpoint from which the next attempt goes on."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.deadline import margin_seconds
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.table_export import ExportResult
from airflow_dynamo_pipeline.errors import Stopped
from tests.faults.attempts import (
    Attempt,
    World,
    asked,
    assert_checkpoints_name_only_what_is_there,
    assert_nothing_left_over,
    assert_nothing_reads_as_complete,
    assert_whole,
    data_keys,
    in_small_pieces,
    items,
)
from tests.faults.conftest import Tally
from tests.faults.endpoint import Killed
from tests.faults.import_backups import exported, files
from tests.faults.import_world import (
    ImportAttempt,
    ImportWorld,
    assert_accounts,
    assert_checkpoints_are_true,
    assert_finished_once,
    assert_nothing_invented,
    assert_nothing_reads_as_finished,
    assert_table,
    importing,
)
from tests.faults.points import some_of
from tests.faults.script import Fault, Kind

ITEMS = items(10)
FOR_EVER = 10**6
SLOW_SECONDS = 2.0
SLOW = Fault(Kind.SLOW, times=FOR_EVER, seconds=SLOW_SECONDS)  # every service, every call
LIMIT_SECONDS = 15 * 60.0  # from which on the margin is enough for services as slow as these
MARGIN_SECONDS = margin_seconds(LIMIT_SECONDS)
STEP_SECONDS = 5.3  # not a multiple of a call's: the deadline falls into calls, and between them
MEBIBYTE = 1024 * 1024


def slowed(one: World, seconds: float | None, *faults: Fault, **settings: Any) -> Attempt:
    """An attempt with slow services, or worse ones, and so much time."""
    return Attempt(one, asked(**settings), faults or (SLOW,), seconds=seconds).run()


def lasting(one: World | ImportWorld, attempt: Attempt | ImportAttempt) -> float:
    """How long the attempt takes on the world's clock."""
    began_at = one.aws.clock.monotonic()
    attempt.run()
    return one.aws.clock.monotonic() - began_at


def deadlines(until: float) -> list[float]:
    return [number * STEP_SECONDS for number in range(int(until / STEP_SECONDS) + 1)]


def tried(until: float) -> list[float]:
    """Some of the deadlines, and the last, by which everything is done."""
    *found, last = deadlines(until)
    return [*some_of(found), last]


def scans(*attempts: Attempt) -> int:
    return sum(attempt.operations.count("Scan") for attempt in attempts)


@pytest.mark.parametrize("settings", [{"segments": 2}, {"compression": "none", "part_bytes": 500}], ids=str)
def test_a4_whenever_its_time_is_over_an_export_is_finished_or_the_retry_goes_on_and_reads_nothing_again(
    settings: dict[str, Any], tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "compression" in settings:
        in_small_pieces(monkeypatch)
    undisturbed = Attempt(World(ITEMS), asked(**settings), (SLOW,))
    whole = lasting(undisturbed.world, undisturbed)
    ends = set()
    for at in tried(whole):
        one = World(ITEMS)
        attempt = Attempt(one, asked(**settings), (SLOW,), seconds=at)
        took = lasting(one, attempt)
        tally(1)

        ends.add(type(attempt.outcome))
        assert took <= at + MARGIN_SECONDS, f"stopped at {at} it ended at {took}"
        assert_checkpoints_name_only_what_is_there(one)
        if isinstance(attempt.outcome, ExportResult):
            assert_whole(one)
            continue
        assert isinstance(attempt.outcome, Stopped), repr(attempt.outcome)
        assert_nothing_reads_as_complete(one)
        retry = one.export(**settings)
        assert_whole(one)
        assert_nothing_left_over(one)
        assert len(ITEMS) == retry.result.item_count
        assert scans(undisturbed) == scans(attempt, retry), at
    assert {Stopped, ExportResult} == ends


def test_a4_its_time_is_over_in_the_middle_of_a_large_upload(tally: Tally) -> None:
    held = items(40, size=400_000)  # 16 MB in pieces of 5 MiB
    settings = {"compression": "none", "part_bytes": 48 * MEBIBYTE}
    one = World(held, page_items=1)
    slow_scans = Fault(Kind.SLOW, on="Scan", times=FOR_EVER, seconds=1.0)

    stopped = slowed(one, 30.5, slow_scans, **settings)

    tally(1)
    assert isinstance(stopped.outcome, Stopped)
    assert 2 <= stopped.operations.count("UploadPart")
    assert [] == one.aws.s3.uploads("backups")
    assert 1 == len(data_keys(one.objects))
    retry = one.export(**settings)
    assert "resume" == retry.result.start
    assert_whole(one)
    assert 2 == retry.result.parts
    assert len(held) == scans(stopped, retry)


TROUBLE = {
    "throttled to nothing": Fault(Kind.THROTTLE, on="Scan", times=FOR_EVER),
    "throttled after some pages": Fault(Kind.THROTTLE, 3, on="Scan", times=FOR_EVER),
    "preflight": Fault(Kind.SERVER_ERROR, on="DescribeTable", times=FOR_EVER),
    "claiming": Fault(Kind.UNAVAILABLE, 5, on="PutObject", times=FOR_EVER),
    "commit": Fault(Kind.UNAVAILABLE, on="ListMultipartUploads", times=FOR_EVER),
}


@pytest.mark.parametrize("fault", TROUBLE.values(), ids=TROUBLE)
def test_a4_an_export_that_cannot_go_on_stops_in_time_and_the_retry_finishes_it(
    fault: Fault, tally: Tally
) -> None:
    one = World(ITEMS)
    attempt = Attempt(one, asked(segments=2), (fault,), seconds=100)

    took = lasting(one, attempt)

    tally(len(attempt.struck))
    assert isinstance(attempt.outcome, Stopped), repr(attempt.outcome)
    assert 100 == pytest.approx(took, abs=1)
    assert_checkpoints_name_only_what_is_there(one)
    one.export(segments=2)
    assert_whole(one)
    assert_nothing_left_over(one)


def test_a4_its_time_is_over_while_it_watches_the_lease_of_a_killed_attempt(tally: Tally) -> None:
    one = World(ITEMS)
    assert isinstance(one.export(Fault(Kind.KILL, 3, on="Scan"), segments=1).outcome, Killed)

    attempt = slowed(one, 5.0, Fault(Kind.SLOW, FOR_EVER), segments=1)

    tally(1)
    assert isinstance(attempt.outcome, Stopped)
    assert "Scan" not in attempt.operations
    one.export(segments=1)
    assert_whole(one)


def test_a4_what_is_said_to_be_safe_is_what_the_checkpoints_name() -> None:
    one = World(ITEMS)
    attempt = Attempt(one, asked(segments=1), (Fault(Kind.SLOW, on="Scan", times=FOR_EVER),), seconds=12.5)

    attempt.run()

    (safe,) = attempt.stopped
    assert safe.parts == len(data_keys(one.objects))
    assert safe.items == 2 * scans(attempt)  # two a page
    assert 0 < safe.items < len(ITEMS)


SOURCE = items(24)
MANY = items(32)


@pytest.fixture
def steps(small_steps: None) -> None:
    """Several blocks and checkpoints of a small import."""


@pytest.mark.usefixtures("steps")
@pytest.mark.parametrize("on_conflict", ["overwrite", "skip"])
def test_a4_whenever_its_time_is_over_an_import_is_finished_or_the_retry_goes_on(
    on_conflict: str, tally: Tally
) -> None:
    laid = exported(len(SOURCE))
    settings: dict[str, Any] = {"units_per_second": 12.0, "on_conflict": on_conflict, "segments": 2}
    undisturbed = ImportAttempt(ImportWorld(laid), importing(laid, **settings), (SLOW,))
    whole = lasting(undisturbed.world, undisturbed)
    assert len(SOURCE) == undisturbed.result.written
    ends = set()
    for at in tried(whole):
        one = ImportWorld(laid)
        attempt = ImportAttempt(one, importing(laid, **settings), (SLOW,), seconds=at)
        took = lasting(one, attempt)
        tally(1)

        ends.add(type(attempt.outcome))
        assert took <= at + MARGIN_SECONDS, f"stopped at {at} it ended at {took}"
        assert_checkpoints_are_true(one)
        assert_nothing_invented(one, SOURCE)
        if isinstance(attempt.outcome, Stopped):
            assert_nothing_reads_as_finished(one)
            attempt = one.run(**settings)
        assert_accounts(attempt)
        assert_table(one, SOURCE)
        assert_finished_once(one)
        assert len(SOURCE) == attempt.accounts["written"]
    assert Stopped in ends
    assert 2 == len(ends)


@pytest.mark.usefixtures("steps")
def test_whenever_its_time_is_over_a_dry_run_is_finished_or_stopped_and_has_written_nothing(
    tally: Tally,
) -> None:
    laid = files(*[[one] for one in MANY])  # longer to read than any margin
    undisturbed = ImportAttempt(ImportWorld(laid), importing(laid, dry_run=True), (SLOW,))
    whole = lasting(undisturbed.world, undisturbed)
    assert len(MANY) == undisturbed.result.read
    ends = set()
    for at in tried(whole + STEP_SECONDS):
        one = ImportWorld(laid)
        attempt = ImportAttempt(one, importing(laid, dry_run=True), (SLOW,), seconds=at)
        took = lasting(one, attempt)
        tally(1)

        ends.add(type(attempt.outcome))
        assert took <= at + MARGIN_SECONDS, f"stopped at {at} it ended at {took}"
        assert dict(laid.objects) == one.objects
        assert [] == one.items
    assert {Stopped, ImportResult} == ends


def test_an_import_that_is_told_to_stop_before_it_begins_leaves_nothing_and_the_next_is_new() -> None:
    laid = exported(len(SOURCE))
    one = ImportWorld(laid)
    told = ImportAttempt(one, importing(laid))
    told.stop.set()

    told.run()

    told.failed(Stopped, "told to stop before the import began", "nothing was written")
    assert dict(laid.objects) == one.objects
    assert "new" == one.run().result.start
