"""Stop in time: a clock that sets the stop event at a moment, whoever looks at it first after that."""

from __future__ import annotations

import threading
from datetime import datetime

from airflow_dynamo_pipeline.engine.ports import Clock

SHORTEST_MARGIN_SECONDS = 30.0  # as long as a call may take that is under way
LONGEST_MARGIN_SECONDS = 120.0  # that call, two that close an upload, and the one that writes a checkpoint
MARGIN_SHARE = 0.05
MOST_MARGIN_SHARE = 0.5  # of a very short limit: the rest is for work


def margin_seconds(limit_seconds: float) -> float:
    """How long before a limit to stop, so that what is open can be closed: 5 %, 30 s at least, 120 s at most.

    >>> [margin_seconds(seconds) for seconds in (10, 600, 1200, 86_400)]
    [5.0, 30.0, 60.0, 120.0]
    """
    usual = min(max(SHORTEST_MARGIN_SECONDS, MARGIN_SHARE * limit_seconds), LONGEST_MARGIN_SECONDS)
    return min(usual, MOST_MARGIN_SHARE * limit_seconds)


class DeadlineClock:
    """Another clock's time, and a stop event that is set once so many seconds have passed.

    All that waits, retries or beats asks a clock every few seconds at the least, so there is no thread or
    timer that could outlive the work. A wait that reaches beyond the deadline is interrupted there.
    """

    def __init__(self, inner: Clock, stop: threading.Event, seconds: float) -> None:
        """``stop`` is set ``seconds`` from now; at the first look, if there are none left."""
        self._inner = inner
        self._stop = stop
        self._stop_at = inner.monotonic() + seconds
        self._reached = False

    @property
    def reached(self) -> bool:
        """Whether this clock has set the stop event."""
        return self._reached

    def monotonic(self) -> float:
        """Seconds that never go back."""
        now = self._inner.monotonic()
        if now >= self._stop_at:
            self._stop_all()
        return now

    def now(self) -> datetime:
        """The wall clock's instant, in UTC."""
        self.monotonic()
        return self._inner.now()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set (True) or the seconds are over (False)."""
        left = self._stop_at - self._inner.monotonic()
        if self._reached or left > seconds:
            return self._inner.wait(event, seconds)
        if left > 0 and self._inner.wait(event, left):
            return True
        self._stop_all()  # the event may be another one: then the rest is waited for, too
        return self._inner.wait(event, seconds - max(0.0, left))

    def _stop_all(self) -> None:
        if not self._reached and not self._stop.is_set():  # a stop before it was somebody else's
            self._reached = True
            self._stop.set()
