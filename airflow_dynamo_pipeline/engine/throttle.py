"""Holds a rate of capacity units for all segments of a run: reserve, call, correct.

The cost of a Scan is known only from its reply. So each call first reserves the most it can
cost; its reply corrects the reservation. ``Schedule`` is the arithmetic, without threads or
waiting; ``Throttle`` puts a lock, a clock and the reaction to throttling around it.

Why no window can hold more than the rate and one page: call n+1 is granted only when the
allowance that has accrued since *any* earlier grant covers everything booked since then, and
what is booked is never less than what is consumed. Idle time is not saved up, and what a
reply hands back is handed back to the moment it was reserved, not to now.
"""

from __future__ import annotations

import bisect
import threading
from dataclasses import dataclass
from operator import attrgetter

from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.errors import Stopped

SHORTEST_WAIT_SECONDS = 1e-6  # below it a float clock may not move at all
LONGEST_WAIT_SECONDS = 60.0  # the rate may change meanwhile
SLOW_DOWN_FACTOR = 0.7
SLOW_DOWN_EVERY_SECONDS = 1.0  # one burst of refusals counts once
RECOVER_SHARE = 0.05  # of the target, each interval without a refusal
RECOVER_EVERY_SECONDS = 10.0
LOWEST_SHARE = 0.01
LATENESS_SECONDS = 0.004  # a waiter that wakes late keeps its turn up to this ...
LATENESS_FROM = 500.0  # ... from this rate on: below it pages are far apart and lateness costs little


@dataclass(slots=True)
class Booking:
    """One granted call. ``begins`` and ``ends`` count allowance in units, not seconds."""

    number: int
    begins: float
    units: float
    settled: bool = False
    ends: float = 0.0


class Schedule:
    """Virtual scheduling in units of allowance: ``allowance`` grows with time at the rate."""

    def __init__(self, units_per_second: float, now: float, *, debt: float = 0.0) -> None:
        """Start at ``now``; ``debt`` units must accrue before the first call (after a resume)."""
        self._rate = units_per_second
        self._since = now
        self._accrued = 0.0
        self._free_at = debt
        self._bookings: list[Booking] = []
        self._count = 0

    @property
    def units_per_second(self) -> float:
        """The rate at which allowance accrues."""
        return self._rate

    def set_rate(self, units_per_second: float, now: float) -> None:
        """Accrue at another rate from now on; what is owed stays owed."""
        self._accrued = self.allowance(now)
        self._since = now
        if units_per_second < self._rate and self._rate >= LATENESS_FROM:
            # What was forgiven by the higher rate is too much for a second of the lower. Taken from the
            # allowance, because a reply computes anew when the schedule is free.
            self._accrued -= LATENESS_SECONDS * (self._rate - units_per_second)
        self._rate = units_per_second

    def allowance(self, now: float) -> float:
        """Units accrued since the start."""
        return self._accrued + (now - self._since) * self._rate

    def seconds_until_free(self, now: float) -> float:
        """How long until a call may be granted; 0 or less: now."""
        return (self._free_at - self.allowance(now)) / self._rate

    def book(self, units: float, now: float, *, waited: bool = False) -> Booking:
        """Grant a call that costs at most ``units``.

        A caller that waited for its turn wakes a little late. Without forgiving it a high rate would be
        missed by several percent; what is forgiven is made up for by ``paced``.
        """
        self._count += 1
        forgiven = LATENESS_SECONDS * self._rate if waited and self._rate >= LATENESS_FROM else 0.0
        booking = Booking(self._count, max(self._free_at, self.allowance(now) - forgiven), units)
        booking.ends = booking.begins + units
        self._bookings.append(booking)
        self._free_at = booking.ends
        return booking

    def settle(self, booking: Booking, units: float) -> None:
        """Correct a booking to what the call did cost."""
        booking.units = units
        booking.settled = True
        last = len(self._bookings) - 1
        if self._bookings[last] is booking:  # as it is with one thread, and often with more
            self._replay_from(last)
        else:
            self._replay_from(bisect.bisect_left(self._bookings, booking.number, key=attrgetter("number")))
        self._forget_settled()

    def _replay_from(self, index: int) -> None:
        """Recompute what follows a changed booking. A call cannot move to before it was granted."""
        ends = self._bookings[index - 1].ends if index else float("-inf")
        for booking in self._bookings[index:]:
            booking.ends = max(ends, booking.begins) + booking.units
            ends = booking.ends
        self._free_at = ends

    def _forget_settled(self) -> None:
        """Drop the settled front of the list, but for the last one: its end still counts."""
        front = 0
        while front < len(self._bookings) - 1 and self._bookings[front].settled:
            front += 1
        if front > 1:
            del self._bookings[: front - 1]


def paced(units_per_second: float) -> float:
    """The rate to schedule by: less than asked by as much as forgiven lateness can add to any second."""
    if units_per_second < LATENESS_FROM:
        return units_per_second
    return units_per_second * (1.0 - LATENESS_SECONDS)


class Throttle:
    """One rate for one table in this process, shared by all its threads."""

    def __init__(
        self, units_per_second: float, clock: Clock, stop: threading.Event, *, debt: float = 0.0
    ) -> None:
        """Hold ``units_per_second``; ``debt`` units are waited for first. ``stop`` ends every wait."""
        self._clock = clock
        self._stop = stop
        self._target = units_per_second
        self._share = 1.0
        self._schedule = Schedule(paced(units_per_second), clock.monotonic(), debt=debt)
        self._turnstile = threading.Lock()  # one caller waits at the head, the rest behind it
        self._lock = threading.Lock()
        self._nudge = threading.Event()
        self._slowed_at = self._recovered_at = clock.monotonic()
        self._consumed = 0.0
        self._first_call_at: float | None = None
        self._last_reply_at = 0.0

    @property
    def target(self) -> float:
        """The rate asked for, in units per second."""
        return self._target

    @property
    def units_per_second(self) -> float:
        """The rate held now: the target, or less after throttling."""
        return self._schedule.units_per_second

    @property
    def consumed(self) -> float:
        """Units that replies have reported so far."""
        return self._consumed

    @property
    def held(self) -> float:
        """Units per second consumed since the first call; 0 before it.

        The last page counts over the time it has to be paid for, or short runs would seem too fast.
        """
        with self._lock:
            if self._first_call_at is None:
                return 0.0
            owed = max(0.0, self._schedule.seconds_until_free(self._last_reply_at))
            seconds = self._last_reply_at + owed - self._first_call_at
            return self._consumed / seconds if seconds > 0 else 0.0

    def reserve(self, most_units: float) -> Booking:
        """Wait for the turn of a call that costs at most ``most_units``; raises Stopped."""
        waited = False
        with self._turnstile:
            while True:
                with self._lock:
                    now = self._clock.monotonic()
                    self._recover(now)
                    seconds = self._schedule.seconds_until_free(now)
                    if seconds <= SHORTEST_WAIT_SECONDS:
                        self._refuse_if_stopped()
                        if self._first_call_at is None:
                            self._first_call_at = now
                        return self._schedule.book(most_units, now, waited=waited)
                    self._nudge.clear()
                waited = True
                self._refuse_if_stopped()
                self._clock.wait(self._nudge, min(seconds, LONGEST_WAIT_SECONDS))

    def settle(self, booking: Booking, units: float | None) -> None:
        """Correct a reservation; None keeps it (a failed call may have consumed)."""
        with self._lock:
            actual = booking.units if units is None else units
            self._consumed += actual
            self._last_reply_at = self._clock.monotonic()
            self._schedule.settle(booking, actual)
            self._nudge.set()

    def refused(self, booking: Booking) -> None:
        """A turn was not used, or DynamoDB refused its call for want of capacity: nothing was consumed."""
        with self._lock:
            self._schedule.settle(booking, 0.0)
            self._nudge.set()

    def give_up(self, booking: Booking) -> None:
        """A call failed: it keeps its reservation, but reported nothing consumed."""
        with self._lock:
            self._schedule.settle(booking, booking.units)

    def set_target(self, units_per_second: float) -> None:
        """Follow the table: the new rate holds from now on."""
        with self._lock:
            self._target = units_per_second
            self._apply(self._clock.monotonic())
            self._nudge.set()

    def slow_down(self) -> None:
        """DynamoDB refused a call for the whole table: lower the rate, and recover slowly."""
        with self._lock:
            now = self._clock.monotonic()
            self._recovered_at = now
            if now - self._slowed_at < SLOW_DOWN_EVERY_SECONDS and self._share < 1.0:
                return
            self._slowed_at = now
            self._share = max(LOWEST_SHARE, self._share * SLOW_DOWN_FACTOR)
            self._apply(now)

    def wake(self) -> None:
        """Let waiting callers see that the stop event is set. Takes no lock: a signal handler may call it."""
        self._nudge.set()

    def _recover(self, now: float) -> None:
        if self._share < 1.0 and now - self._recovered_at >= RECOVER_EVERY_SECONDS:
            self._recovered_at = now
            self._share = min(1.0, self._share + RECOVER_SHARE)
            self._apply(now)

    def _apply(self, now: float) -> None:
        self._schedule.set_rate(paced(self._target * self._share), now)

    def _refuse_if_stopped(self) -> None:
        if self._stop.is_set():
            raise Stopped("told to stop while waiting for the throttle")
