"""Native exports that came to nothing: nobody is stuck, and no failure is called a success."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_dynamo_pipeline.engine.native_export_result import Nothing
from airflow_dynamo_pipeline.errors import (
    NativeJobConflict,
    NativeJobFailed,
    RecoveryUnavailable,
    UnexpectedReply,
)
from tests.faults.attempts import BUCKET
from tests.faults.endpoint import Killed
from tests.faults.native_export_world import CHAIN_KEY, NativeWorld
from tests.faults.script import Fault, Kind

START = "ExportTableToPointInTime"


def with_lost_window(reason: str, *, started: bool = False) -> NativeWorld:
    """A run was lost about its call for a window, and recovery slid on or was switched off and on since."""
    world = NativeWorld(recovery_days=1 if reason == "gap" else 35)
    world.run(run="base")
    world.pass_time(hours=2)
    assert isinstance(world.changes(Fault(Kind.KILL, on=START, after=started), run="lost").outcome, Killed)
    if reason == "reset":
        world.switch_recovery_on()
    world.pass_time(hours=2 if reason == "reset" else 72)
    return world


def half_failed() -> NativeWorld:
    """Run A has exported the first of its windows; its second one will fail."""
    world = NativeWorld()
    world.run(run="base")
    world.pass_time(hours=50)
    world.changes(Fault(Kind.KILL, on=START, at=2), run="A")
    assert 1 == len(world.chain.windows)
    world.exports.fails = "InternalError"
    return world


@pytest.mark.parametrize("reason", ["gap", "reset"])
def test_a_window_that_was_never_started_and_can_be_no_more_is_named_as_what_it_is(reason: str) -> None:
    world = with_lost_window(reason)
    for run in ("lost", "next", "next but one"):
        error = world.changes(run=run).error

        assert isinstance(error, RecoveryUnavailable)
        assert reason == error.reason
    assert 1 == len(world.exports.made)


@pytest.mark.parametrize("reason", ["gap", "reset"])
def test_a_window_that_was_never_started_and_can_be_no_more_gives_way_to_a_new_base(reason: str) -> None:
    world = with_lost_window(reason)

    assert "full" == world.changes(run="next", on_gap="full").result.export_type
    assert () == world.chain.pending
    world.pass_time(hours=1)
    assert "incremental" == world.changes(run="next but one").result.export_type
    assert 3 == len(world.exports.made)


@pytest.mark.parametrize("reason", ["gap", "reset"])
def test_a_window_that_was_started_unrecorded_is_found_although_it_can_be_started_no_more(
    reason: str,
) -> None:
    world = with_lost_window(reason, started=True)
    world.changes(run="next", on_gap="full")

    assert ["COMPLETED"] * 3 == [made.status for made in world.exports.made]


def test_a_window_that_can_be_no_more_does_not_let_its_run_succeed_with_the_windows_before() -> None:
    world = NativeWorld(recovery_days=2)
    world.run(run="base")
    world.pass_time(hours=40)
    world.changes(Fault(Kind.KILL, on=START, at=2), run="A")
    assert 1 == len(world.chain.windows)
    world.pass_time(days=5)

    assert isinstance(world.changes(run="A").outcome, RecoveryUnavailable)
    assert isinstance(world.changes(run="A").outcome, RecoveryUnavailable)


def test_clear_starts_another_export_instead_of_one_without_its_manifest() -> None:
    world = NativeWorld()
    world.exports.without_manifest = True
    assert "clear the task" in str(world.run().error)
    assert isinstance(world.run().outcome, UnexpectedReply)
    world.exports.without_manifest = False

    cleared = world.run(generation="1")

    assert world.exports.made[1].arn == cleared.result.export_arn
    assert () == world.chain.pending


def test_the_next_run_exports_a_window_without_its_manifest_anew_and_the_first_stays_failed() -> None:
    world = NativeWorld()
    world.run(run="base")
    world.pass_time(hours=1)
    world.exports.without_manifest = True
    assert isinstance(world.changes(run="A").outcome, UnexpectedReply)
    world.exports.without_manifest = False

    assert "COMPLETED" == world.changes(run="B").result.status
    assert 2 == len(world.found(world.chain.manifest_uris).stages)
    assert "is not there" in str(world.changes(run="A").error)


def test_after_a_conflict_of_its_token_clear_asks_by_another_one() -> None:
    world = NativeWorld()
    world.run(Fault(Kind.KILL, on=START))
    body = world.aws.s3.get(BUCKET, CHAIN_KEY)
    world.run(Fault(Kind.KILL, on=START, after=True))
    world.aws.s3.put(BUCKET, CHAIN_KEY, body.replace(b'"DYNAMODB_JSON"', b'"ION"'))
    error = world.run().error
    assert isinstance(error, NativeJobConflict)
    assert "clear the task: it then asks by another token" in str(error)

    assert "COMPLETED" == world.run(generation="1").result.status
    first, second = (made.request["ClientToken"] for made in world.exports.made)
    assert first != second


def test_an_attempt_that_is_lost_at_any_write_of_its_failure_does_not_succeed_later() -> None:
    for number in range(1, 10):
        world = half_failed()
        attempt = world.changes(Fault(Kind.KILL, on="PutObject", at=number, after=True), run="A")
        if not attempt.struck:
            break
        assert isinstance(world.changes(run="A").outcome, NativeJobFailed), number
        assert isinstance(world.changes(run="A").outcome, NativeJobFailed), number
    assert number > 2


def test_a_failure_that_another_run_saw_first_still_fails_the_run_that_asked() -> None:
    world = NativeWorld()
    world.run(run="base")
    world.pass_time(hours=1)
    world.exports.fails = "InternalError"
    world.changes(Fault(Kind.KILL, on="DescribeExport"), run="A")
    world.exports.fails = ""
    assert "COMPLETED" == world.changes(run="B").result.status

    error = world.changes(run="A").error

    assert isinstance(error, NativeJobFailed)
    assert "InternalError" == error.code
    assert isinstance(world.changes(run="A", generation="1").outcome, Nothing)


def test_after_clear_of_a_half_failed_run_its_result_has_the_windows_of_before() -> None:
    world = half_failed()
    assert isinstance(world.changes(run="A").outcome, NativeJobFailed)
    world.exports.fails = ""

    result = world.changes(run="A", generation="1").result

    assert 3 == len(result.manifest_uris)
    assert world.chain.manifest_uris[1:] == result.manifest_uris


def test_with_nothing_more_to_do_the_result_has_what_was_taken_over_from_a_lost_run() -> None:
    world = NativeWorld()
    world.run(run="base")
    world.pass_time(hours=1)
    world.changes(Fault(Kind.KILL, on="DescribeExport"), run="lost")

    result = world.changes(run="next").result

    assert world.chain.manifest_uris[1:] == result.manifest_uris
    assert result.manifest_uris == world.changes(run="lost").result.manifest_uris
    assert isinstance(world.changes(run="a third").outcome, Nothing)
    assert 2 == len(world.exports.made)


def at(world: NativeWorld) -> str:
    """What a template of ten minutes ago renders to now."""
    return (world.aws.clock.now() - timedelta(minutes=10)).isoformat()


@pytest.mark.parametrize("on", [START, "DescribeExport"])
@pytest.mark.parametrize("after", [False, True])
def test_a_retry_whose_settings_render_otherwise_goes_on_with_what_was_asked_for(
    on: str, after: bool
) -> None:
    world = NativeWorld()
    first = world.aws.clock.now() - timedelta(minutes=10)
    world.run(Fault(Kind.KILL, on=on, after=after), export_time=at(world))
    world.pass_time(minutes=5)

    retry = world.run(export_time=at(world))

    assert [retry.result.export_arn] == [made.arn for made in world.exports.made]
    assert first.isoformat(timespec="seconds") == retry.result.export_time
    (warning,) = retry.warned
    assert "with other settings than are rendered now" in warning


def test_a_retry_whose_settings_render_otherwise_finds_what_is_complete() -> None:
    world = NativeWorld()
    first = world.run(export_time=at(world)).result
    world.pass_time(minutes=5)

    assert first == world.run(export_time=at(world)).result
    assert 1 == len(world.exports.made)


def test_another_run_and_a_clear_with_other_settings_make_exports_of_their_own() -> None:
    world = NativeWorld()
    world.run(Fault(Kind.KILL, on="DescribeExport"), export_time=at(world))
    world.pass_time(minutes=5)
    arns = {
        world.run(run="other", export_time=at(world)).result.export_arn,
        world.run(generation="1", export_time=at(world)).result.export_arn,
    }

    assert 2 == len(arns)
    assert 3 == len(world.exports.made)


def test_an_instant_of_a_manifest_without_a_zone_is_in_utc() -> None:
    world = NativeWorld()
    world.exports.without_zone = True
    result = world.run().result

    assert world.chain.base is not None
    assert world.chain.base.export_time is not None
    assert None is not world.chain.base.export_time.tzinfo
    (made,) = world.exports.made
    assert made.export_time.isoformat(timespec="seconds") == result.export_time
