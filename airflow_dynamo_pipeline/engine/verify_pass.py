"""One reading of both sides: the export's files and the table's segments, under the throttle."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_dynamo_pipeline.engine.housekeeping import Housekeeping, Reports
from airflow_dynamo_pipeline.engine.plan import Ports
from airflow_dynamo_pipeline.engine.ports import TableReader
from airflow_dynamo_pipeline.engine.progress import Totals
from airflow_dynamo_pipeline.engine.scan import Scanner
from airflow_dynamo_pipeline.engine.sizing import PageSizer
from airflow_dynamo_pipeline.engine.table_gone import table_still_there
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.engine.verify import ExportCheck
from airflow_dynamo_pipeline.engine.verify_export import ExportFiles, Take
from airflow_dynamo_pipeline.engine.verify_plan import VerifyPlan
from airflow_dynamo_pipeline.engine.workers import Workers
from airflow_dynamo_pipeline.errors import TableChanged

FILE_READERS = 2  # threads: one alone may wait for S3 longer than the table takes
FILES = (-1,) * FILE_READERS  # the tasks that read files; all others are segments


class Pass:
    """Reads everything once, on a few threads. The calling thread keeps house."""

    def __init__(
        self,
        plan: VerifyPlan,
        ports: Ports,
        reports: Reports,
        *,
        table: TableReader,
        check: ExportCheck,
        throttle: Throttle,
    ) -> None:
        """``table`` is read under ``throttle``; ``check`` takes the findings about the files."""
        self._plan = plan
        self._ports = ports
        self._check = check
        self._totals = Totals(plan.segments + len(check.entries))
        sizer = PageSizer(
            consistent_read=plan.request.consistent_read,
            size_bytes=plan.table.size_bytes,
            item_count=plan.table.item_count,
        )
        self._throttle = throttle
        self._scanner = _scanner(plan, ports, table, throttle, sizer)
        self._files = ExportFiles(check, plan.reader, self._totals, ports.stop)
        self._housekeeping = Housekeeping(plan, ports, None, throttle, self._totals, reports)

    def run(self, exported: Take, stored: Take, *, files_first: bool = False) -> None:
        """Hand over the items of both sides, each from several threads.

        ``files_first``: no item of the table comes before the last one of the export. Raises InvalidExport
        as soon as all files are read, Stopped, TableChanged, and the errors of the ports.
        """
        segments = range(self._plan.segments)
        if files_first:
            self._work(FILES, exported, stored, threads=FILE_READERS)
            self._work(segments, exported, stored, threads=self._plan.threads)
        else:
            both = (*FILES, *segments)
            self._work(both, exported, stored, threads=FILE_READERS + self._plan.threads)
        self._refuse_another_table()
        self._housekeeping.report_end()

    def _work(self, tasks: Sequence[int], exported: Take, stored: Take, *, threads: int) -> None:
        def run(task: int) -> None:
            if task < 0:
                self._files.read(exported)
            else:
                self._scan(task, stored)

        with table_still_there(self._deleted):
            workers = Workers(tasks, run, threads=threads)
            workers.run(self._ports.clock, tick=self._housekeeping.tick, stop_all=self._stop_all)

    def _scan(self, segment: int, stored: Take) -> None:
        for page in self._scanner.pages(segment, None):
            stored(page.Items)
            self._totals.page(
                items=page.Count,
                scanned=page.ScannedCount,
                written=sum(map(len, page.Items)),
            )
        self._totals.segment()

    def _stop_all(self) -> None:
        self._ports.stop.set()
        self._throttle.wake()

    @property
    def _deleted(self) -> str:
        return f"table {self._plan.request.table_name} was deleted while it was read"

    def _refuse_another_table(self) -> None:
        with table_still_there(self._deleted):
            identity = self._ports.table.describe().identity
        if identity != self._plan.table.identity:
            raise TableChanged(
                f"table {self._plan.request.table_name} was deleted and made anew while it was read"
            )


def _scanner(
    plan: VerifyPlan, ports: Ports, table: TableReader, throttle: Throttle, sizer: PageSizer
) -> Scanner:
    return Scanner(
        reader=table,
        throttle=throttle,
        sizer=sizer,
        clock=ports.clock,
        stop=ports.stop,
        total_segments=plan.segments,
        before_page=lambda: False,
        warn=ports.warn,
    )
