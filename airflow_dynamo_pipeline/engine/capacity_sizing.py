"""How many units a table and its indexes shall have, and how they scale."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from airflow_dynamo_pipeline.engine.capacity_changes import Wanted
from airflow_dynamo_pipeline.engine.capacity_request import KINDS, CapacityModeRequest
from airflow_dynamo_pipeline.engine.capacity_state import (
    CapacityTable,
    Place,
    PolicySpot,
    Say,
    Scaling,
    Spot,
    TableCapacity,
)
from airflow_dynamo_pipeline.engine.ports import JsonObject

PERCENTILE = 99.0
WINDOW_HOURS = 24.0
MARGIN = 0.2
TARGET_PERCENT = 70.0
SETTLED = timedelta(minutes=5)  # younger figures of CloudWatch still change
POLICY_NAME = "dynamo-pipeline-{kind}-utilisation"
UTILISATION = {"read": "DynamoDBReadCapacityUtilization", "write": "DynamoDBWriteCapacityUtilization"}
UNITS = {"read": "ReadCapacityUnits", "write": "WriteCapacityUnits"}
RUNNING = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}


def wanted_units(
    request: CapacityModeRequest, now: TableCapacity, table: CapacityTable, began_at: datetime, say: Say
) -> Wanted:
    """The units to provision.

    What is not given is sized from what was consumed before ``began_at``, the run's own beginning: so each
    attempt finds the same. An index that is not named has as many as are given for the table.
    """
    places = {}
    for place in now.places:
        units = {kind: _units(request, place, kind, table, began_at, say) for kind in KINDS}
        places[place.index] = Place(index=place.index, read=units["read"], write=units["write"])
    return Wanted(on_demand=False, places=places)


def _units(
    request: CapacityModeRequest,
    place: Place,
    kind: str,
    table: CapacityTable,
    began_at: datetime,
    say: Say,
) -> int:
    given = request.table_units(kind)
    if place.index is not None:
        given = request.index_units.get(place.index, {}).get(kind, given)
    if given is not None:
        return given
    percentile = request.percentile or PERCENTILE
    hours = request.window_hours or WINDOW_HOURS
    margin = MARGIN if request.margin is None else request.margin
    end = began_at.replace(second=0, microsecond=0) - SETTLED
    means = table.consumed(place.index, kind, end - timedelta(hours=hours), end)
    busy = percentile_of(means, percentile)
    units = max(1, math.ceil(busy * (1 + margin)))
    why = f"{kind} units of {place.name}: {units:,}, for percentile {percentile:g} of {len(means):,} busy "
    say(f"{why}minutes in {hours:g} h is {busy:,.1f} a second, and {margin:.0%} on top")
    least, most = request.autoscaling_min_units or 1, request.autoscaling_max_units or units
    within = min(max(units, least), most)
    if within != units:
        say(f"{kind} units of {place.name}: {within:,}, for autoscaling is to keep them at that")
    return within


def percentile_of(values: Sequence[float], percentile: float) -> float:
    """The least value that so many per cent of the values do not exceed; 0 of no values.

    >>> percentile_of([4.0, 1.0, 3.0, 2.0], 50)
    2.0
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percentile / 100) - 1)] if ordered else 0.0


def asked_scaling(
    request: CapacityModeRequest, now: TableCapacity, wanted: Wanted, present: Scaling
) -> Scaling:
    """What autoscaling shall be: all that there is, and what the request asks for in its place.

    That of an index which was made after the units were decided stays as it is.
    """
    targets, policies = dict(present.targets), dict(present.policies)
    most = request.autoscaling_max_units
    if most is None:
        return present
    percent = request.autoscaling_target_percent or TARGET_PERCENT
    for place, resource, units in _decided(now, wanted):
        for kind in KINDS:
            spot = (resource, dimension(place, kind))
            least = request.autoscaling_min_units or (units.read if kind == "read" else units.write)
            targets[spot] = _target(spot, least, most)
            key, policy = _policy(spot, kind, percent, present)
            policies[key] = policy
    return Scaling(targets, policies)


def _decided(now: TableCapacity, wanted: Wanted) -> Iterator[tuple[Place, str, Place]]:
    """Each place that units were decided for, with its resource and these units."""
    for place, resource in now.resources():
        if (units := wanted.places.get(place.index)) is not None:
            yield place, resource, units


def dimension(place: Place, kind: str) -> str:
    """Application Auto Scaling's word for the reads or writes of a place."""
    return f"dynamodb:{'table' if place.index is None else 'index'}:{UNITS[kind]}"


def _target(spot: Spot, least: int, most: int) -> JsonObject:
    return {
        "ResourceId": spot[0],
        "ScalableDimension": spot[1],
        "MinCapacity": least,
        "MaxCapacity": most,
        "SuspendedState": RUNNING,
    }


def _policy(spot: Spot, kind: str, percent: float, present: Scaling) -> tuple[PolicySpot, JsonObject]:
    """A new policy, or the one that tracks the same: there can be no second one for it."""
    metric = {"PredefinedMetricType": UTILISATION[kind]}
    name, settings = POLICY_NAME.format(kind=kind), {"PredefinedMetricSpecification": metric}
    for key, policy in present.policies.items():
        found = policy.get("TargetTrackingScalingPolicyConfiguration", {})
        if key[:2] == spot and found.get("PredefinedMetricSpecification") == metric:
            name, settings = key[2], found
    return (*spot, name), {
        "PolicyName": name,
        "ResourceId": spot[0],
        "ScalableDimension": spot[1],
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {**settings, "TargetValue": percent},
    }


def against(now: TableCapacity, wanted: Wanted, present: Scaling) -> list[str]:
    """Which units autoscaling will change soon, because they are outside of its limits."""
    found = []
    for place, resource, decided in _decided(now, wanted):
        for kind in KINDS:
            target = present.targets.get((resource, dimension(place, kind)))
            units = getattr(decided, kind)
            if target is not None and not target["MinCapacity"] <= units <= target["MaxCapacity"]:
                limits = f"{target['MinCapacity']:,} to {target['MaxCapacity']:,}"
                found.append(
                    f"autoscaling keeps the {kind} units of {place.name} at {limits} and will undo "
                    f"{units:,}; give autoscaling_max_units to move its limits meanwhile"
                )
    return found
