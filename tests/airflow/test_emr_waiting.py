"""How an attempt waits for its job on EMR: in time, through trouble, and for none that is being cancelled."""

from __future__ import annotations

import asyncio
import functools
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.emr_jobs import EmrJobFailed
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.operators import time_budget
from airflow_dynamo_pipeline.operators.emr import EmrDynamoDBExportOperator
from airflow_dynamo_pipeline.operators.emr_waiting import SETTLES_SECONDS, ends_at
from airflow_dynamo_pipeline.triggers.emr import EmrJobTrigger
from tests.airflow.conftest import ITEMS, FakeTask, context_of
from tests.airflow.emr_world import (
    CANCELLED,
    FAILED,
    RUNNING,
    EmrWorld,
    FakeJob,
    Killed,
    entered,
    error,
    exporting,
)
from tests.airflow.test_native_export_operator import events_of
from tests.clock import ManualClock
from tests.unit.airflow_parts import deferral_of

NewTask = Callable[..., FakeTask]
Export = Callable[..., EmrDynamoDBExportOperator]
LIMIT = timedelta(minutes=10)
MARGIN = timedelta(seconds=30)
LONG_AGO = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def world(aws_default: None, monkeypatch: pytest.MonkeyPatch) -> EmrWorld:
    return entered(monkeypatch)


@pytest.fixture
def export(table: str, bucket: str) -> Export:
    """Make the operator anew, as each attempt does."""
    return functools.partial(exporting, table, bucket)


def states(world: EmrWorld) -> list[str]:
    return [job.state for job in world.jobs]


def no_end(_: FakeJob) -> None:
    """The job runs on."""


def rebuilt(trigger: Any, **changed: Any) -> EmrJobTrigger:
    """The trigger as a triggerer finds it in the database."""
    return EmrJobTrigger(**{**json.loads(json.dumps(trigger.serialize()[1])), **changed})


def adoption_by(export: Export, world: EmrWorld, context: Any, **settings: Any) -> Any:
    """An operator whose attempt finds a job that an earlier one submitted and left alone."""

    def kill(_: FakeJob) -> None:
        raise Killed

    world.after_submit = kill
    with pytest.raises(Killed):
        export().execute(context)
    world.after_submit = no_end
    return export(**settings)


def deniable(patch: pytest.MonkeyPatch, operator: Any) -> threading.Event:
    """From when this is set the operator may not describe tables any more."""
    hook = operator.hook
    client, original = hook.client_for("dynamodb"), type(hook).client_for

    denied = threading.Event()

    def deny(**_: Any) -> None:
        if denied.is_set():
            raise error("AccessDeniedException")

    client.meta.events.register("before-call.dynamodb.DescribeTable", deny)
    patch.setattr(
        type(hook),
        "client_for",
        lambda self, service: client if service == "dynamodb" else original(self, service),
    )
    return denied


def test_a4_a_deferred_task_s_job_is_cancelled_before_airflow_2_fails_it_without_a_word(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    """Airflow 2 counts from the start of the attempt; by then the plan has taken 45 seconds."""
    world.at_look = no_end
    task: Any = new_task()
    task.start_date = datetime.now(UTC) - timedelta(seconds=45)
    operator = export(deferrable=True, poke_interval=400, execution_timeout=LIMIT)
    deferral = deferral_of(operator, context_of(task))
    trigger, time = rebuilt(deferral.trigger), [task.start_date + timedelta(seconds=46)]

    async def nap(seconds: float) -> None:
        time[0] += timedelta(seconds=seconds)

    async def fired() -> list[Any]:
        trigger.now, trigger.sleep = lambda: time[0], nap
        return [event.payload async for event in trigger.run()]

    (event,) = asyncio.run(fired())

    assert task.start_date + LIMIT - MARGIN == time[0]
    assert ([CANCELLED], {"status": "timeout", "cancelled": True}) == (states(world), event)
    task.next_method = "execute_complete"
    resumed = export(execution_timeout=LIMIT)
    with pytest.raises(Stopped) as caught:
        resumed.execute_complete(context_of(task), event, **deferral.kwargs)
    assert "execution_timeout of 0:10:00 is nearly over; the job was cancelled" in str(caught.value)
    assert 1 == world.jobs[0].cancellations


def test_a_job_that_the_trigger_could_not_cancel_in_time_is_cancelled_by_the_operator(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    world.at_look = no_end
    context = context_of(new_task())
    deferral = deferral_of(export(deferrable=True, execution_timeout=LIMIT), context)
    world.keeps = "said by the test"
    (event,) = events_of(rebuilt(deferral.trigger, ends_at=LONG_AGO))
    world.keeps = ""
    with pytest.raises(Stopped, match="the job was cancelled"):
        export(execution_timeout=LIMIT).execute_complete(context, event, **deferral.kwargs)

    assert [CANCELLED] == states(world)


def test_an_execution_timeout_says_so_where_emr_does_not_cancel_the_step(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    world.at_look = no_end
    context = context_of(new_task())
    deferral = deferral_of(export(deferrable=True, execution_timeout=LIMIT), context)
    world.keeps = "said by the test"
    (event,) = events_of(rebuilt(deferral.trigger, ends_at=LONG_AGO))
    with pytest.raises(Stopped) as caught:
        export(execution_timeout=LIMIT).execute_complete(context, event, **deferral.kwargs)

    assert "job job0 could not be cancelled and goes on; a retry adopts it" in str(caught.value)
    assert "was cancelled" not in str(caught.value)


def test_a_job_that_cannot_be_looked_at_is_cancelled_in_time_all_the_same(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    trigger = deferral_of(export(deferrable=True), context_of(new_task())).trigger
    world.refuses = "ThrottlingException"
    (event,) = events_of(rebuilt(trigger, ends_at=LONG_AGO))

    assert ([CANCELLED], "timeout") == (states(world), event["status"])


def test_a_job_that_ended_while_no_triggerer_ran_is_not_told_as_timed_out(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    context = context_of(new_task())
    deferral = deferral_of(export(deferrable=True, execution_timeout=LIMIT), context)
    (event,) = events_of(rebuilt(deferral.trigger, ends_at=LONG_AGO))
    result = export(execution_timeout=LIMIT).execute_complete(context, event, **deferral.kwargs)

    assert ITEMS == result["item_count"]
    assert ["COMPLETED"] == states(world)


def test_an_execution_timeout_ends_the_wait_on_a_worker_and_the_job(
    world: EmrWorld, export: Export, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.at_look = no_end
    monkeypatch.setattr(time_budget, "SystemClock", ManualClock)
    operator = export(poke_interval=60, execution_timeout=LIMIT)
    with pytest.raises(Stopped, match="execution_timeout of 0:10:00 is nearly over; the job was cancelled"):
        operator.execute(context_of(new_task()))

    assert [CANCELLED] == states(world)


def test_a_job_that_ended_since_the_last_look_is_not_told_as_timed_out(
    world: EmrWorld, export: Export, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_budget, "SystemClock", ManualClock)
    operator = export(poke_interval=24 * 3600, execution_timeout=LIMIT)

    assert ITEMS == operator.execute(context_of(new_task()))["item_count"]


def test_a_stop_before_any_job_does_not_tell_of_one_that_was_cancelled(
    world: EmrWorld, export: Export, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    monkeypatch.setattr(time_budget, "SystemClock", lambda: clock)
    operator = export(execution_timeout=LIMIT)
    links = operator._attempt

    def late(*given: Any) -> Any:
        clock.advance(LIMIT.total_seconds())
        return links(*given)

    monkeypatch.setattr(operator, "_attempt", late)
    with pytest.raises(Stopped) as caught:
        operator.execute(context_of(new_task()))

    assert "is nearly over; a retry goes on with what was begun, if anything was" in str(caught.value)
    assert [] == world.jobs


@pytest.mark.parametrize("timeout", [None, timedelta(0)], ids=str)
def test_without_an_execution_timeout_a_deferred_task_waits_for_ever(
    timeout: timedelta | None, new_task: NewTask
) -> None:
    assert ends_at(timeout, context_of(new_task())) is None


@pytest.mark.parametrize("deferrable", [True, False])
def test_trouble_with_the_first_look_costs_neither_the_attempt_nor_the_job(
    world: EmrWorld, export: Export, new_task: NewTask, deferrable: bool
) -> None:
    def refuse(_: FakeJob) -> None:
        world.refuses = "ThrottlingException"

    world.after_submit = refuse
    context, operator = context_of(new_task()), export(deferrable=deferrable)
    if deferrable:
        deferral = deferral_of(operator, context)
        events_of(deferral.trigger)  # the first look that comes through is that of the submission
        (event,) = events_of(deferral.trigger)
        result = export().execute_complete(context, event, **deferral.kwargs)
    else:
        result = operator.execute(context)

    assert ITEMS == result["item_count"]
    assert ["COMPLETED"] == states(world)


def test_nothing_that_may_fail_comes_between_the_submission_and_the_deferral(
    world: EmrWorld, export: Export, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = export(deferrable=True)
    denied = deniable(monkeypatch, operator)
    world.after_submit = lambda _: denied.set()
    deferral = deferral_of(operator, context_of(new_task()))

    assert "job0" == deferral.trigger.job_id


def test_why_a_job_failed_is_told_where_nobody_can_tell_what_is_left(
    world: EmrWorld, export: Export, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.at_look = lambda job: job.fail("no space left on device.")
    context = context_of(new_task())
    deferral = deferral_of(export(deferrable=True), context)
    (event,) = events_of(deferral.trigger)
    operator = export()
    deniable(monkeypatch, operator).set()

    with pytest.raises(EmrJobFailed, match="no space left on device"):
        operator.execute_complete(context, event, **deferral.kwargs)


def test_a2_clear_whose_cancellation_comes_late_begins_another_job(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    """Airflow 3.3 cancels by the trigger of the old attempt; the new one may be sooner."""
    trigger = deferral_of(export(deferrable=True), context_of(new_task())).trigger

    def end_the_first(job: FakeJob) -> None:
        if job.job_id == trigger.job_id:
            asyncio.run(trigger.on_kill())
        else:
            world.run(job)

    world.at_look = end_the_first
    result = export().execute(context_of(new_task(max_tries=1)))

    assert (ITEMS, "resume") == (result["item_count"], result["start"])
    assert [CANCELLED, "COMPLETED"] == states(world)


def test_a_job_that_somebody_cancels_long_after_its_adoption_fails_the_attempt(
    world: EmrWorld, export: Export, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    monkeypatch.setattr(time_budget, "SystemClock", lambda: clock)
    adopted_at = clock.monotonic()
    context = context_of(new_task())
    operator = adoption_by(export, world, context, poke_interval=25, execution_timeout=LIMIT)

    def cancel(job: FakeJob) -> None:
        if clock.time > adopted_at + SETTLES_SECONDS + operator.poke_interval:
            job.state = CANCELLED

    world.at_look = cancel
    with pytest.raises(EmrJobFailed, match="job job0 is CANCELLED"):
        operator.execute(context)

    assert [CANCELLED] == states(world)


def test_a_job_that_fails_soon_after_its_adoption_fails_the_attempt(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    context = context_of(new_task())
    operator = adoption_by(export, world, context)
    world.at_look = lambda job: job.fail("no space left on device.")
    with pytest.raises(EmrJobFailed, match="no space left on device"):
        operator.execute(context)

    assert [FAILED] == states(world)


def test_a_job_that_is_adopted_and_runs_on_is_waited_for_in_the_triggerer(
    world: EmrWorld, export: Export, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    monkeypatch.setattr(time_budget, "SystemClock", lambda: clock)
    context = context_of(new_task())
    world.at_look = no_end
    operator = adoption_by(export, world, context, deferrable=True, execution_timeout=LIMIT, poke_interval=30)
    deferral = deferral_of(operator, context)

    assert SETTLES_SECONDS == clock.time - 1000.0
    assert ("job0", [RUNNING]) == (deferral.trigger.job_id, states(world))


def test_a_kill_in_the_minute_after_an_adoption_cancels_the_job(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    def kill(_: FakeJob) -> None:
        raise Killed

    context = context_of(new_task())
    operator = adoption_by(export, world, context, deferrable=True)
    world.at_look = kill
    world.jobs[0].looks = 1
    with pytest.raises(Killed):
        operator.execute(context)

    assert [CANCELLED] == states(world)
