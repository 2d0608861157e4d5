"""An import whose files are shared out to several workers: plan, ranges, commit.

Each range is an import of some of the backup's files, with a record, a checkpoint, rejected items and
accounts of its own, at its share of the rate. The commit checks that all are finished, and adds them up.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Iterator, Sequence

import msgspec

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.existing import BY_ONE, Start, begun_otherwise, stopped_before
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_place import PLAN_AGAIN, range_of
from airflow_dynamo_pipeline.engine.import_plan import ImportPlan, ImportPorts, make_import_plan
from airflow_dynamo_pipeline.engine.import_records import ImportRecord
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.import_result import ImportResult, result_of, sum_of_ranges
from airflow_dynamo_pipeline.engine.import_shares import place_keys, shared_rate_of, with_share
from airflow_dynamo_pipeline.engine.own_use import fewer_workers
from airflow_dynamo_pipeline.engine.paying import FULL_CALL_UNITS
from airflow_dynamo_pipeline.engine.plan_cost import counted
from airflow_dynamo_pipeline.engine.ports import ABSENT, VersionConflict
from airflow_dynamo_pipeline.engine.ranges import RangeWork, range_problems, range_works
from airflow_dynamo_pipeline.engine.shares import Sharing, most_workers, sharing_of
from airflow_dynamo_pipeline.engine.sources import Backup, BackupFile
from airflow_dynamo_pipeline.engine.table_import import adopted, carry_out, first_record
from airflow_dynamo_pipeline.engine.write_capacity import WriteRate
from airflow_dynamo_pipeline.errors import (
    ImportFailed,
    ImportRefused,
    InvalidRequest,
    LeaseHeld,
    PipelineError,
    Problem,
    with_hint,
)


def plan_import(
    request: ImportRequest, work: Work, ports: ImportPorts, *, ranges: int, at_once: int | None = None
) -> tuple[RangeWork, ...]:
    """Decide an import that ``ranges`` workers share out, ``at_once`` of them (None: all) at a time.

    Leaves the record by which the ranges, and later attempts at this plan, find the import; writes no item.
    A backup of fewer files has as many ranges as files. Of an import that was finished by this run there is
    one range, which is ``finished``. Raises InvalidRequest and ImportRefused with every finding before
    anything is written.
    """
    problems = range_problems(ranges, at_once) + list(_not_for_ranges(request))
    if problems:
        raise InvalidRequest(problems)
    plan = make_import_plan(request, work, ports)
    ports.say(plan.line())
    ports.say(plan.estimate.line())
    import_id = plan.chosen.place.import_id
    if plan.chosen.start is Start.ADOPT:
        return (dataclasses.replace(range_works(work, import_id, 1, Sharing())[0], finished=True),)
    if plan.chosen.start is Start.RESUME and not plan.is_shared_out:
        raise ImportRefused([begun_otherwise(f"import {import_id}", BY_ONE)])
    record = plan.chosen.record or _begin(plan, ports, ranges, at_once or ranges)
    for problem in _too_many(plan.rate, record.at_once):  # of a new one they were refused
        ports.warn(f"{problem.message}; together they may be further ahead of the rate than a call")
    if record.ranges != ranges:
        why = "as many as files" if plan.chosen.record is None else "as it was planned before"
        ports.say(f"import {import_id} has {counted(record.ranges, 'range')}, not {ranges:,}: {why}")
    sharing = Sharing(workers=record.at_once, slack=record.slack)
    return range_works(work, import_id, record.ranges, sharing)


def import_range(
    request: ImportRequest, ports: ImportPorts, reports: ImportReports, part: RangeWork
) -> ImportResult:
    """Import the files of one range, or go on with what an earlier attempt at it left.

    A range that was finished returns its result again, and does nothing. Raises what ``import_table`` raises,
    and ImportRefused where backup, table or settings are not those of the plan.
    """
    whole = _whole(request, ports, part)
    chosen = range_of(ports.records, whole.chosen.place, part.number)
    if whole.chosen.start is Start.ADOPT and (part.finished or chosen.start is not Start.ADOPT):
        return adopted(whole)  # whatever became of the record of the range, the import is done
    own = dataclasses.replace(whole, backup=part_of(whole.backup, part), chosen=chosen)
    plan, keys = with_share(own, part.sharing), place_keys(whole.chosen.place, part)
    return carry_out(plan, ports, reports, place_keys=keys, shared=shared_rate_of(whole, ports, part))


def commit_import(request: ImportRequest, ports: ImportPorts, part: RangeWork) -> ImportResult:
    """Check that every range was finished, add up what became of the items, and call the import done.

    ``part`` is any of the ranges. Raises ImportRefused naming the ranges that were not finished, and
    ImportFailed where more items were rejected than allowed, or others were read than the manifest says.
    """
    try:
        return _committed(request, ports, part)
    except ImportRefused as refused:
        raise ImportRefused(refused.problems, "the import was not called done") from None


def _committed(request: ImportRequest, ports: ImportPorts, part: RangeWork) -> ImportResult:
    whole = _as_planned(_whole(request, ports, part))
    if whole.chosen.start is Start.ADOPT:
        ports.say(f"import {part.id} was already finished by another attempt: adopting it")
        result = adopted(whole)
    else:
        found = _finished_ranges(whole, ports, part)
        total = sum_of_ranges(whole, [result_of(record) for record in found])
        _refuse_what_is_missing(whole, total)
        result = _finish(whole, ports, total, [key for record in found for key in record.rejects])
        if part.ranges > 1:
            found_twice = counted(result.duplicates, "duplicate")
            ports.say(f"{found_twice} found: keys are compared within a range, not between ranges")
    _tidy(whole, ports)
    return result


def _as_planned(plan: ImportPlan) -> ImportPlan:
    """At the rate that was asked for: nothing is written any more, so the present one means nothing."""
    rate = plan.chosen.record.units_per_second if plan.chosen.record else 0.0
    return (
        dataclasses.replace(plan, rate=dataclasses.replace(plan.rate, units_per_second=rate))
        if rate
        else plan
    )


def part_of(backup: Backup, part: RangeWork) -> Backup:
    """The files of one range, as a backup of their own."""
    (stage,) = backup.stages
    files = shared_out(stage.files, part.ranges)[part.number]
    return dataclasses.replace(
        backup,
        identity=f"{backup.identity}/{part.id}/{part.number}of{part.ranges}",
        stages=(dataclasses.replace(stage, files=files, item_bytes=None, content_bytes=None),),
    )


def shared_out(files: Sequence[BackupFile], ranges: int) -> list[tuple[BackupFile, ...]]:
    """Files by range, so that each has about as many items; the same whoever asks.

    >>> files = [BackupFile(name, count) for name, count in [("a", 5), ("b", 3), ("c", 2), ("d", 1)]]
    >>> [[file.key for file in some] for some in shared_out(files, 2)]
    [['a', 'd'], ['b', 'c']]
    """
    found: list[list[BackupFile]] = [[] for _ in range(ranges)]
    least = [(0, number) for number in range(ranges)]
    for file in sorted(files, key=lambda one: (-_weight(one), one.key)):
        load, number = heapq.heappop(least)
        found[number].append(file)
        heapq.heappush(least, (load + _weight(file), number))
    return [tuple(some) for some in found]


def _weight(file: BackupFile) -> int:
    return 1 if file.item_count is None else 1 + file.item_count


def _not_for_ranges(request: ImportRequest) -> Iterator[Problem]:
    if request.dry_run:
        yield Problem("dry_run", "is for one worker", "look with DynamoDBImportOperator, then share it out")


def _begin(plan: ImportPlan, ports: ImportPorts, ranges: int, at_once: int) -> ImportRecord:
    """Leave the record by which every worker finds this import."""
    ranges = min(ranges, max(1, plan.backup.files))
    workers = min(at_once, ranges)
    problems = [*_not_one_export(plan.backup), *_too_many(plan.rate, workers)]
    if problems:
        raise ImportRefused(problems)
    if ports.stop.is_set():
        raise stopped_before("import", plan.chosen.start)
    sharing = _sharing_of(plan.rate, workers)
    record = msgspec.structs.replace(
        first_record(plan, ports),
        ranges=ranges,
        at_once=sharing.workers,
        slack=sharing.slack,
        units_per_second=plan.rate.units_per_second,
    )
    key = plan.chosen.place.record_key
    try:
        ports.records.put(key, records.encode(record), expect=ABSENT)
    except VersionConflict:
        raise LeaseHeld(f"another live run began this import a moment ago ({key})") from None
    return record


def _not_one_export(backup: Backup) -> Iterator[Problem]:
    if len(backup.stages) != 1:
        yield Problem(
            "s3_uri",
            f"is a chain of {counted(len(backup.stages), 'export')}, which are applied in order",
            "share out the first alone, then import the others with DynamoDBImportOperator and changes_from",
        )


def _too_many(rate: WriteRate, workers: int) -> Iterator[Problem]:
    """A problem where workers with a call of one item each would be too far ahead of the rate together."""
    most = most_workers(rate.units_per_second, rate.first_factor, FULL_CALL_UNITS * rate.first_factor)
    if workers > most:
        fewer = fewer_workers(most, lowered_by_others=rate.lowered_by_others)
        yield Problem(
            "at_once",
            f"{workers:,} workers cannot share {rate.units_per_second:,.1f} units per second ({rate.reason})",
            f"each needs a unit per second and writes an item at a time: {fewer}",
        )


def _sharing_of(rate: WriteRate, workers: int) -> Sharing:
    """How workers share a rate, of whose calls each holds an item at least."""
    item = rate.first_factor
    return sharing_of(rate.units_per_second, workers, FULL_CALL_UNITS * item, item)


def _whole(request: ImportRequest, ports: ImportPorts, part: RangeWork) -> ImportPlan:
    """The plan of the import that a range belongs to, as table, backup and records are now."""
    plan = make_import_plan(request, part.work, ports, of=part.id)
    record = plan.chosen.record
    planned = record is not None and (record.ranges, record.at_once) == (part.ranges, part.at_once)
    adopts = part.finished and plan.chosen.start is Start.ADOPT
    if not adopts and not (planned and part.number < part.ranges):
        what = (
            f"{part.number} of {part.ranges:,} ranges, {part.at_once:,} at once, is none of import {part.id}"
        )
        raise ImportRefused([Problem("work", what, PLAN_AGAIN)])
    return plan


def _finished_ranges(whole: ImportPlan, ports: ImportPorts, part: RangeWork) -> list[ImportRecord]:
    """The records of all ranges; raises ImportRefused naming those that were not finished."""
    found: list[ImportRecord] = []
    problems = []
    for number in range(part.ranges):
        record = range_of(ports.records, whole.chosen.place, number).record
        if record is None or record.finished_at is None:
            hint = "run its task again, then this one"
            problems.append(Problem(f"range {number}", "was not finished", hint))
        else:
            found.append(record)
    if problems:
        raise ImportRefused(problems)
    return found


def _refuse_what_is_missing(plan: ImportPlan, total: ImportResult) -> None:
    """Raise ImportFailed where the ranges together are not what was asked for."""
    expected = plan.backup.item_count
    if expected is not None and total.read != expected:
        raise ImportFailed(f"the ranges read {total.read:,} items; the backup has {expected:,}")
    if total.rejected > plan.request.max_rejected:
        raise ImportFailed(
            with_hint(
                f"{total.rejected:,} items were rejected by all ranges together, max_rejected is "
                f"{plan.request.max_rejected:,}; each stands with its reason below {total.rejects_uri}",
                "raise max_rejected and run this task again. Rejected items can be mended where they lie and "
                "imported from there with file_format='rejects'",
            )
        )


def _finish(
    plan: ImportPlan, ports: ImportPorts, total: ImportResult, rejects: Sequence[str]
) -> ImportResult:
    """Say that the whole import is done, unless another commit was faster: then it is that one's result."""
    key = plan.chosen.place.record_key
    found = ports.records.get(key)
    if found is None:
        raise ImportFailed(f"{key} was removed during the import; it is not called done")
    before = records.decode(found.body, ImportRecord, key)
    if before.finished_at is not None:
        return result_of(before)
    record = msgspec.structs.replace(
        before,
        run=plan.work.run,
        generation=plan.work.generation,
        finished_at=ports.clock.now(),
        rejects=tuple(rejects),
        result=msgspec.Raw(msgspec.json.encode(total.to_json())),
    )
    try:
        ports.records.put(key, records.encode(record), expect=found.version)
    except VersionConflict:
        raise LeaseHeld(f"another attempt at the commit wrote {key} a moment ago") from None
    return total


def _tidy(plan: ImportPlan, ports: ImportPorts) -> None:
    """Remove the leases of workers; the import is complete, so trouble with that costs a warning."""
    place, record = plan.chosen.place, plan.chosen.record
    try:
        ports.records.delete([place.worker_key(number) for number in range(record.at_once if record else 0)])
    except PipelineError as error:
        ports.warn(f"the import is complete, but leases of its workers could not be removed: {error}")
