"""A throttled, resumable export of one table: plan, scan, write, commit.

Memory: at most eight threads, each with one page (1.6 to 2 MB of JSON for 1 MB of items, of which
it holds at most 25,000), its lines, one piece of an upload (5 MiB) and a compressor; it does not
depend on the table's size.
No file is written to the worker's disk.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.checkpoint import Checkpoint
from airflow_dynamo_pipeline.engine.commit import Commit, remove_checkpoint
from airflow_dynamo_pipeline.engine.existing import SHARED_OUT, Start, begun_otherwise, stopped_before
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.lease import Held, Lease
from airflow_dynamo_pipeline.engine.manifest import Summary, read_summary
from airflow_dynamo_pipeline.engine.plan import Plan, Ports, announce, make_plan
from airflow_dynamo_pipeline.engine.ports import ABSENT, JsonObject, VersionConflict
from airflow_dynamo_pipeline.engine.records import StoredPlan
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.segments_run import SegmentsRun
from airflow_dynamo_pipeline.engine.sizing import PageSizer, PageUnits, alone
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.errors import (
    LeaseHeld,
    NotFound,
    PipelineError,
    PreflightFailed,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportResult:
    """What an export holds and what it took; small enough for an XCom."""

    manifest_uri: str  # the UI shows the first fields only: first comes what a person asks first
    item_count: int
    bytes: int  # before compression
    stored_bytes: int
    parts: int
    consumed_units: float
    seconds: float  # from the first page to the last, over all attempts
    units_per_second_held: float  # by the attempt that committed
    units_per_second_asked: float
    start: str  # new, resume or adopt
    export_id: str
    segments: int
    table_arn: str
    plan: JsonObject  # the estimate that the last attempt began with

    def to_json(self) -> JsonObject:
        """The result as a JSON object."""
        return asdict(self)


def export_table(request: ExportRequest, work: Work, ports: Ports, reports: Reports) -> ExportResult:
    """Export a table, or go on with the export that an earlier attempt at this work began.

    Records of progress are handed over from this thread only, every few seconds and at the end.
    Raises PreflightFailed before the first Scan, LeaseHeld when another run lives, Stopped after a
    stop with the checkpoint written, StaleAttempt when superseded, and the errors of the ports.
    """
    plan = make_plan(request, work, ports)
    announce(plan, ports)
    if plan.target.start is Start.ADOPT:
        return adopt(plan, ports)
    if plan.target.plan is not None and plan.target.plan.ranges > 1:
        raise PreflightFailed([begun_otherwise(f"export {plan.target.layout.export_id}", SHARED_OUT)])
    attempt = secrets.token_hex(4)
    lease = Lease(ports.store, plan.target.layout.lease_key, attempt, ports.clock)
    try:
        _begin(plan, ports, lease)
        summary = _run(plan, ports, lease, attempt, reports)
    except PipelineError as error:
        return _committed_meanwhile(plan, ports, error)
    finally:
        let_go(lease, ports)
    remove_checkpoint(plan, ports)
    return result_of(plan, summary, plan.target.start)


def _committed_meanwhile(plan: Plan, ports: Ports, error: PipelineError) -> ExportResult:
    """What to make of an error: nothing, if the attempt that superseded this one has done the work of both.

    If it was another generation's, the next try makes an export of its own.
    """
    try:
        summary = read_summary(ports.store, plan.target.layout)
    except PipelineError:
        raise error from None
    if summary is None:
        raise error
    if summary.ours.generation == plan.work.generation:
        return adopt(plan, ports)
    remove_checkpoint(plan, ports)
    raise LeaseHeld(
        f"another run finished this export meanwhile ({plan.target.layout.manifest_uri})"
    ) from error


def adopt(plan: Plan, ports: Ports) -> ExportResult:
    """Another attempt wrote the manifest and was lost, or not heard, before it could say so."""
    layout = plan.target.layout
    summary = read_summary(ports.store, layout)
    if summary is None:
        raise NotFound("export", layout.manifest_uri, "its manifest was removed a moment ago")
    ports.say(f"export {layout.export_id} was already committed by another attempt: adopting it")
    remove_checkpoint(plan, ports)
    return result_of(plan, summary, Start.ADOPT)


def _begin(plan: Plan, ports: Ports, lease: Lease) -> None:
    """Leave the marks that let a later attempt find this export, then take the lease."""
    if ports.stop.is_set():
        raise stopped_before("export", plan.target.start)
    layout = plan.target.layout
    if plan.target.start is Start.NEW:
        stored = StoredPlan(
            fingerprint=plan.request.fingerprint(),
            generation=plan.work.generation,
            segments=plan.segments,
            table_identity=plan.table.identity,
            started_at=ports.clock.now(),
        )
        ports.store.put(layout.started_key, b"")
        try:
            ports.store.put(layout.plan_key, records.encode(stored), expect=ABSENT)
        except VersionConflict:
            raise LeaseHeld(f"another live run began this export a moment ago ({layout.plan_key})") from None
    lease.acquire(ports.stop, ports.say)
    _refuse_committed(plan, ports)


def _refuse_committed(plan: Plan, ports: Ports) -> None:
    """Between our look at the target and the lease, another attempt may have finished the export.

    Going on would scan it anew into a committed folder.
    """
    layout = plan.target.layout
    if read_summary(ports.store, layout) is not None or ports.store.get(layout.plan_key) is None:
        ports.store.delete([layout.lease_key])
        raise LeaseHeld(f"another attempt finished this export a moment ago ({layout.manifest_uri})")


def let_go(lease: Held, ports: Ports) -> None:
    """Release the lease; whatever goes wrong here must not hide why the run ended."""
    try:
        lease.release()
    except Exception as error:  # noqa: BLE001
        ports.warn(f"could not release the lease: {error}; the next attempt waits until it has gone silent")


def result_of(plan: Plan, summary: Summary, start: Start) -> ExportResult:
    """What a committed export holds."""
    ours, layout = summary.ours, plan.target.layout
    seconds = 0.0
    if ours.first_page_at and ours.last_page_at:
        seconds = (ours.last_page_at - ours.first_page_at).total_seconds()
    return ExportResult(
        manifest_uri=layout.manifest_uri,
        item_count=summary.item_count,
        bytes=ours.bytes,
        stored_bytes=ours.stored_bytes,
        parts=ours.parts,
        consumed_units=ours.consumed_units,
        seconds=round(seconds, 3),
        units_per_second_held=ours.units_per_second_held,
        units_per_second_asked=ours.units_per_second_asked,
        start=start.value,
        export_id=layout.export_id,
        segments=ours.segments,
        table_arn=summary.table_arn,
        plan=plan.estimate.to_json(),
    )


def _run(plan: Plan, ports: Ports, lease: Lease, attempt: str, reports: Reports) -> Summary:
    """Scan what is left, then commit."""
    sizer = sizer_of(plan)
    checkpoint = Checkpoint(ports.store, plan.target.layout, attempt, plan.segments)
    run = SegmentsRun(
        plan,
        ports,
        lease,
        checkpoint,
        segments=range(plan.segments),
        sizer=sizer,
        throttle=_throttle(plan, ports, sizer),
    )
    housekeeping = run.housekeeping(reports)
    run.scan(housekeeping)
    summary = Commit(plan, ports, checkpoint, lease, held=run.throttle.held).run()
    housekeeping.report_end()
    return summary


def sizer_of(plan: Plan, page_units: PageUnits = alone) -> PageSizer:
    """What sizes the pages of an export."""
    return PageSizer(
        consistent_read=plan.request.consistent_read,
        size_bytes=plan.size_bytes,
        item_count=plan.item_count,
        page_units=page_units,
    )


def _throttle(plan: Plan, ports: Ports, sizer: PageSizer) -> Throttle:
    """Full allowance from now on; after a resume less one page, which a killed attempt may just have read."""
    rate = plan.rate.units_per_second
    debt = sizer.most_units(sizer.limit(rate)) if plan.target.start is Start.RESUME else 0.0
    return Throttle(rate, ports.clock, ports.stop, debt=debt)
