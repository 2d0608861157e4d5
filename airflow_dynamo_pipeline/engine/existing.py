"""What is already at the target: nothing, an export to resume, one to adopt, or one to leave alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.identity import Work, candidates, work_hash
from airflow_dynamo_pipeline.engine.layout import ROOT, ExportLayout
from airflow_dynamo_pipeline.engine.manifest import Summary, read_summary
from airflow_dynamo_pipeline.engine.ports import ObjectStore
from airflow_dynamo_pipeline.engine.records import LeaseRecord, StoredPlan
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import PreflightFailed, Problem, Stopped, UnknownVersion, with_hint

MOST_EXPORTS = 1000  # of one run, one for each Clear, whose ids are tried
SAME_SETTINGS = "plan, ranges and commit take the same settings"

IsFresh = Callable[[datetime], bool]  # whether what was last worked on then is still to be resumed


class Start(Enum):
    """How this attempt begins."""

    NEW = "new"
    RESUME = "resume"
    ADOPT = "adopt"  # an earlier attempt of the same generation has committed it


SHARED_OUT = "is shared out to several workers"
BY_ONE = "was begun by one worker"


def begun_otherwise(which: str, how: str) -> Problem:
    """What is wrong where the work of one worker meets that of several: together they would be too fast."""
    hint = "finish it as it was begun, or use on_existing='new'"
    return Problem("on_existing", f"incomplete {which} {how}", hint)


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

    def is_fresh(seen: datetime) -> bool:
        return (now - seen).total_seconds() <= request.resume_within_seconds  # which may be centuries

    location = request.location
    existing = () if work.run is not None else store.folders(location.key(ROOT) + "/")
    for export_id in candidates(work, request.fingerprint(), existing):
        layout = ExportLayout(location, export_id)
        found = _inspect(store, layout, is_fresh, tolerant=request.on_existing == "new")
        if found.is_free:
            return Target(found.layout, Start.NEW)
        if found.complete_generation == work.generation:
            return Target(found.layout, Start.ADOPT)
        if request.on_existing != "resume" and not found.is_own(work):
            if request.on_existing == "fail":
                raise PreflightFailed([_already_there(found)])
            continue
        if found.plan is not None and _resumable(request, found, table_identity, is_fresh, say):
            return Target(found.layout, Start.RESUME, found.plan)
    raise AssertionError  # candidates never end


def open_target(layout: ExportLayout, request: ExportRequest, store: ObjectStore) -> Target:
    """The export that a plan began, for those who work on a part of it.

    Raises PreflightFailed where there is none, or one of other settings.
    """
    stored = store.get(layout.plan_key)  # looked for first: who commits removes it last
    summary = read_summary(store, layout)
    if summary is not None:
        problems = list(_not_as_asked(summary, layout, request))
        if problems:
            raise PreflightFailed(problems)
        return Target(layout, Start.ADOPT)
    if stored is None:
        hint = "clear the task that planned it together with those after it"
        raise PreflightFailed([Problem("work", f"there is no export {layout.export_id} to go on with", hint)])
    plan = records.decode(stored.body, StoredPlan, layout.plan_key)
    if plan.fingerprint != request.fingerprint():
        what = f"export {layout.export_id} was planned with other settings"
        raise PreflightFailed([Problem("work", what, SAME_SETTINGS)])
    return Target(layout, Start.RESUME, plan)


def refuse_other_work(layout: ExportLayout, request: ExportRequest, run: str | None, table_arn: str) -> None:
    """Raise PreflightFailed where a committed export's id is not that of what is asked.

    The id has a hash of all that an export holds. The manifest, which ``open_target`` compares, tells less.
    """
    names = {request.table_name, request.table_name.rpartition(":table/")[2], table_arn}

    def is_of(asked: ExportRequest) -> bool:
        prints = [replace(asked, table_name=name).fingerprint() for name in names]
        numbers = range(MOST_EXPORTS if run is not None else 1)
        hashes = (work_hash(run, each, number) for number in numbers for each in prints)
        return any(layout.export_id.endswith(f"-{found}") for found in hashes)

    if is_of(request):
        return
    where, held = "filter_expression, projection_expression", "another filter or projection"
    if is_of(replace(request, consistent_read=not request.consistent_read)):
        where, held = "consistent_read", f"{not request.consistent_read}, not {request.consistent_read}"
    what = f"export {layout.export_id} was committed with {held}"
    raise PreflightFailed([Problem(where, what, SAME_SETTINGS)])


def _not_as_asked(summary: Summary, layout: ExportLayout, request: ExportRequest) -> Iterator[Problem]:
    """What a committed export holds that was not asked for: settings were changed after its plan."""
    table, name = summary.table_arn.partition(":table/")[2], request.table_name.rpartition(":table/")[2]
    asked = {
        "table_name": (table or name, name),
        "index_name": (summary.ours.index_name, request.index_name),
        "file_format": (summary.ours.file_format, request.file_format),
        "compression": (summary.ours.compression, request.compression),
        "s3_sse_kms_key_id": (summary.s3_sse_kms_key_id, request.s3_sse_kms_key_id),
    }
    for where, (held, wanted) in asked.items():
        if held != wanted:
            what = f"export {layout.export_id} was committed with {held!r}, not {wanted!r}"
            yield Problem(where, what, SAME_SETTINGS)
    is_filtered = bool(request.filter_expression or request.projection_expression)
    if summary.ours.filtered != is_filtered:
        what = f"export {layout.export_id} was committed {'without one' if is_filtered else 'with one'}"
        yield Problem("filter_expression, projection_expression", what, SAME_SETTINGS)


def _inspect(store: ObjectStore, layout: ExportLayout, is_fresh: IsFresh, *, tolerant: bool) -> _Found:
    """What an id holds; raises UnknownVersion unless ``tolerant``, to which it is just something there."""
    try:
        stored = store.get(layout.plan_key)  # looked for first: who commits removes it last
        summary = read_summary(store, layout)
        if summary is not None:
            return _Found(layout, complete_generation=summary.ours.generation)
        if stored is None:
            return _Found(layout, is_free=True)
        plan = records.decode(stored.body, StoredPlan, layout.plan_key)
        seen = _last_seen(store, layout, plan, is_fresh)
    except UnknownVersion:
        if not tolerant:
            raise
        return _Found(layout)
    return _Found(layout, plan=plan, seen_at=seen)


def _last_seen(store: ObjectStore, layout: ExportLayout, plan: StoredPlan, is_fresh: IsFresh) -> datetime:
    """When it was last worked on; once it is known that it was lately, nobody else is looked at."""
    seen = plan.started_at
    for key in _lease_keys(layout, plan):
        found = store.get(key)
        if found is not None:
            seen = max(seen, records.decode(found.body, LeaseRecord, key).beat_at)
        if is_fresh(seen):
            break
    return seen


def _lease_keys(layout: ExportLayout, plan: StoredPlan) -> Iterator[str]:
    """Where everybody shows life who may be at work."""
    yield layout.lease_key
    if plan.at_once < plan.ranges:
        yield from map(layout.place_key, range(plan.at_once))
    elif plan.ranges > 1:
        yield from map(layout.range_key, range(plan.ranges))


def _resumable(
    request: ExportRequest,
    found: _Found,
    table_identity: str | None,
    is_fresh: IsFresh,
    say: Callable[[str], None],
) -> bool:
    export_id = found.layout.export_id
    if found.plan is None or found.seen_at is None:
        return False
    if not is_fresh(found.seen_at):
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
