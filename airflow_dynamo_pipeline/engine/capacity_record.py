"""What was found before the first change, kept on S3 until it is put back.

One object for each table. It is written before anything is changed, on condition that nobody wrote
meanwhile, and marked when all is put back: so no attempt, however late, takes a changed table for the one
that was found.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from airflow_dynamo_pipeline.engine.capacity_changes import ScalingChanges, Wanted
from airflow_dynamo_pipeline.engine.capacity_state import (
    CapacityPorts,
    Place,
    Say,
    Scaling,
    StillChanging,
    TableCapacity,
    resource_of,
)
from airflow_dynamo_pipeline.engine.ports import ABSENT, JsonObject, ObjectStore, VersionConflict
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import (
    PipelineError,
    StaleAttempt,
    Stopped,
    TableChanged,
    Temporary,
    UnexpectedReply,
    UnknownVersion,
)

VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A table's capacity before the first change, and the run that will put it back."""

    table_name: str
    table_id: str
    run: str
    recorded_at: str
    on_demand: bool
    places: Sequence[Place]
    scaling: Scaling
    restored_at: str | None = None

    @property
    def wanted(self) -> Wanted:
        """To be put back."""
        return Wanted(on_demand=self.on_demand, places={place.index: place for place in self.places})

    @classmethod
    def of(cls, now: TableCapacity, scaling: Scaling, run: str, at: str) -> Found:
        """Everything that a change of capacity may change."""
        return cls(
            table_name=now.table_name,
            table_id=now.table_id,
            run=run,
            recorded_at=at,
            on_demand=now.on_demand,
            places=now.places,
            scaling=scaling,
        )

    @property
    def resources(self) -> Sequence[str]:
        """What its autoscaling belonged to, by Application Auto Scaling's names."""
        return [resource_of(self.table_name, place.index) for place in self.places]

    def of_run(self, run: str) -> Found:
        """The same, to be put back by another run."""
        return replace(self, run=run)

    def to_json(self) -> JsonObject:
        """As it is stored."""
        names = ("table_name", "table_id", "run", "recorded_at", "restored_at", "on_demand")
        return {
            "version": VERSION,
            **{name: getattr(self, name) for name in names},
            "places": [_place_json(place) for place in self.places],
            "targets": list(self.scaling.targets.values()),
            "policies": list(self.scaling.policies.values()),
        }

    def check(self, now: TableCapacity) -> None:
        """Raise TableChanged when the table is another one of the same name."""
        if self.table_id != now.table_id:
            raise TableChanged(
                f"table {self.table_name} was deleted and made anew since {self.recorded_at}, when its "
                "capacity was recorded; nothing is put back"
            )

    def check_not_over(self, run: str, began_at: str) -> None:
        """Raise StaleAttempt when the run's own restore was done after an attempt to change began."""
        if self.restored_at is not None and self.run == run and self.restored_at > began_at:
            raise StaleAttempt(
                f"the capacity of table {self.table_name} was put back at {self.restored_at}, after this "
                f"attempt began at {began_at}; to change it again, Clear the task"
            )


def _place_json(place: Place) -> JsonObject:
    names = ("index", "read", "write", "max_read", "max_write")
    return {name: getattr(place, name) for name in names}


@dataclass(frozen=True, slots=True)
class Record:
    """Where one table's record is."""

    store: ObjectStore
    location: S3Location
    key: str

    @classmethod
    def at(cls, store: ObjectStore, location: S3Location, table_arn: str) -> Record:
        """By account, region and name, so that one folder serves them all."""
        _, _, _, region, account, resource = table_arn.split(":", 5)
        name = resource.rpartition("/")[2]
        return cls(store, location, location.key(account, region, f"{name}.capacity.json"))

    @property
    def uri(self) -> str:
        """The object."""
        return f"s3://{self.location.bucket}/{self.key}"

    def read(self) -> tuple[Found, str] | None:
        """The record and its version; None: there is none. Raises UnknownVersion or UnexpectedReply."""
        stored = self.store.get(self.key)
        return None if stored is None else (parse(stored.body, self.uri), stored.version)

    def write(self, found: Found, version: str | None) -> None:
        """Write in place of a version, or of nothing (None); raises VersionConflict."""
        body = json.dumps(found.to_json(), indent=2).encode()
        self.store.put(self.key, body, expect=ABSENT if version is None else version)

    def mark_restored(self, found: Found, version: str, at: str) -> None:
        """Say that all is put back; raises VersionConflict."""
        self.write(replace(found, restored_at=at), version)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """What an attempt acts under: a record that is open, and its run's."""

    record: Record
    run: str
    recorded_at: str
    restoring: bool
    warn: Say

    def check(self, *, changed: bool = False) -> Found:
        """The record, if it is still held.

        Raises StaleAttempt if not, and StillChanging where another attempt of the same restore was first.

        ``changed``: this attempt has just made a change. If all was put back meanwhile, the change may have
        come last, so the record is opened again, and the next restore puts back what was found.
        """
        stored = self.record.read()
        found, version = stored or (None, None)
        if found is None or found.recorded_at != self.recorded_at:
            raise self._stale(changed=changed)
        if found.restored_at is None:
            if found.run == self.run:
                return found
            raise self._stale(changed=False)  # the run that has the record now puts the change back, too
        if self.restoring:
            raise StillChanging(f"{self.record.uri}: all was put back by another attempt")
        if not changed:
            raise self._stale(changed=False)
        try:
            self.record.write(replace(found, restored_at=None), version)
        except VersionConflict:
            return self.check(changed=True)
        raise self._opened_again()

    def _stale(self, *, changed: bool) -> StaleAttempt:
        """An attempt that was given up, and goes on still, must change nothing after all was put back."""
        text = (
            f"what was found is not recorded at {self.record.uri} any more: it was put back, or another run "
            "took over, while this attempt went on"
        )
        if changed and not self.restoring:
            text += "; this attempt's last change may have come after: look at the capacity of the table"
            self.warn(text)
        return StaleAttempt(text)

    def _opened_again(self) -> StaleAttempt:
        text = (
            f"all was put back while this attempt, which was given up, changed the table: {self.record.uri} "
            "is open again; Clear the task that restores, or the table may stay as this attempt left it"
        )
        self.warn(text)
        return StaleAttempt(text)


@dataclass(slots=True)
class Changes:
    """An attempt's changes, each made while its record is held, if there is one."""

    ports: CapacityPorts
    hold: Hold | None = None
    unseen: bool = False  # a change was made since the record was last seen held

    def check(self) -> Found | None:
        """The record; raises StaleAttempt or StillChanging when it is not held any more."""
        if self.hold is None:
            return None
        found = self.hold.check(changed=self.unseen)
        self.unseen = False
        return found

    def send(self, change: Callable[[], None]) -> None:
        """Make one change; look at the record right before it, and whether the change came too late."""
        if self.ports.stop.is_set():
            raise Stopped("told to stop before the next change")
        self.check()
        self.unseen = True
        try:
            change()
        except PipelineError as error:
            self.unseen = isinstance(error, Temporary)  # perhaps it has happened
            self.check()
            raise
        self.check()

    def apply(self, changes: ScalingChanges) -> None:
        """Change autoscaling."""
        scaling, put, removed = self.ports.scaling, changes.put, changes.remove
        for policy_spot in removed.policies:
            self.send(partial(scaling.remove_policy, policy_spot))
        for spot in removed.targets:
            self.send(partial(scaling.remove_target, spot))
        for target in put.targets.values():
            self.send(partial(scaling.put_target, target))
        for policy in put.policies.values():
            self.send(partial(scaling.put_policy, policy))
        if not changes.is_empty:
            self.ports.say(
                f"autoscaling: {len(put.targets)} targets and {len(put.policies)} policies put, "
                f"{len(removed.targets)} targets and {len(removed.policies)} policies removed"
            )


def parse(body: bytes, uri: str) -> Found:
    """Read a record; raises UnknownVersion, or UnexpectedReply for what is none."""
    try:
        return _found(json.loads(body), uri)
    except PipelineError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        text = f"{uri} is no record of a table's capacity: {type(error).__name__}: {error}"
        raise UnexpectedReply(text) from error


def _found(record: Mapping[str, object], uri: str) -> Found:
    version = record["version"]
    if version != VERSION:
        raise UnknownVersion(uri, version, VERSION)
    names = ("table_name", "table_id", "run", "recorded_at", "restored_at", "on_demand")
    plain: JsonObject = {name: record[name] for name in names}
    lists: JsonObject = {name: record[name] for name in ("places", "targets", "policies")}
    return Found(
        **plain,
        places=[Place(**place) for place in lists["places"]],
        scaling=Scaling.of(lists["targets"], lists["policies"]),
    )
