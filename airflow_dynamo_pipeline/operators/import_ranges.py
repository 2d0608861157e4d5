"""Import a backup by several tasks, each with some of its files: plan, ranges, commit."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.airflow_versions import Context
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_plan import ImportPorts
from airflow_dynamo_pipeline.engine.import_ranges import commit_import, import_range, plan_import
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.operators.assets import announce, table_uri
from airflow_dynamo_pipeline.operators.lineage_flows import import_flow
from airflow_dynamo_pipeline.operators.links import ConsoleLinks, folder_of
from airflow_dynamo_pipeline.operators.range_tasks import (
    any_range_work,
    as_xcom,
    both,
    nothing_moved,
    numbers_given,
    range_work,
    refuse_rehearsal,
    refuse_settings,
    refuse_without_xcom,
    tags_of,
)
from airflow_dynamo_pipeline.operators.running import failing_at_once, progress_report, work_of
from airflow_dynamo_pipeline.operators.table_import import ATTRIBUTES, DynamoDBImportOperator
from airflow_dynamo_pipeline.operators.time_budget import TimeBudget

NOT_FOR_RANGES = {"dry_run": "is for one task: look with DynamoDBImportOperator, then share out the import"}
SETTINGS = tuple(field for name, field in ATTRIBUTES.items() if name not in NOT_FOR_RANGES)
Work = Mapping[str, Any] | str


class _ImportStep(DynamoDBImportOperator):
    """What plan, ranges and commit share: the settings of the import, and how they are stopped."""

    def __init__(self, **kwargs: Any) -> None:
        refuse_settings(kwargs, NOT_FOR_RANGES)
        super().__init__(**kwargs)
        refuse_rehearsal(self.is_dry_run)

    def _begun(self, context: Context) -> TimeBudget:
        self._stop = threading.Event()
        return TimeBudget.of(self, context, self._stop)

    def _request(self) -> ImportRequest:
        return ImportRequest.from_settings({name: getattr(self, field) for name, field in ATTRIBUTES.items()})

    def _show_links(self, request: ImportRequest, context: Context) -> None:
        ConsoleLinks(self, context).of(folder_of(request.s3_uri[0]), request.table_name)

    def _ports(self, request: ImportRequest, budget: TimeBudget) -> ImportPorts:
        return self.hook.import_ports(
            request, stop=budget.stop, say=self.log.info, warn=self.log.warning, clock=budget.clock
        )


class DynamoDBImportPlanOperator(_ImportStep):
    """Decide an import whose files several tasks share out; writes no item.

    Returns (XCom) a list with one record for each range: what ``DynamoDBImportRangeOperator`` takes as
    ``work``, by ``expand(work=plan.output)``. It divides the rate: each of the ``at_once`` tasks that write
    at the same time holds its share of it. A backup of fewer files has as many ranges as files.

    A retry returns the ranges of the first attempt. Clear goes on with an import that is not finished, by
    the ranges it was begun with; after a finished one it plans another.

    Fails at once on everything that ``DynamoDBImportOperator`` refuses before it writes, on several exports,
    which are applied in order, and on a rate of less than one unit per second for each task at a time. Raises
    InvalidRequest when it is made with ``do_xcom_push=False``.

    Takes all settings of ``DynamoDBImportOperator`` but ``dry_run``, which is refused, also in
    ``default_args``. Give ranges and commit the same settings.

    :param ranges: how many ranges, 2 to 1,024; each has some of the files.
    :param at_once: how many of them are written at the same time at most, each at its share of the rate;
        default: all. Give the mapped tasks the same number as ``max_active_tis_per_dagrun``.
    """

    template_fields: Sequence[str] = aws_template_fields(*SETTINGS, "ranges", "at_once")
    lineage_flow = nothing_moved

    def __init__(self, *, ranges: int | str, at_once: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        refuse_without_xcom(self.do_xcom_push)
        self.ranges = ranges
        self.at_once = at_once

    def execute(self, context: Context) -> Any:
        """Plan the import and return its ranges."""
        budget = self._begun(context)
        with failing_at_once(budget):
            request, (ranges, at_once) = both(self._request, lambda: numbers_given(self.ranges, self.at_once))
            self._show_links(request, context)
            work = work_of(context, self.retries)
            ports = self._ports(request, budget)
            return as_xcom(plan_import(request, work, ports, ranges=ranges, at_once=at_once))


class DynamoDBImportRangeOperator(_ImportStep):
    """Import the files of one range of a planned import, at its share of the rate.

    A retry, and Clear of this task alone, goes on with what is there of the range, and leaves the others
    alone. Of a range that was finished nothing is written again; of a finished import neither.

    Returns (XCom) the record of ``ImportResult``, of this range. Progress is told as by
    ``DynamoDBImportOperator``, of this range; metrics have the tag ``range``.

    Waits for up to ten minutes while other tasks have all the shares of the rate, then fails for a retry.

    Takes the settings that the plan was given, and:

    :param work: one of the records that the plan returned.
    """

    template_fields: Sequence[str] = aws_template_fields(*SETTINGS, "work")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DynamoDBImportOperator.template_fields_renderers,
        "work": "json",
    }
    lineage_flow = nothing_moved

    def __init__(self, *, work: Work, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.work = work

    def execute(self, context: Context) -> dict[str, Any]:
        """Import the range and return its accounts."""
        budget = self._begun(context)
        with failing_at_once(budget):
            request, part = both(self._request, lambda: range_work(self.work))
            self._show_links(request, context)
            report = progress_report(context, self.log.info, "import", tags_of(request.table_name, part))
            reports = ImportReports(report, at_stop=budget.keep)
            return import_range(request, self._ports(request, budget), reports, part).to_json()


class DynamoDBImportCommitOperator(_ImportStep):
    """Check that every range of an import was finished, and add their accounts up: then it is done.

    Fails at once, naming them, if ranges were not finished; also if more than ``max_rejected`` items were
    rejected by all ranges together, or others were read than the backup's manifest says. A retry, and Clear
    of a finished import's commit, adopts what is there.

    Returns (XCom) what ``DynamoDBImportOperator`` returns, summed over the ranges, and announces it to assets
    and OpenLineage in the same way.

    Takes the settings that the plan was given, and:

    :param work: what the plan returned: all of it, or one of its records.
    """

    template_fields: Sequence[str] = aws_template_fields(*SETTINGS, "work")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DynamoDBImportOperator.template_fields_renderers,
        "work": "json",
    }
    lineage_flow = import_flow

    def __init__(self, *, work: Work | Sequence[Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.work = work

    def execute(self, context: Context) -> dict[str, Any]:
        """Finish the import and return its accounts."""
        budget = self._begun(context)
        with failing_at_once(budget):
            request, part = both(self._request, lambda: any_range_work(self.work))
            self._show_links(request, context)
            record = commit_import(request, self._ports(request, budget), part).to_json()
        uris = list(request.s3_uri)
        announce(self, context, record, lambda: table_uri(self, request.table_name), s3_uri=uris)
        return self.finished(record)
