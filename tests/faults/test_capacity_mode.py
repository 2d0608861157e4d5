"""A table's capacity over the wire: changed, put back, refused by DynamoDB, killed at every call."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import (
    CapacityRefused,
    NotFound,
    PipelineError,
    StaleAttempt,
    Stopped,
    TableChanged,
    Temporary,
)
from tests.clock import EPOCH
from tests.faults import autoscaling
from tests.faults.capacity_world import RECORDS, SETTLE_SECONDS, TABLE, Attempt, CapacityWorld
from tests.faults.dynamodb.update_table import changes_of
from tests.faults.endpoint import Killed
from tests.faults.points import some_of
from tests.faults.script import Fault, Kind

WORLDS: dict[str, dict[str, Any]] = {
    "provisioned": {},
    "provisioned and scaled": {"scaled": True},
    "on-demand": {"on_demand": True},
    "on-demand and scaled": {"on_demand": True, "scaled": True},
}
UP: dict[str, Any] = {"mode": "provisioned", "read_units": 50, "write_units": 60}
SCALED_UP = {**UP, "autoscaling_max_units": 200, "autoscaling_target_percent": 80}
CHANGES: dict[str, dict[str, Any]] = {
    "up": UP,
    "up and scaled": SCALED_UP,
    "on-demand": {"mode": "on_demand"},
}
EVERY_WORLD = pytest.mark.parametrize("kind", WORLDS)
EVERY_CHANGE = pytest.mark.parametrize("settings", CHANGES.values(), ids=CHANGES)
TWO_WORLDS = pytest.mark.parametrize("kind", ["provisioned and scaled", "on-demand"])
CHANGING = ("Put", "Update", "Register", "Deregister", "Delete")


def reached(world: CapacityWorld, settings: dict[str, Any]) -> bool:
    """Whether the table is as it was asked to be."""
    if settings["mode"] == "on_demand":
        return world.mode == "PAY_PER_REQUEST"
    wanted = (settings["read_units"], settings["write_units"])
    units = {world.units(index) for index in (None, "by_date", "by_name")}
    scaled = "autoscaling_max_units" not in settings or len(world.aws.autoscaling.targets) == 6
    return world.mode == "PROVISIONED" and units == {wanted} and scaled


def kills(whole: Attempt) -> Iterator[Fault]:
    """A kill after each call that changes something, before the first, and before those that had to wait.

    In between the world is the same: reads change nothing.
    """
    found = [(at, name) for at, name in enumerate(whole.operations, start=1) if name.startswith(CHANGING)]
    assert found
    waited = True
    for at, name in found:
        if waited:
            yield Fault(Kind.KILL, at)
        yield Fault(Kind.KILL, at, after=True)
        waited = name == "UpdateTable"


# --- there and back -------------------------------------------------------------------------------------


@EVERY_WORLD
@EVERY_CHANGE
def test_what_was_found_is_put_back_exactly(kind: str, settings: dict[str, Any]) -> None:
    world = CapacityWorld(**WORLDS[kind])
    before = world.seen()

    changed = world.change(**settings).result
    assert reached(world, settings)
    restored = world.restore().result

    assert settings["mode"] == changed["mode"]
    assert restored["restored"] is True
    assert before == world.seen()


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("on-demand", UP), ("provisioned and scaled", SCALED_UP), ("provisioned", {"mode": "on_demand"})],
)
def test_a_change_that_is_killed_at_any_call_is_adopted_and_put_back(
    kind: str, settings: dict[str, Any]
) -> None:
    whole = CapacityWorld(**WORLDS[kind])
    before = whole.seen()
    for fault in some_of(kills(whole.change(**settings))):
        world = CapacityWorld(**WORLDS[kind])
        killed = world.change(fault, **settings)
        assert isinstance(killed.outcome, Killed), fault

        retried = world.change(**settings)

        assert settings["mode"] == retried.result["mode"], fault
        assert reached(world, settings), fault
        unheard = not fault.after and killed.operations[-1] == "UpdateTable"
        assert 1 + unheard == [*killed.operations, *retried.operations].count("UpdateTable"), fault
        world.restore()
        assert before == world.seen(), fault


@TWO_WORLDS
def test_after_a_change_that_never_came_to_its_end_all_is_put_back(kind: str) -> None:
    """As in a DAG: what is found is recorded by a task of its own, so the teardown runs whatever fails."""
    whole = CapacityWorld(**WORLDS[kind])
    before = whole.seen()
    whole.change(mode="keep")
    for fault in some_of(kills(whole.change(**SCALED_UP))):
        world = CapacityWorld(**WORLDS[kind])
        world.change(mode="keep")
        assert isinstance(world.change(fault, **SCALED_UP).outcome, Killed), fault

        restored = world.restore()

        assert restored.result["restored"] is True, fault
        assert before == world.seen(), fault


@TWO_WORLDS
def test_a_restore_that_is_killed_at_any_call_is_finished_by_its_retry(kind: str) -> None:
    whole = CapacityWorld(**WORLDS[kind])
    before = whole.seen()
    whole.change(**SCALED_UP)
    for fault in some_of(kills(whole.restore())):
        world = CapacityWorld(**WORLDS[kind])
        world.change(**SCALED_UP)
        killed = world.restore(fault)
        assert isinstance(killed.outcome, Killed), fault

        assert world.restore().result["restored"] is True, fault
        assert before == world.seen(), fault


# --- the record -----------------------------------------------------------------------------------------


def test_the_record_is_there_before_the_first_change() -> None:
    operations = CapacityWorld(scaled=True).change(**SCALED_UP).operations
    changes = [name for name in operations if name.startswith(CHANGING)]

    assert ["PutObject", "UpdateTable"] == changes[:2]


def test_keep_records_and_changes_nothing() -> None:
    world = CapacityWorld(scaled=True)
    before = world.seen()

    attempt = world.change(mode="keep")

    assert "UpdateTable" not in attempt.operations
    assert before == world.seen()
    assert [attempt.result["record_uri"]] == [
        f"s3://records/{key}" for key in world.aws.s3.objects("records")
    ]


def test_a_second_task_of_the_run_does_not_record_what_the_first_one_changed() -> None:
    world = CapacityWorld()
    before = world.seen()
    world.change(**UP)

    world.change(mode="provisioned", read_units=70, write_units=80)

    assert (70, 80) == world.units()
    world.restore()
    assert before == world.seen()


def test_after_a_restore_the_next_change_records_anew() -> None:
    """Clear of the whole run, or the next run."""
    world = CapacityWorld()
    world.change(**UP)
    world.restore()
    world.aws.dynamodb.set_capacity(TABLE, read=9)
    before = world.seen()

    world.change(**UP)
    world.restore()

    assert (9, 6) == world.units()
    assert before == world.seen()


def test_a_restore_that_was_done_changes_nothing_again() -> None:
    world = CapacityWorld()
    world.change(**UP)
    world.restore()
    world.aws.dynamodb.set_capacity(TABLE, read=9)

    again = world.restore()

    assert "UpdateTable" not in again.operations
    assert (9, 6) == world.units()


def test_the_last_run_to_change_a_table_puts_back_what_the_first_one_found() -> None:
    world = CapacityWorld()
    before = world.seen()
    world.change(**UP, run="dag|monday")
    tuesday = world.change(mode="on_demand", run="dag|tuesday")
    assert "dag|monday has not put back" in " ".join(tuesday.warned)

    monday = world.restore(run="dag|monday")

    assert monday.result["restored"] is False
    assert "PAY_PER_REQUEST" == world.mode
    world.restore(run="dag|tuesday")
    assert before == world.seen()


def test_a_restore_without_a_record_is_no_success() -> None:
    attempt = CapacityWorld().restore()

    assert isinstance(attempt.outcome, NotFound)
    assert "UpdateTable" not in attempt.operations


def test_a_table_that_was_made_anew_is_not_touched() -> None:
    world = CapacityWorld()
    world.change(**UP)
    world.aws.dynamodb.table(TABLE).table_id = "another"

    attempt = world.restore()

    assert isinstance(attempt.outcome, TableChanged)
    assert "UpdateTable" not in attempt.operations


def test_what_was_recorded_of_a_table_that_is_gone_is_replaced_and_said() -> None:
    world = CapacityWorld()
    world.change(**UP, run="dag|monday")
    world.aws.dynamodb.table(TABLE).table_id = "another"
    world.aws.dynamodb.set_capacity(TABLE, read=9)
    before = world.seen()

    attempt = world.change(mode="on_demand", run="dag|tuesday")

    assert "on_demand" == attempt.result["mode"]
    assert "table orders was deleted and made anew since" in " ".join(attempt.warned)
    assert world.restore(run="dag|tuesday").result["restored"] is True
    assert before == world.seen()


def test_a_table_that_is_made_anew_while_an_attempt_waits_is_not_changed_by_it() -> None:
    world = CapacityWorld()
    world.clock.on_wait = lambda _: setattr(world.aws.dynamodb.table(TABLE), "table_id", "another")

    attempt = world.change(**UP)

    assert isinstance(attempt.outcome, TableChanged)
    assert 1 == attempt.operations.count("UpdateTable")


def test_an_attempt_that_was_given_up_while_it_sized_changes_nothing_after_the_restore() -> None:
    world = CapacityWorld(on_demand=True)
    before = world.seen()
    world.change(mode="keep")
    world.just_before("GetMetricStatistics", world.restore)

    late = world.change(mode="provisioned")

    assert isinstance(late.outcome, StaleAttempt)
    assert "UpdateTable" not in late.operations
    assert before == world.seen()


def test_an_attempt_that_was_given_up_before_it_read_the_record_changes_nothing_after_the_restore() -> None:
    world = CapacityWorld()
    before = world.seen()
    world.change(mode="keep")

    def meanwhile() -> None:
        world.clock.advance(60)
        world.restore()

    world.just_before("DescribeTable", meanwhile)
    late = world.change(**UP)

    assert isinstance(late.outcome, StaleAttempt)
    assert {"PutObject", "UpdateTable"}.isdisjoint(late.operations)
    assert before == world.seen()


@pytest.mark.parametrize("operation", ["UpdateTable", "RegisterScalableTarget", "PutScalingPolicy"])
@pytest.mark.parametrize("unheard", [False, True])
def test_a_change_that_comes_after_all_was_put_back_is_put_back_by_the_next_restore(
    operation: str, unheard: bool
) -> None:
    """The restore happens between the attempt's last look at the record and its call."""
    world = CapacityWorld(scaled=True)
    before = world.seen()
    world.change(mode="keep")
    world.just_before(operation, world.restore)
    faults = [Fault(Kind.SERVER_ERROR, on=operation, after=True)] if unheard else []

    late = world.change(*faults, **SCALED_UP)

    assert isinstance(late.outcome, StaleAttempt)
    assert "is open again; Clear the task that restores" in " ".join(late.warned)
    world.clock.advance(SETTLE_SECONDS)
    assert before != world.seen()
    assert world.restore().result["restored"] is True
    assert before == world.seen()


def test_a_restore_that_saw_the_change_of_an_attempt_that_was_given_up_stays_done() -> None:
    world = CapacityWorld()

    def meanwhile(_: float) -> None:
        world.clock.on_wait = None
        world.restore()

    world.clock.on_wait = meanwhile
    late = world.change(**UP)
    world.aws.dynamodb.set_capacity(TABLE, read=9)

    assert isinstance(late.outcome, StaleAttempt)
    assert "UpdateTable" not in world.restore().operations
    assert (9, 6) == world.units()


@pytest.mark.parametrize("operation", ["UpdateTable", "DeregisterScalableTarget"])
def test_a_restore_whose_successor_was_first_sees_that_it_is_done(operation: str) -> None:
    world = CapacityWorld()
    before = world.seen()
    world.change(**SCALED_UP)
    world.just_before(operation, world.restore)

    late = world.restore()

    assert late.result["restored"] is True
    assert before == world.seen()


def test_an_attempt_that_is_told_to_stop_while_it_sizes_changes_nothing() -> None:
    world = CapacityWorld(on_demand=True)
    world.just_before("GetMetricStatistics", world.tell_to_stop)

    attempt = world.run(mode="provisioned")

    assert isinstance(attempt.outcome, Stopped)
    assert "UpdateTable" not in attempt.operations


def test_an_attempt_that_is_told_to_stop_while_it_scales_makes_no_further_change() -> None:
    world = CapacityWorld()
    world.just_before("RegisterScalableTarget", world.tell_to_stop)

    attempt = world.change(**SCALED_UP)

    assert isinstance(attempt.outcome, Stopped)
    assert 1 == attempt.operations.count("RegisterScalableTarget")


def test_an_attempt_that_was_given_up_changes_nothing_after_the_restore() -> None:
    """It waits for a change of somebody else's while its successor does all the work, and the restore too."""
    world = CapacityWorld()
    before = world.seen()

    def meanwhile(_: float) -> None:
        world.clock.on_wait = None
        world.change(**UP)
        world.restore()

    world.clock.on_wait = meanwhile
    late = world.change(**UP)

    assert isinstance(late.outcome, StaleAttempt)
    assert before == world.seen()


def test_an_attempt_that_writes_too_late_does_not_overwrite_a_later_record() -> None:
    """Between its look at the table and its record all was changed and put back, and the next run begun."""
    world = CapacityWorld()

    def meanwhile() -> None:
        world.change(**UP, run="dag|monday")
        world.restore(run="dag|monday")
        world.aws.dynamodb.set_capacity(TABLE, read=9)
        world.change(**UP, run="dag|tuesday")

    world.just_before("PutObject", meanwhile)
    world.change(**UP, run="dag|monday")

    world.restore(run="dag|monday")

    assert (9, 6) == world.units()


def test_what_another_run_is_just_putting_back_is_not_recorded_as_found() -> None:
    world = CapacityWorld()
    before = world.seen()
    world.change(**UP, run="dag|monday")
    world.just_before("GetObject", lambda: world.restore(run="dag|monday"))

    world.change(**SCALED_UP, run="dag|tuesday")

    assert reached(world, SCALED_UP)
    world.restore(run="dag|tuesday")
    assert before == world.seen()


def test_a_restore_that_was_given_up_puts_nothing_back_of_what_was_recorded_anew() -> None:
    """While it waits its successor puts all back, and Clear lets the run begin again."""
    world = CapacityWorld()
    world.change(**UP)

    def meanwhile(_: float) -> None:
        world.clock.on_wait = None
        world.restore()
        world.change(mode="provisioned", read_units=70, write_units=80)

    world.clock.on_wait = meanwhile
    late = world.restore()

    assert isinstance(late.outcome, StaleAttempt)
    assert (70, 80) == world.units()


def test_a_record_of_a_later_version_is_not_read() -> None:
    world = CapacityWorld()
    uri = world.change(mode="keep").result["record_uri"]
    key = uri.removeprefix("s3://records/")
    with world.aws.door() as door:
        door.client("s3").put_object(Bucket="records", Key=key, Body=b'{"version": 2}')

    attempt = world.restore()

    assert isinstance(attempt.outcome, PipelineError)
    assert "version 2" in str(attempt.outcome)


# --- what others do meanwhile ---------------------------------------------------------------------------


def test_autoscaling_that_was_set_up_meanwhile_is_taken_away_again() -> None:
    world = CapacityWorld()
    before = world.seen()
    world.change(**UP)
    world._scale()

    world.restore()

    assert before == world.seen()


def test_autoscaling_that_was_taken_away_meanwhile_comes_back() -> None:
    world = CapacityWorld(scaled=True)
    before = world.seen()
    world.change(**UP)
    with world.aws.door() as door:
        scaling = door.client("application-autoscaling")
        for target in world.aws.autoscaling.targets:
            where = {name: target[name] for name in ("ResourceId", "ScalableDimension")}
            scaling.deregister_scalable_target(ServiceNamespace="dynamodb", **where)

    world.restore()

    assert before == world.seen()


def test_maxima_of_an_on_demand_table_come_back() -> None:
    world = CapacityWorld(on_demand=True)
    world.aws.dynamodb.set_capacity(TABLE, max_read=100)
    world.aws.dynamodb.set_capacity(TABLE, index="by_date", max_write=20)
    before = world.seen()
    world.change(**UP)
    world.aws.dynamodb.set_capacity(TABLE, max_read=None)
    world.aws.dynamodb.set_capacity(TABLE, index="by_date", max_write=None)

    world.restore()

    assert before == world.seen()


def test_an_index_that_is_gone_is_said_and_the_rest_put_back() -> None:
    world = CapacityWorld(scaled=True)
    world.change(**SCALED_UP)
    del world.aws.dynamodb.table(TABLE).indexes["by_name"]

    attempt = world.restore()

    assert attempt.result["restored"] is True
    assert "index by_name was deleted meanwhile" in " ".join(attempt.warned)
    assert ((5, 6), (7, 17)) == (world.units(), world.units("by_date"))
    left = [(one["ResourceId"], one["MaxCapacity"]) for one in world.aws.autoscaling.targets]
    assert [("table/orders", 50), ("table/orders/index/by_name", 200)] == left


def test_autoscaling_of_an_index_that_was_made_meanwhile_is_left_alone_and_said() -> None:
    world = CapacityWorld(scaled=True)
    before = world.aws.autoscaling.targets
    world.change(**UP)
    world.add_index("by_place")
    with world.aws.door() as door:
        door.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="dynamodb",
            ResourceId="table/orders/index/by_place",
            ScalableDimension="dynamodb:index:ReadCapacityUnits",
            MinCapacity=3,
            MaxCapacity=30,
        )

    attempt = world.restore()

    assert attempt.result["restored"] is True
    line = "index by_place was made meanwhile: its units and autoscaling stay as they are"
    assert line in attempt.warned
    left = {one["ResourceId"]: one["MaxCapacity"] for one in world.aws.autoscaling.targets}
    assert 30 == left.pop("table/orders/index/by_place")
    assert {one["ResourceId"]: one["MaxCapacity"] for one in before} == left
    assert (1, 11) == world.units("by_place")


@pytest.mark.parametrize("settings", [UP, SCALED_UP], ids=["up", "up and scaled"])
def test_an_index_that_is_made_while_a_change_waits_is_left_alone_and_said(settings: dict[str, Any]) -> None:
    world = CapacityWorld(scaled=True)

    def meanwhile(_: float) -> None:
        world.clock.on_wait = None
        world.clock.advance(SETTLE_SECONDS)
        world.add_index("by_place")

    world.clock.on_wait = meanwhile
    attempt = world.change(**settings)

    assert (50, 60) == (attempt.result["read_units"], attempt.result["write_units"])
    assert "index by_place was made meanwhile: its autoscaling stays as it is" in attempt.warned
    assert (1, 11) == world.units("by_place")
    resources = {one["ResourceId"] for one in world.aws.autoscaling.targets}
    assert "table/orders/index/by_place" not in resources


def test_units_that_autoscaling_will_undo_are_said() -> None:
    warned = CapacityWorld(scaled=True).change(**UP).warned

    (line,) = warned
    assert line.startswith("autoscaling keeps the write units of the table at 2 to 50 and will undo 60;")


def test_a_table_that_somebody_else_changes_is_waited_for() -> None:
    world = CapacityWorld()
    with world.aws.door() as door:
        units = {"ReadCapacityUnits": 30, "WriteCapacityUnits": 30}
        door.client("dynamodb").update_table(TableName=TABLE, ProvisionedThroughput=units)

    attempt = world.change(**UP)

    assert attempt.said[0] == "table orders is UPDATING: waiting for ACTIVE; looking again in 15 s"
    assert (50, 60) == world.units()
    world.restore()
    assert (30, 30) == world.units()


def test_a_change_that_somebody_else_begins_first_is_waited_for() -> None:
    world = CapacityWorld()
    units = {"ReadCapacityUnits": 30, "WriteCapacityUnits": 30}
    with world.aws.door() as another:
        client = another.client("dynamodb")
        world.just_before(
            "UpdateTable", lambda: client.update_table(TableName=TABLE, ProvisionedThroughput=units)
        )

        attempt = world.change(**UP)

    assert 2 == attempt.operations.count("UpdateTable")
    assert (50, 60) == world.units()


def test_an_index_that_is_not_active_is_waited_for() -> None:
    world = CapacityWorld()
    index = world.aws.dynamodb.table(TABLE).indexes["by_date"]
    index.status = "CREATING"
    world.clock.on_wait = lambda _: setattr(index, "status", "ACTIVE")

    attempt = world.change(**UP)

    assert attempt.said[0].startswith("index by_date of table orders is CREATING: waiting for ACTIVE")
    assert (50, 60) == world.units("by_date")


def test_autoscaling_that_is_told_page_by_page_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    world = CapacityWorld(scaled=True)
    monkeypatch.setattr(autoscaling, "PAGE", 1)
    world.change(**SCALED_UP)
    assert 6 == len(world.aws.autoscaling.targets)

    world.restore()

    assert [2, 2] == [target["MinCapacity"] for target in world.aws.autoscaling.targets]


# --- what DynamoDB refuses ------------------------------------------------------------------------------


def test_a_fifth_switch_to_on_demand_in_a_day_is_refused_with_the_time_when_it_may() -> None:
    world = CapacityWorld()
    since = world.clock.now()
    changes_of(world.aws.dynamodb.table(TABLE)).switches = [
        since - timedelta(hours=hours) for hours in (3, 2, 1, 0)
    ]

    refused = world.change(mode="on_demand").outcome

    assert isinstance(refused, CapacityRefused)
    assert since + timedelta(hours=24) == refused.may_at
    assert "LimitExceededException: Subscriber limit exceeded" in str(refused)
    assert "2026-01-03T03:04:05+00:00 at the latest" in str(refused)
    world.clock.advance(timedelta(hours=24).total_seconds())
    assert "on_demand" == world.change(mode="on_demand").result["mode"]


@pytest.mark.parametrize(
    ("lowered", "wait"),
    [(4, timedelta(hours=1)), (27, timedelta(hours=20, minutes=55, seconds=55))],
    ids=["an hour", "midnight"],
)
def test_units_that_may_not_be_lowered_now_are_refused_before_dynamodb_is_asked(
    lowered: int, wait: timedelta
) -> None:
    world = CapacityWorld()
    now = world.clock.now()
    changes_of(world.aws.dynamodb.table(TABLE)).decreases["by_name"] = [now] * lowered

    attempt = world.change(mode="provisioned", read_units=5, write_units=6)

    assert isinstance(attempt.outcome, CapacityRefused)
    assert attempt.outcome.may_at is not None
    assert wait == attempt.outcome.may_at - now
    assert f"index by_name: its units were lowered {lowered} times today" in str(attempt.outcome)
    assert "UpdateTable" not in attempt.operations
    world.clock.advance(wait.total_seconds())
    world.change(mode="provisioned", read_units=5, write_units=6)
    assert (5, 6) == world.units("by_name")


def test_a_restore_that_is_allowed_within_two_hours_is_waited_for() -> None:
    world = CapacityWorld(scaled=True)
    before = world.seen()
    world.change(**SCALED_UP)
    changes_of(world.aws.dynamodb.table(TABLE)).decreases[None] = [world.clock.now()] * 4

    attempt = world.restore()

    assert attempt.result["restored"] is True
    assert "the table: its units were lowered 4 times today (UTC)" in " ".join(attempt.warned)
    assert before == world.seen()


def test_a_restore_that_is_told_to_stop_while_it_waits_until_it_may_stops() -> None:
    world = CapacityWorld()
    world.change(**UP)
    changes_of(world.aws.dynamodb.table(TABLE)).decreases[None] = [world.clock.now()] * 4
    world.clock.on_wait = lambda seconds: world.tell_to_stop() if seconds > 3000 else None

    assert isinstance(world.restore().outcome, Stopped)
    assert (50, 60) == world.units()


def test_a_restore_that_is_allowed_much_later_puts_back_what_it_may_and_the_rest_later() -> None:
    world = CapacityWorld(scaled=True)
    before = world.seen()
    world.change(**SCALED_UP)
    changes_of(world.aws.dynamodb.table(TABLE)).decreases[None] = [world.clock.now()] * 27

    refused = world.restore().outcome

    assert isinstance(refused, Temporary)
    assert "the record stays open" in str(refused)
    assert before["targets"] == world.seen()["targets"]
    assert before["policies"] == world.seen()["policies"]
    assert [(50, 60), (7, 17), (8, 18)] == [world.units(one) for one in (None, "by_date", "by_name")]
    world.clock.advance(timedelta(hours=21).total_seconds())
    assert world.restore().result["restored"] is True
    assert before == world.seen()


def test_a_restore_that_may_not_switch_to_on_demand_again_can_be_retried() -> None:
    world = CapacityWorld(on_demand=True)
    before = world.seen()
    world.change(**UP)
    now = world.clock.now()
    changes_of(world.aws.dynamodb.table(TABLE)).switches = [now] * 4

    refused = world.restore().outcome

    assert isinstance(refused, Temporary)
    assert "Subscriber limit exceeded" in str(refused)
    world.clock.advance(timedelta(hours=24).total_seconds())
    assert world.restore().result["restored"] is True
    assert before["mode"] == world.mode


def test_a_change_that_is_refused_is_not_waited_for() -> None:
    world = CapacityWorld()
    changes_of(world.aws.dynamodb.table(TABLE)).decreases[None] = [world.clock.now()] * 4

    attempt = world.change(mode="provisioned", read_units=1, write_units=1)

    assert isinstance(attempt.outcome, CapacityRefused)
    assert [] == world.clock.waits


def test_a_denied_permission_fails_before_anything_is_changed() -> None:
    world = CapacityWorld()

    attempt = world.change(Fault(Kind.DENY, on="DescribeScalableTargets"), **UP)

    assert "application-autoscaling:DescribeScalableTargets" in str(attempt.outcome)
    assert {"PutObject", "UpdateTable"}.isdisjoint(attempt.operations)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "operation", ["UpdateTable", "PutObject", "RegisterScalableTarget", "DescribeTable", "PutScalingPolicy"]
)
def test_trouble_of_a_service_is_waited_out(operation: str, after: bool) -> None:
    world = CapacityWorld()
    before = world.seen()

    world.change(Fault(Kind.SERVER_ERROR, on=operation, after=after), **SCALED_UP)

    assert reached(world, SCALED_UP)
    world.restore()
    assert before == world.seen()


# --- sizing ---------------------------------------------------------------------------------------------


def test_units_are_sized_from_what_was_consumed_and_a_retry_finds_the_same() -> None:
    world = CapacityWorld(on_demand=True)
    began_at = EPOCH + timedelta(hours=2)
    for minute in range(100):  # 10 units a second, but 40 in two of the minutes
        units = 40 if minute in (50, 51) else 10
        world.aws.dynamodb.use(TABLE, "read", units * 60.0)
        world.aws.dynamodb.use(TABLE, "write", 60.0, index="by_date")
        world.clock.advance(60)
    world.clock.advance((began_at - world.clock.now()).total_seconds())
    sized = {"mode": "provisioned", "began_at": began_at, "percentile": 98, "margin": 0.5}

    first = world.change(**sized)

    assert (15, 1) == world.units()
    assert (1, 2) == world.units("by_date")
    assert any("read units of the table: 15" in line for line in first.said)
    world.aws.dynamodb.use(TABLE, "read", 6e6)
    world.clock.advance(600)
    assert "UpdateTable" not in world.change(**sized).operations
    world.change(**{**sized, "percentile": 99})
    assert (60, 1) == world.units()


def test_sized_units_stay_within_what_autoscaling_is_to_keep() -> None:
    world = CapacityWorld(on_demand=True)
    world.aws.dynamodb.use(TABLE, "read", 6000.0)
    world.clock.advance(3600)
    scaled = {"autoscaling_min_units": 3, "autoscaling_max_units": 50}

    world.change(mode="provisioned", **scaled, began_at=world.clock.now())

    assert (50, 3) == world.units()


def test_a_change_waits_no_longer_than_it_was_told() -> None:
    world = CapacityWorld()
    world.aws.dynamodb._database._settle_seconds = 1e9

    attempt = world.change(**UP)

    assert "waiting for ACTIVE" in str(attempt.outcome)
    assert 3600 <= world.clock.time - 1000 < 3600 + 15 + SETTLE_SECONDS


def test_the_records_folder_is_named_by_account_and_region() -> None:
    assert (
        f"{RECORDS}/123456789012/us-east-1/orders.capacity.json"
        == (CapacityWorld().change(mode="keep").result["record_uri"])
    )
