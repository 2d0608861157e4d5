"""Export a table by several tasks, each with some of its segments: plan, ranges, commit."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.airflow_versions import Context
from airflow_dynamo_pipeline.engine.export_ranges import commit_export, export_range, plan_export
from airflow_dynamo_pipeline.engine.layout import ROOT
from airflow_dynamo_pipeline.engine.plan import Ports
from airflow_dynamo_pipeline.engine.requests import COERCIONS, ExportRequest
from airflow_dynamo_pipeline.operators.assets import announce
from airflow_dynamo_pipeline.operators.lineage_flows import export_flow
from airflow_dynamo_pipeline.operators.links import ConsoleLinks, DynamoDBTableLink, S3PrefixLink
from airflow_dynamo_pipeline.operators.range_tasks import (
    any_range_work,
    as_xcom,
    both,
    nothing_moved,
    numbers_given,
    range_work,
    refuse_settings,
    refuse_without_xcom,
    tags_of,
)
from airflow_dynamo_pipeline.operators.running import failing_at_once, progress_reports, work_of
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.time_budget import TimeBudget

NOT_FOR_RANGES = {
    "method": "is not chosen here: ranges are scanned",
    "finish_within_seconds": "is for DynamoDBExportOperator with method='auto'",
}
SETTINGS = tuple(name for name in COERCIONS if name not in NOT_FOR_RANGES)
Work = Mapping[str, Any] | str


class _ExportStep(DynamoDBExportOperator):
    """What plan, ranges and commit share: the settings of the export, and how they are stopped."""

    operator_extra_links = (S3PrefixLink(), DynamoDBTableLink())  # type: ignore[assignment]  # without the job's

    def __init__(self, **kwargs: Any) -> None:
        refuse_settings(kwargs, NOT_FOR_RANGES)
        super().__init__(method="scan", finish_within_seconds=None, **kwargs)  # whatever default_args say

    def _begun(self, context: Context) -> TimeBudget:
        self._stop = threading.Event()
        return TimeBudget.of(self, context, self._stop)

    def _request(self) -> ExportRequest:
        return ExportRequest.from_settings({name: getattr(self, name) for name in COERCIONS})

    def _ports(self, request: ExportRequest, budget: TimeBudget) -> Ports:
        return self.hook.export_ports(
            request, stop=budget.stop, say=self.log.info, warn=self.log.warning, clock=budget.clock
        )


class DynamoDBExportPlanOperator(_ExportStep):
    """Decide an export whose segments several tasks share out; reads nothing of the table.

    Returns (XCom) a list with one record for each range: what ``DynamoDBExportRangeOperator`` takes as
    ``work``, by ``expand(work=plan.output)``. It divides the rate: each of the ``at_once`` tasks that read at
    the same time holds its share of it.

    A retry returns the ranges of the first attempt. Clear goes on with an export that is not complete, by
    the ranges it was begun with; after a complete one it plans another.

    Fails at once on everything that ``DynamoDBExportOperator`` refuses before it reads, and on a rate of less
    than one unit per second for each task at a time. Raises InvalidRequest when it is made with
    ``do_xcom_push=False``.

    Takes all settings of ``DynamoDBExportOperator`` but ``method`` and ``finish_within_seconds``, which are
    refused, and passed over in ``default_args``. Give ranges and commit the same settings.

    :param ranges: how many ranges, 2 to 1,024; each has some of the segments.
    :param at_once: how many of them are read at the same time at most, each at its share of the rate;
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
        """Plan the export and return its ranges."""
        budget = self._begun(context)
        with failing_at_once(budget):
            request, (ranges, at_once) = both(self._request, lambda: numbers_given(self.ranges, self.at_once))
            ConsoleLinks(self, context).of(request.s3_uri, request.table_name)
            work = work_of(context, self.retries)
            ports = self._ports(request, budget)
            return as_xcom(plan_export(request, work, ports, ranges=ranges, at_once=at_once))


class DynamoDBExportRangeOperator(_ExportStep):
    """Bring one range of a planned export to its end, at its share of the rate.

    A retry, and Clear of this task alone, goes on with what is there of the range, and leaves the others
    alone. Of a range that is at its end nothing is read again; of a complete export neither.

    Returns (XCom) the record of ``RangeResult``: export_id, number, ranges, first_segment, segments,
    item_count, bytes, stored_bytes, parts, consumed_units, units_per_second_held, units_per_second_asked,
    start. Progress is told as by ``DynamoDBExportOperator``, of this range; metrics have the tag ``range``.

    Waits for up to ten minutes while other tasks have all the shares of the rate, then fails for a retry.

    Takes the settings that the plan was given, and:

    :param work: one of the records that the plan returned.
    """

    template_fields: Sequence[str] = aws_template_fields(*SETTINGS, "work")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DynamoDBExportOperator.template_fields_renderers,
        "work": "json",
    }
    lineage_flow = nothing_moved

    def __init__(self, *, work: Work, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.work = work

    def execute(self, context: Context) -> dict[str, Any]:
        """Export the range and return what it holds."""
        budget = self._begun(context)
        with failing_at_once(budget):
            request, part = both(self._request, lambda: range_work(self.work))
            folder = request.location.uri(ROOT, part.id)
            ConsoleLinks(self, context).of(folder, request.table_name)
            tags = tags_of(request.table_name, part)
            reports = progress_reports(context, self.log.info, "export", tags, budget.keep)
            return export_range(request, self._ports(request, budget), reports, part).to_json()


class DynamoDBExportCommitOperator(_ExportStep):
    """Check that every range of an export came to its end, and write the manifest: then it is complete.

    Fails at once, naming them, if ranges did not come to their end; nothing is written then. A retry, and
    Clear of a complete export's commit, adopts what is there.

    Returns (XCom) what ``DynamoDBExportOperator`` returns, summed over the ranges, and announces it to assets
    and OpenLineage in the same way.

    Takes the settings that the plan was given, and:

    :param work: what the plan returned: all of it, or one of its records.
    """

    template_fields: Sequence[str] = aws_template_fields(*SETTINGS, "work")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DynamoDBExportOperator.template_fields_renderers,
        "work": "json",
    }
    lineage_flow = export_flow

    def __init__(self, *, work: Work | Sequence[Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.work = work

    def execute(self, context: Context) -> dict[str, Any]:
        """Commit the export and return what was exported."""
        budget = self._begun(context)
        with failing_at_once(budget):
            request, part = both(self._request, lambda: any_range_work(self.work))
            links = ConsoleLinks(self, context).of(request.s3_uri, request.table_name)
            record = commit_export(request, self._ports(request, budget), part).to_json()
            links.result(record)
        announce(self, context, record, request.location.uri, table_name=request.table_name)
        return self.finished(record)
