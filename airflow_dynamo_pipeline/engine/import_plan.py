"""Everything decided before the first item is written; refuses with all findings at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import partial

from airflow_dynamo_pipeline.engine.finding import find_backup
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_fit import key_problems, reader_problems
from airflow_dynamo_pipeline.engine.import_place import (
    Chosen,
    Search,
    choose_place,
    open_place,
    records_location,
)
from airflow_dynamo_pipeline.engine.import_reading import stored_content
from airflow_dynamo_pipeline.engine.import_request import AUTO, ImportRequest
from airflow_dynamo_pipeline.engine.own_use import NOTHING, of_all
from airflow_dynamo_pipeline.engine.plan import finding
from airflow_dynamo_pipeline.engine.plan_import import ImportEstimate, estimate_import
from airflow_dynamo_pipeline.engine.ports import (
    CapacitySource,
    Clock,
    ObjectStore,
    TableDescription,
    TableWriter,
)
from airflow_dynamo_pipeline.engine.prices import Prices, PricesOf, prices_for
from airflow_dynamo_pipeline.engine.production_tags import production_tags
from airflow_dynamo_pipeline.engine.shares import ALONE, Sharing
from airflow_dynamo_pipeline.engine.sources import Backup
from airflow_dynamo_pipeline.engine.write_capacity import WriteRate, write_rate
from airflow_dynamo_pipeline.errors import ImportRefused, Problem
from airflow_dynamo_pipeline.formats.detection import detect_content
from airflow_dynamo_pipeline.formats.readers import READERS

WRITABLE_STATES = ("ACTIVE",)
USABLE_STATES = (*WRITABLE_STATES, "UPDATING")  # a change of its capacity does not stop writes
UNITS_PER_WRITER = 400.0  # what one thread's batches come to, at some 25 ms each and a kilobyte an item
MOST_AUTO_WRITERS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportPorts:
    """The world as an import sees it. ``records`` is the bucket of rejects, checkpoint and record."""

    table: TableWriter
    source: ObjectStore
    records: ObjectStore
    capacity: CapacitySource
    clock: Clock
    stop: threading.Event
    say: Callable[[str], None]
    warn: Callable[[str], None]
    prices: PricesOf = prices_for  # by region


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportPlan:
    """What an import will do."""

    request: ImportRequest
    work: Work
    backup: Backup
    table: TableDescription
    ttl_attribute: str | None
    rate: WriteRate
    chosen: Chosen
    prices: Prices
    sharing: Sharing = ALONE

    @property
    def writers(self) -> int:
        """Batches under way at the same time."""
        if self.request.segments is not None:
            return self.request.segments
        return min(MOST_AUTO_WRITERS, max(1, int(self.rate.units_per_second / UNITS_PER_WRITER)))

    @property
    def is_shared_out(self) -> bool:
        """Whether an earlier attempt shared this import out to several workers."""
        return self.chosen.record is not None and self.chosen.record.ranges > 0

    @property
    def by_index(self) -> bool:
        """Whether replies must tell what each index consumed."""
        return bool(self.rate.weights)

    @property
    def estimate(self) -> ImportEstimate:
        """The least that writing all of it takes."""
        return estimate_import(self.backup, self.table, self.rate, self.prices)

    def line(self) -> str:
        """One line for a log."""
        count = self.backup.item_count
        items = "items uncounted" if count is None else f"{count:,} items"
        return (
            f"{self.chosen.start.value}: {self.backup.kind}, {items} in {self.backup.files:,} files, "
            f"into table {self.request.table_name} at {self.rate.units_per_second:,.1f} write units per "
            f"second ({self.rate.reason}), on_conflict {self.request.on_conflict}, "
            f"{self.writers} batches at a time, record {self.chosen.place.record_key}"
        )


def make_import_plan(
    request: ImportRequest, work: Work, ports: ImportPorts, known: Backup | None = None, of: str | None = None
) -> ImportPlan:
    """Look at table, source and earlier imports without changing anything.

    ``known`` is a backup that the caller made itself; else it is looked for at ``request.s3_uri``. ``of`` is
    the id of an import that a plan began, for those who work on a part of it; else it is looked for, or new.
    Raises ImportRefused with every finding; Temporary errors pass through, so that a retry can help.
    """
    problems: list[Problem] = []
    table = finding(problems, "table_name", ports.table.describe)
    rate = ttl = chosen = None
    if table is not None:
        problems += _table_problems(request, table, ports, of)
        ttl = finding(problems, "table_name", ports.table.ttl_attribute)
    backup = finding(problems, "s3_uri", lambda: known or backup_of(request, ports))
    if backup is not None:
        problems += _backup_problems(request, backup, table, ports)
        problems += _place_problems(request, backup, ports)
        if table is not None:
            chosen = _choose(problems, _search(request, work, backup, table, ports), of)
    if table is not None:
        rate = finding(problems, "ratio", lambda: _rate(request, table, ports, chosen))
    if problems or table is None or rate is None or backup is None or chosen is None:
        raise ImportRefused(problems)
    _warn_of(request, table, ttl, ports)
    return ImportPlan(
        request=request,
        work=work,
        backup=backup,
        table=table,
        ttl_attribute=ttl,
        rate=rate,
        chosen=chosen,
        prices=ports.prices(table.region).of_class(table.table_class),
    )


def _rate(
    request: ImportRequest, table: TableDescription, ports: ImportPorts, chosen: Chosen | None
) -> WriteRate:
    """Of the whole import; what those consume who share it out is its own, as far as it can be told."""
    record = chosen.record if chosen is not None else None
    own = of_all(record.units_per_second, record.slack) if record is not None else NOTHING
    return write_rate(request, table, ports.capacity, own=own)


def _choose(problems: list[Problem], search: Search, of: str | None) -> Chosen | None:
    """The place, or None with the problem kept; not where records cannot be written in any case."""
    if any(problem.where == "rejects_s3_uri" for problem in problems):
        return None
    choose = choose_place if of is None else partial(open_place, import_id=of)
    return finding(problems, "rejects_s3_uri", lambda: choose(search))


def _table_problems(
    request: ImportRequest, table: TableDescription, ports: ImportPorts, of: str | None
) -> Iterator[Problem]:
    """A change of the table's capacity is no reason to leave an import that was begun."""
    states = WRITABLE_STATES if of is None else USABLE_STATES
    return writable_problems(table, ports, allow_protected=request.allow_protected, states=states)


def _search(
    request: ImportRequest, work: Work, backup: Backup, table: TableDescription, ports: ImportPorts
) -> Search:
    """What looks for the place of an import."""
    return Search(
        request=request,
        work=work,
        backup=backup,
        table_identity=table.identity,
        store=ports.records,
        now=ports.clock.now(),
        say=ports.say,
    )


def backup_of(request: ImportRequest, ports: ImportPorts) -> Backup:
    """What is to be imported; raises what ``find_backup`` raises."""

    def sniff(key: str) -> str | None:
        return detect_content(stored_content(ports.source, key))

    return find_backup(
        list(request.s3_uri),
        request.file_format,
        ports.source,
        changes_from=request.changes_from,
        sniff=sniff,
        say=ports.say,
        warn=ports.warn,
    )


def writable_problems(
    table: TableDescription,
    ports: ImportPorts,
    *,
    allow_protected: bool,
    states: Container[str] = WRITABLE_STATES,
) -> Iterator[Problem]:
    """Why a table cannot, or should not, be written to."""
    if table.status not in states:
        yield Problem("table_name", f"table {table.name} is {table.status}", "it must be ACTIVE")
    for index in table.indexes.values():
        if index.status not in states:
            yield Problem(
                "table_name",
                f"index {index.name} of table {table.name} is {index.status}",
                "wait until it is ACTIVE",
            )
    if allow_protected:
        return
    hint = "set allow_protected=True to import into it all the same"
    if table.deletion_protected:
        yield Problem("table_name", f"table {table.name} is protected against deletion", hint)
    if table.replicas:
        where = ", ".join(table.replicas)
        yield Problem("table_name", f"table {table.name} has replicas in {where}: they would follow", hint)
    problems: list[Problem] = []
    tags = finding(problems, "table_name", ports.table.tags) or {}
    yield from problems
    for name in production_tags(tags):
        yield Problem("table_name", f"table {table.name} has the tag {name}={tags[name]}", hint)


def _backup_problems(
    request: ImportRequest, backup: Backup, table: TableDescription | None, ports: ImportPorts
) -> Iterator[Problem]:
    yield from request.not_expected(backup.identity)
    for reader in {stage.reader for stage in backup.stages}:
        problems: list[Problem] = []
        finding(problems, "file_format", READERS[reader].check_available)
        yield from problems
        if problems:
            return
        for text in READERS[reader].check_settings(request.reading):
            yield Problem("attributes", text)
            return
    yield from reader_problems(request, {stage.reader for stage in backup.stages})
    if table is not None and table.key:
        yield from key_problems(request, backup, table, ports.source)


def _place_problems(request: ImportRequest, backup: Backup, ports: ImportPorts) -> list[Problem]:
    """Whether the record, the checkpoint and rejected items can be written; a dry run writes none."""
    if request.dry_run:
        return []
    problems: list[Problem] = []
    location = records_location(request, backup)
    finding(problems, "rejects_s3_uri", lambda: ports.records.probe(location.key("_imports", "_probe")))
    return problems


def _warn_of(request: ImportRequest, table: TableDescription, ttl: str | None, ports: ImportPorts) -> None:
    if table.has_stream:
        ports.warn(
            f"table {table.name} has a stream: every item written is a record in it, for every trigger on it"
        )
    if ttl is not None:
        kept = request.expired_items == "keep"
        what = "are imported, and deleted by DynamoDB later" if kept else "are dropped"
        ports.warn(f"table {table.name} expires items by {ttl}: items that are expired already {what}")
    if request.file_format == AUTO and request.attributes:
        ports.say("attributes are declared: they count for formats without types only")
