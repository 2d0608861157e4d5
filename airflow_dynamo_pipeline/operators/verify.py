"""Check an export against its manifest, and against a table."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.airflow_versions import Context
from airflow_dynamo_pipeline.engine.table_verify import TableVerifyResult, verify_table
from airflow_dynamo_pipeline.engine.verify import VerifyResult, verify_files
from airflow_dynamo_pipeline.engine.verify_request import COERCIONS, VerifyRequest
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.assets import announce
from airflow_dynamo_pipeline.operators.lineage import LineageMixin
from airflow_dynamo_pipeline.operators.lineage_flows import verify_flow
from airflow_dynamo_pipeline.operators.links import ConsoleLinks, DynamoDBTableLink, S3PrefixLink, folder_of
from airflow_dynamo_pipeline.operators.running import failing_at_once, progress_reports, stop_from_signal
from airflow_dynamo_pipeline.operators.time_budget import ANEW, TimeBudget


class DynamoDBVerifyOperator(LineageMixin, AwsBaseOperator[DynamoDBPipelineHook]):
    """Compare an export with its manifest and, if a table is named, with the items of the table.

    Finds files that are missing, extra, truncated, swapped or changed, and edited manifests, and names each.
    With a table, finds items that only one side has and items that differ, and names their keys and
    attributes. The table is read under the throttle, once if it is equal; what seems to differ is read a
    second time, consistently. Numbers are compared by value, sets and maps without their order. Reads our
    own exports and native full exports; a lossy format, or an export of an index or of some items only, can
    be compared with its manifest but not with a table. All settings are templated and may be text.

    Returns (XCom) manifest_uri, item_count, files and stored_bytes; with a table also table_name,
    table_arn, table_item_count, identical (true) and consumed_units. Fails at once with every finding. What
    is written to the table meanwhile may be found as a difference.

    :param manifest_uri: the export's ``manifest-summary.json``, as the export operator returns it.
    :param table_name: the table whose items are compared; None (default): the table is not touched.
    :param ratio: share of the table's read capacity, above 0 and at most 1.5; default 0.25.
    :param units_per_second: absolute rate in read capacity units, 1 or more; instead of ``ratio``.
    :param segments: of the parallel scan, 1 to 1,000,000, or ``"auto"`` (default): from table size and rate.
    :param consistent_read: strongly consistent reads from the beginning, at twice the cost.
    :param max_differences: how many items that differ are named, 0 to 1,000, default 20; all are counted.
    """

    aws_hook_class = DynamoDBPipelineHook
    template_fields: Sequence[str] = aws_template_fields(*COERCIONS)
    lineage_flow = verify_flow
    ui_color = "#eaf7ea"
    operator_extra_links = (S3PrefixLink(), DynamoDBTableLink())
    _stop: threading.Event | None = None  # made in execute: an operator is copied, a lock cannot be

    def __init__(
        self,
        *,
        manifest_uri: str,
        table_name: str | None = None,
        ratio: float | str | None = None,
        units_per_second: float | str | None = None,
        segments: int | str = "auto",
        consistent_read: bool | str = False,
        max_differences: int | str = 20,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifest_uri = manifest_uri
        self.table_name = table_name
        self.ratio = ratio
        self.units_per_second = units_per_second
        self.segments = segments
        self.consistent_read = consistent_read
        self.max_differences = max_differences

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare and return what was found equal."""
        self._stop = threading.Event()
        budget = TimeBudget.of(self, context, self._stop, retry=ANEW)
        with failing_at_once(budget):
            request = VerifyRequest.from_settings({name: getattr(self, name) for name in COERCIONS})
            links = ConsoleLinks(self, context)
            folder = folder_of(request.manifest_uri)
            links.prefix(folder)
            if request.table_name is None:
                record = self._files(request, self._stop, budget).to_json()
            else:
                links.table(request.table_name)
                record = self._table(request, context, self._stop, budget).to_json()
        return self.finished(announce(self, context, record, lambda: folder))

    def on_kill(self) -> None:
        """Stop reading after the pages that are under way."""
        if self._stop is not None:
            stop_from_signal(self._stop, self.log.info, "the pages under way are the last")

    def _files(self, request: VerifyRequest, stop: threading.Event, budget: TimeBudget) -> VerifyResult:
        location = request.layout.location
        store = self.hook.reading_store(location, self.log.warning, stop=stop, clock=budget.clock)
        result = verify_files(request.manifest_uri, store)
        self.log.info(
            "%s items in %s files equal their manifest", f"{result.item_count:,}", f"{result.files:,}"
        )
        return result

    def _table(
        self, request: VerifyRequest, context: Context, stop: threading.Event, budget: TimeBudget
    ) -> TableVerifyResult:
        ports = self.hook.verify_ports(
            request, stop=stop, say=self.log.info, warn=self.log.warning, clock=budget.clock
        )
        reports = progress_reports(context, self.log.info, "verify", {"table": request.table_name or ""})
        result = verify_table(request, ports, reports)
        self.log.info(
            "identical: %s items in the export and in table %s", f"{result.item_count:,}", result.table_name
        )
        return result
