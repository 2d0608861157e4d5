"""An export whose segments are shared out to several workers: plan, ranges, commit.

The plan decides everything and is written down first. Each range is then brought to its end by itself,
in any order, resumed by itself if its worker is lost, and read at its share of the rate. The commit checks
that every range came to its end, and writes the manifest, once.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from airflow_dynamo_pipeline.engine.checkpoint import Checkpoint
from airflow_dynamo_pipeline.engine.commit import remove_checkpoint
from airflow_dynamo_pipeline.engine.existing import Start, Target, stopped_before
from airflow_dynamo_pipeline.engine.export_range_commit import commit_export, is_committed
from airflow_dynamo_pipeline.engine.export_range_plan import as_it_is_now, open_part, plan_export, plan_of
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.manifest import read_summary
from airflow_dynamo_pipeline.engine.own_use import SharedRate, at_work_of_late
from airflow_dynamo_pipeline.engine.plan import Plan, Ports
from airflow_dynamo_pipeline.engine.plan_cost import counted
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.range_lease import RangeLease
from airflow_dynamo_pipeline.engine.ranges import RangeWork, numbers_of
from airflow_dynamo_pipeline.engine.records import SegmentState
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.segments_run import SegmentsRun
from airflow_dynamo_pipeline.engine.sizing import PageSizer
from airflow_dynamo_pipeline.engine.table_export import let_go, sizer_of
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.errors import PipelineError

__all__ = ["RangeResult", "commit_export", "export_range", "plan_export"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RangeResult:
    """What a range holds, over all attempts at it; small enough for an XCom.

    With ``start`` "adopt" the whole export was committed before: the figures are 0, the manifest has them.
    """

    export_id: str
    number: int
    ranges: int
    first_segment: int  # then every one that is ``ranges`` further
    segments: int
    item_count: int
    bytes: int  # before compression
    stored_bytes: int
    parts: int
    consumed_units: float
    units_per_second_held: float  # by the attempt that ended it
    units_per_second_asked: float
    start: str  # new, resume, or adopt

    def to_json(self) -> JsonObject:
        """The result as a JSON object."""
        return asdict(self)


def export_range(request: ExportRequest, ports: Ports, reports: Reports, part: RangeWork) -> RangeResult:
    """Bring one range to its end, or go on with what an earlier attempt at it left.

    Raises LeaseHeld when another attempt at the range lives or another worker has taken this one's place,
    StaleAttempt when superseded, Stopped after a stop with the checkpoint written, PreflightFailed when the
    export is not there any more, and the errors of the ports.
    """
    target = open_part(request, ports, part)
    if target.start is Start.ADOPT:
        return _committed(part, target.layout, ports)
    plan = _shared(plan_of(_without_definition(request), ports, part, target), part)
    ports.say(_line(plan, part))
    if ports.stop.is_set():
        raise stopped_before("range", target.start)
    shared = _shared_rate(target, ports, part)
    lease = _lease(plan, ports, part)
    try:
        lease.acquire(ports.stop, ports.say)
        plan = _after_the_wait(plan, ports, shared)
        return _scan(plan, ports, reports, part, lease, shared)
    except PipelineError:
        if not is_committed(plan, ports):
            raise
        remove_checkpoint(plan, ports)  # an attempt that woke late may have put something there again
        return _committed(part, target.layout, ports)
    finally:
        let_go(lease, ports)


def _without_definition(request: ExportRequest) -> ExportRequest:
    """The table's definition is the business of plan and commit."""
    return dataclasses.replace(request, save_table_definition=False)


def _shared(plan: Plan, part: RangeWork) -> Plan:
    """The plan with one worker's share of the rate."""
    own = part.sharing.rate(plan.rate.units_per_second)
    return dataclasses.replace(plan, rate=dataclasses.replace(plan.rate, units_per_second=own))


def _shared_rate(target: Target, ports: Ports, part: RangeWork) -> SharedRate:
    """To be made before this range's lease and place are taken: it looks at who had them."""
    stored, now = target.plan, ports.clock.now()
    began_at = stored.started_at if stored else now
    return SharedRate(
        planned=stored.units_per_second if stored else 0.0,
        sharing=part.sharing,
        clock=ports.clock,
        at_work=at_work_of_late(ports.store, began_at, _own_and_next(target.layout, part), now),
    )


def _own_and_next(layout: ExportLayout, part: RangeWork) -> Iterator[str]:
    """Leases that tell whether there was work of late: of this range, and of two places, or ranges."""
    yield layout.range_key(part.number)
    if part.at_once < part.ranges:
        yield from (layout.place_key((part.number - step) % part.at_once) for step in range(2))
    else:
        yield layout.range_key((part.number - 1) % part.ranges)


def _after_the_wait(plan: Plan, ports: Ports, shared: SharedRate) -> Plan:
    """A place may have been free at once, or after ten minutes."""
    now = as_it_is_now(plan, ports, shared)
    if now.rate.units_per_second != plan.rate.units_per_second:
        ports.say(f"rate now {now.rate.units_per_second:,.1f} read units per second ({now.rate.reason})")
    return now


def _line(plan: Plan, part: RangeWork) -> str:
    segments = len(numbers_of(part.number, part.ranges, plan.segments))
    return (
        f"range {part.number} of {part.ranges} of {plan.request.table_name}: {counted(segments, 'segment')} "
        f"of {plan.segments}, to {plan.target.layout.manifest_uri} at "
        f"{plan.rate.units_per_second:,.1f} read units per second, the share of one of {part.at_once} workers"
    )


def _lease(plan: Plan, ports: Ports, part: RangeWork) -> RangeLease:
    """With as many places as ranges, a range is a place."""
    layout = plan.target.layout
    numbers = range(part.at_once) if part.at_once < part.ranges else ()
    return RangeLease(
        store=ports.store,
        range_key=layout.range_key(part.number),
        place_keys=[layout.place_key((part.number + step) % part.at_once) for step in numbers],
        attempt=secrets.token_hex(4),
        clock=ports.clock,
    )


def _scan(
    plan: Plan, ports: Ports, reports: Reports, part: RangeWork, lease: RangeLease, shared: SharedRate
) -> RangeResult:
    segments = numbers_of(part.number, part.ranges, plan.segments)
    checkpoint = Checkpoint(ports.store, plan.target.layout, lease.attempt, plan.segments)
    sizer = sizer_of(plan, part.sharing.page_units)
    throttle = _throttle(plan, ports, sizer, part)
    run = SegmentsRun(
        plan,
        ports,
        lease,
        checkpoint,
        segments=segments,
        sizer=sizer,
        throttle=throttle,
        shared=shared,
    )
    housekeeping = run.housekeeping(reports)
    run.scan(housekeeping)
    housekeeping.report_end()
    states = list(checkpoint.read_all(lease.beat, segments))
    resumed = any(state.attempt != lease.attempt for state in states)
    own = _Read(
        start="resume" if resumed else "new",
        held=round(throttle.held, 2),
        asked=round(plan.rate.units_per_second, 2),
    )
    return _result(part, plan.segments, states, own)


def _throttle(plan: Plan, ports: Ports, sizer: PageSizer, part: RangeWork) -> Throttle:
    """As if a page had just been read: by an attempt that was killed, or by whoever had this place before.

    Workers that begin together begin one after the other within the time of a page, or all of them would
    be a page ahead at the same moments.
    """
    rate = plan.rate.units_per_second
    most = sizer.most_units(sizer.limit(rate))
    page = most if sizer.units_per_item is None else min(most, sizer.page_target(rate))
    turn = part.number % part.at_once / part.at_once
    return Throttle(rate, ports.clock, ports.stop, debt=page * (1.0 + turn))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """How an attempt read."""

    start: str
    held: float = 0.0
    asked: float = 0.0


def _committed(part: RangeWork, layout: ExportLayout, ports: Ports) -> RangeResult:
    """The result of a range whose export was finished before."""
    ports.say(
        f"export {layout.export_id} was already committed: nothing is left to do for range {part.number}"
    )
    summary = read_summary(ports.store, layout)
    return _result(part, summary.ours.segments if summary else 0, [], _Read(start=Start.ADOPT.value))


def _result(part: RangeWork, total: int, states: Sequence[SegmentState], own: _Read) -> RangeResult:
    parts = [one for state in states for one in state.parts]
    segments = numbers_of(part.number, part.ranges, total)
    return RangeResult(
        export_id=part.id,
        number=part.number,
        ranges=part.ranges,
        first_segment=segments.start,
        segments=len(segments),
        item_count=sum(one.item_count for one in parts),
        bytes=sum(one.bytes for one in parts),
        stored_bytes=sum(one.stored_bytes for one in parts),
        parts=len(parts),
        consumed_units=round(sum(state.units for state in states), 2),
        units_per_second_held=own.held,
        units_per_second_asked=own.asked,
        start=own.start,
    )
