"""What befalls a simulated export: slow replies, stalls, lost replies, bursts of throttling, new capacity.

All is drawn from one seeded source as time passes, so that a run can be repeated.
"""

from __future__ import annotations

import itertools
from functools import partial
from random import Random

KEY_RANGE = "TableReadKeyRangeThroughputExceeded"
REASONS = (
    (),
    (KEY_RANGE,),
    ("TableReadProvisionedThroughputExceeded",),
    ("TableReadMaxOnDemandThroughputExceeded",),
    ("TableReadAccountLimitExceeded",),
    (KEY_RANGE, "TableReadProvisionedThroughputExceeded"),
)
BURST_SECONDS = 2.0, 45.0
ODDS = 0.2, 1.0  # of a call to be refused during a burst
SHARES = (0.25, 0.5, 0.8, 1.0, 1.0, 1.25)  # what the capacity becomes, of what it was at first
STALL_SECONDS = 0.5, 12.0
SPREAD = 0.35  # of the logarithm of a reply's seconds
STORE_SECONDS = 0.03  # S3's median for a small object
REFUSAL_SECONDS = 0.004
LATE_SECONDS = 0.0003  # the mean by which a thread wakes after its time
LATER_SECONDS = 0.3  # at most, now and then


class NowAndThen:
    """Something that happens at random moments, so many seconds apart in the mean."""

    def __init__(self, chance: Random, every_seconds: float) -> None:
        self._chance = chance
        self._pace = 1.0 / every_seconds
        self._next = 0.0

    def is_due(self, now: float) -> bool:
        """Whether a moment has come since the last time this was asked; the first time only begins."""
        if now < self._next:
            return False
        is_first, self._next = self._next == 0.0, now + self._chance.expovariate(self._pace)
        return not is_first


class Weather:
    """Draws what happens next. Times are those of a monotonic clock, in seconds, and must not go back."""

    def __init__(self, seed: int, reply_seconds: float) -> None:
        """``reply_seconds`` is the median of a Scan's reply."""
        self.chance = Random(seed)
        self.refusals = 0
        self._reply_seconds = reply_seconds
        self._capacity_share = 1.0
        now_and_then = partial(NowAndThen, self.chance)
        self._change, self._burst = now_and_then(240.0), now_and_then(900.0)
        self._stall, self._loss = now_and_then(45.0), now_and_then(120.0)
        self._slow_store, self._later = now_and_then(120.0), now_and_then(30.0)
        self._burst_ends = self._odds = 0.0
        self._reasons = itertools.cycle(REASONS)
        self._reason: tuple[str, ...] = ()
        self._victim = 0

    def capacity_share(self, now: float) -> float:
        """The capacity, as a share of what it was at first; changes every few minutes."""
        if self._change.is_due(now):
            others = [share for share in SHARES if share != self._capacity_share]
            self._capacity_share = self.chance.choice(others)
        return self._capacity_share

    def refusal(self, segment: int, now: float) -> tuple[str, ...] | None:
        """The reasons to refuse a call, empty when none is named; None: it is served."""
        if now >= self._burst_ends and self._burst.is_due(now):
            self._burst_ends = now + self.chance.uniform(*BURST_SECONDS)
            self._reason, self._victim = next(self._reasons), segment
            self._odds = self.chance.uniform(*ODDS)
        is_meant = self._reason != (KEY_RANGE,) or segment == self._victim
        if now >= self._burst_ends or not is_meant or self.chance.random() >= self._odds:
            return None
        self.refusals += 1
        return self._reason

    def reply_seconds(self, now: float) -> float:
        """How long a Scan's reply takes; one that stalls, seconds."""
        return self._seconds(self._reply_seconds, self._stall, now)

    def store_seconds(self, now: float) -> float:
        """How long S3 takes for a small object."""
        return self._seconds(STORE_SECONDS, self._slow_store, now)

    def loses_reply(self, now: float) -> bool:
        """Whether the reply of a call that was served does not arrive."""
        return self._loss.is_due(now)

    def late_seconds(self, now: float) -> float:
        """By how much a waiting thread wakes too late."""
        later = self.chance.uniform(0.0, LATER_SECONDS) if self._later.is_due(now) else 0.0
        return self.chance.expovariate(1.0 / LATE_SECONDS) + later

    def _seconds(self, median: float, stall: NowAndThen, now: float) -> float:
        stalled = self.chance.uniform(*STALL_SECONDS) if stall.is_due(now) else 0.0
        return median * self.chance.lognormvariate(0.0, SPREAD) + stalled
