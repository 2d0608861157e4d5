"""What was consumed and refused, when, by whom: what CloudWatch shows and tests add up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_dynamo_pipeline.engine.ports import Clock
from tests.faults.dynamodb.throughput import Kind

EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Metered:
    """One use, or one refusal, which has a reason and no units."""

    at: float  # of the clock's monotonic seconds
    table: str
    index: str | None  # None: the table itself
    kind: Kind
    units: float
    reason: str | None = None


class Metering:
    """The log of all tables."""

    def __init__(self, clock: Clock) -> None:
        self.log: list[Metered] = []
        self._clock = clock

    def used(self, table: str, index: str | None, kind: Kind, units: float) -> None:
        """Note a use."""
        self.log.append(Metered(self._clock.monotonic(), table, index, kind, units))

    def refused(self, table: str, index: str | None, kind: Kind, reason: str) -> None:
        """Note a call that was throttled."""
        self.log.append(Metered(self._clock.monotonic(), table, index, kind, 0.0, reason))

    def entries(self, table: str, index: str | None = None, kind: str = "read") -> Iterator[Metered]:
        """What concerns a table itself, or one index, in order."""
        return (
            entry
            for entry in list(self.log)
            if entry.table == table and entry.index == index and entry.kind == kind
        )

    def consumed(self, table: str, index: str | None, kind: str, start: datetime, end: datetime) -> float:
        """Units from ``start`` to before ``end``."""
        first, last = self._seconds(start), self._seconds(end)
        return sum(entry.units for entry in self.entries(table, index, kind) if first <= entry.at < last)

    def throttled(
        self, table: str, index: str | None, kind: str, start: datetime, end: datetime
    ) -> list[str]:
        """The reasons of what was refused from ``start`` to before ``end``."""
        first, last = self._seconds(start), self._seconds(end)
        return [
            entry.reason
            for entry in self.entries(table, index, kind)
            if entry.reason is not None and first <= entry.at < last
        ]

    def worst_window(
        self, table: str, seconds: float, *, index: str | None = None, kind: str = "read"
    ) -> float:
        """The most units consumed in any window of so many seconds, wherever it begins."""
        window: deque[Metered] = deque()
        inside = worst = 0.0
        for entry in self.entries(table, index, kind):
            window.append(entry)
            inside += entry.units
            while entry.at - window[0].at >= seconds - EPSILON:
                inside -= window.popleft().units
            worst = max(worst, inside)
        return worst

    def _seconds(self, when: datetime) -> float:
        """An instant on the scale of the log."""
        return self._clock.monotonic() + (when - self._clock.now()) / timedelta(seconds=1)
