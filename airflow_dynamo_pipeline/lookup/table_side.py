"""The table's items as prints in buckets: a scan under the throttle, of whole items.

A Scan costs the same with and without a projection, and a digest that is stored in an item cannot know what
others wrote beside it: so the digest is made of the item itself.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec

from airflow_dynamo_pipeline.engine.collector import give_free_memory_back, old_objects_set_aside
from airflow_dynamo_pipeline.engine.housekeeping import Housekeeping
from airflow_dynamo_pipeline.engine.lease import Lease
from airflow_dynamo_pipeline.engine.progress import Totals
from airflow_dynamo_pipeline.engine.scan import Scanner
from airflow_dynamo_pipeline.engine.sizing import PageSizer
from airflow_dynamo_pipeline.engine.table_gone import table_still_there
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.engine.workers import Workers
from airflow_dynamo_pipeline.errors import TableChanged
from airflow_dynamo_pipeline.items.canonical_texts import KeyedTexts
from airflow_dynamo_pipeline.items.key_texts import key_texts
from airflow_dynamo_pipeline.items.page import Page
from airflow_dynamo_pipeline.lookup.partition import Partition, digests_of
from airflow_dynamo_pipeline.lookup.plan import LookupPlan
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.progress import LookupReports

AT_ONCE = 1000  # items decoded
MOST_THREADS = 4  # each holds a page; one after the other they are taken


class TableSide:
    """One reading of the whole table. The calling thread keeps house."""

    def __init__(
        self,
        plan: LookupPlan,
        ports: LookupPorts,
        reports: LookupReports,
        *,
        lease: Lease | None,
        throttle: Throttle,
        partition: Partition,
    ) -> None:
        """``lease`` None: of a dry run, which excludes nobody."""
        self._plan = plan
        self._ports = ports
        self._partition = partition
        self._totals = Totals(plan.segments)
        self._throttle = throttle
        self._scanner = Scanner(
            reader=ports.reading.table,
            throttle=throttle,
            sizer=_sizer(plan),
            clock=ports.clock,
            stop=ports.stop,
            total_segments=plan.segments,
            before_page=lease.beat if lease else lambda: False,
            warn=ports.warn,
        )
        self._housekeeping = Housekeeping(
            plan, ports.reading, lease, throttle, self._totals, reports.of_reads
        )
        self._keyed = KeyedTexts(plan.key)
        self._one_at_a_time = threading.Lock()

    def read(self) -> None:
        """Scan it; raises TableChanged when it is not the table that was planned with, and Stopped."""
        gone = f"table {self._plan.load.table_name} was deleted while it was compared"
        with old_objects_set_aside(), table_still_there(gone):
            tasks = range(self._plan.segments)
            workers = Workers(tasks, self._segment, threads=min(self._plan.threads, MOST_THREADS))
            workers.run(self._ports.clock, tick=self._housekeeping.tick, stop_all=self._stop_all)
            self._partition.close()
            give_free_memory_back()
            if self._ports.reading.table.describe().identity != self._plan.table.identity:
                raise TableChanged(gone.replace("deleted", "deleted and made anew"))

    def _segment(self, segment: int) -> None:
        for page in self._scanner.pages(segment, None):
            self._take(page)
        self._totals.segment()

    def _take(self, page: Page) -> None:
        if page.Items:
            with self._one_at_a_time:
                self._partition.add(*self._printed(page.Items))
        self._totals.page(items=page.Count, scanned=page.ScannedCount, written=sum(map(len, page.Items)))

    def _printed(self, items: Sequence[msgspec.Raw]) -> tuple[list[bytes], list[bytes]]:
        """Keys and digests; decoded, items take ten times their size, so few of them are at a time."""
        tags = [attribute.tag for attribute in self._plan.key]
        keys: list[bytes] = []
        digests: list[bytes] = []
        for start in range(0, len(items), AT_ONCE):
            some = items[start : start + AT_ONCE]
            found, texts = self._keyed.of(some)
            keys += key_texts(found, tags)
            digests += digests_of(texts)
        return keys, digests

    def _stop_all(self) -> None:
        self._ports.stop.set()
        self._throttle.wake()


def _sizer(plan: LookupPlan) -> PageSizer:
    return PageSizer(
        consistent_read=plan.load.consistent_read,
        size_bytes=plan.table.size_bytes,
        item_count=plan.table.item_count,
    )
