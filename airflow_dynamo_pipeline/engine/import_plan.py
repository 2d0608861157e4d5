"""Everything decided before the first item is written; refuses with all findings at once."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.finding import find_backup
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_place import Chosen, Search, choose_place, records_location
from airflow_dynamo_pipeline.engine.import_reading import Reading, stored_content
from airflow_dynamo_pipeline.engine.import_request import AUTO, ImportRequest
from airflow_dynamo_pipeline.engine.ledger import Ledger
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
from airflow_dynamo_pipeline.engine.sources import Backup
from airflow_dynamo_pipeline.engine.write_capacity import WriteRate, write_rate
from airflow_dynamo_pipeline.errors import ImportRefused, PipelineError, Problem, UnexpectedReply
from airflow_dynamo_pipeline.formats.detection import detect_content
from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.items.keys import KeyReader

WRITABLE_STATES = ("ACTIVE",)
CHANGES = "incremental"
LOOKED_AT = 100  # items of the first file, for their keys
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

    @property
    def writers(self) -> int:
        """Batches under way at the same time."""
        if self.request.segments is not None:
            return self.request.segments
        return min(MOST_AUTO_WRITERS, max(1, int(self.rate.units_per_second / UNITS_PER_WRITER)))

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
    request: ImportRequest, work: Work, ports: ImportPorts, known: Backup | None = None
) -> ImportPlan:
    """Look at table, source and earlier imports without changing anything.

    ``known`` is the backup where the caller made it itself; else it is looked for at ``request.s3_uri``.
    Raises ImportRefused with every finding; Temporary errors pass through, so that a retry can help.
    """
    problems: list[Problem] = []
    table = finding(problems, "table_name", ports.table.describe)
    rate = ttl = chosen = None
    if table is not None:
        problems += writable_problems(table, ports, allow_protected=request.allow_protected)
        rate = finding(problems, "ratio", lambda: write_rate(request, table, ports.capacity))
        ttl = finding(problems, "table_name", ports.table.ttl_attribute)
    backup = finding(problems, "s3_uri", lambda: known or _backup(request, ports))
    if backup is not None:
        problems += _backup_problems(request, backup, table, ports)
        problems += _place_problems(request, backup, ports)
        if table is not None and not any(problem.where == "rejects_s3_uri" for problem in problems):
            search = _search(request, work, backup, table, ports)
            chosen = finding(problems, "rejects_s3_uri", lambda: choose_place(search))
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


def _search(
    request: ImportRequest, work: Work, backup: Backup, table: TableDescription, ports: ImportPorts
) -> Search:
    return Search(
        request=request,
        work=work,
        backup=backup,
        table_identity=table.identity,
        store=ports.records,
        now=ports.clock.now(),
        say=ports.say,
    )


def _backup(request: ImportRequest, ports: ImportPorts) -> Backup:
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
    table: TableDescription, ports: ImportPorts, *, allow_protected: bool
) -> Iterator[Problem]:
    """Why a table cannot, or should not, be written to."""
    if table.status not in WRITABLE_STATES:
        yield Problem("table_name", f"table {table.name} is {table.status}", "it must be ACTIVE")
    for index in table.indexes.values():
        if index.status not in WRITABLE_STATES:
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
    yield from _reader_problems(request, {stage.reader for stage in backup.stages})
    if table is not None and table.key:
        yield from _key_problems(request, backup, table, ports.source)


def _reader_problems(request: ImportRequest, readers: set[str]) -> Iterator[Problem]:
    """What rejected items and changes cannot be imported with."""
    if "rejects" in readers and request.file_format == AUTO:
        yield Problem(
            "file_format",
            "these are rejected items, whose lines say themselves how they are read",
            "look at them, and say file_format='rejects'",
        )
    if CHANGES in readers and request.on_conflict != "overwrite":
        yield Problem(
            "on_conflict",
            f"{request.on_conflict!r} cannot be used with incremental exports",
            "changes are applied in order: use 'overwrite'",
        )
    if CHANGES in readers and request.expired_items == "drop":
        yield Problem(
            "expired_items",
            "'drop' cannot be used with incremental exports: an item's older version would stay",
            "use 'keep'; DynamoDB deletes expired items by itself",
        )


def _key_problems(
    request: ImportRequest, backup: Backup, table: TableDescription, store: ObjectStore
) -> Iterator[Problem]:
    """Whether the first items have this table's key; if none has, it is another table's backup."""
    stage = next((stage for stage in backup.stages if stage.files), None)
    if stage is None:
        return
    keys, seen, good, last = KeyReader(table.key), 0, 0, ""
    try:
        blocks = READERS[stage.reader].blocks(stored_content(store, stage.files[0].key), request.reading)
        for item in itertools.islice((item for block in blocks for item in block.items), LOOKED_AT):
            seen += 1
            try:
                keys.of(item)
                good += 1
            except UnexpectedReply as problem:
                last = str(problem)
    except ValueError as problem:
        yield Problem("s3_uri", f"{stage.files[0].key}: {problem}")
        return
    except PipelineError as problem:
        yield Problem("s3_uri", str(problem))
        return
    if seen and not good:
        schema = ", ".join(f"{one.name} ({one.tag})" for one in table.key)
        yield Problem(
            "table_name",
            f"table {table.name} has the key {schema}, and none of the first {seen} items has it: {last}",
            "this backup is of a table with another key",
        )


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


def reading_for(plan: ImportPlan, ports: ImportPorts, ledger: Ledger) -> Reading:
    """What reads the backup for one attempt, or for a dry run."""
    return Reading(
        request=plan.request,
        key=plan.table.key,
        ttl_attribute=plan.ttl_attribute,
        store=ports.source,
        ledger=ledger,
        now=ports.clock.now(),
        stop=ports.stop,
        seed=plan.backup.identity,
    )
