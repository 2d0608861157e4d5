"""What a lookup load has done so far, as a record for logs, the UI and metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_progress import ImportProgress
from airflow_dynamo_pipeline.engine.ports import Clock, JsonObject
from airflow_dynamo_pipeline.engine.progress import Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupProgress:
    """One record of progress of the steps before the first write; the writes report as an import does."""

    step: str  # "query" or "compare"
    rows: int  # fetched and converted
    rejected: int
    elapsed_seconds: float

    def to_json(self) -> JsonObject:
        """A small JSON object with rounded figures."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }

    def line(self) -> str:
        """One line for a log."""
        return f"{self.step}: {self.rows:,} rows, {self.rejected:,} rejected, {self.elapsed_seconds:,.0f} s"


AnyProgress = LookupProgress | ImportProgress | Progress


@dataclass(frozen=True, slots=True)
class LookupReports:
    """Where records of progress go, and how often."""

    to: Callable[[AnyProgress], None]
    every_seconds: float = 10.0
    at_stop: Callable[[ImportProgress], None] = lambda _: None

    @property
    def of_writes(self) -> ImportReports:
        """The same for the writes."""
        return ImportReports(self.to, self.every_seconds, self.at_stop)

    @property
    def of_reads(self) -> Reports:
        """The same for the scan of the table."""
        return Reports(self.to, self.every_seconds)


@dataclass
class Meter:
    """Counts what the steps before the first write do, and reports it when it is due; for one thread."""

    clock: Clock
    reports: LookupReports
    step: str = "query"
    rows: int = 0
    rejected: int = 0
    _began_at: float = field(init=False)
    _reported_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._began_at = self._reported_at = self.clock.monotonic()

    def tick(self) -> None:
        """Report if it is due."""
        now = self.clock.monotonic()
        if now - self._reported_at >= self.reports.every_seconds:
            self._reported_at = now
            self.reports.to(self.record(now))

    def record(self, now: float) -> LookupProgress:
        """What there is."""
        return LookupProgress(
            step=self.step,
            rows=self.rows,
            rejected=self.rejected,
            elapsed_seconds=now - self._began_at,
        )
