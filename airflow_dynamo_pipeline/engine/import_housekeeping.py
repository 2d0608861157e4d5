"""What the calling thread does while an import runs: lease, checkpoint, rate, progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.duplicates import SeenKeys
from airflow_dynamo_pipeline.engine.housekeeping import CAPACITY_SECONDS
from airflow_dynamo_pipeline.engine.import_checkpoint import ImportCheckpoint
from airflow_dynamo_pipeline.engine.import_plan import USABLE_STATES, ImportPlan, ImportPorts
from airflow_dynamo_pipeline.engine.import_progress import ImportProgress
from airflow_dynamo_pipeline.engine.import_shares import rate_of_one
from airflow_dynamo_pipeline.engine.lease import Held
from airflow_dynamo_pipeline.engine.ledger import Ledger
from airflow_dynamo_pipeline.engine.own_use import OwnUse, SharedRate
from airflow_dynamo_pipeline.engine.paying import WriteCalls
from airflow_dynamo_pipeline.engine.ports import TableDescription
from airflow_dynamo_pipeline.engine.write_capacity import WriteRate, write_rate
from airflow_dynamo_pipeline.errors import Stopped, TableChanged, Temporary

CHECKPOINT_SECONDS = 10.0
SOME_REJECT_BYTES = 2 * 1024 * 1024  # in memory: they are written down at once


@dataclass(frozen=True, slots=True)
class ImportReports:
    """Where records of progress go, and how often."""

    to: Callable[[ImportProgress], None]
    every_seconds: float = 10.0
    at_stop: Callable[[ImportProgress], None] = lambda _: None  # what there is after a stop; not for people


class ImportHousekeeping:
    """Called every half second from one thread; each duty has its own interval."""

    def __init__(
        self,
        plan: ImportPlan,
        ports: ImportPorts,
        *,
        lease: Held,
        calls: WriteCalls,
        ledger: Ledger,
        checkpoint: ImportCheckpoint,
        seen: SeenKeys,
        reports: ImportReports,
        shared: SharedRate | None = None,
    ) -> None:
        """``shared``: the throttle holds a share of this rate."""
        self._plan = plan
        self._shared = shared
        self._ports = ports
        self._lease = lease
        self._calls = calls
        self._ledger = ledger
        self._checkpoint = checkpoint
        self._seen = seen
        self._reports = reports
        self._readers = {file.key: stage.reader for stage in plan.backup.stages for file in stage.files}
        now = ports.clock.monotonic()
        self._began_at = self._reported_at = self._capacity_at = self._checkpoint_at = now
        self._units_at_report = self._units_at_capacity = 0.0
        self._share_at_start = self._share()

    def tick(self) -> None:
        """Do what is due; raises StaleAttempt or TableChanged."""
        if self._ports.stop.is_set():
            self._calls.throttle.wake()
            return
        self._lease.beat()
        now = self._ports.clock.monotonic()
        if now - self._reported_at >= self._reports.every_seconds:
            self._report_now(now)
        if now - self._checkpoint_at >= CHECKPOINT_SECONDS or self._holds_rejects():
            self.write_checkpoint()
        if now - self._capacity_at >= CAPACITY_SECONDS:
            self._follow_the_table(now)

    def _holds_rejects(self) -> bool:
        return self._ledger.has_rejects and self._ledger.reject_bytes >= SOME_REJECT_BYTES

    def write_checkpoint(self) -> None:
        """Say how far the import has come."""
        self._checkpoint_at = self._ports.clock.monotonic()
        self._checkpoint.write(self._ledger, self._readers, units=self._calls.throttle.consumed, duplicates=0)

    def write_last_checkpoint(self) -> None:
        """The same at the end, with the duplicates, which take a while to count."""
        self._checkpoint.write(
            self._ledger,
            self._readers,
            units=self._calls.throttle.consumed,
            duplicates=self._seen.duplicates(),
        )

    def report_end(self) -> None:
        """Make the last record: its rate is that of the whole attempt."""
        self._reports.to(self._progress(self._ports.clock.monotonic(), self._calls.throttle.held))

    def report_stop(self) -> None:
        """Say what is accounted for in the checkpoint after a stop."""
        self._reports.at_stop(self._progress(self._ports.clock.monotonic(), self._calls.throttle.held))

    def _report_now(self, now: float) -> None:
        interval = now - self._reported_at
        units = self._calls.throttle.consumed - self._units_at_report
        self._reports.to(self._progress(now, units / interval if interval > 0 else 0.0))
        self._reported_at, self._units_at_report = now, self._calls.throttle.consumed

    def _share(self) -> float:
        files, done = self._plan.backup.files, self._files_done()
        if done == files:
            return 1.0
        expected = self._plan.backup.item_count
        return min(0.99, self._ledger.resolved / expected) if expected else done / files

    def _files_done(self) -> int:
        return self._ledger.files_done

    def _progress(self, now: float, held: float) -> ImportProgress:
        share = self._share()
        elapsed = now - self._began_at
        gained = share - self._share_at_start
        eta = 0.0 if share >= 1.0 else elapsed * (1.0 - share) / gained if gained > 0 else None
        return ImportProgress(
            items=self._ledger.resolved,
            rejected=self._ledger.rejected,
            under_way=self._ledger.under_way,
            files=self._plan.backup.files,
            files_done=self._files_done(),
            share_done=share,
            consumed_units=self._checkpoint.earlier.units + self._calls.throttle.consumed,
            units_per_second_asked=self._calls.throttle.target,
            units_per_second_held=held,
            elapsed_seconds=elapsed,
            eta_seconds=eta,
        )

    def _follow_the_table(self, now: float) -> None:
        """Read the capacity again: autoscaling and people change it, up and down."""
        seconds, self._capacity_at = now - self._capacity_at, now
        throttle = self._calls.throttle
        own = (throttle.consumed - self._units_at_capacity) / seconds
        self._units_at_capacity = throttle.consumed
        try:
            table = self._ports.table.describe()
            rate = self._rate(table, own)
        except Stopped:
            return
        except Temporary as error:
            self._ports.warn(f"could not read the capacity again, keeping the rate: {error}")
            return
        if table.identity != self._plan.table.identity or table.status not in USABLE_STATES:
            raise TableChanged(
                f"table {table.name} is {table.status}, or was deleted and made anew, during the import"
            )
        self._calls.rate = rate
        if rate.units_per_second != throttle.target:
            self._ports.say(f"rate now {rate.units_per_second:,.1f} write units per second ({rate.reason})")
            throttle.set_target(rate.units_per_second)

    def _rate(self, table: TableDescription, own: float) -> WriteRate:
        request, capacity = self._plan.request, self._ports.capacity
        if self._shared is not None:
            return rate_of_one(request, table, capacity, self._shared)
        return write_rate(request, table, capacity, own=OwnUse.exactly(own))
