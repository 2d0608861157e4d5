"""A lookup load: a table that equals its query afterwards, by the fewest writes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.existing import Start
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.lease import Lease
from airflow_dynamo_pipeline.engine.ports import ABSENT, Absent, JsonObject, VersionConflict
from airflow_dynamo_pipeline.engine.table_gone import table_still_there
from airflow_dynamo_pipeline.errors import PipelineError, StaleAttempt, TableChanged
from airflow_dynamo_pipeline.lookup.applying import apply
from airflow_dynamo_pipeline.lookup.bill import bill_of
from airflow_dynamo_pipeline.lookup.deciding import Deciding, Decision
from airflow_dynamo_pipeline.lookup.generations import Generation, flip
from airflow_dynamo_pipeline.lookup.heart import beating
from airflow_dynamo_pipeline.lookup.plan import LookupPlan, is_outdated, make_lookup_plan
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.progress import LookupReports
from airflow_dynamo_pipeline.lookup.records import (
    ChangeFile,
    ChangeSet,
    RunRecord,
    TableState,
    scratch_folder,
)
from airflow_dynamo_pipeline.lookup.request import LookupRequest
from airflow_dynamo_pipeline.lookup.result import LookupResult
from airflow_dynamo_pipeline.lookup.source import RowSource


def run_lookup(
    load: LookupRequest, source: RowSource, work: Work, ports: LookupPorts, reports: LookupReports
) -> LookupResult:
    """Make a table equal a query's rows, or go on with what an earlier attempt at this work decided.

    Everything is decided, and written down on S3, before the first write to the table; a later attempt of
    the same run applies the rest of it without running the query again. ``source`` is closed at the end.
    Raises LookupRefused before the first write, ImportFailed when DynamoDB refused more items than
    ``max_rejected``, LeaseHeld while another run loads into the table, StaleAttempt when superseded, Stopped,
    TableChanged, and the errors of the ports.
    """
    try:
        plan = make_lookup_plan(load, source, work, ports)
        ports.say(plan.line(source))
        attempt = secrets.token_hex(4)
        if load.dry_run:
            return _rehearsed(plan, ports, reports, attempt, source)
        if plan.start is Start.ADOPT:
            return _adopted(plan, ports)
        lease = Lease(ports.store, plan.place.lease_key, attempt, ports.clock)
        lease.acquire(ports.stop, ports.say)
        try:
            with beating(lease, ports.clock, ports.stop) as check:
                if is_outdated(plan, ports):
                    plan = make_lookup_plan(load, source, work, ports)
                return LookupRun(plan, ports, reports, lease, attempt, check).run(source)
        finally:
            _let_go(lease, ports)
    finally:
        source.close()


def _rehearsed(
    plan: LookupPlan, ports: LookupPorts, reports: LookupReports, attempt: str, source: RowSource
) -> LookupResult:
    """Decide and say it; the change set stays for whoever wants to see all of it."""
    began_at = ports.clock.monotonic()
    generation = Generation.begun(plan, ports, attempt)
    deciding = Deciding(
        plan, ports, reports, attempt=attempt, lease=None, generation=generation, check=lambda: None
    )
    decision = deciding.decide(source)
    for line in decision.named:
        ports.say(line)
    bill = bill_of(plan, ports, decision.change_set.counts)
    seconds = ports.clock.monotonic() - began_at
    result = _result(plan, decision.change_set, None, decision, bill, seconds=seconds)
    ports.say(f"dry run: nothing was written. {result.line()}; {bill['line']}")
    return result


def _adopted(plan: LookupPlan, ports: LookupPorts) -> LookupResult:
    """An earlier attempt of this run finished and was lost before it could say so."""
    ports.say(f"run {plan.place.run_id} was already finished by another attempt: adopting it")
    result = msgspec.json.decode(plan.record.result if plan.record else b"{}")
    return LookupResult(**{**result, "start": Start.ADOPT.value})


NO_RESULT = msgspec.Raw(b"null")


class LookupRun:
    """One attempt that holds the lease."""

    def __init__(
        self,
        plan: LookupPlan,
        ports: LookupPorts,
        reports: LookupReports,
        lease: Lease,
        attempt: str,
        check: Callable[[], None],
    ) -> None:
        """``check`` raises what ended the lease meanwhile."""
        self._plan = plan
        self._ports = ports
        self._reports = reports
        self._lease = lease
        self._attempt = attempt
        self._check = check
        self._state_version = plan.known.state_version
        self._began_at = ports.clock.monotonic()

    def run(self, source: RowSource) -> LookupResult:
        """Decide, or take what was decided; write; say that it is done."""
        if self._plan.start is Start.ADOPT:
            return _adopted(self._plan, self._ports)
        decision = None
        if self._plan.start is Start.RESUME and self._plan.record is not None:
            change_set = self._plan.record.change_set
            self._ports.say(f"{change_set.counts.changes:,} changes were decided on by an earlier attempt")
        else:
            decision = self._decide(source)
            source.close()  # writing may take hours, for which no database has to wait
            change_set = decision.change_set
        record_version = self._commit(change_set, is_new=decision is not None)
        self._refuse_another_table(change_set)
        self._put_state(change_set, is_applied=False)
        self._lease.check()
        written = apply(self._plan, self._ports, self._reports, change_set, self._lease)
        self._check()
        rows = written.written if written else 0
        flip(self._plan, self._ports, change_set, rows, check=self._lease.check)
        is_exact = written is None or not (written.rejected or written.skipped)
        self._put_state(change_set, is_applied=True, is_exact=is_exact)
        seconds = self._ports.clock.monotonic() - self._began_at
        bill = written.plan if written else {}
        result = _result(self._plan, change_set, written, decision, bill, seconds=seconds)
        self._put_record(change_set, record_version, msgspec.Raw(msgspec.json.encode(result.to_json())))
        self._tidy(change_set)
        self._ports.say(result.line())
        return result

    def _decide(self, source: RowSource) -> Decision:
        self._remove_leftovers(())
        generation = Generation.begun(self._plan, self._ports, self._attempt)
        deciding = Deciding(
            self._plan,
            self._ports,
            self._reports,
            attempt=self._attempt,
            lease=self._lease,
            generation=generation,
            check=self._check,
        )
        return deciding.decide(source)

    def _refuse_another_table(self, change_set: ChangeSet) -> None:
        """A query takes its time, and digests and single items do not tell which table they are of."""
        name = self._plan.load.table_name
        with table_still_there(f"table {name} was deleted while the query was compared with it"):
            identity = self._ports.writing.table.describe().identity
        if identity != change_set.table_identity:
            raise TableChanged(f"table {name} was deleted and made anew while the query was compared with it")

    def _commit(self, change_set: ChangeSet, *, is_new: bool) -> str:
        """From now on a later attempt of this run applies the change set instead of deciding anew."""
        found = self._ports.store.get(self._plan.place.record_key)
        version: str | Absent = found.version if found else ABSENT
        if not is_new and found is not None:
            return found.version
        self._lease.check()
        return self._put_record(change_set, version)

    def _put_record(
        self, change_set: ChangeSet, expect: str | Absent, result: msgspec.Raw = NO_RESULT
    ) -> str:
        plan, after = self._plan, self._plan.known.state_version
        record = RunRecord(
            fingerprint=plan.load.fingerprint(),
            run=plan.work.run,
            generation=plan.work.generation,
            planned_at=self._ports.clock.now(),
            after_state=after if isinstance(after, str) else None,
            change_set=change_set,
            result=result,
        )
        return self._put(plan.place.record_key, record, expect)

    def _put_state(self, change_set: ChangeSet, *, is_applied: bool, is_exact: bool = False) -> None:
        state = TableState(
            run_id=self._plan.place.run_id,
            table_identity=self._plan.table.identity,
            shape=self._plan.load.shape(),
            is_applied=is_applied,
            changed_at=self._ports.clock.now(),
            digests=change_set.digests if is_exact else None,
            full_compared_at=change_set.full_compared_at,
        )
        self._state_version = self._put(self._plan.place.state_key, state, self._state_version)

    def _put(self, key: str, record: msgspec.Struct, expect: str | Absent) -> str:
        try:
            return self._ports.store.put(key, records.encode(record), expect=expect)
        except VersionConflict:
            raise StaleAttempt(f"another run has taken over {key}; attempt {self._attempt} stops") from None

    def _tidy(self, change_set: ChangeSet) -> None:
        """The table is as it should be: trouble from here on costs a warning."""
        try:
            self._remove_leftovers((*change_set.puts, *change_set.deletes), change_set.rejects)
            kept = change_set.digests.key if change_set.digests else None
            prefix = self._plan.place.shared("digests") + "/"
            self._remove([key for key in self._ports.store.keys(prefix) if key != kept])
        except PipelineError as error:
            self._ports.warn(f"the load is complete, but work files could not be removed: {error}")

    def _remove_leftovers(self, files: Sequence[ChangeFile], rejects: Sequence[str] = ()) -> None:
        """Remove what earlier attempts left and no record names, and whatever was spilled."""
        place = self._plan.place
        named = {*(file.key for file in files), *rejects}
        own = [place.key(folder) + "/" for folder in ("changes", "rejects")]
        for prefix in (f"{scratch_folder(self._plan.load)}/", *own):
            self._lease.check()
            self._ports.store.abort_uploads(prefix)
            self._remove([key for key in self._ports.store.keys(prefix) if key not in named])

    def _remove(self, keys: Sequence[str]) -> None:
        """Remove what was found: it is nobody else's if the lease has been ours since."""
        if keys:
            self._lease.check()
            self._ports.store.delete(keys)


def _result(
    plan: LookupPlan,
    change_set: ChangeSet,
    written: ImportResult | None,
    decision: Decision | None,
    bill: JsonObject,
    *,
    seconds: float,
) -> LookupResult:
    return LookupResult(
        run_id=plan.place.run_id,
        table_name=plan.load.table_name,
        table_arn=plan.table.arn,
        mode=plan.load.mode,
        start=plan.start.value,
        dry_run=plan.load.dry_run,
        **msgspec.structs.asdict(change_set.counts),
        written=written.written if written else 0,
        conflicted=written.skipped if written else 0,
        refused=written.rejected if written else 0,
        read_units=decision.read_units if decision else 0.0,
        consumed_units=written.consumed_units if written else 0.0,
        compared_with=change_set.compared_with,
        generation=change_set.generation,
        **_uris(plan, change_set, written),
        differences=decision.named if decision and plan.load.dry_run else [],
        seconds=round(seconds, 3),
        plan=bill,
    )


def _uris(plan: LookupPlan, change_set: ChangeSet, written: ImportResult | None) -> dict[str, Any]:
    """Where there is more to be seen."""
    return {
        "changes_uri": plan.place.changes_uri if change_set.counts.changes else None,
        "rejects_uri": plan.place.rejects_uri if change_set.counts.rejected else None,
        "refused_uri": written.rejects_uri if written else None,
    }


def _let_go(lease: Lease, ports: LookupPorts) -> None:
    """Release the lease; whatever goes wrong here must not hide why the run ended."""
    try:
        lease.release()
    except Exception as error:  # noqa: BLE001
        ports.warn(f"could not release the lease: {error}; the next attempt waits until it has gone silent")
