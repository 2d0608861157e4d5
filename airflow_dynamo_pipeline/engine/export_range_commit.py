"""The end of an export whose segments were shared out: every range at its end, then the manifest."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from airflow_dynamo_pipeline.engine.capacity import MAX_THREADS
from airflow_dynamo_pipeline.engine.checkpoint import Checkpoint
from airflow_dynamo_pipeline.engine.commit import Commit, remove_checkpoint
from airflow_dynamo_pipeline.engine.existing import Start, refuse_other_work, stopped_before
from airflow_dynamo_pipeline.engine.export_range_plan import open_part, plan_of
from airflow_dynamo_pipeline.engine.lease import Lease
from airflow_dynamo_pipeline.engine.manifest import Summary, read_summary
from airflow_dynamo_pipeline.engine.plan import Plan, Ports
from airflow_dynamo_pipeline.engine.ranges import RangeWork, numbers_of
from airflow_dynamo_pipeline.engine.records import SegmentState
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.table_export import ExportResult, adopt, let_go, result_of
from airflow_dynamo_pipeline.engine.workers import Workers
from airflow_dynamo_pipeline.errors import PipelineError, PreflightFailed, Problem, Stopped


def commit_export(request: ExportRequest, ports: Ports, part: RangeWork) -> ExportResult:
    """Check that every range came to its end, and write the manifest; ``part`` is any of the ranges.

    Raises PreflightFailed naming the ranges that did not; nothing is written then.
    """
    try:
        return _committed(request, ports, part)
    except PreflightFailed as refused:
        raise PreflightFailed(refused.problems, "the export was not committed") from None


def _committed(request: ExportRequest, ports: Ports, part: RangeWork) -> ExportResult:
    plan = _as_planned(plan_of(request, ports, part, open_part(request, ports, part)))
    if plan.target.start is Start.ADOPT:
        refuse_other_work(plan.target.layout, request, part.run, plan.table.arn)
        return adopt(plan, ports)
    if ports.stop.is_set():
        raise stopped_before("commit", plan.target.start)
    attempt = secrets.token_hex(4)
    lease = Lease(ports.store, plan.target.layout.lease_key, attempt, ports.clock)
    try:
        lease.acquire(ports.stop, ports.say)
        summary = _commit(
            plan, ports, part, Checkpoint(ports.store, plan.target.layout, attempt, plan.segments), lease
        )
    except PipelineError:
        if not is_committed(plan, ports):
            raise
        return adopt(plan, ports)
    finally:
        let_go(lease, ports)
    remove_checkpoint(plan, ports)
    return result_of(plan, summary, plan.target.start)


def _as_planned(plan: Plan) -> Plan:
    """At the rate that was asked for, also where the present one is only what the workers left of it.

    What they used of an on-demand table of late may be taken for that of others, so there the planned rate
    stands, as far as the present ratio allows it. Elsewhere the present rate is that of the present settings.
    """
    stored, capacity, now = plan.target.plan, plan.rate.capacity, plan.rate.units_per_second
    if stored is None or capacity is None:
        return plan
    rate = max(now, min(stored.units_per_second, plan.request.effective_ratio * capacity))
    return replace(plan, rate=replace(plan.rate, units_per_second=rate))


def is_committed(plan: Plan, ports: Ports) -> bool:
    """Whether the export was finished meanwhile, so that an error of this attempt means nothing.

    Nobody commits before every range is at its end: then what this attempt was to do is done, whoever did it.
    """
    try:
        return read_summary(ports.store, plan.target.layout) is not None
    except PipelineError:
        return False


def _commit(plan: Plan, ports: Ports, part: RangeWork, checkpoint: Checkpoint, lease: Lease) -> Summary:
    found = _states(plan, ports, checkpoint, lease)
    problems = list(_unfinished(plan, part, found))
    if problems:
        raise PreflightFailed(problems)
    states = [found[segment] for segment in range(plan.segments)]
    return Commit(plan, ports, checkpoint, lease, held=_held_by_all(states)).run(states)


def _states(plan: Plan, ports: Ports, checkpoint: Checkpoint, lease: Lease) -> Mapping[int, SegmentState]:
    """The states of all segments that were begun, read by several threads: there may be thousands."""
    layout = plan.target.layout
    there = set(ports.store.keys(layout.checkpoint_prefix))
    begun = [segment for segment in range(plan.segments) if layout.segment_key(segment) in there]
    found: dict[int, SegmentState] = {}
    over = threading.Event()

    def read(segment: int) -> None:
        if over.is_set() or ports.stop.is_set():
            raise Stopped("told to stop before the commit")
        found[segment] = checkpoint.read(segment)[0]

    if begun:
        readers = Workers(begun, read, threads=min(MAX_THREADS, len(begun)))
        readers.run(ports.clock, tick=lambda: _beat(lease), stop_all=over.set)
    return found


def _beat(lease: Lease) -> None:
    lease.beat()


def _unfinished(plan: Plan, part: RangeWork, found: Mapping[int, SegmentState]) -> Iterator[Problem]:
    """The ranges that are not at their end."""
    for number in range(part.ranges):
        segments = numbers_of(number, part.ranges, plan.segments)
        left = sum(segment not in found or not found[segment].done for segment in segments)
        if left:
            what = f"{left:,} of its {len(segments):,} segments are not at their end"
            yield Problem(f"range {number}", what, "run its task again, then this one")


def _held_by_all(states: Iterable[SegmentState]) -> float:
    """Units per second over all workers, from the first page to the last."""
    read = [state for state in states if state.first_page_at and state.last_page_at]
    first = min((state.first_page_at for state in read if state.first_page_at), default=None)
    last = max((state.last_page_at for state in read if state.last_page_at), default=None)
    seconds = (last - first).total_seconds() if first and last else 0.0
    return sum(state.units for state in read) / seconds if seconds > 0 else 0.0
