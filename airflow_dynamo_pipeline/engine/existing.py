"""What is already at the target: nothing, an export to resume, one to adopt, or one to leave alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.identity import Work, candidates
from airflow_dynamo_pipeline.engine.layout import ROOT, ExportLayout
from airflow_dynamo_pipeline.engine.manifest import read_summary
from airflow_dynamo_pipeline.engine.ports import ObjectStore
from airflow_dynamo_pipeline.engine.records import LeaseRecord, StoredPlan
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import PreflightFailed, Problem, Stopped, UnknownVersion, with_hint


class Start(Enum):
    """How this attempt begins."""

    NEW = "new"
    RESUME = "resume"
    ADOPT = "adopt"  # an earlier attempt of the same generation has committed it


def stopped_before(what: str, start: Start) -> Stopped:
    """What ends an attempt that was told to stop before it wrote anything; a new one leaves no checkpoint."""
    if start is Start.NEW:
        said = f"told to stop before the {what} began"
        return Stopped(with_hint(said, "nothing was written, and the next attempt begins anew"))
    return Stopped(f"told to stop before the {what} went on")


@dataclass(frozen=True, slots=True)
class Target:
    """The export this attempt works on."""

    layout: ExportLayout
    start: Start
    plan: StoredPlan | None = None  # of a resumed export


@dataclass(frozen=True, slots=True)
class _Found:
    layout: ExportLayout
    is_free: bool = False
    complete_generation: str | None = None
    plan: StoredPlan | None = None
    seen_at: datetime | None = None

    @property
    def is_complete(self) -> bool:
        return self.complete_generation is not None

    def is_own(self, work: Work) -> bool:
        """Whether an earlier attempt of the same run and generation left it: a retry goes on with that."""
        return self.plan is not None and work.run is not None and self.plan.generation == work.generation


def choose_target(
    request: ExportRequest,
    work: Work,
    store: ObjectStore,
    table_identity: str | None,
    now: datetime,
    say: Callable[[str], None],
) -> Target:
    """Walk this work's exports, oldest first, and decide by ``on_existing``.

    Raises PreflightFailed when one exists and ``on_existing`` is "fail", UnknownVersion when a
    newer package left it.
    """
    location = request.location
    existing = () if work.run is not None else store.folders(location.key(ROOT) + "/")
    for export_id in candidates(work, request.fingerprint(), existing):
        found = _inspect(store, ExportLayout(location, export_id), tolerant=request.on_existing == "new")
        if found.is_free:
            return Target(found.layout, Start.NEW)
        if found.complete_generation == work.generation:
            return Target(found.layout, Start.ADOPT)
        if request.on_existing != "resume" and not found.is_own(work):
            if request.on_existing == "fail":
                raise PreflightFailed([_already_there(found)])
            continue
        if found.plan is not None and _resumable(request, found, table_identity, now, say):
            return Target(found.layout, Start.RESUME, found.plan)
    raise AssertionError  # candidates never end


def _inspect(store: ObjectStore, layout: ExportLayout, *, tolerant: bool) -> _Found:
    """What an id holds; raises UnknownVersion unless ``tolerant``, to which it is just something there."""
    try:
        summary = read_summary(store, layout)
        if summary is not None:
            return _Found(layout, complete_generation=summary.ours.generation)
        stored = store.get(layout.plan_key)
        if stored is None:
            return _Found(layout, is_free=True)
        plan = records.decode(stored.body, StoredPlan, layout.plan_key)
        lease = store.get(layout.lease_key)
        seen = records.decode(lease.body, LeaseRecord, layout.lease_key).beat_at if lease else plan.started_at
    except UnknownVersion:
        if not tolerant:
            raise
        return _Found(layout)
    return _Found(layout, plan=plan, seen_at=seen)


def _resumable(
    request: ExportRequest,
    found: _Found,
    table_identity: str | None,
    now: datetime,
    say: Callable[[str], None],
) -> bool:
    export_id = found.layout.export_id
    if found.plan is None or found.seen_at is None:
        return False
    if now - found.seen_at > timedelta(seconds=request.resume_within_seconds):
        say(
            f"incomplete export {export_id} was last worked on at {found.seen_at:%Y-%m-%d %H:%M:%S} UTC, "
            f"longer ago than resume_within_seconds ({request.resume_within_seconds:g}): "
            "starting anew and leaving it as it is"
        )
        return False
    if table_identity is not None and found.plan.table_identity != table_identity:
        say(
            f"incomplete export {export_id} is of a table that was since deleted and made anew: starting anew"
        )
        return False
    return True


def _already_there(found: _Found) -> Problem:
    state = "complete" if found.is_complete else "incomplete"
    return Problem(
        "on_existing",
        f"'fail' was asked and {state} export {found.layout.export_id} exists at {found.layout.manifest_uri}",
        "use on_existing='resume' to go on with an incomplete one, 'new' to make another, or another s3_uri",
    )
