"""The pages of one segment, each paid for at the throttle before it is read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.backoff import retrying
from airflow_dynamo_pipeline.engine.ports import Clock, ScanCall, TableReader
from airflow_dynamo_pipeline.engine.sizing import PageSizer
from airflow_dynamo_pipeline.engine.throttle import Booking, Throttle
from airflow_dynamo_pipeline.errors import PipelineError, Throttled
from airflow_dynamo_pipeline.items.page import Page, cut_page


@dataclass(frozen=True, kw_only=True, slots=True)
class Scanner:
    """Reads segments of one table for one run.

    ``before_page`` is called before a page's turn is waited for and again when it has come.
    """

    reader: TableReader
    throttle: Throttle
    sizer: PageSizer
    clock: Clock
    stop: threading.Event
    total_segments: int
    before_page: Callable[[], bool]  # True: it took a while; may refuse the page by raising
    warn: Callable[[str], None]

    def pages(self, segment: int, start_key: bytes | None) -> Iterator[Page]:
        """Every page after ``start_key``, to the end of the segment.

        Raises Stopped before the next page once the stop event is set; Throttled and other
        Temporary errors after ten minutes without a page; all else at once.
        """
        while True:
            page = self._page(segment, start_key)
            yield page
            start_key = page.last_key
            if start_key is None:
                return

    def _page(self, segment: int, start_key: bytes | None) -> Page:
        retries = retrying(
            self.clock, self.stop, before_pause=lambda error: self._before_retry(segment, error)
        )
        return retries(self._call, segment, start_key)

    def _call(self, segment: int, start_key: bytes | None) -> Page:
        limit = self.sizer.limit(self.throttle.units_per_second)
        booking = self._turn(limit)
        try:
            page = cut_page(self.reader.scan(self._scan_call(segment, limit, start_key)))
        except Throttled:
            self.throttle.refused(booking)
            raise
        except BaseException:
            self.throttle.give_up(booking)
            raise
        self.throttle.settle(booking, page.units)
        if page.units is not None:
            self.sizer.observe(page.ScannedCount, page.units)
        return page

    def _turn(self, limit: int | None) -> Booking:
        """A turn that is used at the moment it was given.

        What ``before_page`` has to do is done before the wait for a turn if it can be. If it was due again
        after the wait and took its time, the turn is given back: several of them used late would be a burst.
        """
        while True:
            self.before_page()
            booking = self.throttle.reserve(self.sizer.most_units(limit))
            try:
                late = self.before_page()
            except BaseException:
                self.throttle.refused(booking)  # nothing was read
                raise
            if not late:
                return booking
            self.throttle.refused(booking)  # its moment has passed

    def _scan_call(self, segment: int, limit: int | None, start_key: bytes | None) -> ScanCall:
        return ScanCall(segment=segment, total_segments=self.total_segments, limit=limit, start_key=start_key)

    def _before_retry(self, segment: int, error: PipelineError) -> None:
        """Refusals of one key range pause this segment only; all others lower the rate of the table."""
        self.warn(f"segment {segment}: {error}; trying again")
        if isinstance(error, Throttled) and not is_key_range(error):
            self.throttle.slow_down()


def is_key_range(error: Throttled) -> bool:
    """Whether every reason DynamoDB gave is the ceiling of one partition. No reason given: False."""
    return bool(error.reasons) and all("KeyRange" in reason for reason, _ in error.reasons)
