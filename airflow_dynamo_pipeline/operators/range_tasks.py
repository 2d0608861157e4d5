"""What the tasks that share out an export or an import have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.engine.ranges import RangeWork, range_problems
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, Problem
from airflow_dynamo_pipeline.operators.lineage_flows import Flow, Record, Settings

# What the UI calls a mapped task: the number of its range, which is its map index, too.
RANGE_NAME = "range {{ task.work['number'] }} of {{ task.work['ranges'] }}"

First = TypeVar("First")
Second = TypeVar("Second")


def both(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """What both make; raises InvalidRequest with the problems of both."""
    problems: list[Problem] = []
    try:
        one = first()
    except InvalidRequest as refused:
        problems += refused.problems
    try:
        other = second()
    except InvalidRequest as refused:
        problems += refused.problems
    if problems:
        raise InvalidRequest(problems)
    return one, other


def numbers_given(ranges: object, at_once: object) -> tuple[int, int | None]:
    """How many ranges, and how many of them at a time (None: all); raises InvalidRequest.

    >>> numbers_given("16", 4), numbers_given(2, "None")
    ((16, 4), (2, None))
    """
    found: dict[str, int] = {}
    problems = [] if settings.is_given(ranges) else [Problem("ranges", "is required")]
    for name, value in {"ranges": ranges, "at_once": at_once}.items():
        try:
            if settings.is_given(value):
                found[name] = settings.whole_number(name, value)
        except InvalidSetting as problem:
            problems.append(Problem(name, f"{problem.value!r} is not {problem.expected}"))
    problems = problems or range_problems(found["ranges"], found.get("at_once"))
    if problems:
        raise InvalidRequest(problems)
    return found["ranges"], found.get("at_once")


def refuse_settings(given: Collection[str], not_for_ranges: Mapping[str, str]) -> None:
    """Raise InvalidRequest where a task is given a setting that cannot be shared out."""
    problems = [Problem(name, why) for name, why in not_for_ranges.items() if name in given]
    if problems:
        raise InvalidRequest(problems)


def refuse_without_xcom(do_xcom_push: bool) -> None:  # noqa: FBT001  an operator's own attribute
    """Raise InvalidRequest where a plan would not hand out its ranges."""
    if not do_xcom_push:
        what = "is False, but the ranges are an XCom of the plan: there would be nothing to expand"
        raise InvalidRequest([Problem("do_xcom_push", what, "leave it out; against default_args give True")])


def refuse_rehearsal(dry_run: object) -> None:
    """Raise InvalidRequest where ``default_args`` ask for a dry run: passed over, it would write."""
    try:
        is_asked = settings.is_given(dry_run) and settings.flag("dry_run", dry_run)
    except InvalidSetting:
        is_asked = True  # by a template, perhaps
    if is_asked:
        hint = "take it out of default_args, and give it to the DynamoDBImportOperator that it is for"
        raise InvalidRequest([Problem("dry_run", f"{dry_run!r} is in default_args, but for one task", hint)])


def range_work(work: object) -> RangeWork:
    """The range of a task: what the plan returned for it, or JSON text of that; raises InvalidRequest."""
    found = work
    if isinstance(work, str):
        try:
            found = json.loads(work)
        except json.JSONDecodeError:
            found = None
    if not isinstance(found, Mapping):
        hint = "give each task one of the records that the plan returned"
        raise InvalidRequest([Problem("work", f"{work!r} is no range", hint)])
    return RangeWork.from_json(found)


def any_range_work(work: object) -> RangeWork:
    """The same, or the first of all that the plan returned."""
    found = work
    if isinstance(work, str) and work.lstrip().startswith("["):
        try:
            found = json.loads(work)
        except json.JSONDecodeError:
            found = None
    is_list = isinstance(found, Sequence) and not isinstance(found, str)
    return range_work(next(iter(found), None) if is_list else work)  # type: ignore[call-overload]


def nothing_moved(given: Settings, record: Record) -> Flow:  # noqa: ARG001  the shape of a flow
    """What a part of an export or import tells OpenLineage: the commit tells of all of it."""
    return Flow()


def tags_of(table_name: str, part: RangeWork) -> dict[str, str]:
    """Of the metrics: without its number, each range would overwrite what the others say."""
    return {"table": table_name, "range": str(part.number)}


def as_xcom(works: Sequence[RangeWork]) -> list[dict[str, Any]]:
    """What ``expand`` takes."""
    return [dict(work.to_json()) for work in works]
