"""The clock that the rate soak stands on: one thread at a time, and time only when all wait."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from airflow_dynamo_pipeline.engine import throttle
from tests.clock import EPOCH
from tests.step_clock import START, StepClock, Stuck


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


def run_all(clock: StepClock, *work: Callable[[], object]) -> None:
    """Run each in a thread of its own, to the end."""
    threads = [clock.threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_wait_lasts_as_long_as_it_says_and_no_time_passes_otherwise(clock: StepClock) -> None:
    assert not clock.wait(clock.threading.Event(), 2.5)

    assert START + 2.5 == clock.monotonic()
    assert 2.5 == (clock.now() - EPOCH).total_seconds()


def test_threads_wake_in_the_order_of_their_deadlines(clock: StepClock) -> None:
    never, woken = clock.threading.Event(), []

    def sleep(seconds: float) -> None:
        clock.wait(never, seconds)
        woken.append((seconds, clock.monotonic() - START))

    run_all(clock, *(lambda seconds=seconds: sleep(seconds) for seconds in (3.0, 1.0, 2.0)))

    assert [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)] == woken


def test_an_event_ends_the_waits_for_it_and_leaves_no_deadline_behind(clock: StepClock) -> None:
    event, never, found = clock.threading.Event(), clock.threading.Event(), []

    def wait() -> None:
        found.append((clock.wait(event, 60.0), clock.monotonic() - START))
        found.append((clock.wait(never, 70.0), clock.monotonic() - START))

    def set_it() -> None:
        clock.wait(never, 4.0)
        event.set()

    run_all(clock, wait, set_it)

    assert [(True, 4.0), (False, 74.0)] == found
    assert clock.wait(event, 60.0)  # set already: no wait at all
    assert START + 74.0 == clock.monotonic()


def test_an_event_that_was_waited_for_in_vain_ends_no_later_wait(clock: StepClock) -> None:
    event, never, woken = clock.threading.Event(), clock.threading.Event(), []

    def wait() -> None:
        clock.wait(event, 1.0)
        clock.wait(never, 10.0)
        woken.append(clock.monotonic() - START)

    def set_it() -> None:
        clock.wait(never, 5.0)
        event.set()

    run_all(clock, wait, set_it)

    assert [11.0] == woken


def test_a_lock_that_is_held_while_its_holder_waits_holds_the_others_up(clock: StepClock) -> None:
    lock, never, entered = clock.threading.Lock(), clock.threading.Event(), []

    def enter() -> None:
        with lock:
            entered.append(clock.monotonic() - START)
            clock.wait(never, 10.0)

    run_all(clock, enter, enter, enter)

    assert [0.0, 10.0, 20.0] == entered


def test_a_lock_goes_to_who_waits_for_it_and_not_to_who_comes_back_at_once(clock: StepClock) -> None:
    lock, never, order = clock.threading.Lock(), clock.threading.Event(), []

    def enter(name: str) -> None:
        for _ in range(2):
            with lock:
                order.append(name)
                clock.wait(never, 1.0)

    run_all(clock, lambda: enter("one"), lambda: enter("other"))

    assert ["one", "other", "one", "other"] == order


def test_a_lock_is_free_again_after_an_error(clock: StepClock) -> None:
    lock = clock.threading.Lock()
    with pytest.raises(ValueError, match="no"), lock:
        raise ValueError("no")

    assert lock.acquire()


def test_a_thread_can_be_joined_before_its_end_and_after_it(clock: StepClock) -> None:
    never = clock.threading.Event()
    long = clock.threading.Thread(target=lambda: clock.wait(never, 5.0))
    short = clock.threading.Thread(target=lambda: clock.wait(never, 1.0))
    for thread in (long, short):
        thread.start()

    long.join()
    assert START + 5.0 == clock.monotonic()
    short.join()
    assert START + 5.0 == clock.monotonic()
    assert not long.is_alive()


def test_everyone_can_be_woken_before_their_time(clock: StepClock) -> None:
    never, woken = clock.threading.Event(), []

    def sleep() -> None:
        woken.append((clock.wait(never, 1000.0), clock.monotonic() - START))

    def wake() -> None:
        clock.wait(never, 3.0)
        clock.wake_everyone()

    run_all(clock, sleep, sleep, wake)

    assert [(False, 3.0), (False, 3.0)] == woken


def test_waits_end_as_late_as_is_asked() -> None:
    clock = StepClock(late=lambda now: 0.25)
    clock.wait(clock.threading.Event(), 1.0)

    assert START + 1.25 == clock.monotonic()


def test_threads_that_wait_for_each_other_are_an_error_and_do_not_hang(clock: StepClock) -> None:
    one, other, never = clock.threading.Lock(), clock.threading.Lock(), clock.threading.Event()

    def take(first: threading.Lock, second: threading.Lock) -> None:
        with first:
            clock.wait(never, 1.0)
            second.acquire()

    with pytest.raises(Stuck):
        run_all(clock, lambda: take(one, other), lambda: take(other, one))


def test_an_ordinary_event_is_refused_because_nobody_would_hear_of_it(clock: StepClock) -> None:
    with pytest.raises(AssertionError, match="nobody would hear"):
        clock.wait(threading.Event(), 1.0)


def test_modules_get_their_locks_from_the_clock_while_it_lasts(clock: StepClock) -> None:
    with clock.in_place_of_threads(throttle):
        inside = throttle.Throttle(1.0, clock, clock.threading.Event())
    outside = throttle.Throttle(1.0, clock, clock.threading.Event())

    assert type(clock.threading.Lock()) is type(inside._turnstile)
    assert type(threading.Lock()) is type(outside._turnstile)


def test_the_throttle_serves_many_threads_in_turn(clock: StepClock) -> None:
    """Its turnstile is a lock that is held while its holder waits: what this clock is for."""
    with clock.in_place_of_threads(throttle):
        gate, granted = throttle.Throttle(10.0, clock, clock.threading.Event()), []

    def call() -> None:
        gate.settle(gate.reserve(20.0), 20.0)
        granted.append(clock.monotonic() - START)

    run_all(clock, *[call] * 5)

    assert [0.0, 2.0, 4.0, 6.0, 8.0] == pytest.approx(granted)
