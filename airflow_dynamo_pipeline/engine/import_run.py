"""One attempt at an import: its parts put together, from the first window to the last checkpoint."""

from __future__ import annotations

import msgspec

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.collector import old_objects_set_aside
from airflow_dynamo_pipeline.engine.existing import Start
from airflow_dynamo_pipeline.engine.import_checkpoint import ImportCheckpoint
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportHousekeeping, ImportReports
from airflow_dynamo_pipeline.engine.import_plan import ImportPlan, ImportPorts
from airflow_dynamo_pipeline.engine.import_records import ImportRecord
from airflow_dynamo_pipeline.engine.import_result import (
    ImportResult,
    refuse_too_many_rejects,
    refuse_unbalanced,
)
from airflow_dynamo_pipeline.engine.import_stage import StageImport, reading_for
from airflow_dynamo_pipeline.engine.lease import Held
from airflow_dynamo_pipeline.engine.ledger import Ledger
from airflow_dynamo_pipeline.engine.own_use import SharedRate
from airflow_dynamo_pipeline.engine.paying import WriteCalls, first_debt
from airflow_dynamo_pipeline.engine.ports import VersionConflict
from airflow_dynamo_pipeline.engine.table_gone import table_still_there
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.errors import ImportFailed, PipelineError, StaleAttempt, TableChanged


class ImportRun:
    """The parts of one attempt, put together."""

    def __init__(
        self,
        plan: ImportPlan,
        ports: ImportPorts,
        lease: Held,
        attempt: str,
        reports: ImportReports,
        shared: SharedRate | None = None,
    ) -> None:
        """``shared``: the plan's rate is a share of this one."""
        self._plan = plan
        self._ports = ports
        self._lease = lease
        self._checkpoint = ImportCheckpoint(ports.records, plan.chosen.place, attempt)
        self._ledger = Ledger(self._checkpoint.state.files)
        self._began_at = ports.clock.monotonic()
        self._calls = self._write_calls()
        self._reading = reading_for(plan, ports, self._ledger)
        self._stages = StageImport(plan, ports, ledger=self._ledger, calls=self._calls, reading=self._reading)
        self._housekeeping = ImportHousekeeping(
            plan,
            ports,
            lease=lease,
            calls=self._calls,
            ledger=self._ledger,
            checkpoint=self._checkpoint,
            seen=self._reading.seen,
            reports=reports,
            shared=shared,
        )

    def run(self, record_version: str) -> ImportResult:
        """Write what is left, then say that it is done."""
        self._checkpoint.claim()
        self._refuse_finished(record_version)
        if self._plan.chosen.start is Start.RESUME:
            self._checkpoint.remove_unnamed_rejects()
        deleted = f"table {self._plan.request.table_name} was deleted during the import"
        try:
            with old_objects_set_aside(), table_still_there(deleted):
                for stage in self._plan.backup.stages:
                    self._stages.run(stage, self._housekeeping.tick)
        finally:
            self._write_checkpoint()
        accounts = self._ledger.accounts
        place, table = self._plan.chosen.place, self._plan.request.table_name
        refuse_too_many_rejects(
            accounts, self._plan.request.max_rejected, place, table, self._ledger.first_reject
        )
        refuse_unbalanced(accounts, self._ledger.under_way, table)
        self._refuse_another_table()
        result = self._result()
        self._finish(record_version, result)
        self._housekeeping.report_end()
        self._say_duplicates(result)
        return result

    def _refuse_finished(self, record_version: str) -> None:
        """While this attempt slept another may have finished, and removed the checkpoint that told so."""
        place, store = self._plan.chosen.place, self._ports.records
        found = store.get(place.record_key)
        if found is not None and found.version != record_version:
            store.delete([place.state_key])
            raise StaleAttempt(f"another attempt has finished this import ({place.record_key})")

    def _write_calls(self) -> WriteCalls:
        plan, ports = self._plan, self._ports
        resumed = plan.chosen.start is Start.RESUME
        debt = first_debt(plan.rate.units_per_second, plan.sharing, plan.writers, resumed=resumed)
        return WriteCalls(
            table=ports.table,
            throttle=Throttle(plan.rate.units_per_second, ports.clock, ports.stop, debt=debt),
            rate=plan.rate,
            clock=ports.clock,
            stop=ports.stop,
            before_call=self._lease.beat,
            warn=ports.warn,
            sharing=plan.sharing,
        )

    def _write_checkpoint(self) -> None:
        """Whatever ended the run, what it did is written down; trouble with that hides nothing."""
        try:
            self._housekeeping.write_last_checkpoint()
        except PipelineError as error:
            if self._ports.stop.is_set():
                self._ports.warn(f"could not write the last checkpoint: {error}")
                return
            raise
        if self._ports.stop.is_set():
            self._housekeeping.report_stop()

    def _refuse_another_table(self) -> None:
        if self._ports.table.describe().identity != self._plan.table.identity:
            raise TableChanged(
                f"table {self._plan.request.table_name} was deleted and made anew during the import"
            )

    def _result(self) -> ImportResult:
        accounts, state = self._ledger.accounts, self._checkpoint.state
        throttle, place = self._calls.throttle, self._plan.chosen.place
        return ImportResult(
            import_id=place.import_id,
            table_name=self._plan.request.table_name,
            table_arn=self._plan.table.arn,
            start=self._plan.chosen.start.value,
            dry_run=False,
            read=accounts.read,
            written=accounts.written,
            deleted=accounts.deleted,
            skipped=accounts.skipped,
            conflicted=accounts.conflicted,
            rejected=accounts.rejected,
            expired=accounts.expired,
            duplicates=state.duplicates,
            duplicates_share=self._reading.seen.share,
            rejects_uri=place.rejects_uri if accounts.rejected else None,
            consumed_units=round(state.units, 2),
            seconds=round(self._ports.clock.monotonic() - self._began_at, 3),
            units_per_second_asked=self._plan.rate.units_per_second,
            units_per_second_held=round(throttle.held, 2),
            backup_id=self._plan.backup.identity,
            plan=self._plan.estimate.to_json(),
        )

    def _finish(self, record_version: str, result: ImportResult) -> None:
        """Say that the import is done, then remove what only a resume needs."""
        ports, place = self._ports, self._plan.chosen.place
        self._lease.check()
        found = ports.records.get(place.record_key)
        if found is None:
            raise ImportFailed(f"{place.record_key} was removed during the import; it is not called done")
        record = msgspec.structs.replace(
            records.decode(found.body, ImportRecord, place.record_key),
            run=self._plan.work.run,
            generation=self._plan.work.generation,
            finished_at=ports.clock.now(),
            rejects=self._checkpoint.state.rejects,
            result=msgspec.Raw(msgspec.json.encode(result.to_json())),
        )
        try:
            ports.records.put(place.record_key, records.encode(record), expect=record_version)
        except VersionConflict:
            raise StaleAttempt(f"another attempt wrote {place.record_key} during this import") from None
        try:
            self._checkpoint.remove_unnamed_rejects()
        except PipelineError as error:
            ports.warn(
                f"the import is complete, but rejects of a killed attempt could not be removed: {error}"
            )

    def _say_duplicates(self, result: ImportResult) -> None:
        if not result.duplicates:
            return
        share = "" if result.duplicates_share == 1.0 else f" among {result.duplicates_share:.1%} of the keys"
        self._ports.warn(
            f"{result.duplicates:,} items had a key that came before{share}; "
            "which of them stayed is not defined"
        )
        for place in self._reading.named:
            self._ports.warn(f"duplicate: {place}")
