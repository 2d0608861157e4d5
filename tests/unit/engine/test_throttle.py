from __future__ import annotations

import threading

import pytest

from airflow_dynamo_pipeline.engine.throttle import (
    LATENESS_FROM,
    LATENESS_SECONDS,
    LONGEST_WAIT_SECONDS,
    RECOVER_EVERY_SECONDS,
    SLOW_DOWN_EVERY_SECONDS,
    SLOW_DOWN_FACTOR,
    Schedule,
    Throttle,
    paced,
)
from airflow_dynamo_pipeline.errors import Stopped
from tests.clock import ManualClock


def made(rate: float = 100.0, *, debt: float = 0.0) -> tuple[Throttle, ManualClock, threading.Event]:
    clock, stop = ManualClock(), threading.Event()
    return Throttle(rate, clock, stop, debt=debt), clock, stop


def test_the_first_call_waits_for_nothing() -> None:
    throttle, clock, _ = made()
    throttle.reserve(50.0)

    assert [] == clock.waits


def test_the_next_call_waits_until_the_last_is_paid_for() -> None:
    throttle, clock, _ = made()
    throttle.reserve(50.0)
    throttle.reserve(1.0)

    assert [pytest.approx(0.5)] == clock.waits


def test_idle_time_is_not_saved_up() -> None:
    throttle, clock, _ = made()
    clock.advance(1000.0)
    throttle.reserve(50.0)
    throttle.reserve(50.0)

    assert [pytest.approx(0.5)] == clock.waits


def test_a_reply_that_cost_less_hands_the_rest_back() -> None:
    throttle, clock, _ = made()
    throttle.settle(throttle.reserve(50.0), 10.0)
    throttle.reserve(1.0)

    assert [pytest.approx(0.1)] == clock.waits


def test_a_reply_that_cost_more_is_paid_for_later() -> None:
    throttle, clock, _ = made()
    throttle.settle(throttle.reserve(50.0), 80.0)
    throttle.reserve(1.0)

    assert [pytest.approx(0.8)] == clock.waits


def test_what_is_handed_back_belongs_to_the_moment_it_was_reserved() -> None:
    """Two calls are out; the first one's late reply must not let a third through before its turn."""
    schedule = Schedule(100.0, 0.0)
    first = schedule.book(50.0, 0.0)
    schedule.book(50.0, 0.5)
    schedule.settle(first, 0.0)

    assert pytest.approx(0.5) == schedule.seconds_until_free(0.5)


def test_a_refused_call_costs_nothing() -> None:
    throttle, clock, _ = made()
    throttle.refused(throttle.reserve(50.0))
    throttle.reserve(1.0)

    assert [] == clock.waits
    assert 0.0 == throttle.consumed


def test_a_failed_call_keeps_its_reservation_and_reports_nothing() -> None:
    throttle, clock, _ = made()
    throttle.give_up(throttle.reserve(50.0))
    throttle.reserve(1.0)

    assert [pytest.approx(0.5)] == clock.waits
    assert 0.0 == throttle.consumed


def test_a_reply_that_does_not_say_costs_what_was_reserved() -> None:
    throttle, _, _ = made()
    throttle.settle(throttle.reserve(50.0), None)

    assert 50.0 == throttle.consumed


def test_debt_is_waited_for_before_the_first_call() -> None:
    throttle, clock, _ = made(debt=128.5)
    throttle.reserve(1.0)

    assert pytest.approx(1.285) == sum(clock.waits)


def test_a_long_wait_is_cut_so_that_a_change_is_seen() -> None:
    throttle, clock, _ = made(1.0, debt=150.0)
    throttle.reserve(1.0)

    assert [LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, pytest.approx(30.0)] == clock.waits


def test_what_is_owed_stays_owed_at_another_rate() -> None:
    throttle, clock, _ = made(100.0)
    throttle.reserve(50.0)
    clock.advance(0.25)
    throttle.set_target(50.0)
    throttle.reserve(1.0)

    assert [pytest.approx(0.5)] == clock.waits


def test_a_new_target_reaches_a_caller_that_is_waiting() -> None:
    clock = ManualClock()
    throttle = Throttle(1.0, clock, threading.Event())
    throttle.reserve(50.0)
    clock.on_wait = lambda _seconds: throttle.set_target(1000.0) if throttle.target == 1.0 else None
    throttle.reserve(1.0)

    assert pytest.approx(0.05, rel=0.01) == clock.time - 1000.0


def test_a_waiter_keeps_its_turn_when_it_wakes_a_little_late() -> None:
    schedule = Schedule(1000.0, 0.0)
    schedule.book(500.0, 0.0)
    schedule.book(500.0, 0.503, waited=True)

    assert pytest.approx(1.0 - 0.503) == schedule.seconds_until_free(0.503)


def test_a_waiter_that_wakes_very_late_is_forgiven_four_milliseconds() -> None:
    schedule = Schedule(1000.0, 0.0)
    schedule.book(500.0, 0.0)
    schedule.book(500.0, 5.0, waited=True)

    assert 0.004 == LATENESS_SECONDS
    assert pytest.approx(0.5 - LATENESS_SECONDS) == schedule.seconds_until_free(5.0)


def test_below_500_units_per_second_a_waiter_is_forgiven_nothing() -> None:
    schedule = Schedule(499.0, 0.0)
    schedule.book(499.0, 0.0)
    schedule.book(499.0, 1.003, waited=True)

    assert pytest.approx(1.0) == schedule.seconds_until_free(1.003)


@pytest.mark.parametrize("rate", [1.0, 499.0, 500.0, 501.0, 503.0, 1000.0, 40_000.0])
def test_e8_what_lateness_can_add_to_a_second_is_taken_off_the_rate(rate: float) -> None:
    scheduled = paced(rate)
    forgiven = LATENESS_SECONDS * scheduled if scheduled >= LATENESS_FROM else 0.0

    assert 0.995 * rate <= scheduled
    assert scheduled + forgiven <= rate


def test_a_caller_that_did_not_wait_is_forgiven_nothing() -> None:
    schedule = Schedule(1000.0, 0.0)
    schedule.book(500.0, 0.0)
    schedule.book(500.0, 0.503)

    assert pytest.approx(0.5) == schedule.seconds_until_free(0.503)


def test_replies_out_of_order_leave_what_each_cost() -> None:
    schedule = Schedule(10.0, 0.0)
    bookings = [schedule.book(10.0, float(second)) for second in range(5)]
    for booking in reversed(bookings):
        schedule.settle(booking, 10.0)
    schedule.settle(schedule.book(10.0, 5.0), 3.0)

    assert pytest.approx(0.3) == schedule.seconds_until_free(5.0)


def test_a_call_that_cost_more_is_paid_for_though_the_next_was_let_through_before() -> None:
    schedule = Schedule(10.0, 0.0)
    first, second, third = (schedule.book(10.0, float(second)) for second in range(3))
    schedule.settle(first, 10.0)
    schedule.settle(second, 50.0)
    schedule.settle(third, 10.0)

    assert pytest.approx(7.0 - 2.0) == schedule.seconds_until_free(2.0)


def test_settled_bookings_are_forgotten() -> None:
    schedule = Schedule(10.0, 0.0)
    for second in range(1000):
        schedule.settle(schedule.book(10.0, float(second)), 10.0)

    assert len(schedule._bookings) <= 2


def test_a_stop_ends_a_wait_before_the_call() -> None:
    throttle, clock, stop = made()
    throttle.reserve(500.0)

    def stop_now(_seconds: float) -> None:
        stop.set()
        throttle.wake()

    clock.on_wait = stop_now
    with pytest.raises(Stopped):
        throttle.reserve(1.0)
    assert 1000.0 == clock.time


def test_nothing_is_let_through_after_a_stop() -> None:
    throttle, _, stop = made()
    stop.set()

    with pytest.raises(Stopped):
        throttle.reserve(1.0)


def test_a_refusal_of_the_table_lowers_the_rate() -> None:
    throttle, clock, _ = made(100.0)
    clock.advance(SLOW_DOWN_EVERY_SECONDS)
    throttle.slow_down()

    assert pytest.approx(100.0 * SLOW_DOWN_FACTOR) == throttle.units_per_second
    assert 100.0 == throttle.target


def test_the_very_first_refusal_lowers_the_rate_too() -> None:
    throttle, _, _ = made(100.0)
    throttle.slow_down()

    assert pytest.approx(70.0) == throttle.units_per_second


def test_a_burst_of_refusals_counts_once() -> None:
    throttle, clock, _ = made(100.0)
    for _ in range(8):
        throttle.slow_down()
        clock.advance(SLOW_DOWN_EVERY_SECONDS / 10)
    assert pytest.approx(70.0) == throttle.units_per_second

    clock.advance(SLOW_DOWN_EVERY_SECONDS)
    throttle.slow_down()
    assert pytest.approx(49.0) == throttle.units_per_second


def test_the_rate_never_falls_below_one_percent() -> None:
    throttle, clock, _ = made(100.0)
    for _ in range(50):
        clock.advance(SLOW_DOWN_EVERY_SECONDS)
        throttle.slow_down()

    assert pytest.approx(1.0) == throttle.units_per_second


def test_the_rate_recovers_by_a_twentieth_of_the_target_each_ten_seconds_and_no_further() -> None:
    throttle, clock, _ = made(100.0)
    throttle.slow_down()
    seen = []
    for _ in range(8):
        clock.advance(RECOVER_EVERY_SECONDS)
        throttle.refused(throttle.reserve(0.1))
        seen.append(round(throttle.units_per_second, 6))

    assert [75.0, 80.0, 85.0, 90.0, 95.0, 100.0, 100.0, 100.0] == seen


def test_a_refusal_postpones_the_recovery() -> None:
    throttle, clock, _ = made(100.0)
    throttle.slow_down()
    clock.advance(RECOVER_EVERY_SECONDS - 0.5)
    throttle.slow_down()
    clock.advance(0.5)
    throttle.refused(throttle.reserve(0.1))

    assert pytest.approx(49.0) == throttle.units_per_second


def test_a_new_target_keeps_the_lowered_share() -> None:
    throttle, _, _ = made(100.0)
    throttle.slow_down()
    throttle.set_target(200.0)

    assert pytest.approx(140.0) == throttle.units_per_second


def test_the_rate_held_is_what_was_consumed_over_the_time_it_has_to_be_paid_for() -> None:
    throttle, _, _ = made(100.0)
    assert 0.0 == throttle.held
    for _ in range(4):
        throttle.settle(throttle.reserve(50.0), 50.0)

    assert pytest.approx(100.0) == throttle.held


def test_the_rate_held_does_not_count_the_time_before_the_first_call() -> None:
    throttle, clock, _ = made(100.0)
    clock.advance(500.0)
    throttle.settle(throttle.reserve(50.0), 50.0)

    assert pytest.approx(100.0) == throttle.held
