from __future__ import annotations

import threading

import pytest

from airflow_dynamo_pipeline.engine.deadline import DeadlineClock, margin_seconds
from tests.clock import ManualClock


def begun(seconds: float) -> tuple[DeadlineClock, ManualClock, threading.Event]:
    inner, stop = ManualClock(), threading.Event()
    return DeadlineClock(inner, stop, seconds), inner, stop


@pytest.mark.parametrize(
    ("limit", "margin"),
    [(4, 2), (60, 30), (600, 30), (1000, 50), (2400, 120), (43_200, 120)],
)
def test_the_margin_is_five_percent_within_bounds_and_never_more_than_half(limit: int, margin: int) -> None:
    assert margin == margin_seconds(limit)


def test_nothing_is_stopped_before_the_deadline() -> None:
    clock, inner, stop = begun(100)

    inner.advance(99)

    assert inner.monotonic() == clock.monotonic()
    assert not stop.is_set()
    assert not clock.reached


@pytest.mark.parametrize("look", ["monotonic", "now"])
def test_the_first_look_after_the_deadline_stops_the_work(look: str) -> None:
    clock, inner, stop = begun(100)
    inner.advance(100)

    getattr(clock, look)()

    assert stop.is_set()
    assert clock.reached


def test_a_wait_for_a_stop_ends_at_the_deadline() -> None:
    clock, inner, stop = begun(10)
    before = inner.monotonic()

    assert clock.wait(stop, 60)
    assert 10 == pytest.approx(inner.monotonic() - before)


def test_a_wait_for_something_else_stops_the_work_at_the_deadline_and_lasts_as_long_as_asked() -> None:
    clock, inner, stop = begun(10)
    before = inner.monotonic()

    assert not clock.wait(threading.Event(), 60)
    assert 60 == pytest.approx(inner.monotonic() - before)
    assert stop.is_set()


def test_a_wait_that_ends_before_the_deadline_stops_nothing() -> None:
    clock, _, stop = begun(10)

    assert not clock.wait(stop, 5)
    assert not stop.is_set()


def test_a_deadline_that_is_past_already_stops_at_the_first_wait_which_takes_no_time() -> None:
    clock, inner, stop = begun(-5)
    before = inner.monotonic()

    assert clock.wait(stop, 60)
    assert before == inner.monotonic()


def test_a_stop_that_came_before_the_deadline_is_not_the_deadlines() -> None:
    clock, inner, stop = begun(10)
    stop.set()
    inner.advance(20)

    clock.monotonic()

    assert not clock.reached
