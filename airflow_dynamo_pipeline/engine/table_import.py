"""A throttled, resumable import of any readable backup into an existing table.

Memory: four files are read at a time, each with a piece of its download and of its content (256 KiB
each) and a block of lines; at most two windows of about half a mebibyte wait, and each of at most sixteen
writers holds a request of as much. It does not depend on the size of the files.
No file is written to the worker's disk.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.existing import SHARED_OUT, Start, begun_otherwise, stopped_before
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_plan import ImportPlan, ImportPorts, make_import_plan
from airflow_dynamo_pipeline.engine.import_records import ImportRecord
from airflow_dynamo_pipeline.engine.import_rehearsal import rehearse
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.import_result import (
    ImportResult,
)
from airflow_dynamo_pipeline.engine.import_run import ImportRun
from airflow_dynamo_pipeline.engine.import_shares import as_it_is_now
from airflow_dynamo_pipeline.engine.lease import Held
from airflow_dynamo_pipeline.engine.own_use import SharedRate
from airflow_dynamo_pipeline.engine.ports import ABSENT, VersionConflict
from airflow_dynamo_pipeline.engine.range_lease import RangeLease
from airflow_dynamo_pipeline.engine.sources import Backup
from airflow_dynamo_pipeline.errors import ImportRefused, LeaseHeld, PipelineError


def import_table(
    request: ImportRequest,
    work: Work,
    ports: ImportPorts,
    reports: ImportReports,
    *,
    backup: Backup | None = None,
) -> ImportResult:
    """Import a backup, or go on with the import that an earlier attempt at this work began.

    ``backup`` is for callers that made it themselves; else it is looked for at ``request.s3_uri``.
    Records of progress are handed over from this thread only, every few seconds and at the end.
    Raises ImportRefused before the first write, ImportFailed when items were rejected beyond
    ``max_rejected``, met others with ``on_conflict="fail"`` or the accounts do not add up, InvalidExport
    when a file is not what its manifest says, LeaseHeld when another run lives, Stopped after a stop with the
    checkpoint written, StaleAttempt when superseded, and the errors of the ports.
    """
    plan = make_import_plan(request, work, ports, backup)
    if plan.is_shared_out and plan.chosen.start is Start.RESUME and not request.dry_run:
        raise ImportRefused([begun_otherwise(f"import {plan.chosen.place.import_id}", SHARED_OUT)])
    return carry_out(plan, ports, reports)


def carry_out(
    plan: ImportPlan,
    ports: ImportPorts,
    reports: ImportReports,
    *,
    place_keys: Sequence[str] = (),
    shared: SharedRate | None = None,
) -> ImportResult:
    """Do what a plan says; with a share of the rate ``shared`` only while holding one of ``place_keys``.

    Raises what ``import_table`` raises.
    """
    ports.say(plan.line())
    ports.say(plan.estimate.line())
    if plan.request.dry_run:
        return rehearse(plan, ports)
    if plan.chosen.start is Start.ADOPT:
        return _adopt(plan, ports)
    attempt = secrets.token_hex(4)
    lease = RangeLease(
        store=ports.records,
        range_key=plan.chosen.place.lease_key,
        place_keys=list(place_keys),
        attempt=attempt,
        clock=ports.clock,
    )
    try:
        record_version = _begin(plan, ports, lease)
        now = as_it_is_now(plan, ports, shared) if shared else plan
        result = ImportRun(now, ports, lease, attempt, reports, shared).run(record_version)
    finally:
        _let_go(lease, ports)
    _tidy(plan, ports)
    return result


def _adopt(plan: ImportPlan, ports: ImportPorts) -> ImportResult:
    """An earlier attempt of this run finished and was lost before it could say so."""
    place = plan.chosen.place
    ports.say(f"import {place.import_id} was already finished by another attempt: adopting it")
    _tidy(plan, ports)
    return adopted(plan)


def adopted(plan: ImportPlan) -> ImportResult:
    """The result of an import that was finished before."""
    record = plan.chosen.record
    result = msgspec.json.decode(record.result if record else b"{}")
    return ImportResult(**{**result, "start": Start.ADOPT.value, "backup_id": plan.backup.identity})


def _begin(plan: ImportPlan, ports: ImportPorts, lease: RangeLease) -> str:
    """Leave the record by which a later attempt finds this import, then take the lease."""
    if ports.stop.is_set():
        raise stopped_before("import", plan.chosen.start)
    place = plan.chosen.place
    if plan.chosen.start is Start.NEW:
        body = records.encode(first_record(plan, ports))
        try:
            ports.records.put(place.record_key, body, expect=ABSENT)
        except VersionConflict:
            raise LeaseHeld(f"another live run began this import a moment ago ({place.record_key})") from None
    lease.acquire(ports.stop, ports.say)
    found = ports.records.get(place.record_key)
    if found is None or records.decode(found.body, ImportRecord, place.record_key).finished_at is not None:
        ports.records.delete([place.lease_key])
        raise LeaseHeld(f"another attempt finished this import a moment ago ({place.record_key})")
    return found.version


def first_record(plan: ImportPlan, ports: ImportPorts) -> ImportRecord:
    """What says that an import has begun."""
    return ImportRecord(
        fingerprint=plan.request.fingerprint(),
        run=plan.work.run,
        generation=plan.work.generation,
        backup_identity=plan.backup.identity,
        backup_uri=plan.request.s3_uri[0],
        table_identity=plan.table.identity,
        started_at=ports.clock.now(),
    )


def _tidy(plan: ImportPlan, ports: ImportPorts) -> None:
    """Remove what only a resume needs; the import is complete, so trouble with that costs a warning."""
    place = plan.chosen.place
    try:
        ports.records.delete([place.state_key, place.lease_key])
    except PipelineError as error:
        ports.warn(f"the import is complete, but its checkpoint could not be removed: {error}")


def _let_go(lease: Held, ports: ImportPorts) -> None:
    """Release the lease; whatever goes wrong here must not hide why the run ended."""
    try:
        lease.release()
    except Exception as error:  # noqa: BLE001
        ports.warn(f"could not release the lease: {error}; the next attempt waits until it has gone silent")
