"""A worker is lost at any call of a native export: the export is adopted, and billed once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_dynamo_pipeline.engine.native_export_result import Finished
from airflow_dynamo_pipeline.errors import NativeJobConflict, NativeJobFailed, NotFound
from tests.faults.attempts import BUCKET
from tests.faults.calls import Call
from tests.faults.conftest import Tally
from tests.faults.endpoint import Killed
from tests.faults.native_export_world import CHAIN_KEY, Attempt, NativeWorld
from tests.faults.points import some_of
from tests.faults.script import Fault, Kind

START = "ExportTableToPointInTime"
Run = Callable[..., Attempt]


def with_a_base() -> NativeWorld:
    """A world whose table was exported as a whole, and has changed since."""
    world = NativeWorld()
    assert 5 == world.run(run="base").result.item_count
    world.pass_time(hours=1)
    world.aws.dynamodb.put_items("orders", [{"pk": {"S": "new"}}])
    world.pass_time(hours=1)
    return world


def kill_everywhere(make: Callable[[], NativeWorld], mode: str, later_hours: float) -> int:
    """Kill before and after each call, retry later; how many points were tried."""
    points = 0
    calls = len(make().run(export_type=mode).operations)
    for after in (False, True):
        for number in some_of(range(1, calls + 1)):
            world = make()
            billed = len(world.exports.made)
            fault = Fault(Kind.KILL, at=number, after=after)
            first = world.run(fault, export_type=mode)
            assert isinstance(first.outcome, Killed)
            world.pass_time(hours=later_hours)
            second = world.run(export_type=mode)

            assert "COMPLETED" == second.result.status, str(fault)
            assert billed + 1 == len(world.exports.made), str(fault)
            assert world.exports.made[-1].arn == second.result.export_arn
            assert () == world.chain.pending
            points += 1
    return points


@pytest.mark.parametrize(
    ("make", "mode"), [(NativeWorld, "full"), (with_a_base, "incremental")], ids=["full", "incremental"]
)
@pytest.mark.parametrize("later_hours", [0.1, 9], ids=["within the token's time", "after it"])
def test_e11_a2_whenever_a_worker_is_lost_the_retry_adopts_the_export_and_it_is_billed_once(
    make: Callable[[], NativeWorld], mode: str, later_hours: float, tally: Tally
) -> None:
    tally(kill_everywhere(make, mode, later_hours))


def test_e11_killed_after_the_call_and_before_the_record_the_retry_asks_by_the_same_token() -> None:
    world = NativeWorld()
    world.run(Fault(Kind.KILL, on=START, after=True))

    assert None is world.chain.pending[0].export_arn
    result = world.run().result

    (made,) = world.exports.made
    assert made.arn == result.export_arn
    assert made.request["ClientToken"] == world.chain.full[0].token


def test_e11_after_the_tokens_eight_hours_the_export_is_looked_up_and_not_asked_for_again() -> None:
    world = NativeWorld()
    for number in range(3):
        world.run(run=f"other {number}")
    world.run(Fault(Kind.KILL, on=START, after=True))
    world.pass_time(hours=9)

    retry = world.run()

    assert START not in retry.operations
    assert 2 == retry.operations.count("ListExports")
    assert world.exports.made[-1].arn == retry.result.export_arn
    assert 4 == len(world.exports.made)


def test_e11_a_reply_that_was_lost_is_asked_for_by_the_same_token_in_the_same_attempt() -> None:
    world = NativeWorld()
    attempt = world.run(Fault(Kind.REFUSE, on=START, after=True))

    assert 2 == attempt.operations.count(START)
    assert [attempt.result.export_arn] == [made.arn for made in world.exports.made]


def test_e11_a_retry_after_the_commit_finds_the_export_of_the_attempt_before() -> None:
    world = NativeWorld()
    first = world.run().result

    retry = world.run()

    assert first == retry.result
    assert 1 == len(world.exports.made)
    assert START not in retry.operations


def test_e11_two_attempts_at_once_make_one_export() -> None:
    """The second one begins while the first is between its record and its call, and ends first."""
    world = NativeWorld()
    others: list[Attempt] = []

    def overtake(call: Call) -> None:
        if call.operation == START:
            others.append(world.run())

    first = world.run(before=overtake)

    assert first.result == others[0].result
    assert 1 == len(world.exports.made)


def test_clear_of_a_finished_task_makes_another_export() -> None:
    world = NativeWorld()
    first = world.run().result
    second = world.run(generation="1").result

    assert [first.export_arn, second.export_arn] == [made.arn for made in world.exports.made]
    assert first.manifest_uri != second.manifest_uri


def test_a2_clear_of_a_task_whose_export_is_under_way_adopts_it() -> None:
    world = NativeWorld()
    world.exports.looks = 3
    world.run(Fault(Kind.KILL, on="DescribeExport"))

    cleared = world.run(generation="1")

    assert [cleared.result.export_arn] == [made.arn for made in world.exports.made]
    assert any("adopted" in line for line in cleared.said)


def test_a2_clear_of_a_task_whose_export_has_completed_meanwhile_adopts_it() -> None:
    world = NativeWorld()
    world.exports.looks = 0
    world.run(Fault(Kind.KILL, on="DescribeExport", after=True))

    cleared = world.run(generation="1")

    assert [cleared.result.export_arn] == [made.arn for made in world.exports.made]


def test_a2_what_was_adopted_by_a_clear_and_then_fails_fails_that_attempt() -> None:
    world = NativeWorld()
    world.exports.looks, world.exports.fails = 2, "S3AccessDenied"
    world.run(Fault(Kind.KILL, on="DescribeExport"))

    assert isinstance(world.run(generation="1").outcome, NativeJobFailed)
    assert 1 == len(world.exports.made)


def test_an_export_that_fails_ends_the_task_with_its_code_and_a_clear_starts_another() -> None:
    world = NativeWorld()
    world.exports.fails = "S3AccessDenied"
    failed = world.run().error

    assert isinstance(failed, NativeJobFailed)
    assert "S3AccessDenied" == failed.code
    assert "is FAILED: S3AccessDenied: said by the test" in str(failed)
    assert () == world.chain.pending
    world.exports.fails = ""
    assert "COMPLETED" == world.run(generation="1").result.status
    assert 2 == len(world.exports.made)


def test_an_export_that_failed_while_nobody_looked_is_asked_for_anew_after_clear() -> None:
    world = NativeWorld()
    world.exports.looks, world.exports.fails = 0, "S3AccessDenied"
    world.run(Fault(Kind.KILL, on="DescribeExport", after=True))
    world.exports.fails = ""

    cleared = world.run(generation="1")

    assert world.exports.made[1].arn == cleared.result.export_arn
    assert "asked for anew" in cleared.warned[0]


@pytest.mark.parametrize(("days", "is_forgotten"), [(91, True), (1, False)])
def test_only_what_dynamodb_forgets_in_time_is_asked_for_anew(days: int, is_forgotten: bool) -> None:
    world = NativeWorld(recovery_days=35)
    world.run(Fault(Kind.KILL, on="DescribeExport"))
    world.exports.made.clear()
    world.pass_time(days=days)

    attempt = world.run()

    assert is_forgotten == isinstance(attempt.outcome, Finished)
    assert is_forgotten == (1 == len(world.exports.made))
    assert is_forgotten or isinstance(attempt.outcome, NotFound)


def test_a_token_that_another_call_used_is_a_named_error() -> None:
    world = NativeWorld()
    world.run(Fault(Kind.KILL, on=START))
    body = world.aws.s3.get(BUCKET, CHAIN_KEY)
    world.run(Fault(Kind.KILL, on=START, after=True))
    world.aws.s3.put(BUCKET, CHAIN_KEY, body.replace(b'"DYNAMODB_JSON"', b'"ION"'))

    assert isinstance(world.run().outcome, NativeJobConflict)
    assert 1 == len(world.exports.made)


def test_an_export_without_its_manifest_is_no_success() -> None:
    world = NativeWorld()
    world.exports.without_manifest = True

    assert "is COMPLETED, and its manifest" in str(world.run().error)
    assert None is world.chain.base


@pytest.mark.parametrize("kind", [Kind.SERVER_ERROR, Kind.UNAVAILABLE, Kind.CUT])
@pytest.mark.parametrize("on", [START, "DescribeExport", "PutObject", "GetObject", "DescribeTable"])
def test_trouble_that_passes_is_waited_out(kind: Kind, on: str) -> None:
    world = NativeWorld()
    attempt = world.run(Fault(kind, on=on, after=kind is Kind.CUT))

    assert 1 == len(attempt.struck)
    assert "COMPLETED" == attempt.result.status
    assert 1 == len(world.exports.made)
