"""Everything decided before the query is run; refuses with all findings at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.capacity import (
    MAX_THREADS,
    ReadRate,
    read_rate,
    segments_fed_by,
    segments_for,
)
from airflow_dynamo_pipeline.engine.existing import Start
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_place import RESUME_WITHIN
from airflow_dynamo_pipeline.engine.import_plan import writable_problems
from airflow_dynamo_pipeline.engine.plan import finding, store_problems
from airflow_dynamo_pipeline.engine.ports import ABSENT, Absent, KeyAttribute, TableDescription
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import LookupRefused, Problem
from airflow_dynamo_pipeline.lookup.columns import mapping_fits
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.records import LookupPlace, RunRecord, TableState, table_folder
from airflow_dynamo_pipeline.lookup.request import LookupRequest
from airflow_dynamo_pipeline.lookup.source import Column, RowSource


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What earlier runs and attempts left on S3, and what follows from it."""

    state: TableState | None
    state_version: str | Absent
    record: RunRecord | None  # of an earlier attempt at this run
    start: Start = Start.NEW


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupPlan:
    """What a load will do, as far as it can be known before the query is run."""

    load: LookupRequest
    work: Work
    place: LookupPlace
    table: TableDescription
    columns: Sequence[Column]
    rate: ReadRate  # of the comparison
    known: Known

    @property
    def start(self) -> Start:
        """How this attempt begins."""
        return self.known.start

    @property
    def state(self) -> TableState | None:
        """What the last run left."""
        return self.known.state

    @property
    def record(self) -> RunRecord | None:
        """What an earlier attempt at this run decided."""
        return self.known.record

    @property
    def request(self) -> ExportRequest:
        """The reads of the table, as an export of it would make them."""
        return reading_of(self.load)

    @property
    def key(self) -> Sequence[KeyAttribute]:
        """The table's key."""
        return self.table.key

    @property
    def item_count(self) -> int:
        """About how many items the table has."""
        return self.table.item_count

    @property
    def segments(self) -> int:
        """How many segments the comparison scans."""
        return segments_for(self.table, self.request, self.rate)

    @property
    def threads(self) -> int:
        """Segments read at the same time."""
        return min(self.segments, MAX_THREADS, segments_fed_by(self.rate.units_per_second))

    def line(self, source: RowSource) -> str:
        """One line for a log."""
        what = "a new generation of" if self.load.generation_days is not None else self.load.mode
        return (
            f"{self.start.value}: {what} table {self.load.table_name}, "
            f"about {self.table.item_count:,} items, from {source.description}, "
            f"compared at {self.rate.units_per_second:,.1f} read units per second "
            f"({self.rate.reason}), record {self.place.record_key}"
        )


def reading_of(load: LookupRequest) -> ExportRequest:
    """How the table is read for the comparison."""
    return ExportRequest(
        table_name=load.table_name,
        s3_uri=load.s3_uri,
        ratio=None if load.read_units_per_second is not None else load.ratio,
        units_per_second=load.read_units_per_second,
        consistent_read=load.consistent_read,
        s3_sse_kms_key_id=load.s3_sse_kms_key_id,
    )


def make_lookup_plan(load: LookupRequest, source: RowSource, work: Work, ports: LookupPorts) -> LookupPlan:
    """Look at table, bucket, query and earlier attempts without changing anything.

    Raises LookupRefused with every finding; Temporary errors pass through, so that a retry can help.
    """
    place = LookupPlace.of(load, work)
    problems: list[Problem] = []
    table = finding(problems, "table_name", ports.writing.table.describe)
    rate = None
    if table is not None:
        problems += _table_problems(load, table, ports)
        rate = finding(problems, "ratio", lambda: read_rate(reading_of(load), table, ports.reading.capacity))
    problems += store_problems(load.location, table, ports.store, table_folder(load.table_name))
    columns: Sequence[Column] | None = ()
    known = None
    if table is not None and not any(problem.where == "s3_uri" for problem in problems):
        known = finding(problems, "s3_uri", lambda: _known(load, place, table, ports))
    if known is None or known.start is Start.NEW:  # else the query has been run, and the database may be away
        columns = finding(problems, "sql", source.columns)
        if columns is not None and table is not None and table.key:
            written = replace(load.mapping, ttl_attribute=load.ttl_attribute)  # whoever writes it
            problems += mapping_fits(columns, written, table.key, load.key_columns)
    if problems or table is None or rate is None or columns is None or known is None:
        raise LookupRefused(problems)
    return LookupPlan(
        load=load,
        work=work,
        place=place,
        table=table,
        columns=columns,
        rate=rate,
        known=known,
    )


def _table_problems(load: LookupRequest, table: TableDescription, ports: LookupPorts) -> Iterator[Problem]:
    if not table.key:
        yield Problem("table_name", f"the key of table {table.name} is not known")
    if not load.dry_run:
        yield from writable_problems(table, ports.writing, allow_protected=load.allow_protected)
    if load.generation_days is not None and table.key and table.key[0].tag != "S":
        yield Problem(
            "generation_days",
            f"the partition key of table {table.name} is of type {table.key[0].tag}",
            "generations are told by what a key begins with: the partition key must be a string",
        )
    if load.ttl_attribute is not None:
        yield from _ttl_problems(load, table, ports)


def _ttl_problems(load: LookupRequest, table: TableDescription, ports: LookupPorts) -> Iterator[Problem]:
    problems: list[Problem] = []
    found = finding(problems, "ttl_attribute", ports.writing.table.ttl_attribute)
    yield from problems
    if problems or found == load.ttl_attribute:
        return
    expires = f"expires items by {found}" if found else "expires no items"
    if load.generation_days is not None:
        hint = "enable time to live on that attribute: old generations go by it"
        yield Problem("ttl_attribute", f"table {table.name} {expires}, not by {load.ttl_attribute}", hint)
    else:
        ports.warn(f"table {table.name} {expires}: {load.ttl_attribute} is an attribute like any other")


def is_outdated(plan: LookupPlan, ports: LookupPorts) -> bool:
    """Whether another run, or attempt, has written since the plan was made: there was no lease yet."""
    found = ports.store.get(plan.place.state_key)
    record = _record(plan.place, ports)
    return (found.version if found else ABSENT) != plan.known.state_version or record != plan.record


def _known(load: LookupRequest, place: LookupPlace, table: TableDescription, ports: LookupPorts) -> Known:
    found = ports.store.get(place.state_key)
    state = records.decode(found.body, TableState, place.state_key) if found else None
    record = _record(place, ports)
    known = Known(state=state, state_version=found.version if found else ABSENT, record=record)
    return replace(known, start=_start(load, place, table, known, ports))


def _record(place: LookupPlace, ports: LookupPorts) -> RunRecord | None:
    found = ports.store.get(place.record_key)
    return None if found is None else records.decode(found.body, RunRecord, place.record_key)


def _start(
    load: LookupRequest,
    place: LookupPlace,
    table: TableDescription,
    known: Known,
    ports: LookupPorts,
) -> Start:
    """Adopt what an earlier attempt finished; go on with its change set unless others wrote meanwhile."""
    state, record = known.state, known.record
    if record is None or load.dry_run:
        return Start.NEW
    if record.is_done:
        return Start.ADOPT
    if state is not None and state.run_id != place.run_id and known.state_version != record.after_state:
        why = f"run {state.run_id} has written to the table since"
    elif ports.clock.now() - record.planned_at > RESUME_WITHIN:
        why = f"that was more than {RESUME_WITHIN} ago, and the table may have changed since"
    elif record.change_set.table_identity != table.identity:
        why = "the table was deleted and made anew since"
    elif (record.change_set.expires_at or math.inf) <= ports.clock.now().timestamp():
        why = "its generation has expired since"
    else:
        return Start.RESUME
    ports.say(f"an earlier attempt decided on {record.change_set.counts.changes:,} changes; {why}: anew")
    return Start.NEW
