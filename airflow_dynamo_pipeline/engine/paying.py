"""Write calls, each paid for at the throttle before it is made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from airflow_dynamo_pipeline.engine.backoff import persistently
from airflow_dynamo_pipeline.engine.ports import Clock, ConditionFailed, TableWriter
from airflow_dynamo_pipeline.engine.scan import is_key_range
from airflow_dynamo_pipeline.engine.shares import ALONE, Sharing
from airflow_dynamo_pipeline.engine.throttle import Booking, Throttle
from airflow_dynamo_pipeline.engine.write_capacity import Consumed, WriteRate
from airflow_dynamo_pipeline.errors import ItemRefused, PipelineError, Throttled
from airflow_dynamo_pipeline.items.page import ReplyText

CALL_SECONDS = 0.25  # one call costs about this much of the rate
FULL_CALL_UNITS = 25.0  # of 25 items of a kilobyte
KEPT_SHARE = 0.7  # of the old mean of charge to estimate
NAME_EVERY_SECONDS = 60.0


class Reply(Protocol):
    """What a write answers."""

    @property
    def consumed(self) -> Consumed | None:
        """What the call cost; None when the reply does not say."""
        ...


Answer = TypeVar("Answer", bound=Reply)
Result = TypeVar("Result")


def most_of_a_call(units_per_second: float, sharing: Sharing) -> float:
    """What a call may be charged, so that all who share the rate are not far ahead of it together."""
    alone = units_per_second * CALL_SECONDS
    return (
        alone if sharing.workers == 1 else min(alone, sharing.page_units(units_per_second, FULL_CALL_UNITS))
    )


def first_debt(units_per_second: float, sharing: Sharing, writers: int, *, resumed: bool) -> float:
    """Units that an attempt waits for before its first call.

    None, but after a resume the calls that a killed attempt may just have sent; and who shares a rate comes
    after another at its place, who may have failed a moment after a call.

    >>> first_debt(100.0, ALONE, 2, resumed=False), first_debt(100.0, ALONE, 2, resumed=True)
    (0.0, 50.0)
    >>> first_debt(10.0, Sharing(workers=4), 2, resumed=False)
    2.5
    """
    if resumed:
        return min(FULL_CALL_UNITS * writers, units_per_second)
    return 0.0 if sharing.workers == 1 else most_of_a_call(units_per_second, sharing)


class WriteCalls:
    """Calls to one table for one run, by all threads."""

    def __init__(
        self,
        *,
        table: TableWriter,
        throttle: Throttle,
        rate: WriteRate,
        clock: Clock,
        stop: threading.Event,
        before_call: Callable[[], bool],
        warn: Callable[[str], None],
        sharing: Sharing = ALONE,
    ) -> None:
        """``before_call`` is called before a turn is waited for and after; True: it took a while.

        ``sharing``: with whom the rate is shared; each one's calls are the smaller for it.
        """
        self._sharing = sharing
        self._table = table
        self.throttle = throttle
        self.rate = rate
        self.clock = clock
        self.stop = stop
        self.warn = warn
        self._before_call = before_call
        self._factor = max(1.0, rate.first_factor)
        self._has_learned = False
        self._lock = threading.Lock()
        self._named_at: dict[str, float] = {}

    @property
    def most_units(self) -> float:
        """Units of items that one call may hold, so that it stays small at a low rate.

        The first calls hold one item each: what is overwritten may be larger than what is written.
        """
        if not self._has_learned:
            return 1.0
        return max(1.0, most_of_a_call(self.throttle.units_per_second, self._sharing)) / self._factor

    def call(self, operation: str, body: bytes, units: float, read: Callable[[ReplyText], Answer]) -> Answer:
        """Make one call for items of about ``units`` and settle what it cost.

        Raises what the table raises; a call that was refused as a whole costs nothing.
        """
        booking = self._turn(units * self._factor)
        try:
            reply = read(self._table.write(operation, body))
        except (Throttled, ItemRefused):
            self.throttle.refused(booking)
            raise
        except ConditionFailed:
            self.throttle.settle(booking, None)  # DynamoDB charges for it and does not say how much
            raise
        except BaseException:
            self.throttle.give_up(booking)
            raise
        charge = None if reply.consumed is None else self.rate.charge(reply.consumed)
        self.throttle.settle(booking, charge)
        if charge:
            self._learn(charge / units)
        return reply

    def pay_off(self) -> None:
        """Wait until all calls are paid for, so that whoever comes next at this share may call at once."""
        self.throttle.refused(self._turn(0.0))

    def insist(self, call: Callable[[], Result]) -> Result:
        """Make a call until it succeeds, or fails in a way that no retry can help."""
        return persistently(self.clock, self.stop, self.before_retry, call)

    def before_retry(self, error: PipelineError) -> None:
        """Refusals of one key range pause one thread; all others lower the rate. An index is named."""
        if not isinstance(error, Throttled):
            self.warn(f"{error}; trying again")
            return
        self._name_indexes(error)
        if not is_key_range(error):
            self.throttle.slow_down()

    def _learn(self, factor: float) -> None:
        """Up at once, down slowly, and never below one unit for each kilobyte of JSON."""
        with self._lock:
            self._has_learned = True
            mean = KEPT_SHARE * self._factor + (1 - KEPT_SHARE) * factor
            self._factor = max(1.0, factor, mean)

    def _turn(self, most_units: float) -> Booking:
        """A turn that is used at the moment it was given; see Scanner."""
        while True:
            self._before_call()
            booking = self.throttle.reserve(most_units)
            try:
                late = self._before_call()
            except BaseException:
                self.throttle.refused(booking)
                raise
            if not late:
                return booking
            self.throttle.refused(booking)

    def _name_indexes(self, error: Throttled) -> None:
        """Say which index cannot keep up, now and then."""
        for reason, arn in error.reasons:
            if "Index" not in reason:
                continue
            index = arn.rpartition("/index/")[2] or arn
            now = self.clock.monotonic()
            with self._lock:
                due = now - self._named_at.get(index, float("-inf")) >= NAME_EVERY_SECONDS
                if due:
                    self._named_at[index] = now
            if due:
                self.warn(
                    f"index {index} cannot keep up and throttles the import ({reason}): "
                    "raise its write capacity, or lower the rate"
                )
