"""Where an import keeps its record, checkpoint, lease and rejected items, and what it finds there."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.existing import Start
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_records import ImportRecord
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.ports import ObjectStore
from airflow_dynamo_pipeline.engine.records import LeaseRecord
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.sources import Backup
from airflow_dynamo_pipeline.errors import LeaseHeld, PreflightFailed, Problem

FOLDER = "_imports"  # a name that no reader of backups takes for a data file
RANGES = "ranges"
PLAN_AGAIN = "clear the task that planned it together with those after it"
RESUME_WITHIN = timedelta(hours=24)  # what was written longer ago need not be in the table any more
LIVE_WITHIN = timedelta(seconds=60)  # a lease shows life every five seconds; clocks differ a little
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
    def ranges_uri(self) -> str:
        """Below it lies what the ranges keep of their own, where several workers share the import out."""
        return f"s3://{self.location.bucket}/{self.key(RANGES)}/"

    def range_place(self, number: int) -> ImportPlace:
        """Where one of the ranges keeps its record, checkpoint, lease and rejected items."""
        return ImportPlace(S3Location(self.location.bucket, self.key(RANGES)), f"{number:04}")

    def worker_key(self, number: int) -> str:
        """The lease of one of those that work on the ranges at the same time."""
        return self.key("places", f"{number:04}.json")

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
    """``rejects_s3_uri``, or the folder in which the backup was found, however a person spelled it."""
    if request.records_location is not None:
        return request.records_location
    location = S3Location.parse(backup.stages[0].uri) if backup.stages else request.location
    folder, _, name = location.prefix.rpartition("/")
    files = {file.key for file in backup.stages[0].files} if backup.stages else set()
    if name in MANIFESTS or location.prefix in files:
        return S3Location(location.bucket, folder)
    return location


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """Who looks for an import of which backup into which table, where and when."""

    request: ImportRequest
    work: Work
    backup: Backup
    table_identity: str
    store: ObjectStore
    now: datetime
    say: Callable[[str], None]


def choose_place(search: Search) -> Chosen:
    """Walk the imports of this backup into this table, oldest first.

    Raises PreflightFailed when one is finished and another was not asked for: a recurring DAG must not
    write the same old items over the table's newer ones every day. Raises LeaseHeld while another run works
    on one.
    """
    location = records_location(search.request, search.backup)
    for number in itertools.count():
        place = ImportPlace(location, _import_id(search, number))
        stored = search.store.get(place.record_key)
        if stored is None:
            return Chosen(place, Start.NEW)
        record = records.decode(stored.body, ImportRecord, place.record_key)
        judge = _of_unfinished if record.finished_at is None else _of_finished
        start = judge(search, place, record)
        if start is not None:
            return Chosen(place, start, record)
    raise AssertionError  # numbers never end


def open_place(search: Search, import_id: str) -> Chosen:
    """The import that a plan began, for those who work on a part of it, whenever that is.

    Raises PreflightFailed where it is not there, or where backup, table or settings are not those of the
    plan.
    """
    place = ImportPlace(records_location(search.request, search.backup), import_id)
    stored = search.store.get(place.record_key)
    if stored is None:
        what = f"there is no import {import_id} of this backup to go on with ({place.record_key})"
        raise PreflightFailed([Problem("work", what, PLAN_AGAIN)])
    record = records.decode(stored.body, ImportRecord, place.record_key)
    problems = list(_not_as_planned(search, place, record))
    if problems:
        raise PreflightFailed(problems)
    return Chosen(place, Start.RESUME if record.finished_at is None else Start.ADOPT, record)


def _not_as_planned(search: Search, place: ImportPlace, record: ImportRecord) -> Iterator[Problem]:
    """What has changed since the plan, of all that its ranges must agree on."""
    request, whose = search.request, f"import {place.import_id}"
    if record.fingerprint != request.fingerprint():
        hint = "plan, ranges and commit take the same settings"
        yield Problem("work", f"{whose} was planned with other settings", hint)
    if record.table_identity != search.table_identity:
        what = f"table {request.table_name} was deleted and made anew since {whose} was planned"
        yield Problem("table_name", what, PLAN_AGAIN)
    if record.backup_identity != search.backup.identity:
        what = (
            f"the backup at {', '.join(request.s3_uri)} is not the one that {whose} was planned for: "
            "files were added, removed or changed since"
        )
        yield Problem("s3_uri", what, PLAN_AGAIN)


def range_of(store: ObjectStore, whole: ImportPlace, number: int) -> Chosen:
    """What earlier attempts at a range left. It is gone on with whoever began it, and whenever."""
    place = whole.range_place(number)
    stored = store.get(place.record_key)
    if stored is None:
        return Chosen(place, Start.NEW)
    record = records.decode(stored.body, ImportRecord, place.record_key)
    return Chosen(place, Start.RESUME if record.finished_at is None else Start.ADOPT, record)


def _of_finished(search: Search, place: ImportPlace, record: ImportRecord) -> Start | None:
    """Adopt one's own; None where another may be made."""
    request, work = search.request, search.work
    is_same_run = work.run is not None and record.run == work.run
    if is_same_run and record.generation == work.generation:
        return Start.ADOPT
    if request.on_existing == "new" or is_same_run:
        return None  # another was asked for, or a person cleared a task that had succeeded
    raise PreflightFailed([_finished(request, record, place)])


def _of_unfinished(search: Search, place: ImportPlace, record: ImportRecord) -> Start | None:
    """Resume one's own, and not too long ago that of the same run; None where another may be made."""
    request, work = search.request, search.work
    is_same_run = record.run == work.run
    if is_same_run and work.run is not None and record.generation == work.generation:
        return Start.RESUME
    if request.on_existing == "fail":
        raise PreflightFailed([_unfinished(place)])
    seen_at, is_live = _last_seen(search.store, place, record, search.now)
    if is_same_run and request.on_existing == "resume" and search.now - seen_at < RESUME_WITHIN:
        return Start.RESUME
    if is_live:
        raise LeaseHeld(f"another live run imports this backup into this table ({place.lease_key})")
    why = _why_not(request, record, work)
    search.say(f"unfinished import {place.import_id} is left as it is: {why}")
    return None


def _last_seen(
    store: ObjectStore, place: ImportPlace, record: ImportRecord, now: datetime
) -> tuple[datetime, bool]:
    """When somebody last worked on an import, and whether somebody does just now."""
    leases = list(_leases(store, place, record))
    if not leases:  # between the record and the lease lie a few calls
        return record.started_at, now - record.started_at < LIVE_WITHIN
    is_live = any(not lease.released and now - lease.beat_at < LIVE_WITHIN for lease in leases)
    return max(lease.beat_at for lease in leases), is_live


def _leases(store: ObjectStore, place: ImportPlace, record: ImportRecord) -> Iterator[LeaseRecord]:
    """What the worker left to be seen, or each of those that share the import out."""
    for key in (place.lease_key, *map(place.worker_key, range(record.at_once))):
        found = store.get(key)
        if found is not None:
            yield records.decode(found.body, LeaseRecord, key)


def _why_not(request: ImportRequest, record: ImportRecord, work: Work) -> str:
    if request.on_existing == "new":
        return "on_existing is 'new'"
    if record.run != work.run:
        return f"it is of another run ({record.run}), and the table may have changed since"
    return f"nobody has worked on it for {RESUME_WITHIN}, and the table may have changed since"


def _import_id(search: Search, number: int) -> str:
    which = [search.backup.identity, search.table_identity, search.request.fingerprint(), str(number)]
    what = "\n".join(which)
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
