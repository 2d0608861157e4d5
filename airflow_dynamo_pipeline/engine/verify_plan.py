"""What is decided before items of an export and a table are compared; refuses with all findings at once."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.capacity import (
    MAX_THREADS,
    ReadRate,
    read_rate,
    segments_fed_by,
    segments_for,
)
from airflow_dynamo_pipeline.engine.plan import Ports, finding, table_problems
from airflow_dynamo_pipeline.engine.plan_cost import counted
from airflow_dynamo_pipeline.engine.ports import TableDescription, TableReader
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.verify import ExportCheck, verify_files
from airflow_dynamo_pipeline.engine.verify_export import reader_of, uncomparable
from airflow_dynamo_pipeline.engine.verify_request import VerifyRequest
from airflow_dynamo_pipeline.errors import InvalidExport, PreflightFailed, Problem
from airflow_dynamo_pipeline.formats.reading import ItemReader


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyPorts:
    """The world as a comparison with a table sees it."""

    ports: Ports
    consistent: TableReader  # the same table, read consistently


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyPlan:
    """What a comparison will read, and how."""

    request: ExportRequest  # the reads of the table
    table: TableDescription
    rate: ReadRate
    segments: int
    check: ExportCheck
    reader: ItemReader

    @property
    def threads(self) -> int:
        """Segments read at the same time."""
        return min(self.segments, MAX_THREADS, segments_fed_by(self.rate.units_per_second))

    @property
    def key(self) -> list[str]:
        """The names of the table's key attributes."""
        return [attribute.name for attribute in self.table.key]

    @property
    def item_count(self) -> int:
        """About how many items there are to read, on both sides."""
        return self.table.item_count + self.check.summary.item_count

    def line(self) -> str:
        """One line for a log."""
        return (
            f"comparing {self.check.summary.item_count:,} items in {len(self.check.entries):,} files with "
            f"table {self.request.table_name}, about {self.table.item_count:,} items, at "
            f"{self.rate.units_per_second:,.1f} read units per second ({self.rate.reason}), "
            f"{counted(self.segments, 'segment')} on {counted(self.threads, 'thread')}"
        )


def make_verify_plan(request: VerifyRequest, ports: Ports) -> VerifyPlan:
    """Look at manifest and table.

    Raises NotFound without a manifest, InvalidExport for one that is wrong, PreflightFailed with every
    finding about what cannot be compared; Temporary errors pass through.
    """
    check = ExportCheck(request.manifest_uri, ports.store)
    if check.problems:
        verify_files(request.manifest_uri, ports.store)  # names what is wrong with the files, too
        raise InvalidExport(request.manifest_uri, check.problems)
    problems = list(uncomparable(check))
    reader = reader_of(check)
    if reader is not None:
        finding(problems, "manifest_uri", reader.check_available)
    reading = request.reading
    table = finding(problems, "table_name", ports.table.describe)
    rate = None
    if table is not None:
        problems += table_problems(reading, table)
        if not table.key:
            problems.append(Problem("table_name", f"the key of table {table.name} is not known"))
        rate = finding(problems, "ratio", lambda: read_rate(reading, table, ports.capacity))
    if problems or table is None or rate is None or reader is None:
        raise PreflightFailed(problems)
    return VerifyPlan(
        request=reading,
        table=table,
        rate=rate,
        segments=reading.segments or segments_for(table, reading, rate),
        check=check,
        reader=reader,
    )
