"""The capacity of a table as it was found: its mode, its units, those of its indexes, its autoscaling."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from airflow_dynamo_pipeline.engine.ports import Clock, JsonObject, ObjectStore
from airflow_dynamo_pipeline.errors import Temporary

ACTIVE = "ACTIVE"
GONE = ("DELETING", "ARCHIVING", "ARCHIVED")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What has capacity of its own: the table, or one of its global indexes."""

    index: str | None  # None: the table itself
    status: str = ACTIVE
    read: int = 0  # provisioned units per second; 0: on-demand
    write: int = 0
    max_read: int | None = None  # OnDemandThroughput; None: no maximum
    max_write: int | None = None
    decreases_today: int = 0  # in this day of UTC
    last_decrease_at: datetime | None = None

    @property
    def name(self) -> str:
        """As a person calls it."""
        return "the table" if self.index is None else f"index {self.index}"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableCapacity:
    """What DescribeTable says of a table's capacity; ``places`` begins with the table itself."""

    table_name: str
    arn: str
    table_id: str
    status: str
    on_demand: bool
    places: Sequence[Place]
    on_demand_since: datetime | None = None  # LastUpdateToPayPerRequestDateTime; None: it never was
    replicas: Sequence[str] = ()

    @property
    def changing(self) -> str | None:
        """What is not ACTIVE yet, in words; None: nothing."""
        places = [place for place in self.places if place.index is not None and place.status != ACTIVE]
        if self.status != ACTIVE:
            return f"table {self.table_name} is {self.status}"
        return f"{places[0].name} of table {self.table_name} is {places[0].status}" if places else None

    @property
    def mode(self) -> str:
        """In words."""
        return "on-demand" if self.on_demand else "provisioned"

    def summary(self) -> JsonObject:
        """What a person asks for first: mode and units."""
        units = {place.index: {"read": place.read, "write": place.write} for place in self.places}
        return {
            "table_name": self.table_name,
            "mode": "on_demand" if self.on_demand else "provisioned",
            "read_units": units[None]["read"],
            "write_units": units[None]["write"],
            "index_units": {index: both for index, both in units.items() if index is not None},
        }

    def place(self, index: str | None) -> Place | None:
        """The table or one of its indexes."""
        return next((place for place in self.places if place.index == index), None)

    def resources(self) -> Iterator[tuple[Place, str]]:
        """Each place with the name that Application Auto Scaling has for it."""
        for place in self.places:
            yield place, resource_of(self.table_name, place.index)


def resource_of(table_name: str, index: str | None) -> str:
    """Application Auto Scaling's name for the table or an index."""
    return f"table/{table_name}" + ("" if index is None else f"/index/{index}")


Spot = tuple[str, str]  # ResourceId and ScalableDimension
PolicySpot = tuple[str, str, str]  # and PolicyName


@dataclass(frozen=True, slots=True)
class Scaling:
    """Scalable targets and their policies, as the API of Application Auto Scaling takes them."""

    targets: Mapping[Spot, JsonObject] = field(default_factory=dict)
    policies: Mapping[PolicySpot, JsonObject] = field(default_factory=dict)

    @classmethod
    def of(cls, targets: Sequence[JsonObject], policies: Sequence[JsonObject]) -> Scaling:
        """Order them by what they belong to."""
        return cls(
            {spot_of(target): target for target in targets},
            {(*spot_of(policy), policy["PolicyName"]): policy for policy in policies},
        )


def spot_of(entry: JsonObject) -> Spot:
    """What a target or a policy scales."""
    return entry["ResourceId"], entry["ScalableDimension"]


class CapacityTable(Protocol):
    """One table's capacity."""

    def describe(self) -> TableCapacity:
        """What it is now; raises NotFound or AccessDenied."""
        ...

    def update(self, parameters: JsonObject) -> None:
        """UpdateTable, once, with these beside the name.

        Raises LimitReached when DynamoDB allows no such change now, Temporary when it is busy.
        """
        ...

    def consumed(self, index: str | None, kind: str, start: datetime, end: datetime) -> Sequence[float]:
        """Units per second, the mean of each minute in which something was consumed."""
        ...


class Autoscaling(Protocol):
    """Application Auto Scaling of one table and its indexes. Each call may be made again."""

    def read(self, resources: Sequence[str]) -> Scaling:
        """The targets and policies of these resources."""
        ...

    def put_target(self, target: JsonObject) -> None:
        """Register a target, or change it."""
        ...

    def put_policy(self, policy: JsonObject) -> None:
        """Make a policy, or change it."""
        ...

    def remove_target(self, spot: Spot) -> None:
        """Deregister a target, and its policies with it."""
        ...

    def remove_policy(self, spot: PolicySpot) -> None:
        """Delete a policy."""
        ...


class LimitReached(Exception):
    """DynamoDB refused a change of capacity for now; the text is its own."""


Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class CapacityPorts:
    """What a change of capacity needs from the world. ``store`` is the record's bucket, if there is one."""

    table: CapacityTable
    scaling: Autoscaling
    store: ObjectStore | None
    clock: Clock
    stop: threading.Event
    say: Say
    warn: Say


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The DAG run: the same for all of its tasks and attempts. What is sized is sized as of ``began_at``."""

    name: str
    began_at: datetime


class StillChanging(Temporary):
    """The table is not ACTIVE yet: look again later."""


class NotYetAllowed(Temporary):
    """DynamoDB lets the units or the mode be put back later, but not soon enough to wait for it."""
