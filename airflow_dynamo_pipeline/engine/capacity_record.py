"""What was found before the first change, kept on S3 until it is put back.

One object for each table. It is written before anything is changed, on condition that nobody wrote
meanwhile, and marked when all is put back: so no attempt, however late, takes a changed table for the one
that was found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_dynamo_pipeline.engine.capacity_changes import Wanted
from airflow_dynamo_pipeline.engine.capacity_state import Place, Scaling, TableCapacity
from airflow_dynamo_pipeline.engine.ports import ABSENT, JsonObject, ObjectStore
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import PipelineError, TableChanged, UnexpectedReply, UnknownVersion

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
