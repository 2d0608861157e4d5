"""What any window of time may hold, and what it did hold."""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

CLOSE = 1e-9  # seconds: instants that differ by less are the same


@dataclass(frozen=True, slots=True)
class Worst:
    """Of all windows of one length, the highest share of the target's integral that was read."""

    share: float  # of all pages
    less_page: float  # of all but the window's largest page
    begins_at: float  # the window of less_page


class Target:
    """A rate that changes in steps. It holds from its first instant on, and did before."""

    def __init__(self) -> None:
        self.instants: list[float] = []
        self._rates: list[float] = []
        self._sums: list[float] = []  # units up to each instant

    def set(self, at: float, units_per_second: float) -> None:
        """From this instant on it is this; instants must not go back."""
        if self._rates and self._rates[-1] == units_per_second:
            return
        self._sums.append(self.units_until(at) if self._rates else 0.0)
        self.instants.append(at)
        self._rates.append(units_per_second)

    def units_until(self, at: float) -> float:
        """The integral from the first instant on; negative before it."""
        step = max(0, bisect_right(self.instants, at) - 1)
        return self._sums[step] + (at - self.instants[step]) * self._rates[step]

    def units_between(self, begin: float, end: float) -> float:
        """The integral over a window."""
        return self.units_until(end) - self.units_until(begin)


class Ledger:
    """Every page that was read, when it was asked for, and the target in force."""

    def __init__(self) -> None:
        self.target = Target()
        self.instants = array("d")
        self.units = array("d")

    def read(self, at: float, units: float) -> None:
        """Note a page; instants must not go back."""
        self.instants.append(at)
        self.units.append(units)

    def worst(self, seconds: float) -> Worst:
        """The worst windows of this length, both ends included.

        The worst window begins or ends with a page or with a change of the target: all these are tried.
        """
        share = less_page = begins_at = 0.0
        for begin, units, page in self._windows(seconds):
            allowed = self.target.units_between(begin, begin + seconds)
            share = max(share, units / allowed)
            if (units - page) / allowed > less_page:
                less_page, begins_at = (units - page) / allowed, begin
        return Worst(share, less_page, begins_at)

    def _windows(self, seconds: float) -> Iterator[tuple[float, float, float]]:
        """Begin, units and largest page of each window worth trying."""
        instants, pages = self.instants, self.units
        first = end = 0
        total = 0.0
        falling: deque[int] = deque()  # pages of the window that no later one of it exceeds
        for begin in self._beginnings(seconds):
            while end < len(instants) and instants[end] <= begin + seconds + CLOSE:
                total += pages[end]
                while falling and pages[falling[-1]] <= pages[end]:
                    falling.pop()
                falling.append(end)
                end += 1
            while first < end and instants[first] < begin - CLOSE:
                total -= pages[first]
                if falling[0] == first:
                    falling.popleft()
                first += 1
            if first < end:
                yield begin, total, pages[falling[0]]

    def _beginnings(self, seconds: float) -> Iterator[float]:
        marks = (self.instants, self.target.instants)
        return heapq.merge(*marks, *((instant - seconds for instant in mark) for mark in marks))
