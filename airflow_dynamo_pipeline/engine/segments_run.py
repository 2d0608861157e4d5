"""Segments of one export scanned by one attempt: all of them, or those of a range."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.checkpoint import Checkpoint
from airflow_dynamo_pipeline.engine.collector import old_objects_set_aside
from airflow_dynamo_pipeline.engine.housekeeping import Housekeeping, Reports
from airflow_dynamo_pipeline.engine.lease import Held
from airflow_dynamo_pipeline.engine.manifest import read_summary
from airflow_dynamo_pipeline.engine.own_use import SharedRate
from airflow_dynamo_pipeline.engine.plan import Plan, Ports
from airflow_dynamo_pipeline.engine.ports import TableDescription
from airflow_dynamo_pipeline.engine.progress import Totals
from airflow_dynamo_pipeline.engine.ranges import in_order
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.scan import Scanner
from airflow_dynamo_pipeline.engine.segment_export import SegmentExporter
from airflow_dynamo_pipeline.engine.sizing import PageSizer
from airflow_dynamo_pipeline.engine.table_gone import table_still_there
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.engine.workers import Workers
from airflow_dynamo_pipeline.errors import StaleAttempt, Stopped, TableChanged


@dataclass(frozen=True, slots=True)
class WhatIsScanned:
    """The share of a table that some segments hold, as far as progress is concerned."""

    request: ExportRequest
    table: TableDescription
    item_count: int


class SegmentsRun:
    """The parts of one attempt, put together."""

    def __init__(
        self,
        plan: Plan,
        ports: Ports,
        lease: Held,
        checkpoint: Checkpoint,
        *,
        segments: range,
        sizer: PageSizer,
        throttle: Throttle,
        shared: SharedRate | None = None,
    ) -> None:
        """``throttle`` holds a share of the rate ``shared``, of which the plan's request is for all."""
        self._plan = plan
        self._ports = ports
        self._lease = lease
        self._checkpoint = checkpoint
        self._segments = segments
        self._shared = shared
        self.totals = Totals(len(segments))
        self.throttle = throttle
        self._scanner = Scanner(
            reader=ports.table,
            throttle=throttle,
            sizer=sizer,
            clock=ports.clock,
            stop=ports.stop,
            total_segments=plan.segments,
            before_page=lease.beat,
            warn=ports.warn,
        )

    def housekeeping(self, reports: Reports) -> Housekeeping:
        """What the calling thread does meanwhile."""
        plan = self._plan
        items = plan.item_count * len(self._segments) // plan.segments
        what = WhatIsScanned(plan.request, plan.table, items)
        return Housekeeping(
            what, self._ports, self._lease, self.throttle, self.totals, reports, shared=self._shared
        )

    def scan(self, housekeeping: Housekeeping) -> None:
        """Bring every segment to its end."""
        self._checkpoint.create_missing(self._between_calls, self._segments)
        if read_summary(self._ports.store, self._plan.target.layout) is not None:
            raise StaleAttempt("another attempt committed this export while this one began")
        self._lease.check()
        left = []
        for state in self._checkpoint.read_all(self._between_calls, self._segments):
            self.totals.add(state)
            if not state.done:
                left.append(state.segment)
        if left:
            if self._segments.step > 1:  # of a range
                left = in_order(left, self._segments.start)
            workers = Workers(left, self._exporter().export, threads=min(self._plan.threads, len(left)))
            try:
                with old_objects_set_aside(), table_still_there(self._deleted):
                    workers.run(self._ports.clock, tick=housekeeping.tick, stop_all=self._stop_all)
            except Stopped:
                housekeeping.report_stop()
                raise
        with table_still_there(self._deleted):
            self._refuse_another_table()

    def _exporter(self) -> SegmentExporter:
        return SegmentExporter(
            request=self._plan.request,
            layout=self._plan.target.layout,
            store=self._ports.store,
            scanner=self._scanner,
            checkpoint=self._checkpoint,
            lease=self._lease,
            totals=self.totals,
            clock=self._ports.clock,
            say=self._ports.say,
        )

    def _between_calls(self) -> None:
        """A thousand segments take a while to begin with: stay alive and hear a stop."""
        if self._ports.stop.is_set():
            raise Stopped("told to stop before the first page")
        self._lease.beat()

    def _stop_all(self) -> None:
        self._ports.stop.set()
        self.throttle.wake()

    @property
    def _deleted(self) -> str:
        return f"table {self._plan.request.table_name} was deleted during the export; nothing was committed"

    def _refuse_another_table(self) -> None:
        """Pages of two tables must not become one export."""
        if self._ports.table.describe().identity != self._plan.table.identity:
            raise TableChanged(
                f"table {self._plan.request.table_name} was deleted and made anew during the export; "
                "nothing was committed"
            )
