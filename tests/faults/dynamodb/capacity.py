"""What a table or an index can give: buckets of tokens, filled by time, emptied by what calls really cost.

A call passes when no bucket is in debt, and then pays its real cost, which may put buckets into debt:
the cost of a page is known only when it has been read. Nothing here knows of tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

PROVISIONED = "ProvisionedThroughputExceeded"
MAX_ON_DEMAND = "MaxOnDemandThroughputExceeded"
ACCOUNT_LIMIT = "AccountLimitExceeded"
KEY_RANGE = "KeyRangeThroughputExceeded"

PARTITION_UNITS = {"read": 3_000.0, "write": 1_000.0}  # per second
BURST_SECONDS = 300.0
TABLE_QUOTA = 40_000.0  # of an account, for each on-demand table, in units per second
PEAK_SECONDS = 60.0  # a peak is a whole minute's mean
GROWTH_SECONDS = 30 * 60.0  # until twice a peak is ready
EPSILON = 1e-9


class Bucket:
    """Tokens that come at a steady rate and are kept up to ``depth``."""

    def __init__(self, rate: float, depth: float, *, at: float, level: float | None = None) -> None:
        """``rate`` in units per second; ``level`` is what it holds at first, by default all it can."""
        self.rate = rate
        self.depth = depth
        self._level = depth if level is None else level
        self._at = at

    def level(self, at: float) -> float:
        """What it holds at an instant; below zero is debt."""
        passed = max(0.0, at - self._at)
        return min(self.depth, self._level + passed * self.rate)

    def in_debt(self, at: float) -> bool:
        """Whether a call would have to wait."""
        return self.level(at) < -EPSILON

    def pay(self, units: float, *, at: float) -> None:
        """Take tokens, whether they are there or not."""
        self._level = self.level(at) - units
        self._at = max(self._at, at)

    def change(self, rate: float, depth: float, *, at: float) -> None:
        """Go on at another rate with what is there; debt stays."""
        self._level = min(depth, self.level(at))
        self._at = max(self._at, at)
        self.rate = rate
        self.depth = depth


class Growth:
    """What an on-demand table takes at once: twice its former peak, half an hour later."""

    def __init__(self, ready: float) -> None:
        self._ready = ready
        self._minute = -1
        self._units = 0.0
        self._peaks: dict[int, float] = {}  # minute: twice its mean, in units per second

    def note(self, units: float, *, at: float) -> None:
        """Learn of a use."""
        minute = int(at // PEAK_SECONDS)
        if minute != self._minute:
            self._minute, self._units = minute, 0.0
        self._units += units
        doubled = 2 * self._units / PEAK_SECONDS
        if doubled > self._ready:
            self._peaks[minute] = doubled

    def warm_up(self, ready: float) -> None:
        """Have so much ready at least."""
        self._ready = max(self._ready, ready)

    def ready(self, at: float) -> float:
        """Units per second at an instant."""
        for minute in list(self._peaks):
            if minute * PEAK_SECONDS + GROWTH_SECONDS <= at:
                self._ready = max(self._ready, self._peaks.pop(minute))
        return self._ready


@dataclass(frozen=True, kw_only=True, slots=True)
class Provisioned:
    """Units bought by the second, and for how many seconds what is unused is kept."""

    units_per_second: float
    burst_seconds: float = BURST_SECONDS
    saved_seconds: float = 0.0  # of unused capacity that are there at the start


@dataclass(frozen=True, kw_only=True, slots=True)
class OnDemand:
    """A table without bought units: what it takes at once, its own maximum, the account's."""

    warm: float
    maximum: float | None = None
    table_quota: float = TABLE_QUOTA


class Capacity:
    """The reads or the writes of one table or global index.

    ``partitions`` share the key space equally; each gives ``partition_units`` a second at most. Where
    they can split there are more of them when more throughput is ready, and never fewer again.
    """

    def __init__(
        self,
        throughput: Provisioned | OnDemand,
        *,
        at: float,
        partitions: int = 1,
        partition_units: float = PARTITION_UNITS["read"],
        can_split: bool = True,
    ) -> None:
        self._partition_units = partition_units
        self._can_split = can_split
        self._partitions = [Bucket(partition_units, partition_units, at=at) for _ in range(partitions)]
        self._growth: Growth | None = None
        self._buckets: dict[str, Bucket] = {}
        self.change(throughput, at=at)

    def change(self, throughput: Provisioned | OnDemand, *, at: float) -> None:
        """Go on with other settings; debts stay where the kind of throughput stays."""
        wanted = _provisioned(throughput) if isinstance(throughput, Provisioned) else _on_demand(throughput)
        kept = self._buckets
        self._buckets = {}
        for reason, (rate, depth, level) in wanted.items():
            bucket = kept.get(reason)
            if bucket is None:
                bucket = Bucket(rate, depth, at=at, level=level)
            else:
                bucket.change(rate, depth, at=at)
            self._buckets[reason] = bucket
        if isinstance(throughput, Provisioned):
            self._growth = None
        elif self._growth is None:
            self._growth = Growth(throughput.warm)
        else:
            self._growth.warm_up(throughput.warm)

    def split(self, partitions: int, *, at: float) -> None:
        """Let there be so many partitions at least; a new one begins as the one it comes from is."""
        old = self._partitions
        if self._can_split and partitions > len(old):
            rate = self._partition_units
            parents = (old[number * len(old) // partitions] for number in range(partitions))
            self._partitions = [Bucket(rate, rate, at=at, level=each.level(at)) for each in parents]

    @property
    def partition_count(self) -> int:
        """How many partitions there are."""
        return len(self._partitions)

    def refusal(self, *, at: float, place: float = 0.0) -> str | None:
        """Why a call cannot pass now, as the second half of a throttling reason; None: it can.

        ``place`` is where in the key space it begins, from 0 to below 1.
        """
        self._grow(at)
        for reason, bucket in self._buckets.items():
            if bucket.in_debt(at):
                return reason
        return KEY_RANGE if self._partitions[self._partition(place)].in_debt(at) else None

    def _grow(self, at: float) -> None:
        if self._growth is not None:
            ready = self._growth.ready(at)
            self._buckets[KEY_RANGE].change(ready, ready, at=at)
            self.split(math.ceil(ready / self._partition_units), at=at)

    def pay(self, units: float, *, at: float, shares: Mapping[float, float] | None = None) -> None:
        """Take what a call cost.

        ``shares`` says how much of it fell on which place, in any measure; without it all partitions
        bear the same.
        """
        for bucket in self._buckets.values():
            bucket.pay(units, at=at)
        if self._growth is not None:
            self._growth.note(units, at=at)
        if not shares:
            shares = {number / len(self._partitions): 1.0 for number in range(len(self._partitions))}
        whole = sum(shares.values())
        for place, share in shares.items():
            self._partitions[self._partition(place)].pay(units * share / whole, at=at)

    def _partition(self, place: float) -> int:
        return min(int(place * len(self._partitions) + EPSILON), len(self._partitions) - 1)


Settings = dict[str, tuple[float, float, float]]  # reason: rate, depth, first level


def _provisioned(throughput: Provisioned) -> Settings:
    rate = throughput.units_per_second
    depth = rate * throughput.burst_seconds
    return {PROVISIONED: (rate, depth, min(depth, rate * throughput.saved_seconds))}


def _on_demand(throughput: OnDemand) -> Settings:
    wanted = {} if throughput.maximum is None else {MAX_ON_DEMAND: _one_second(throughput.maximum)}
    quota = _one_second(throughput.table_quota)
    return {**wanted, ACCOUNT_LIMIT: quota, KEY_RANGE: _one_second(throughput.warm)}


def _one_second(rate: float) -> tuple[float, float, float]:
    return rate, rate, rate
