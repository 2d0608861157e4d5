"""What is decided before several workers share out an export, and what each of them finds again."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.capacity import MAX_THREADS, PAGE_BYTES, read_rate, segments_fed_by
from airflow_dynamo_pipeline.engine.commit import remove_checkpoint
from airflow_dynamo_pipeline.engine.existing import (
    BY_ONE,
    Start,
    Target,
    begun_otherwise,
    open_target,
    stopped_before,
)
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.manifest import read_summary
from airflow_dynamo_pipeline.engine.own_use import SharedRate, fewer_workers
from airflow_dynamo_pipeline.engine.plan import Plan, Ports, announce, make_plan, table_problems
from airflow_dynamo_pipeline.engine.ports import ABSENT, TableDescription, VersionConflict
from airflow_dynamo_pipeline.engine.ranges import RangeWork, range_problems, range_works
from airflow_dynamo_pipeline.engine.records import StoredPlan
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.shares import Sharing, most_workers, sharing_of
from airflow_dynamo_pipeline.engine.sizing import LEAST_PAGE_UNITS
from airflow_dynamo_pipeline.engine.table_export import sizer_of
from airflow_dynamo_pipeline.errors import InvalidRequest, LeaseHeld, PreflightFailed, Problem

PLAN_AGAIN = "clear the task that planned it together with those after it"


def plan_export(
    request: ExportRequest, work: Work, ports: Ports, *, ranges: int, at_once: int | None = None
) -> tuple[RangeWork, ...]:
    """Decide an export that ``ranges`` workers share out, ``at_once`` of them (None: all) at a time.

    Leaves the plan by which the ranges, and later attempts at this plan, find the export; reads nothing.
    A plan that is made again gives the ranges of the first one; one range, ``finished``, if all is done.
    Raises InvalidRequest and PreflightFailed with every finding before anything is written, and LeaseHeld
    when another attempt made the plan at the same moment.
    """
    problems = range_problems(ranges, at_once) + list(_not_for_ranges(request))
    if problems:
        raise InvalidRequest(problems)
    plan = make_plan(request, work, ports)
    layout = plan.target.layout
    if plan.target.start is Start.ADOPT:
        announce(plan, ports)
        return _finished(work, layout)
    stored = plan.target.plan or _begin(plan, ports, ranges, at_once or ranges)
    if plan.target.plan is None and read_summary(ports.store, layout) is not None:
        remove_checkpoint(plan, ports)  # others planned and finished it while this attempt was asleep
        return _finished(work, layout)
    if stored.ranges == 1:
        raise PreflightFailed([begun_otherwise(f"export {layout.export_id}", BY_ONE)])
    announce(_as_stored(plan, stored), ports)
    begun = (stored.ranges, stored.at_once)
    if begun != (ranges, at_once or ranges):
        ports.say(f"resuming with the {begun[0]} ranges, {begun[1]} at once, the export was begun with")
    for problem in _too_many(plan, stored.at_once):  # of a new one they were refused
        ports.warn(f"{problem.message}; together they may be further ahead of the rate than a page")
    sharing = Sharing(workers=stored.at_once, slack=stored.slack)
    return range_works(work, layout.export_id, stored.ranges, sharing)


def _as_stored(plan: Plan, stored: StoredPlan) -> Plan:
    target = dataclasses.replace(plan.target, plan=stored)
    return dataclasses.replace(plan, target=target, segments=stored.segments)


def open_part(request: ExportRequest, ports: Ports, part: RangeWork) -> Target:
    """The export that a range belongs to; raises PreflightFailed where that is not as it was planned."""
    target = open_target(ExportLayout(request.location, part.id), request, ports.store)
    stored = target.plan
    if stored is None:
        return target
    planned = (stored.ranges, stored.at_once, stored.slack)
    if planned != (part.ranges, part.at_once, part.slack) or not 0 <= part.number < part.ranges:
        what = (
            f"range {part.number} of {part.ranges}, {part.at_once} at once, is none of export {part.id}, "
            f"which was planned with {stored.ranges} ranges, {stored.at_once} at once"
        )
        raise PreflightFailed([Problem("work", what, PLAN_AGAIN)])
    return target


def plan_of(request: ExportRequest, ports: Ports, part: RangeWork, target: Target) -> Plan:
    """The plan of a range's export as table and bucket are now; raises PreflightFailed.

    Its rate is that of all workers together.
    """
    plan = make_plan(request, part.work, ports, target)
    if target.plan is not None:
        _refuse_another(plan.table, target.plan.table_identity)
    return plan


def _refuse_another(table: TableDescription, identity: str) -> None:
    if table.identity != identity:
        what = f"table {table.name} was deleted and made anew since the export was planned"
        raise PreflightFailed([Problem("table_name", what, PLAN_AGAIN)])


def as_it_is_now(plan: Plan, ports: Ports, shared: SharedRate) -> Plan:
    """The plan after a wait, which may have been long: table, and a worker's share of the rate, of now.

    Raises PreflightFailed where the table is not that of the plan any more, or cannot be read.
    """
    table = ports.table.describe()
    _refuse_another(table, plan.table.identity)
    problems = list(table_problems(plan.request, table))
    if problems:
        raise PreflightFailed(problems)
    rate = read_rate(plan.request, table, ports.capacity, own=shared.own)
    own = dataclasses.replace(rate, units_per_second=shared.decided(rate.units_per_second))
    return dataclasses.replace(plan, table=table, rate=own)


def _not_for_ranges(request: ExportRequest) -> Iterator[Problem]:
    if request.method != "scan":
        hint = "a native export needs no workers: use DynamoDBPointInTimeExportOperator"
        yield Problem("method", f"{request.method!r} is for one worker", hint)


def _finished(work: Work, layout: ExportLayout) -> tuple[RangeWork, ...]:
    (only,) = range_works(work, layout.export_id, 1, Sharing())
    return (dataclasses.replace(only, finished=True),)


def _begin(plan: Plan, ports: Ports, ranges: int, at_once: int) -> StoredPlan:
    """Leave the marks by which every worker finds this export."""
    if ports.stop.is_set():
        raise stopped_before("export", plan.target.start)
    problems = list(_not_to_be_shared(plan, ranges, at_once))
    if problems:
        raise PreflightFailed(problems)
    rate = plan.rate.units_per_second
    sharing = sharing_of(rate, at_once, least_page=_least_page(plan))
    stored = StoredPlan(
        fingerprint=plan.request.fingerprint(),
        generation=plan.work.generation,
        segments=plan.request.segments or _segments_for(plan, ranges, sharing),
        table_identity=plan.table.identity,
        started_at=ports.clock.now(),
        ranges=ranges,
        at_once=at_once,
        slack=sharing.slack,
        units_per_second=rate,
    )
    layout = plan.target.layout
    ports.store.put(layout.started_key, b"")
    try:
        ports.store.put(layout.plan_key, records.encode(stored), expect=ABSENT)
    except VersionConflict:
        raise LeaseHeld(f"another live run began this export a moment ago ({layout.plan_key})") from None
    return stored


def _not_to_be_shared(plan: Plan, ranges: int, at_once: int) -> Iterator[Problem]:
    """Why so many workers cannot share this table, or this rate."""
    yield from _too_many(plan, at_once)
    segments = plan.request.segments
    if segments is not None and segments < ranges:
        what = f"{segments:,} segments cannot be shared out to {ranges:,} ranges"
        yield Problem("segments", what, "at least one for each, or 'auto'")


def _too_many(plan: Plan, at_once: int) -> Iterator[Problem]:
    rate, least = plan.rate.units_per_second, _least_page(plan)
    most = most_workers(rate, least)
    if at_once > most:
        what = f"{at_once:,} workers, each a page of {least:,.1f} units or more ahead, cannot share "
        hint = fewer_workers(most, lowered_by_others=plan.rate.lowered_by_others)
        yield Problem("at_once", f"{what}{rate:,.1f} units per second ({plan.rate.reason})", hint)


def _least_page(plan: Plan) -> float:
    """What a page costs at least: an item, as far as DescribeTable knows its size."""
    return max(LEAST_PAGE_UNITS, sizer_of(plan).units_per_item or 0.0)


def _segments_for(plan: Plan, ranges: int, sharing: Sharing) -> int:
    """As many for each worker at a time as its share of the rate feeds, but none of less than a page.

    A whole number of rounds: what is left over for a last one is read by fewer threads than the rate wants.
    """
    pages = math.ceil(plan.size_bytes / PAGE_BYTES / ranges) or MAX_THREADS  # 0: not counted by DynamoDB yet
    fed = segments_fed_by(sharing.rate(plan.rate.units_per_second))
    each_round = ranges * min(MAX_THREADS, fed, pages)
    return each_round * math.ceil(plan.segments / each_round)
