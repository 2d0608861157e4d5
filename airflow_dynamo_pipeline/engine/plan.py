"""Everything decided before the first Scan; refuses with all findings at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from airflow_dynamo_pipeline.engine.capacity import (
    MAX_THREADS,
    ReadRate,
    read_rate,
    segments_fed_by,
    segments_for,
)
from airflow_dynamo_pipeline.engine.estimate import Estimate, estimate_of
from airflow_dynamo_pipeline.engine.existing import Start, Target, choose_target
from airflow_dynamo_pipeline.engine.export_method import beside_a_scan
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.layout import ROOT
from airflow_dynamo_pipeline.engine.own_use import NOTHING, OwnUse, of_all
from airflow_dynamo_pipeline.engine.plan_cost import counted
from airflow_dynamo_pipeline.engine.ports import (
    CapacitySource,
    Clock,
    IndexDescription,
    ObjectStore,
    TableDescription,
    TableReader,
)
from airflow_dynamo_pipeline.engine.prices import Prices, PricesOf, prices_for
from airflow_dynamo_pipeline.engine.requests import ExportRequest, S3Location
from airflow_dynamo_pipeline.engine.table_definition import TableDefinition
from airflow_dynamo_pipeline.errors import PipelineError, PreflightFailed, Problem, Refused, Temporary
from airflow_dynamo_pipeline.formats import FORMATS
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS

LIKELY_PER_THREAD = 640.0  # units per second of full pages at some 200 ms each
READABLE_STATES = ("ACTIVE", "UPDATING")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """The world as an export sees it."""

    table: TableReader
    store: ObjectStore
    capacity: CapacitySource
    clock: Clock
    stop: threading.Event
    say: Callable[[str], None]  # one line for the log
    warn: Callable[[str], None]
    definition: Callable[[], TableDefinition] | None = None  # raises Refused for what cannot be read
    prices: PricesOf = prices_for  # by region


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What an export will do."""

    request: ExportRequest
    work: Work
    target: Target
    table: TableDescription
    rate: ReadRate
    segments: int
    prices: Prices
    definition: TableDefinition | None = None  # to be written beside the manifest

    @property
    def threads(self) -> int:
        """Segments read at the same time."""
        return min(self.segments, MAX_THREADS, segments_fed_by(self.rate.units_per_second))

    @property
    def size_bytes(self) -> int:
        """DescribeTable's size of what is scanned."""
        index = self._index
        return self.table.size_bytes if index is None else index.size_bytes

    @property
    def item_count(self) -> int:
        """DescribeTable's item count of what is scanned."""
        index = self._index
        return self.table.item_count if index is None else index.item_count

    @property
    def estimate(self) -> Estimate:
        """What reading all of it takes."""
        return estimate_of(self.request, self.table, self.rate, self.segments, self.prices)

    @property
    def workers(self) -> int:
        """Those that read at the same time."""
        return self.target.plan.at_once if self.target.plan else 1

    @property
    def _read_by(self) -> str:
        stored = self.target.plan
        if stored is None or stored.ranges == 1:
            return f"on {counted(self.threads, 'thread')}"
        return f"in {stored.ranges:,} ranges, {stored.at_once:,} at once"

    @property
    def _index(self) -> IndexDescription | None:
        name = self.request.index_name
        return self.table.indexes.get(name) if name else None

    def line(self) -> str:
        """One line for a log."""
        request, rate = self.request, self.rate
        index = f" index {request.index_name}" if request.index_name else ""
        return (
            f"{self.target.start.value}: {request.table_name}{index}, about {self.item_count:,} items and "
            f"{self.size_bytes:,} bytes, to {self.target.layout.manifest_uri} at "
            f"{rate.units_per_second:,.1f} read units per second ({rate.reason}), "
            f"{counted(self.segments, 'segment')} {self._read_by}; "
            f"{self.estimate.line()}"
        )

    def lines(self) -> Iterator[str]:
        """Lines for a log: the plan, and what else there may be."""
        yield self.line()
        if self.target.start is Start.NEW:
            yield beside_a_scan(self.request, self.estimate)


def make_plan(request: ExportRequest, work: Work, ports: Ports, known: Target | None = None) -> Plan:
    """Look at table, bucket and target without changing anything; ``known``: the target is decided.

    Raises PreflightFailed with every finding; Temporary errors pass through, so that a retry can help.
    """
    problems: list[Problem] = []
    table = finding(problems, "table_name", ports.table.describe)
    if table is not None:
        problems += table_problems(request, table)
    problems += store_problems(request.location, table, ports.store, ROOT)
    definition = _definition(problems, request, ports) if table is not None else None
    finding(problems, "compression", COMPRESSIONS[request.compression].check_available)
    target = known or _find_target(problems, request, work, ports, table)
    rate = None
    if table is not None:
        own = _own_use(target)
        rate = finding(problems, "ratio", lambda: read_rate(request, table, ports.capacity, own=own))
    if problems or table is None or rate is None or target is None:
        raise PreflightFailed(problems)
    segments = request.segments or segments_for(table, request, rate)
    if target.plan is not None:
        segments = _begun_with(target.plan.segments, request, ports)
    return Plan(
        request=request,
        work=work,
        target=target,
        table=table,
        rate=rate,
        segments=segments,
        prices=ports.prices(table.region).of_class(table.table_class),
        definition=definition,
    )


def announce(plan: Plan, ports: Ports) -> None:
    """Say, before the first Scan, what will be done and what to expect of it."""
    rate, request = plan.rate.units_per_second, plan.request
    if plan.target.start is not Start.ADOPT and rate > plan.workers * MAX_THREADS * LIKELY_PER_THREAD:
        tasks = "one task reads" if plan.workers == 1 else f"{plan.workers:,} tasks read"
        each = "" if plan.workers == 1 else " each"
        ports.say(
            f"{rate:,.0f} units per second may not be reached: {tasks} {MAX_THREADS} segments{each} at a time"
        )
    for line in plan.lines():
        ports.say(line)
    if not FORMATS[request.file_format].lossless:
        ports.warn(f"file_format {request.file_format} is lossy: {FORMATS[request.file_format].lossy_in}")


def _own_use(target: Target | None) -> OwnUse:
    """What was consumed of late by those who share this export out, as far as it can be told."""
    stored = target.plan if target is not None else None
    return of_all(stored.units_per_second, stored.slack) if stored is not None else NOTHING


def _begun_with(segments: int, request: ExportRequest, ports: Ports) -> int:
    if request.segments not in (None, segments):
        ports.say(f"resuming with the {segments} segments the export was begun with, not {request.segments}")
    return segments


def _definition(problems: list[Problem], request: ExportRequest, ports: Ports) -> TableDefinition | None:
    """Read now, so that what may not be read is known before the first Scan."""
    if not request.save_table_definition:
        return None
    if ports.definition is None:
        problems.append(Problem("save_table_definition", "definitions cannot be read here"))
        return None
    return finding(problems, "save_table_definition", ports.definition)


Result = TypeVar("Result")


def finding(problems: list[Problem], where: str, look: Callable[[], Result]) -> Result | None:
    """Look at one thing; what is wrong with it becomes a problem, what is temporary is raised."""
    try:
        return look()
    except Temporary:
        raise
    except Refused as refused:
        problems.extend(refused.problems)
    except PipelineError as error:
        message, _, hint = str(error).partition("\nHINT: ")
        problems.append(Problem(where, message, hint or None))
    return None


def _find_target(
    problems: list[Problem], request: ExportRequest, work: Work, ports: Ports, table: TableDescription | None
) -> Target | None:
    """Not looked for in a bucket that cannot be read: that would only repeat the finding."""
    if any(problem.where == "s3_uri" for problem in problems):
        return None
    identity = table.identity if table else None
    return finding(
        problems,
        "s3_uri",
        lambda: choose_target(request, work, ports.store, identity, ports.clock.now(), ports.say),
    )


def table_problems(request: ExportRequest, table: TableDescription) -> Iterator[Problem]:
    """Why a table, or one of its indexes, cannot be read as asked."""
    if table.status not in READABLE_STATES:
        yield Problem(
            "table_name",
            f"table {table.name} is {table.status}",
            f"it must be {' or '.join(READABLE_STATES)}",
        )
    name = request.index_name
    if name is None:
        return
    index = table.indexes.get(name)
    if index is None:
        known = ", ".join(table.indexes) or "none"
        yield Problem("index_name", f"table {table.name} has no index {name!r}", f"its indexes: {known}")
        return
    if index.status not in READABLE_STATES:
        yield Problem(
            "index_name", f"index {name} is {index.status}", f"it must be {' or '.join(READABLE_STATES)}"
        )
    if index.is_global and request.consistent_read:
        yield Problem(
            "consistent_read",
            f"index {name} is global",
            "DynamoDB reads global indexes eventually consistent only",
        )


def store_problems(
    location: S3Location, table: TableDescription | None, store: ObjectStore, folder: str
) -> list[Problem]:
    """Why objects cannot be written to a folder below a location, which ``store`` is the bucket of."""
    problems: list[Problem] = []
    region = finding(problems, "s3_uri", store.region)
    if problems:
        return problems
    if table is not None and region is not None and region != table.region:
        problems.append(
            Problem(
                "s3_uri",
                f"bucket {location.bucket} is in {region}, table {table.name} in {table.region}",
                "use a bucket in the table's region; data would leave it, and no KMS key serves two",
            )
        )
        return problems
    finding(problems, "s3_uri", lambda: store.probe(location.key(folder, "_probe")))
    return problems
