"""What a native import needs of AWS, and what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from airflow_dynamo_pipeline.engine.native_jobs import UNDER_WAY
from airflow_dynamo_pipeline.engine.ports import Clock, ObjectStore, TableDescription
from airflow_dynamo_pipeline.engine.table_definition import TableDefinition


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeImport:
    """What DescribeImport says; None where it says nothing."""

    arn: str
    status: str  # IN_PROGRESS, COMPLETED, CANCELLING, CANCELLED or FAILED
    table_arn: str = ""
    table_id: str | None = None
    client_token: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    log_group_arn: str | None = None
    items: int = 0  # imported; of items with the same key, the last counts
    processed_items: int = 0
    processed_bytes: int = 0
    errors: int = 0
    failure_code: str | None = None
    failure_message: str | None = None

    @property
    def import_id(self) -> str:
        """The last part of the ARN, which names the streams of the log."""
        return self.arn.rpartition("/")[2]

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.status in UNDER_WAY

    def line(self) -> str:
        """One line for a log."""
        return (
            f"import {self.import_id} is {self.status}: {self.items:,} items imported, {self.errors:,} "
            f"errors, {self.processed_items:,} items and {self.processed_bytes:,} bytes processed"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorLog:
    """The first lines of an import's error log, and how many there are beside them."""

    lines: Sequence[str] = ()
    more: int = 0
    is_counted: bool = True  # False: ``more`` is the least there are


class NativeImports(Protocol):
    """DynamoDB's imports and what they make. All raise the error tree, NotFound of what is not there."""

    def table(self, name: str) -> TableDescription | None:
        """The table as it is now; None when there is none."""
        ...

    def imports_into(self, table_arn: str) -> Iterable[NativeImport]:
        """The imports of the last 90 days that made a table of this ARN, the newest first."""
        ...

    def start(self, call: Mapping[str, Any]) -> NativeImport | None:
        """ImportTable with these members; None when the table exists already."""
        ...

    def describe(self, arn: str) -> NativeImport:
        """Look at an import."""
        ...

    def error_log(self, found: NativeImport, most: int) -> ErrorLog:
        """Read its error log, ``most`` lines of it."""
        ...

    def delete_table(self, name: str) -> None:
        """Begin to delete a table."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """What a restore of settings has settled, and what is not as the definition says, in words."""

    done: Sequence[str]
    not_restored: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeImportPorts:
    """Everything a native import needs. ``store`` takes a bucket's name, ``restore`` a table's as well."""

    imports: NativeImports
    store: Callable[[str], ObjectStore]
    restore: Callable[[TableDefinition, str], Restored]
    clock: Clock
    stop: threading.Event
    say: Callable[[str], None]
    warn: Callable[[str], None]
