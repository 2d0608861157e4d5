"""How many items a page may hold, so that one page stays small at a low rate."""

from __future__ import annotations

import threading
from collections.abc import Callable

PAGE_SECONDS = 0.25  # one page costs about this much of the rate
FULL_PAGE_UNITS = 128.5  # 1 MB evaluated, eventually consistent, as Scan replies report it
LARGEST_ITEM_UNITS = 50.0  # 400 KB, eventually consistent
BYTES_PER_UNIT = 8192  # 4 KB a unit, half of it for an eventually consistent read
KEPT_SHARE = 0.7  # of the old mean, as the EMR DynamoDB connector weighs it
MOST_ITEMS = 25_000  # of a page: a megabyte of items of 7 bytes would be 150,000 objects in memory
FIRST_LIMIT = 10  # items of the first page when nothing is known of their size
LEAST_PAGE_UNITS = 1.0  # no page is meant to cost less: most of it would be rounding up to 4 KB


PageUnits = Callable[[float, float], float]
"""What a page may cost, by the rate and what a full page costs."""


def alone(units_per_second: float, full_page: float) -> float:  # noqa: ARG001
    """Nobody shares the rate: a full page."""
    return full_page


class PageSizer:
    """Learns the units an item costs and sizes pages by it; shared by all segments."""

    def __init__(
        self,
        *,
        consistent_read: bool,
        size_bytes: int,
        item_count: int,
        page_units: PageUnits = alone,
    ) -> None:
        """Seed the mean from DescribeTable's figures, which may be zero or hours old.

        ``page_units`` is what one page may cost: less where several workers share the rate.
        """
        factor = 2.0 if consistent_read else 1.0
        self._full_page = FULL_PAGE_UNITS * factor
        self._largest_item = LARGEST_ITEM_UNITS * factor
        self._page_units = page_units
        self._lock = threading.Lock()
        self._units_per_item: float | None = None
        if item_count > 0 and size_bytes > 0:
            self._units_per_item = factor * size_bytes / item_count / BYTES_PER_UNIT

    @property
    def units_per_item(self) -> float | None:
        """The mean so far; None: nothing known."""
        return self._units_per_item

    def limit(self, units_per_second: float) -> int | None:
        """The Limit of the next page at this rate; None: a page as full as Scan makes it."""
        target = self.page_target(units_per_second)
        per_item = self._units_per_item
        if target >= self._full_page:
            crowded = per_item is not None and per_item * MOST_ITEMS < self._full_page
            return MOST_ITEMS if crowded else None
        if per_item is None:
            shared = self._page_units(units_per_second, self._full_page) < self._full_page
            return 1 if shared else FIRST_LIMIT
        return min(MOST_ITEMS, max(1, int(target / per_item)))

    def page_target(self, units_per_second: float) -> float:
        """What a page should cost at this rate."""
        most = self._page_units(units_per_second, self._full_page)
        return max(LEAST_PAGE_UNITS, min(units_per_second * PAGE_SECONDS, most))

    def most_units(self, limit: int | None) -> float:
        """The most that a page with this Limit can cost."""
        if limit is None:
            return self._full_page
        return min(self._full_page, limit * self._largest_item)

    def observe(self, scanned: int, units: float) -> None:
        """Learn from a reply: items evaluated (ScannedCount) and units consumed."""
        with self._lock:
            self._full_page = max(self._full_page, units)
            if scanned <= 0 or units <= 0:
                return
            seen = units / scanned
            old = self._units_per_item
            self._units_per_item = seen if old is None else KEPT_SHARE * old + (1 - KEPT_SHARE) * seen
