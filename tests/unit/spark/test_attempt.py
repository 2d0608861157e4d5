from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.errors import (
    LeaseHeld,
    NotFound,
    PipelineError,
    ServiceTrouble,
    StaleAttempt,
    Stopped,
)
from airflow_dynamo_pipeline.spark import attempt
from airflow_dynamo_pipeline.spark.attempt import Attempt, Outcome, stopping_with_spark
from tests.unit.spark.jobs import JOB

ENOUGH_SECONDS = 60.0


def scripted(monkeypatch: pytest.MonkeyPatch, *ends: Exception | JsonObject) -> list[int]:
    """Let the engine end so, one time after the other; returns the numbers of the ranges it is given."""
    asked: list[int] = []
    waiting = iter(ends)

    def end(_job: Any, part: Any, _stop: Any, _say: Any) -> JsonObject:
        asked.append(part.number)
        found = next(waiting)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(attempt, "bring_to_its_end", end)
    monkeypatch.setattr(attempt, "LOOK_EVERY_SECONDS", 0.0)
    return asked


def test_a_range_that_another_attempt_holds_is_looked_at_until_it_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = scripted(
        monkeypatch, LeaseHeld("held"), StaleAttempt("taken"), LeaseHeld("held"), {"item_count": 7}
    )

    outcome = Outcome.from_text(Attempt(JOB.to_text(), 2, is_last=False).run())

    assert Outcome(number=2, result={"item_count": 7}) == outcome
    assert [2, 2, 2, 2] == asked


def test_an_error_that_no_retry_helps_is_told_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, NotFound("table", "orders", "check the region"))

    outcome = Outcome.from_text(Attempt(JOB.to_text(), 1, is_last=False).run())

    assert Outcome(number=1, error="no such table: orders\nHINT: check the region") == outcome


@pytest.mark.parametrize("error", [ServiceTrouble("503"), ZeroDivisionError("a bug")])
def test_what_a_retry_may_help_is_raised_but_told_by_the_last_attempt(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    scripted(monkeypatch, error, error)

    with pytest.raises(type(error)):
        Attempt(JOB.to_text(), 0, is_last=False).run()
    told = Outcome.from_text(Attempt(JOB.to_text(), 0, is_last=True).run()).error

    assert str(error) in told
    assert isinstance(error, PipelineError) == ("Traceback" not in told)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_an_attempt_that_spark_ends_stops_and_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def end(_job: Any, _part: Any, stop: threading.Event, _say: Any) -> JsonObject:
        os.kill(os.getpid(), number)
        assert stop.wait(ENOUGH_SECONDS)
        raise Stopped("the checkpoint is written")

    before = signal.getsignal(number)
    monkeypatch.setattr(attempt, "bring_to_its_end", end)

    with pytest.raises(Stopped, match="the checkpoint is written"):
        Attempt(JOB.to_text(), 0, is_last=True).run()

    assert before is signal.getsignal(number)


def test_an_attempt_that_waits_for_another_ends_when_spark_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(_job: Any, _part: Any, _stop: Any, _say: Any) -> JsonObject:
        os.kill(os.getpid(), signal.SIGTERM)
        raise LeaseHeld("held")

    monkeypatch.setattr(attempt, "bring_to_its_end", end)
    monkeypatch.setattr(attempt, "LOOK_EVERY_SECONDS", ENOUGH_SECONDS)

    with pytest.raises(Stopped, match="ended by Spark"):
        Attempt(JOB.to_text(), 0, is_last=True).run()


def test_an_attempt_stops_when_its_executor_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "PARENT_SECONDS", 0.01)
    parents = iter([100, 100, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents, 1))

    with stopping_with_spark() as stop:
        assert stop.wait(ENOUGH_SECONDS)
