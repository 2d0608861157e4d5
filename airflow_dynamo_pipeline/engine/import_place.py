"""Where an import keeps its record, checkpoint, lease and rejected items, and what it finds there."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.existing import Start
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_records import ImportRecord
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.ports import ObjectStore
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.sources import Backup
from airflow_dynamo_pipeline.errors import PreflightFailed, Problem

FOLDER = "_imports"  # a name that no reader of backups takes for a data file
MANIFESTS = ("manifest-summary.json", "manifest")


@dataclass(frozen=True, slots=True)
class ImportPlace:
    """Keys of one import."""

    location: S3Location
    import_id: str

    def key(self, *names: str) -> str:
        """The key of an object of this import."""
        return self.location.key(FOLDER, self.import_id, *names)

    @property
    def record_key(self) -> str:
        """What is imported where; it stays."""
        return self.key("import.json")

    @property
    def state_key(self) -> str:
        """The checkpoint."""
        return self.key("checkpoint.json")

    @property
    def lease_key(self) -> str:
        """Who works on this import now."""
        return self.key("lease.json")

    @property
    def rejects_prefix(self) -> str:
        """Below it lie files of rejected items."""
        return self.key("rejects") + "/"

    @property
    def rejects_uri(self) -> str:
        """The same as a URI, for a person or for another import."""
        return f"s3://{self.location.bucket}/{self.rejects_prefix}"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The import this attempt works on, and what an earlier one left of it."""

    place: ImportPlace
    start: Start
    record: ImportRecord | None = None


def records_location(request: ImportRequest, backup: Backup) -> S3Location:
    """``rejects_s3_uri``, or the folder of the first source."""
    if request.records_location is not None:
        return request.records_location
    location = request.location
    folder, _, name = location.prefix.rpartition("/")
    files = {file.key for file in backup.stages[0].files} if backup.stages else set()
    if name in MANIFESTS or location.prefix in files:
        return S3Location(location.bucket, folder)
    return location


def choose_place(
    request: ImportRequest,
    work: Work,
    backup: Backup,
    table_identity: str,
    store: ObjectStore,
    say: Callable[[str], None],
) -> Chosen:
    """Walk the imports of this backup into this table, oldest first.

    Raises PreflightFailed when one is finished and another was not asked for: a recurring DAG must not
    write the same old items over the table's newer ones every day.
    """
    location = records_location(request, backup)
    for number in itertools.count():
        place = ImportPlace(location, _import_id(request, backup, table_identity, number))
        stored = store.get(place.record_key)
        if stored is None:
            return Chosen(place, Start.NEW)
        record = records.decode(stored.body, ImportRecord, place.record_key)
        is_own = work.run is not None and record.run == work.run and record.generation == work.generation
        if record.finished_at is not None and is_own:
            return Chosen(place, Start.ADOPT, record)
        if record.finished_at is not None:
            if request.on_existing == "new" or (work.run is not None and record.run == work.run):
                continue  # another was asked for, or a person cleared a task that had succeeded
            raise PreflightFailed([_finished(request, record, place)])
        if is_own or request.on_existing == "resume":
            return Chosen(place, Start.RESUME, record)
        if request.on_existing == "fail":
            raise PreflightFailed([_unfinished(place)])
        say(f"unfinished import {place.import_id} is left as it is, on_existing is 'new'")
    raise AssertionError  # numbers never end


def _import_id(request: ImportRequest, backup: Backup, table_identity: str, number: int) -> str:
    what = "\n".join([backup.identity, table_identity, request.fingerprint(), str(number)])
    return hashlib.sha256(what.encode()).hexdigest()[:12]


def _finished(request: ImportRequest, record: ImportRecord, place: ImportPlace) -> Problem:
    when = f"{record.finished_at:%Y-%m-%d %H:%M:%S} UTC" if record.finished_at else "earlier"
    who = f" by {record.run}" if record.run else ""
    return Problem(
        "on_existing",
        f"this backup was imported into table {request.table_name} already, {when}{who} ({place.record_key})",
        "importing it again would put its items over what was written since; "
        "use on_existing='new' if that is wanted",
    )


def _unfinished(place: ImportPlace) -> Problem:
    return Problem(
        "on_existing",
        f"'fail' was asked and an import of this backup was begun and not finished ({place.record_key})",
        "use on_existing='resume' to go on with it, or 'new' to begin another",
    )
