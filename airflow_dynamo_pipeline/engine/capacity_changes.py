"""What separates a table's capacity from what is wanted, as calls; and whether DynamoDB allows them now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_dynamo_pipeline.engine.capacity_state import Place, Scaling, TableCapacity
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.errors import CapacityRefused, Problem

FREE_DECREASES = 4  # a day, whenever one likes; then one an hour
MOST_DECREASES = 27  # a day
HOUR = timedelta(hours=1)
SWITCHES = 4  # to on-demand
SWITCH_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mode, and by index (None: the table) the units or, of on-demand, the maxima; None: as they are."""

    on_demand: bool
    places: Mapping[str | None, Place]


def update_for(now: TableCapacity, wanted: Wanted) -> JsonObject:
    """UpdateTable's parameters for the next step towards what is wanted; empty when it is reached.

    A switch to on-demand is a step of its own; maxima come after it.
    """
    if wanted.on_demand:
        return _maxima(now, wanted) if now.on_demand else {"BillingMode": "PAY_PER_REQUEST"}
    return _units(now, wanted)


def _units(now: TableCapacity, wanted: Wanted) -> JsonObject:
    differing = {place.index: place for place in _differing(now, wanted)}
    found: JsonObject = {"BillingMode": "PROVISIONED"} if now.on_demand else {}
    if table := differing.pop(None, None):
        found["ProvisionedThroughput"] = _throughput(table)
    if differing:
        found["GlobalSecondaryIndexUpdates"] = [
            {"Update": {"IndexName": index, "ProvisionedThroughput": _throughput(place)}}
            for index, place in differing.items()
        ]
    return found


def _differing(now: TableCapacity, wanted: Wanted) -> Iterator[Place]:
    """The wanted places whose units are others; all of them when the mode changes, as DynamoDB asks for."""
    for place in now.places:
        target = wanted.places.get(place.index)
        if target is None and now.on_demand:
            target = wanted.places[None]  # an index nobody spoke of: it must have units of its own
        if target is not None and (now.on_demand or (place.read, place.write) != (target.read, target.write)):
            yield Place(index=place.index, read=target.read, write=target.write)


def _throughput(place: Place) -> JsonObject:
    return {"ReadCapacityUnits": place.read, "WriteCapacityUnits": place.write}


def _maxima(now: TableCapacity, wanted: Wanted) -> JsonObject:
    found: JsonObject = {}
    for place in now.places:
        target = wanted.places.get(place.index)
        if target is None or (place.max_read, place.max_write) == (target.max_read, target.max_write):
            continue
        maxima = {
            "MaxReadRequestUnits": -1 if target.max_read is None else target.max_read,
            "MaxWriteRequestUnits": -1 if target.max_write is None else target.max_write,
        }
        if place.index is None:
            found["OnDemandThroughput"] = maxima
        else:
            update = {"IndexName": place.index, "OnDemandThroughput": maxima}
            found.setdefault("GlobalSecondaryIndexUpdates", []).append({"Update": update})
    return found


def check_decreases(now: TableCapacity, wanted: Wanted, at: datetime) -> None:
    """Raise CapacityRefused, with the time when they may, for decreases that DynamoDB allows no more."""
    found = _refused_decreases(now, wanted, at)
    if found:
        raise CapacityRefused([_too_many(*each) for each in found.items()], max(found.values()))


def allowed_now(now: TableCapacity, wanted: Wanted, at: datetime) -> Wanted:
    """Without the places whose units DynamoDB does not let anybody lower yet."""
    refused = {place.index for place in _refused_decreases(now, wanted, at)}
    kept = {index: place for index, place in wanted.places.items() if index not in refused}
    return Wanted(on_demand=wanted.on_demand, places=kept)


def _refused_decreases(now: TableCapacity, wanted: Wanted, at: datetime) -> dict[Place, datetime]:
    """Each with the time when it is allowed."""
    asked = [(place, _may_decrease_at(place, at)) for place in _lowered(now, wanted)]
    return {place: may_at for place, may_at in asked if may_at is not None}


def _lowered(now: TableCapacity, wanted: Wanted) -> list[Place]:
    """The places whose units go down; of a change of the mode none do."""
    if now.on_demand or wanted.on_demand:
        return []
    targets = {place.index: place for place in _differing(now, wanted)}
    lower = [(place, targets[place.index]) for place in now.places if place.index in targets]
    return [place for place, target in lower if target.read < place.read or target.write < place.write]


def _may_decrease_at(place: Place, at: datetime) -> datetime | None:
    """When the next decrease is allowed; None: now."""
    if place.decreases_today < FREE_DECREASES or place.last_decrease_at is None:
        return None
    tomorrow = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    if place.decreases_today >= MOST_DECREASES:
        return tomorrow
    may_at = min(place.last_decrease_at + HOUR, tomorrow)
    return may_at if may_at > at else None


def _too_many(place: Place, may_at: datetime) -> Problem:
    message = f"its units were lowered {place.decreases_today} times today (UTC)"
    return Problem(place.name, message, f"DynamoDB allows the next decrease at {instant(may_at)}")


def refused_by_aws(now: TableCapacity, wanted: Wanted, said: str) -> CapacityRefused:
    """What can be said of a refusal: DynamoDB's own words, the rule, and from when on it surely may."""
    lowered = [place.last_decrease_at for place in _lowered(now, wanted) if place.last_decrease_at]
    hint, may_at = None, None
    if wanted.on_demand and now.on_demand_since is not None:
        may_at = now.on_demand_since + SWITCH_WINDOW
        hint = (
            f"a table may go on-demand {SWITCHES} times in 24 hours; DynamoDB tells the last time only, so "
            f"it may again at {instant(may_at)} at the latest"
        )
    elif lowered:
        may_at = max(lowered) + HOUR
        hint = (
            f"units may be lowered {FREE_DECREASES} times a day (UTC), then once an hour: {instant(may_at)}"
        )
    return CapacityRefused([Problem(f"table {now.table_name}", said, hint)], may_at)


def instant(at: datetime) -> str:
    """As text, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class ScalingChanges:
    """What to do to autoscaling."""

    put: Scaling
    remove: Scaling

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not any((self.put.targets, self.put.policies, self.remove.targets, self.remove.policies))


def scaling_changes(now: Scaling, wanted: Scaling) -> ScalingChanges:
    """From what there is to exactly what is wanted. A target that goes takes its policies along."""
    gone = {spot: target for spot, target in now.targets.items() if spot not in wanted.targets}
    return ScalingChanges(
        put=Scaling(
            {spot: one for spot, one in wanted.targets.items() if now.targets.get(spot) != one},
            {spot: one for spot, one in wanted.policies.items() if now.policies.get(spot) != one},
        ),
        remove=Scaling(
            gone,
            {
                spot: one
                for spot, one in now.policies.items()
                if spot not in wanted.policies and spot[:2] not in gone
            },
        ),
    )
