"""From a query's rows to a change set: everything before the first write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.lease import Lease
from airflow_dynamo_pipeline.errors import LookupRefused, PipelineError, Problem, Stopped
from airflow_dynamo_pipeline.lookup.change_files import ChangeFiles
from airflow_dynamo_pipeline.lookup.columns import RowConverter
from airflow_dynamo_pipeline.lookup.comparing import Comparison, Found, Prints
from airflow_dynamo_pipeline.lookup.digest_files import DigestSide, DigestsUnreadable, DigestWriter
from airflow_dynamo_pipeline.lookup.generations import Generation
from airflow_dynamo_pipeline.lookup.guards import count_problems, facts_problems, repeated_keys
from airflow_dynamo_pipeline.lookup.key_side import KeySide
from airflow_dynamo_pipeline.lookup.other_side import OtherSide
from airflow_dynamo_pipeline.lookup.partition import Partition, buckets_for
from airflow_dynamo_pipeline.lookup.plan import LookupPlan
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.progress import LookupReports, Meter
from airflow_dynamo_pipeline.lookup.records import ChangeSet, Counts, scratch_folder
from airflow_dynamo_pipeline.lookup.rejects import Rejects
from airflow_dynamo_pipeline.lookup.source import QueryFacts, RowSource
from airflow_dynamo_pipeline.lookup.staging import Staging


class Nothing:
    """The other side of a new generation."""

    count = 0

    def prints(self, bucket: int) -> list[bytes]:
        """None."""
        del bucket
        return []


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A change set, and what is for a log only."""

    change_set: ChangeSet
    named: list[str]  # the first changes
    read_units: float


class Deciding:
    """One attempt at deciding. Everything it leaves when it fails is removed but rejected rows."""

    def __init__(
        self,
        plan: LookupPlan,
        ports: LookupPorts,
        reports: LookupReports,
        *,
        attempt: str,
        lease: Lease | None,
        generation: Generation | None,
        check: Callable[[], None],
    ) -> None:
        """``check`` raises what ended the lease meanwhile."""
        self._plan = plan
        self._ports = ports
        self._attempt = attempt
        self._generation = generation
        self._check = check
        self._meter = Meter(ports.clock, reports)
        self._rejects = Rejects(ports.store, plan.place.key("rejects") + "/", attempt)
        self._partitions: list[Partition] = []
        self._other = OtherSide(
            plan, ports, reports, attempt=attempt, lease=lease, check=self._refuse_if_stopped
        )

    def decide(self, source: RowSource) -> Decision:
        """Run the query and compare; raises LookupRefused with what must not be written."""
        facts = source.facts(self._plan.load.key_columns)
        problems = list(facts_problems(self._plan.load, facts))
        if problems:
            raise LookupRefused(problems)
        self._ports.say(f"the query has {facts.rows:,} rows")
        try:
            return self._compared(*self._sides(source, facts))
        finally:
            self._remove_spilled()

    def _sides(self, source: RowSource, facts: QueryFacts) -> tuple[Partition, Prints]:
        expected = max(facts.rows, self._plan.table.item_count)
        believed = None if self._generation else self._other.digests(expected)
        rows = self._partition("rows", believed.buckets if believed else buckets_for(expected))
        self._stage(source, rows)
        self._meter.step = "compare"
        if self._generation is not None:
            return rows, Nothing()
        return rows, believed or self._table(rows)

    def _table(self, rows: Partition) -> Prints:
        return self._other.table(rows, self._partition("table", rows.buckets))

    def _remove_spilled(self) -> None:
        """Trouble with it must not hide why the work ended; the next run removes what is left."""
        for partition in self._partitions:
            try:
                partition.remove()
            except PipelineError as error:
                self._ports.warn(f"work files could not be removed: {error}")

    def _stage(self, source: RowSource, rows: Partition) -> None:
        plan = self._plan
        mapping, prefix = plan.load.mapping, ""
        if self._generation is not None:
            mapping, prefix = self._generation.mapped(mapping), self._generation.prefix
        key, columns = plan.key, plan.load.key_columns
        staging = Staging(
            plan=plan,
            converter=RowConverter(plan.columns, mapping, key, columns, key_prefix=prefix),
            partition=rows,
            rejects=self._rejects,
            meter=self._meter,
            check=self._check,
        )
        if not staging.run(source, self._ports.stop.is_set):
            raise LookupRefused([self._too_many_rejects()])

    def _compared(self, rows: Partition, table: Prints) -> Decision:
        try:
            return self._written_down(rows, table)
        except DigestsUnreadable as problem:
            self._ports.warn(f"comparing with the whole table: {problem}")
            return self._written_down(rows, self._table(rows))

    def _written_down(self, rows: Partition, table: Prints) -> Decision:
        place, store = self._plan.place, self._ports.store
        puts = ChangeFiles(store, place.key("changes", "puts") + "/", self._attempt)
        deletes = ChangeFiles(store, place.key("changes", "deletes") + "/", self._attempt)
        digests = self._digest_writer()
        try:
            found = self._comparison(rows, table, puts, deletes, digests).run(self._refuse_if_stopped)
            counts = self._counts(found, table)
            self._refuse(found, counts)
        except BaseException as error:
            if digests is not None:
                digests.abort()
            if not isinstance(error, LookupRefused):  # what was refused stays to be looked at
                puts.abort()
                deletes.abort()
            raise
        change_set = ChangeSet(
            counts=counts,
            puts=tuple(puts.done),
            deletes=tuple(deletes.done),
            rejects=tuple(self._rejects.keys),
            table_identity=self._plan.table.identity,
            compared_with=self._compared_with(table),
            digests=digests.close() if digests else None,
            full_compared_at=self._other.full_compared_at,
            generation=self._generation.name if self._generation else None,
            expires_at=self._generation.expires_at if self._generation else None,
        )
        units = round(self._other.consumed_units, 2)
        return Decision(change_set=change_set, named=found.named, read_units=units)

    def _comparison(
        self,
        rows: Partition,
        table: Prints,
        puts: ChangeFiles,
        deletes: ChangeFiles,
        digests: DigestWriter | None,
    ) -> Comparison:
        return Comparison(
            load=self._plan.load,
            key=self._plan.key,
            rows=rows,
            table=table,
            kept=frozenset(self._rejects.kept),
            puts=puts,
            deletes=deletes,
            digests=digests,
        )

    def _counts(self, found: Found, table: Prints) -> Counts:
        before = self._generation.rows_before if self._generation else table.count
        return found.counts(rows=self._meter.rows, rejected=self._rejects.count, table_items=before)

    def _refuse(self, found: Found, counts: Counts) -> None:
        problems = list(count_problems(self._plan.load, counts))
        if found.repeated_keys:
            problems.append(repeated_keys(self._plan.load, found.repeated_keys, found.repeated))
        elif not counts.balanced:
            problems.append(Problem("sql", f"the accounts do not add up: {counts}; nothing was written"))
        if problems:
            self._ports.say(f"what differs stands in {self._plan.place.changes_uri}")
            raise LookupRefused(problems)

    def _too_many_rejects(self) -> Problem:
        most = self._plan.load.max_rejected
        return Problem(
            "max_rejected",
            f"{self._rejects.count:,} of {self._meter.rows:,} rows cannot become items, max_rejected is "
            f"{most:,}; each stands with its reason in {self._plan.place.rejects_uri}; the first: "
            f"{self._rejects.first}",
            "mend the query or the mapping of its columns, or raise max_rejected: "
            "items in the table whose row is rejected stay as they are",
        )

    def _digest_writer(self) -> DigestWriter | None:
        if self._plan.load.compare != "digests" or self._plan.load.dry_run:
            return None
        key = self._plan.place.shared("digests", f"{self._plan.place.run_id}-{self._attempt}")
        return DigestWriter(self._ports.store, key)

    def _compared_with(self, table: Prints) -> str:
        names = {Nothing: "nothing", DigestSide: "digests", KeySide: "keys"}
        return next((name for kind, name in names.items() if isinstance(table, kind)), "table")

    def _partition(self, name: str, buckets: int) -> Partition:
        prefix = f"{scratch_folder(self._plan.load)}/{self._attempt}-{name}-"
        partition = Partition(store=self._ports.store, prefix=prefix, buckets=buckets)
        self._partitions.append(partition)
        return partition

    def _refuse_if_stopped(self) -> None:
        self._check()
        if self._ports.stop.is_set():
            raise Stopped("told to stop while comparing")
