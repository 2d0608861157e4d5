"""The rate as promised (E8): no window holds more than it and one page, and busy time holds it."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_dynamo_pipeline.engine.sizing import PageSizer
from airflow_dynamo_pipeline.engine.throttle import (
    LATENESS_FROM,
    LATENESS_SECONDS,
    SHORTEST_WAIT_SECONDS,
    Booking,
    Schedule,
    Throttle,
    paced,
)
from tests.clock import ManualClock, VirtualClock

START = 1000.0
ROUNDING = 1e-6  # of the units at stake


@dataclass
class Grant:
    """One call that was let through, and what it turned out to cost."""

    at: float
    units: float
    waited: bool
    rate: float

    @property
    def forgiven(self) -> float:
        """What a waiter may keep of the allowance that accrued while it was not looking."""
        return LATENESS_SECONDS * self.rate if self.waited and self.rate >= LATENESS_FROM else 0.0


@dataclass
class Record:
    """Grants in order, and the rate as it changed over time."""

    rates: list[tuple[float, float]]
    asked: list[tuple[float, float]] = field(default_factory=list)  # where the schedule's rate is paced
    grants: list[Grant] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)

    def settle(self) -> None:
        """Put in what each call did cost, once all are settled."""
        for grant, booking in zip(self.grants, self.bookings, strict=True):
            grant.units = booking.units

    def allowance(self, until: float) -> float:
        """The integral of the rate from the start."""
        return integral(self.rates, until)

    def worst_excess(self, window: float, *, forgiving: bool = True) -> float:
        """The most by which the grants of any such window pass the rate's integral and one page.

        A fullest window begins or ends at a grant; both are tried. ``forgiving`` measures by the rate of
        the schedule and lateness forgiven, else by the rate asked and nothing forgiven.
        """
        rates = self.rates if forgiving else self.asked
        instants = [grant.at for grant in self.grants]
        sums = list(itertools.accumulate((grant.units for grant in self.grants), initial=0.0))
        page = max(grant.units for grant in self.grants)
        worst = 0.0
        for begin in [*instants, *(instant - window for instant in instants)]:
            first, end = bisect_left(instants, begin), bisect_right(instants, begin + window)
            if first < end:
                accrued = integral(rates, begin + window) - integral(rates, begin)
                units = sums[end] - sums[first] - (self.grants[first].forgiven if forgiving else 0.0)
                worst = max(worst, units - accrued - page)
        return worst

    def worst_run(self) -> float:
        """The most by which any run of grants passes the rate's integral from its first to its last.

        The last one's page is the one page that may come on top. Stronger than any window: a window
        holds a run of grants, lasts no shorter, and its last page is no larger than the largest.
        """
        worst, spent, lowest = 0.0, 0.0, float("inf")
        for grant in self.grants:
            allowance = self.allowance(grant.at)
            worst = max(worst, spent - allowance - lowest)
            lowest = min(lowest, spent - allowance + grant.forgiven)
            spent += grant.units
        return worst


def integral(rates: list[tuple[float, float]], until: float) -> float:
    """Units that a rate, as it changed over time, makes up to an instant."""
    total = 0.0
    for (begin, rate), (end, _) in itertools.pairwise([*rates, (float("inf"), 0.0)]):
        total += rate * max(0.0, min(until, end) - begin)
    return total


@dataclass
class Job:
    """One simulated run: workers that always want the next page, and what each page costs and takes."""

    rate: float
    workers: int
    most_units: float
    pages: list[tuple[float, float]]  # share of the reservation that is consumed, seconds until the reply
    changes: list[tuple[float, float]] = field(default_factory=list)  # after seconds, another rate
    debt: float = 0.0
    late: tuple[float, ...] = (0.0,)  # seconds by which waiters wake late, in turn


def simulate(job: Job) -> Record:
    """Let virtual workers pass a Schedule one behind the other, as the throttle's turnstile makes them."""
    schedule = Schedule(paced(job.rate), START, debt=job.debt)
    record = Record([(START, paced(job.rate))], [(START, job.rate)])
    events: list[tuple[float, int, str, Any]] = []
    number = itertools.count()
    for after, rate in job.changes:
        heapq.heappush(events, (START + after, next(number), "rate", rate))
    queue = deque(range(job.workers))
    pages = deque(job.pages)
    now, waited = START, False
    lates = itertools.cycle(job.late)
    late = next(lates)
    while pages and (queue or events):
        seconds = schedule.seconds_until_free(now)
        if queue and seconds <= SHORTEST_WAIT_SECONDS:
            share, latency = pages.popleft()
            booking = schedule.book(job.most_units, now, waited=waited)
            units = share * job.most_units
            record.grants.append(Grant(now, units, waited, schedule.units_per_second))
            heapq.heappush(events, (now + latency, next(number), "reply", (booking, units, queue.popleft())))
            waited, late = False, next(lates)
            continue
        turn = now + seconds + late if queue else float("inf")
        waited = bool(queue)
        if events and events[0][0] <= turn:
            now, _, kind, what = heapq.heappop(events)
            if kind == "rate":
                schedule.set_rate(paced(what), now)
                record.rates.append((now, paced(what)))
                record.asked.append((now, what))
            else:
                booking, units, worker = what
                schedule.settle(booking, units)
                queue.append(worker)
        else:
            now = turn
    return record


rates = st.one_of(st.floats(1, 40), st.floats(40, 2_000), st.floats(2_000, 40_000))
pages = st.lists(
    st.tuples(st.one_of(st.just(1.0), st.floats(0.001, 1.0)), st.floats(0.001, 3.0)), min_size=1, max_size=120
)


@st.composite
def jobs(draw: st.DrawFn, *, changing: bool = True, debt: bool = True) -> Job:
    rate = draw(rates)
    return Job(
        rate=rate,
        workers=draw(st.integers(1, 12)),
        most_units=draw(st.sampled_from([0.5, 2.0, 50.0, 128.5, 257.0])),
        pages=draw(pages),
        changes=draw(st.lists(st.tuples(st.floats(0, 90), rates), max_size=4)) if changing else [],
        debt=draw(st.sampled_from([0.0, 128.5, 1000.0])) if debt else 0.0,
        late=tuple(draw(st.lists(st.sampled_from([0.0, 0.001, 0.004, 0.02, 0.3]), min_size=1, max_size=9))),
    )


def assert_no_window_passes_the_rate(record: Record) -> None:
    room = ROUNDING * (1 + sum(grant.units for grant in record.grants)) + max(
        rate for _, rate in record.rates
    ) * (2 * SHORTEST_WAIT_SECONDS)
    assert record.worst_run() <= room
    for window in (1.0, 60.0):
        assert record.worst_excess(window) <= room, f"in {window} s"
        if len(record.asked) == 1:  # what lateness adds is taken off the rate asked, unless that changes
            assert record.worst_excess(window, forgiving=False) <= room, f"of the rate asked in {window} s"


@settings(max_examples=300, deadline=None)
@given(jobs())
def test_e8_no_window_of_1_s_or_60_s_holds_more_than_the_rate_and_one_page(job: Job) -> None:
    record = simulate(job)

    assert len(job.pages) == len(record.grants)
    assert_no_window_passes_the_rate(record)


@settings(max_examples=100, deadline=None)
@given(jobs())
def test_e8_after_a_resume_the_debt_accrues_before_the_first_page(job: Job) -> None:
    """As if the attempt before had read a page of the debt's size at the very moment this one began."""
    record = simulate(job)
    record.grants.insert(0, Grant(START, job.debt, waited=False, rate=job.rate))

    assert record.allowance(record.grants[1].at) >= job.debt * (1 - ROUNDING) - 1e-3
    assert_no_window_passes_the_rate(record)


def test_e8_a_throttle_that_is_passed_together_would_be_found() -> None:
    """Guards the measure itself: eight threads that pass the gate at once hold eight pages, not one."""
    together = Record(
        [(START, 100.0)], [(START, 100.0)], [Grant(START, 50.0, waited=False, rate=100.0) for _ in range(8)]
    )

    assert 350.0 == together.worst_run()
    assert 350.0 == together.worst_excess(1.0)  # in the second that ends as they begin


def test_e8_idle_time_that_is_saved_up_would_be_found() -> None:
    saved = [Grant(START + 10.0 + n / 1000, 50.0, waited=False, rate=100.0) for n in range(10)]
    grants = [Grant(START, 50.0, waited=False, rate=100.0), *saved]
    record = Record([(START, 100.0)], [(START, 100.0)], grants)

    assert record.worst_excess(1.0) > 300.0


def busy(
    rate: float, *, debt: float = 0.0, seed: int = 0, shares: tuple[float, float] = (1.0, 1.0)
) -> Record:
    """Sixty seconds and more of pages that cost a quarter second of the rate, with workers to spare.

    Latency stays below the time one page pays for, so that a page that cost less than it reserved has
    handed the rest back before the next one is due.
    """
    chance = random.Random(seed)
    most = min(128.5, max(1.0, rate * 0.25))
    seconds_a_page = most * shares[0] / rate
    count = int(62.0 * rate / (most * sum(shares) / 2)) + 2
    replies = [(chance.uniform(*shares), chance.uniform(0.2, 0.9) * seconds_a_page) for _ in range(count)]
    return simulate(Job(rate, workers=4, most_units=most, pages=replies, debt=debt))


def held(record: Record, seconds: float = 60.0) -> float:
    """Units per second over the busy time from the first grant; the last page is paid for after it."""
    begin = record.grants[0].at
    inside = [grant.units for grant in record.grants if grant.at < begin + seconds]
    assert record.grants[-1].at >= begin + seconds, "not busy long enough"
    return sum(inside) / seconds


@pytest.mark.parametrize("debt", [0.0, 128.5], ids=["start", "resume"])
@pytest.mark.parametrize("shares", [(1.0, 1.0), (0.3, 1.0), (0.05, 0.2)], ids=["exact", "less", "much less"])
@pytest.mark.parametrize("rate", [25.0, 100.0, 333.3, 1_000.0, 5_000.0])
def test_e8_over_60_busy_seconds_the_rate_is_held_within_one_percent(
    rate: float, shares: tuple[float, float], debt: float
) -> None:
    """Assumes demand at all times, pages of a quarter second at most, and replies within a page's time."""
    record = busy(rate, debt=debt, shares=shares)

    assert rate == pytest.approx(held(record), rel=0.01)
    assert_no_window_passes_the_rate(record)


def test_e8_the_rate_is_held_on_both_sides_of_a_change() -> None:
    most, count = 25.0, 900
    job = Job(100.0, 4, most, [(1.0, 0.05)] * count, changes=[(60.0, 200.0), (120.0, 50.0)])
    record = simulate(job)

    for begin, rate in [(0.0, 100.0), (60.0, 200.0), (120.0, 50.0)]:
        inside = [g.units for g in record.grants if START + begin <= g.at < START + begin + 60.0]
        assert rate == pytest.approx(sum(inside) / 60.0, rel=0.01)


class RecordingSchedule(Schedule):
    """Notes every grant of a Throttle and every change of its rate."""

    record: Record
    throttle: Throttle

    def set_rate(self, units_per_second: float, now: float) -> None:
        super().set_rate(units_per_second, now)
        self.record.rates.append((now, units_per_second))
        self.record.asked.append((now, self.throttle._target * self.throttle._share))

    def book(self, units: float, now: float, *, waited: bool = False) -> Booking:
        booking = super().book(units, now, waited=waited)
        self.record.grants.append(Grant(now, units, waited, self.units_per_second))
        self.record.bookings.append(booking)
        return booking


def recorded(rate: float, clock: Any, *, debt: float = 0.0) -> tuple[Throttle, Record]:
    throttle = Throttle(rate, clock, threading.Event(), debt=debt)
    record = Record([(START, paced(rate))], [(START, rate)])
    schedule = RecordingSchedule(paced(rate), clock.monotonic(), debt=debt)
    schedule.record, schedule.throttle = record, throttle
    throttle._schedule = schedule
    return throttle, record


ACTIONS = st.one_of(
    st.tuples(st.just("page"), st.floats(0.01, 1.0)),
    st.tuples(st.just("unknown cost"), st.just(0.0)),
    st.tuples(st.just("refused"), st.just(0.0)),
    st.tuples(st.just("failed"), st.just(0.0)),
    st.tuples(st.just("slow down"), st.just(0.0)),
    st.tuples(st.just("idle"), st.floats(0.0, 30.0)),
    st.tuples(st.just("target"), st.floats(1.0, 5_000.0)),
)


def end_of(throttle: Throttle, booking: Booking, action: str, units: float) -> None:
    match action:
        case "page":
            throttle.settle(booking, units)
        case "unknown cost":
            throttle.settle(booking, None)
        case "refused":
            throttle.refused(booking)
        case _:
            throttle.give_up(booking)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(1.0, 40_000.0), st.lists(ACTIONS, min_size=1, max_size=60), st.sampled_from([0.5, 30.0, 128.5])
)
def test_e8_whatever_happens_to_its_calls_a_throttle_passes_no_window(
    rate: float, actions: list[tuple[str, float]], most: float
) -> None:
    """Pages, failures, refusals, idle times, lowered and recovered rates and new targets, in any order."""
    clock = ManualClock()
    throttle, record = recorded(rate, clock)
    for action, amount in actions:
        if action == "idle":
            clock.advance(amount)
        elif action == "slow down":
            throttle.slow_down()
        elif action == "target":
            throttle.set_target(amount)
        else:
            booking = throttle.reserve(most)
            clock.advance(0.05)
            end_of(throttle, booking, action, amount * most)
    record.settle()

    if record.grants:
        assert_no_window_passes_the_rate(record)


@pytest.mark.parametrize("late", [0.0005, 0.002, 0.004])
@pytest.mark.parametrize("rate", [1_000.0, 5_000.0, 20_000.0])
def test_e8_waiters_that_wake_late_by_up_to_four_milliseconds_hold_the_rate_within_one_percent(
    rate: float, late: float
) -> None:
    count = int(62.0 * rate / 128.5)
    record = simulate(Job(rate, 40, 128.5, [(1.0, 0.15)] * count, late=(late,)))

    assert rate == pytest.approx(held(record), rel=0.01)
    assert_no_window_passes_the_rate(record)


def test_e8_one_waiter_that_wakes_late_and_many_that_do_not_pass_no_second() -> None:
    rate, count = 40_000.0, 400
    record = simulate(Job(rate, 80, 128.5, [(1.0, 0.1)] * count, late=(0.0, 0.004, *[0.0] * count)))

    assert_no_window_passes_the_rate(record)


@pytest.mark.parametrize("rate", [40.0, 400.0, 4_000.0])
def test_e8_threads_together_hold_one_rate(rate: float) -> None:
    clock = VirtualClock()
    throttle, record = recorded(rate, clock)
    sizer = PageSizer(consistent_read=False, size_bytes=4096_000, item_count=1000)
    never = threading.Event()

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(12):
            limit = sizer.limit(throttle.units_per_second)
            booking = throttle.reserve(sizer.most_units(limit))
            clock.wait(never, chance.uniform(0.01, 0.3))
            throttle.settle(booking, booking.units * chance.uniform(0.1, 1.0))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record.settle()

    assert 72 == len(record.grants)
    assert_no_window_passes_the_rate(record)


def test_e8_a_waiter_is_never_let_through_before_its_turn() -> None:
    clock = ManualClock()
    throttle, record = recorded(10.0, clock)
    for _ in range(5):
        throttle.settle(throttle.reserve(20.0), 20.0)

    assert [0.0, 2.0, 4.0, 6.0, 8.0] == [pytest.approx(grant.at - START) for grant in record.grants]


@pytest.mark.parametrize("replied_after", [False, True], ids=["reply before the fall", "reply after it"])
def test_e8_what_a_high_rate_forgave_does_not_burden_the_second_after_a_fall(replied_after: bool) -> None:
    schedule = Schedule(40_000.0, 0.0)
    booking = schedule.book(128.5, 0.01, waited=True)
    if not replied_after:
        schedule.settle(booking, 128.5)
    schedule.set_rate(1000.0, 0.01)
    if replied_after:
        schedule.settle(booking, 128.5)

    # all of the page is owed but what the lower rate may forgive
    assert 128.5 - LATENESS_SECONDS * 1000.0 == pytest.approx(schedule.seconds_until_free(0.01) * 1000.0)
