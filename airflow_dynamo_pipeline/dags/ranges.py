"""Task groups that share an export or an import out to mapped tasks: plan, ranges, commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_dynamo_pipeline.airflow_versions import TaskGroup, XComArg
from airflow_dynamo_pipeline.operators.export_ranges import (
    DynamoDBExportCommitOperator,
    DynamoDBExportPlanOperator,
    DynamoDBExportRangeOperator,
)
from airflow_dynamo_pipeline.operators.import_ranges import (
    DynamoDBImportCommitOperator,
    DynamoDBImportPlanOperator,
    DynamoDBImportRangeOperator,
)
from airflow_dynamo_pipeline.operators.range_tasks import RANGE_NAME, both, numbers_given, refuse_settings

__all__ = ["RangesGroup", "export_task_group", "import_task_group"]

OF_ONE = {
    "trigger_rule": "plan",
    "map_index_template": "range",
    "outlets": "commit",  # once, when all of it is done
    "on_success_callback": "commit",
}
OF_NONE = {
    "max_active_tis_per_dagrun": "is set by at_once: give that",
    "task_id": "is of its tasks, which are plan, range and commit: give group_id",
    "work": "is what the plan of the group hands out",
}


class RangesGroup(TaskGroup):
    """The tasks ``plan``, ``range`` (mapped) and ``commit``, one after the other."""

    @property
    def output(self) -> XComArg:
        """What the task ``commit`` returns: the record of the whole export or import."""
        commit: Any = self.children[f"{self.group_id}.commit"]
        output: XComArg = commit.output
        return output


@dataclass(frozen=True, slots=True)
class _Kind:
    plan: type[Any]
    range: type[Any]
    commit: type[Any]


_EXPORT = _Kind(DynamoDBExportPlanOperator, DynamoDBExportRangeOperator, DynamoDBExportCommitOperator)
_IMPORT = _Kind(DynamoDBImportPlanOperator, DynamoDBImportRangeOperator, DynamoDBImportCommitOperator)


def export_task_group(
    group_id: str = "export", *, ranges: int, at_once: int | None = None, **settings: Any
) -> RangesGroup:
    """Export a table by ``ranges`` mapped tasks: ``export.plan``, ``export.range``, ``export.commit``.

    Call it within a DAG. The task ``commit`` returns what ``DynamoDBExportOperator`` returns; take it from
    the group's ``output``, or by the task's id. A range that fails is retried alone.

    Raises InvalidRequest, so that the DAG does not load, for numbers that cannot be, and for a setting that
    ranges do not have.

    What ``default_args`` of the DAG give is every task's, as in all of Airflow: by them, ``outlets`` are
    produced and ``on_success_callback`` is called by each, mapped tasks included. Settings of exports in them
    that ranges do not have are passed over.

    :param group_id: of the group, and before the ids of its tasks.
    :param ranges: how many mapped tasks, 2 to 1,024.
    :param at_once: how many of them run at the same time at most, in each DAG run; each of so many holds its
        share of the rate. Default: all.
    :param settings: of ``DynamoDBExportOperator``, but for ``method`` and ``finish_within_seconds``, and of
        every Airflow operator, as ``retries``, ``pool`` or ``execution_timeout``: for all three tasks, except
        that ``outlets`` and ``on_success_callback`` are the commit's, ``trigger_rule`` is the plan's and
        ``map_index_template``, by default the number of the range, the mapped tasks'. Refused are
        ``max_active_tis_per_dagrun``, which ``at_once`` sets, and ``do_xcom_push=False``: the ranges are an
        XCom.
    """
    return _group(_EXPORT, group_id, ranges, at_once, settings)


def import_task_group(
    group_id: str = "import", *, ranges: int, at_once: int | None = None, **settings: Any
) -> RangesGroup:
    """Import a backup by ``ranges`` mapped tasks: ``import.plan``, ``import.range``, ``import.commit``.

    Call it within a DAG. The task ``commit`` returns what ``DynamoDBImportOperator`` returns; take it from
    the group's ``output``, or by the task's id. A range that fails is retried alone.

    Raises InvalidRequest, so that the DAG does not load, for numbers that cannot be, and for a setting that
    ranges do not have.

    :param group_id: of the group, and before the ids of its tasks.
    :param ranges: how many mapped tasks, 2 to 1,024; as many as there are files, if those are fewer.
    :param at_once: how many of them run at the same time at most, in each DAG run; each of so many holds its
        share of the rate. Default: all.
    :param settings: of ``DynamoDBImportOperator``, but for ``dry_run``, and of every Airflow operator, as for
        ``export_task_group``. A ``dry_run`` in ``default_args`` is refused as well: passed over, it would
        write.
    """
    return _group(_IMPORT, group_id, ranges, at_once, settings)


def _group(
    kind: _Kind, group_id: str, ranges: int, at_once: int | None, given: Mapping[str, Any]
) -> RangesGroup:
    (count, most), _ = both(lambda: numbers_given(ranges, at_once), lambda: refuse_settings(given, OF_NONE))
    first, middle, last = (
        {name: value for name, value in given.items() if OF_ONE.get(name, task) == task}
        for task in ("plan", "range", "commit")
    )
    limit = {} if most is None else {"max_active_tis_per_dagrun": most}
    group = RangesGroup(group_id=group_id)
    with group:
        plan = kind.plan(task_id="plan", ranges=count, at_once=most, **first)
        named = {"map_index_template": RANGE_NAME, **middle}
        shared = kind.range.partial(task_id="range", **limit, **named)
        commit = kind.commit(task_id="commit", work=plan.output, **last)
        shared.expand(work=plan.output) >> commit
    return group
