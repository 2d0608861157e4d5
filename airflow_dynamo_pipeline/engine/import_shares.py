"""What one of those has who share out an import: its share of the rate, as the table is now."""

from __future__ import annotations

from dataclasses import replace

from airflow_dynamo_pipeline.engine.import_place import PLAN_AGAIN, ImportPlace
from airflow_dynamo_pipeline.engine.import_plan import (
    USABLE_STATES,
    ImportPlan,
    ImportPorts,
    writable_problems,
)
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.own_use import SharedRate, at_work_of_late
from airflow_dynamo_pipeline.engine.ports import CapacitySource, TableDescription
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.engine.shares import Sharing
from airflow_dynamo_pipeline.engine.write_capacity import WriteRate, write_rate
from airflow_dynamo_pipeline.errors import ImportRefused, Problem


def shared_rate_of(whole: ImportPlan, ports: ImportPorts, part: RangeWork) -> SharedRate:
    """To be made before this range's lease and place are taken: it looks at who had them."""
    record, place, now = whole.chosen.record, whole.chosen.place, ports.clock.now()
    two_places = place_keys(place, part)[:: max(1, part.at_once - 1)]
    leases = [place.range_place(part.number).lease_key, *two_places]
    return SharedRate(
        planned=record.units_per_second if record else 0.0,
        sharing=part.sharing,
        clock=ports.clock,
        at_work=at_work_of_late(ports.records, record.started_at if record else now, leases, now),
    )


def place_keys(place: ImportPlace, part: RangeWork) -> list[str]:
    """The places of those who write at the same time, in the order in which a range tries them."""
    return [place.worker_key((part.number + step) % part.at_once) for step in range(part.at_once)]


def with_share(plan: ImportPlan, sharing: Sharing) -> ImportPlan:
    """The plan of one of those who share the rate."""
    return replace(plan, sharing=sharing, rate=_share_of(plan.rate, sharing))


def _share_of(rate: WriteRate, sharing: Sharing) -> WriteRate:
    """One worker's share of the rate of all."""
    if sharing.workers == 1:
        return rate
    return replace(
        rate,
        units_per_second=sharing.rate(rate.units_per_second),
        reason=f"{rate.reason}; shared by {sharing.workers:,} workers",
    )


def rate_of_one(
    request: ImportRequest, table: TableDescription, capacity: CapacitySource, shared: SharedRate
) -> WriteRate:
    """Decide on the rate of all again; gives one worker's share of it."""
    rate = write_rate(request, table, capacity, own=shared.own)
    shared.decided(rate.units_per_second)
    return _share_of(rate, shared.sharing)


def as_it_is_now(plan: ImportPlan, ports: ImportPorts, shared: SharedRate) -> ImportPlan:
    """The plan of a range after it waited for its place, which may have been long.

    Raises ImportRefused where the table is not that of the plan any more, or cannot be written to.
    """
    table = ports.table.describe()
    if table.identity != plan.table.identity:
        what = f"table {table.name} was deleted and made anew since this range was begun"
        raise ImportRefused([Problem("table_name", what, PLAN_AGAIN)])
    protected = plan.request.allow_protected
    problems = list(writable_problems(table, ports, allow_protected=protected, states=USABLE_STATES))
    if problems:
        raise ImportRefused(problems)
    rate = rate_of_one(plan.request, table, ports.capacity, shared)
    if rate.units_per_second != plan.rate.units_per_second:
        ports.say(f"rate now {rate.units_per_second:,.1f} write units per second ({rate.reason})")
    return replace(plan, table=table, rate=rate)
