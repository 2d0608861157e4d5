"""Incremental exports: contiguous windows from the last one that succeeded, and what breaks a chain."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.native_export_result import Nothing
from airflow_dynamo_pipeline.engine.native_windows import said
from airflow_dynamo_pipeline.errors import NativeJobFailed, RecoveryUnavailable
from tests.faults.attempts import BUCKET
from tests.faults.calls import Call
from tests.faults.endpoint import Killed
from tests.faults.native_export_world import CHAIN_KEY, URI, NativeWorld
from tests.faults.script import Fault, Kind

START = "ExportTableToPointInTime"
KEY = {"pk": {"S": "00000"}}


@pytest.fixture
def world() -> NativeWorld:
    """A table that was exported as a whole."""
    made = NativeWorld()
    assert 5 == made.run(run="base").result.item_count
    return made


def refused(world: NativeWorld, reason: str, **settings: Any) -> str:
    error = world.changes(**settings).error
    assert isinstance(error, RecoveryUnavailable)
    assert reason == error.reason
    return str(error)


def test_the_import_reads_what_lies_there_as_a_base_and_contiguous_windows(world: NativeWorld) -> None:
    for hour in range(3):
        world.pass_time(minutes=20)
        world.aws.dynamodb.put_items("orders", [{"pk": {"S": f"of hour {hour}"}}])
        world.aws.dynamodb.delete_item("orders", {"pk": {"S": f"0000{hour}"}})
        world.pass_time(minutes=40)
        assert 2 == world.changes(run=f"hour {hour}").result.item_count

    backup = world.found(world.chain.manifest_uris)

    base, *windows = backup.stages
    assert (None, 3) == (base.window, len(windows))
    assert [5, 2, 2, 2] == [sum(file.item_count or 0 for file in stage.files) for stage in backup.stages]
    found = [stage.window for stage in windows if stage.window]
    assert all(one[1] == next_one[0] for one, next_one in pairwise(found))
    assert timedelta(0) <= found[0][0] - world.exports.made[0].export_time.replace(microsecond=0)


def test_a_window_ends_as_late_as_recovery_allows_and_in_whole_seconds(world: NativeWorld) -> None:
    world.pass_time(hours=1, seconds=0.75)
    now = world.aws.clock.now()
    result = world.changes().result

    (window,) = world.chain.windows
    assert (now - timedelta(minutes=5)).replace(microsecond=0) == window.window_end
    assert window.window_start is not None
    assert 0 == window.window_start.microsecond
    assert result.window_end == said(window.window_end)


def test_less_than_a_quarter_of_an_hour_is_nothing_to_do_yet(world: NativeWorld) -> None:
    world.pass_time(minutes=14)
    attempt = world.changes()

    assert isinstance(attempt.outcome, Nothing)
    assert "less than 15 minutes" in attempt.outcome.why
    assert 1 == len(world.exports.made)
    world.pass_time(minutes=2)
    assert "COMPLETED" == world.changes().result.status


def test_more_than_a_day_is_split_into_contiguous_windows_one_after_the_other(world: NativeWorld) -> None:
    world.pass_time(hours=60)
    result = world.changes().result

    windows = [each.window for each in world.chain.windows if each.window]
    assert 3 == len(windows) == len(result.manifest_uris)
    assert all(one[1] == other[0] for one, other in pairwise(windows))
    assert all(timedelta(minutes=15) <= end - begin <= timedelta(hours=24) for begin, end in windows)
    assert world.chain.manifest_uris[-1] == result.manifest_uri
    assert 4 == len(world.found(world.chain.manifest_uris).stages)


def test_a_kill_between_two_windows_leaves_the_rest_to_the_retry(world: NativeWorld) -> None:
    world.pass_time(hours=60)
    killed = world.changes(Fault(Kind.KILL, on="ExportTableToPointInTime", at=2))
    assert isinstance(killed.outcome, Killed)

    assert 3 == len(world.changes().result.manifest_uris)
    assert 4 == len(world.exports.made)


def test_another_run_goes_on_with_windows_that_a_lost_run_asked_for(world: NativeWorld) -> None:
    world.pass_time(hours=1)
    world.changes(Fault(Kind.KILL, on="DescribeExport"), run="lost")
    world.pass_time(hours=1)

    result = world.changes(run="next").result

    assert world.chain.manifest_uris[1:] == result.manifest_uris
    assert world.chain.windows[0].window_start is not None
    assert said(world.chain.windows[0].window_start) == result.window_start
    assert 3 == len(world.exports.made)
    assert 3 == len(world.found(world.chain.manifest_uris).stages)


def test_windows_that_a_newer_base_has_overtaken_are_passed_over(world: NativeWorld) -> None:
    world.pass_time(hours=1)
    world.changes(Fault(Kind.KILL, on="DescribeExport"), run="lost")
    world.pass_time(hours=1)
    world.run(run="new base")
    world.pass_time(hours=1)

    attempt = world.changes(run="next")

    assert "follow on nothing since a newer base" in attempt.warned[0]
    assert () == world.chain.pending
    assert 2 == len(world.found(world.chain.manifest_uris).stages)


def test_of_two_runs_at_once_one_extends_the_chain_and_the_other_reads_it_again(world: NativeWorld) -> None:
    """The second one begins while the first is about to write down what it will ask for, and ends first."""
    world.pass_time(hours=1)
    others: list[Call] = []

    def overtake(call: Call) -> None:
        if call.operation == "PutObject" and not others:
            others.append(call)
            assert "COMPLETED" == world.changes(run="second").result.status

    first = world.changes(run="first", before=overtake)

    assert isinstance(first.outcome, Nothing)
    assert 2 == len(world.exports.made)
    assert 2 == len(world.found(world.chain.manifest_uris).stages)


def test_a_base_that_a_lost_run_asked_for_is_made_by_the_next_run() -> None:
    world = NativeWorld()
    world.changes(Fault(Kind.KILL, on="ExportTableToPointInTime"), run="lost", on_gap="full")

    result = world.changes(run="next", on_gap="full").result

    assert world.chain.manifest_uris == result.manifest_uris
    assert 1 == len(world.exports.made)
    assert () == world.chain.pending


def test_a_base_that_was_never_started_and_whose_instant_has_left_recovery_is_planned_anew() -> None:
    world = NativeWorld(recovery_days=1)
    at = (world.aws.clock.now() - timedelta(minutes=30)).isoformat()
    world.changes(Fault(Kind.KILL, on=START), run="lost", on_gap="full", export_time=at)
    world.pass_time(days=3)

    assert "full" == world.changes(run="next", on_gap="full").result.export_type
    assert () == world.chain.pending


def test_a_manifest_of_another_window_than_was_asked_is_refused_and_a_new_base_mends_it(
    world: NativeWorld,
) -> None:
    world.pass_time(hours=1)
    world.exports.window_moves = timedelta(minutes=1)

    assert "is of another window than was asked" in str(world.changes().error)
    world.exports.window_moves = timedelta(0)
    world.run(run="new base")
    world.pass_time(hours=1)
    assert "COMPLETED" == world.changes(run="next").result.status


def test_an_end_that_is_asked_for_is_waited_for(world: NativeWorld) -> None:
    world.pass_time(hours=1)
    end = world.aws.clock.now().replace(microsecond=0)
    attempt = world.changes(export_time=end.isoformat())

    assert end.isoformat() == attempt.result.window_end
    assert attempt.early > 0


def test_a_failed_window_is_asked_for_again_by_the_next_run(world: NativeWorld) -> None:
    world.pass_time(hours=1)
    world.exports.fails = "InternalError"
    assert isinstance(world.changes(run="first").outcome, NativeJobFailed)
    world.exports.fails = ""

    assert "COMPLETED" == world.changes(run="second").result.status
    assert 2 == len(world.found(world.chain.manifest_uris).stages)


def test_without_a_full_export_before_it_is_refused_or_makes_one() -> None:
    world = NativeWorld()
    assert "no full export of table orders" in refused(world, "no base")

    result = world.changes(on_gap="full").result

    assert ("full", 5) == (result.export_type, result.item_count)
    world.pass_time(hours=1)
    assert "incremental" == world.changes(run="next", on_gap="full").result.export_type


def test_a_gap_is_named_and_refused_and_a_new_base_mends_it() -> None:
    world = NativeWorld(recovery_days=2)
    world.run(run="base")
    world.pass_time(days=3)

    message = refused(world, "gap")
    assert "have left the recovery window before they were exported" in message
    assert 1 == len(world.exports.made)
    mended = world.changes(on_gap="full")
    assert "full" == mended.result.export_type
    assert "have left the recovery window" in mended.warned[0]
    assert [mended.result.manifest_uri] == world.chain.manifest_uris


def test_a_window_may_still_begin_at_the_very_edge_of_recovery() -> None:
    world = NativeWorld(recovery_days=2)
    world.run(run="base")
    (end,) = {world.chain.end}
    assert end is not None
    world.pass_time(seconds=(end + timedelta(days=2) - world.aws.clock.now()).total_seconds() - 60)

    assert 2 == len(world.changes().result.manifest_uris)


def test_recovery_that_was_switched_off_and_on_is_named_and_refused(world: NativeWorld) -> None:
    world.pass_time(hours=1)
    world.aws.dynamodb.table("orders").recovery_days = None
    assert "is off" in refused(world, "off", on_gap="full")
    world.switch_recovery_on()
    world.pass_time(hours=1)

    assert "was switched off and on" in refused(world, "reset")
    assert "full" == world.changes(on_gap="full").result.export_type


def test_a_table_made_anew_under_its_name_is_refused(world: NativeWorld) -> None:
    world.aws.dynamodb.table("orders").table_id = "another"
    world.pass_time(hours=1)

    assert "was made anew" in refused(world, "reset")
    assert "full" == world.changes(on_gap="full").result.export_type


def test_a_chain_whose_last_manifest_was_deleted_is_refused(world: NativeWorld) -> None:
    key = world.chain.manifest_uris[-1].removeprefix(f"s3://{BUCKET}/")
    world.aws.s3.delete(BUCKET, key)
    world.pass_time(hours=1)

    assert f"{key} is not there any more" in refused(world, "lost")


def test_a_later_full_export_is_the_new_base_and_the_old_chain_is_kept(world: NativeWorld) -> None:
    world.pass_time(hours=1)
    world.changes()
    old = world.aws.s3.get(BUCKET, CHAIN_KEY)
    token = world.chain.base.token if world.chain.base else ""
    world.pass_time(hours=1)
    result = world.run(run="later").result

    assert [result.manifest_uri] == world.chain.manifest_uris
    assert old != world.aws.s3.get(BUCKET, CHAIN_KEY)
    kept = world.aws.s3.get(BUCKET, CHAIN_KEY.replace(".json", f"-{token}.json"))
    assert world.exports.made[1].name.encode() in kept


def test_a_full_export_of_an_earlier_instant_leaves_the_chain_as_it_is(world: NativeWorld) -> None:
    base = world.chain.manifest_uris
    earlier = (world.exports.made[0].export_time - timedelta(minutes=10)).isoformat()
    result = world.run(run="earlier", export_time=earlier).result

    assert base == world.chain.manifest_uris
    assert result.manifest_uri not in base


@pytest.mark.parametrize(("hours", "says"), [(-100, "can be recovered from"), (1, "still to come")])
def test_an_instant_that_can_never_be_exported_is_refused(hours: int, says: str) -> None:
    world = NativeWorld()
    wanted = world.aws.clock.now() + timedelta(hours=hours)
    error = world.run(export_time=wanted.isoformat()).error

    assert isinstance(error, RecoveryUnavailable)
    assert says in str(error)
    assert [] == world.exports.made


def test_everything_that_is_asked_arrives_at_dynamodb() -> None:
    world = NativeWorld()
    at = (world.aws.clock.now() - timedelta(minutes=30)).replace(microsecond=0)
    world.run(
        export_time=at.isoformat(),
        file_format="ION",
        s3_bucket_owner="012345678901",
        s3_sse_algorithm="kms",
        s3_sse_kms_key_id="alias/backups",
    )

    (made,) = world.exports.made
    token = made.request["ClientToken"]
    assert 32 == len(token)
    assert {
        "TableArn": made.table.arn,
        "ExportType": "FULL_EXPORT",
        "ExportTime": at.timestamp(),
        "ExportFormat": "ION",
        "S3Bucket": BUCKET,
        "S3Prefix": URI.rpartition("/")[2],
        "S3BucketOwner": "012345678901",
        "S3SseAlgorithm": "KMS",
        "S3SseKmsKeyId": "alias/backups",
        "ClientToken": token,
    } == made.request
