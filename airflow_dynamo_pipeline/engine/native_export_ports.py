"""What a native export needs from the world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from airflow_dynamo_pipeline.engine.native_jobs import JobState
from airflow_dynamo_pipeline.engine.native_windows import Recovery
from airflow_dynamo_pipeline.engine.ports import Clock, ObjectStore, TableDescription
from airflow_dynamo_pipeline.engine.prices import PricesOf, prices_for


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportState:
    """What DescribeExport says."""

    job: JobState
    manifest_key: str | None = None  # of manifest-summary.json
    export_time: datetime | None = None
    item_count: int = 0
    billed_bytes: int = 0
    table_id: str | None = None


class NativeExportService(Protocol):
    """DynamoDB's own exports of one table. Every call may be repeated."""

    def table(self) -> TableDescription:
        """Describe the table; raises NotFound or AccessDenied."""
        ...

    def recovery(self) -> Recovery:
        """Describe its point-in-time recovery; raises NotFound or AccessDenied."""
        ...

    def start(self, parameters: Mapping[str, Any]) -> str:
        """Ask for an export and return its ARN; within eight hours the same token means the same export.

        Raises NativeJobConflict or RecoveryUnavailable.
        """
        ...

    def describe(self, arn: str) -> ExportState:
        """Look at an export; raises NotFound after 90 days."""
        ...

    def find(self, table_arn: str, token: str) -> str | None:
        """The ARN of the export that was asked for by a token, among those of the last 90 days."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeExportPorts:
    """Everything a native export needs. ``store`` is the bucket it goes to."""

    service: NativeExportService
    store: ObjectStore
    clock: Clock
    say: Callable[[str], None]
    warn: Callable[[str], None]
    prices: PricesOf = prices_for  # by region
