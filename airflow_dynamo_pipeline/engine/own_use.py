"""How much of what a table consumed was a piece of work's own, and how much is left by others.

Of an on-demand table there is one figure: the highest minute of the last hour, whoever consumed it. A worker
that is alone knows what it consumed itself. Of several that share a rate none knows what all did: the figure
counts also those that have ended, and minutes before this one began. What can be told is the most that all
of them may have consumed, because each is held to its share. So others consumed at least the rest, and at
most everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.lease import BEAT_SECONDS
from airflow_dynamo_pipeline.engine.ports import Clock, ObjectStore
from airflow_dynamo_pipeline.engine.records import LeaseRecord
from airflow_dynamo_pipeline.engine.shares import Sharing

LOOK_BACK = timedelta(hours=1)  # over which a CapacitySource looks for the highest minute
SEEN_SECONDS = 60.0  # before that, nothing of what a worker consumes is in a figure


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnUse:
    """Units per second that were consumed by the work itself, at least and at most.

    ``usual`` is the rate that holds as long as it cannot be told whether others leave it.
    """

    least: float = 0.0
    most: float = 0.0
    usual: float = 0.0

    @classmethod
    def exactly(cls, units_per_second: float) -> OwnUse:
        """What a worker measured that works alone."""
        return cls(least=units_per_second, most=units_per_second)

    def left(self, capacity: float, consumed: float) -> float:
        """What others leave of a capacity, of which so much was consumed by all; may be below 0.

        >>> OwnUse.exactly(100.0).left(1000.0, 400.0)
        700.0
        >>> planned = OwnUse(most=600.0, usual=600.0)
        >>> [planned.left(1000.0, consumed) for consumed in (300.0, 600.0, 1000.0, 1300.0)]
        [700.0, 600.0, 600.0, 300.0]
        """
        for_sure, perhaps = (capacity - max(0.0, consumed - own) for own in (self.least, self.most))
        return min(perhaps, max(for_sure, self.usual))

    def of_others(self, consumed: float) -> str:
        """In words, of what was consumed by all."""
        least, most = (max(0.0, consumed - own) for own in (self.most, self.least))
        return f"{least:.0f}" if least == most else f"{least:.0f} to {most:.0f}"


NOTHING = OwnUse()


def of_all(planned: float, slack: float) -> OwnUse:
    """What all who share a rate may have consumed, for who does not know more; 0: it is not shared."""
    return OwnUse(most=planned * (1.0 - slack), usual=planned) if planned else NOTHING


@dataclass(kw_only=True)
class SharedRate:
    """The rate of all who share one, as one of them has decided on it, and does each minute."""

    planned: float  # units per second, of all of them
    sharing: Sharing
    clock: Clock
    at_work: bool = True  # some of them were, within the hour before this was made
    _held: list[tuple[float, float]] = field(init=False)  # from when on, and what
    _has_decided: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """What the others held before is not known; it was not more than planned, but for rare rises."""
        self._held = [(self.clock.monotonic(), self.planned if self.at_work else 0.0)]

    @property
    def own(self) -> OwnUse:
        """What all of them may have consumed within the hour."""
        self._know_of_the_wait()
        since = self.clock.monotonic() - LOOK_BACK.total_seconds()
        while len(self._held) > 1 and self._held[1][0] <= since:
            del self._held[0]
        most = max(rate for _, rate in self._held)
        usual = max(self.planned, self._held[-1][1])
        return OwnUse(most=most * (1.0 - self.sharing.slack), usual=usual)

    def _know_of_the_wait(self) -> None:
        """Whoever waited that long before the first decision waited for others, and they were at work."""
        made_at, _ = self._held[0]
        if not self._has_decided and self.clock.monotonic() - made_at >= SEEN_SECONDS:
            self._held = [(made_at, self.planned)]

    def decided(self, units_per_second: float) -> float:
        """From now on the rate of all is this one; gives a worker's share of it."""
        if units_per_second != self._held[-1][1] or not self._has_decided:
            self._held.append((self.clock.monotonic(), units_per_second))
        self._has_decided = True
        return self.sharing.rate(units_per_second)


def fewer_workers(most: int, *, lowered_by_others: bool) -> str:
    """The hint where a rate is too low for as many workers as were asked for."""
    hint = f"at most {most:,}"
    if not lowered_by_others:
        return hint
    return (
        f"{hint}; others are also exports and imports that ended within the hour, this one's last run among "
        "them: wait until the hour is over, or give units_per_second"
    )


def at_work_of_late(store: ObjectStore, began_at: datetime, leases: Iterable[str], now: datetime) -> bool:
    """Whether those that share a rate may have consumed something in the last hour.

    In the first hour after the plan they may. Later a few of their leases tell: those of workers that have
    ended, and of those that live for a minute already. Who has only just begun has consumed nothing yet.
    """
    if now - began_at < LOOK_BACK:
        return True
    for key in leases:
        found = store.get(key)
        if found is None:
            continue
        lease = records.decode(found.body, LeaseRecord, key)
        if now - lease.beat_at < LOOK_BACK and (lease.released or lease.beats * BEAT_SECONDS >= SEEN_SECONDS):
            return True
    return False
