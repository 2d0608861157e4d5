from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dynamo_pipeline.engine.backoff import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    PATIENCE_SECONDS,
    REFRESH_SECONDS,
    retrying,
    worth_retrying,
)
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    CorruptReply,
    CredentialsExpired,
    LeaseHeld,
    NotFound,
    ServiceTrouble,
    StaleAttempt,
    Stopped,
    TableChanged,
    Throttled,
)
from tests.clock import ManualClock


def failing(times: int) -> Callable[[], str]:
    errors = [ServiceTrouble(f"503 number {number}") for number in range(times)]

    def call() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    return call


@pytest.mark.parametrize("error", [Throttled("x"), ServiceTrouble("x"), CorruptReply("x")])
def test_what_may_succeed_a_moment_later_is_tried_again(error: Exception) -> None:
    assert worth_retrying(error)


@pytest.mark.parametrize(
    "error",
    [
        Stopped("x"),
        LeaseHeld("x"),
        StaleAttempt("x"),
        TableChanged("x"),
        AccessDenied("a", "r"),
        NotFound("table", "t"),
        ValueError("x"),
        KeyboardInterrupt(),
    ],
)
def test_all_else_is_not(error: BaseException) -> None:
    assert not worth_retrying(error)


def test_a_call_is_tried_until_it_succeeds() -> None:
    clock = ManualClock()

    assert "done" == retrying(clock, threading.Event())(failing(5))
    assert 5 == len(clock.waits)


@given(st.integers(1, 14))
def test_each_pause_is_below_a_bound_that_doubles_up_to_twenty_seconds(times: int) -> None:
    clock = ManualClock()
    retrying(clock, threading.Event())(failing(times))

    for number, pause in enumerate(clock.waits):
        assert 0 <= pause <= min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**number)


def test_pauses_differ_from_caller_to_caller() -> None:
    """Full jitter: eight threads that failed together do not come back together."""
    firsts = set()
    for _ in range(8):
        clock = ManualClock()
        retrying(clock, threading.Event())(failing(6))
        firsts.add(clock.waits[-1])

    assert 8 == len(firsts)


def test_when_the_patience_is_over_the_last_error_is_raised_as_it_is() -> None:
    clock = ManualClock()
    with pytest.raises(ServiceTrouble) as caught:
        retrying(clock, threading.Event())(failing(10_000))

    assert f"503 number {len(clock.waits)}" == str(caught.value)
    assert PATIENCE_SECONDS <= sum(clock.waits) < PATIENCE_SECONDS + LONGEST_PAUSE_SECONDS


def test_a_shorter_patience_is_kept() -> None:
    clock = ManualClock()
    with pytest.raises(ServiceTrouble):
        retrying(clock, threading.Event(), patience_seconds=30.0)(failing(10_000))

    assert 30.0 <= sum(clock.waits) < 30.0 + LONGEST_PAUSE_SECONDS


def test_a_stop_ends_a_pause() -> None:
    clock, stop, calls = ManualClock(), threading.Event(), 0
    clock.on_wait = lambda _seconds: stop.set()

    def call() -> None:
        nonlocal calls
        calls += 1
        raise ServiceTrouble("503")

    with pytest.raises(Stopped):
        retrying(clock, stop)(call)
    assert (1, 1000.0) == (calls, clock.time)


def test_a_final_error_is_raised_without_a_pause() -> None:
    clock = ManualClock()

    def call() -> None:
        raise AccessDenied("s3:PutObject", "b")

    with pytest.raises(AccessDenied):
        retrying(clock, threading.Event())(call)
    assert [] == clock.waits


def test_each_error_that_will_be_retried_is_seen_once_and_the_last_is_raised_instead() -> None:
    seen: list[str] = []
    retries = retrying(ManualClock(), threading.Event(), before_pause=lambda error: seen.append(str(error)))
    retries(failing(3))

    assert ["503 number 0", "503 number 1", "503 number 2"] == seen


def test_expired_credentials_are_tried_for_half_a_minute_only() -> None:
    clock, tries = ManualClock(), []

    def call() -> None:
        tries.append(clock.time)
        raise CredentialsExpired("ExpiredToken")

    with pytest.raises(CredentialsExpired):
        retrying(clock, threading.Event())(call)

    assert len(tries) > 1
    assert tries[-1] - tries[0] <= REFRESH_SECONDS + LONGEST_PAUSE_SECONDS
