"""Export a DynamoDB table to S3 under a throttle."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.airflow_versions import Context
from airflow_dynamo_pipeline.engine.auto_export import export_by_choice
from airflow_dynamo_pipeline.engine.requests import COERCIONS, ExportRequest
from airflow_dynamo_pipeline.engine.table_export import export_table
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.assets import announce
from airflow_dynamo_pipeline.operators.lineage import LineageMixin
from airflow_dynamo_pipeline.operators.lineage_flows import export_flow
from airflow_dynamo_pipeline.operators.links import (
    ConsoleLinks,
    DynamoDBTableLink,
    NativeExportJobLink,
    S3PrefixLink,
)
from airflow_dynamo_pipeline.operators.running import (
    failing_at_once,
    progress_reports,
    stop_from_signal,
    work_of,
)
from airflow_dynamo_pipeline.operators.time_budget import TimeBudget


class DynamoDBExportOperator(LineageMixin, AwsBaseOperator[DynamoDBPipelineHook]):
    """Scan a table (or an index) to S3 in the layout of a native export, never faster than asked.

    Lossless in its default format, resumable by part, committed by a manifest written last.
    A retry resumes what an earlier attempt left; Clear of a task that failed resumes too; Clear of one
    that succeeded makes a second export. All settings are templated and may be text ("0.25", "auto", "true").

    Returns (XCom) the record of ``ExportResult``: manifest_uri, item_count, bytes, stored_bytes, parts,
    consumed_units, seconds, units_per_second_held, units_per_second_asked, start, export_id, segments,
    table_arn, plan (what the attempt began with: items, bytes, units, time and dollars).

    Progress every ten seconds: a log line, and the record ``progress`` in the task state store (Airflow 3.3)
    or an XCom of that name.

    Fails at once (AirflowFailException) on what no retry can help: settings, permissions, a missing table or
    bucket. Throttling and network trouble are retried for ten minutes a call, then by Airflow.

    Memory: under 200 MB above Airflow itself with up to eight segments at a time, whatever the table's size.

    :param table_name: the table to read.
    :param s3_uri: where exports go: ``s3://bucket/prefix``; each gets a folder of its own below it.
    :param ratio: share of the table's (or index's) read capacity, above 0 and at most 1.5; default 0.25.
    :param units_per_second: absolute rate in read capacity units, 1 or more; instead of ``ratio``.
    :param segments: of the parallel scan, 1 to 1,000,000, or ``"auto"`` (default): from table size and rate.
    :param index_name: read this secondary index instead of the table.
    :param filter_expression: DynamoDB's FilterExpression; filtered items cost units all the same.
    :param projection_expression: DynamoDB's ProjectionExpression.
    :param expression_attribute_names: names used in the expressions: ``{"#n": "name"}``, or JSON text of it.
    :param expression_attribute_values: typed values: ``{":v": {"S": "x"}}``, or JSON text of it.
    :param consistent_read: strongly consistent reads, at twice the cost; not on a global index.
    :param file_format: ``dynamodb_json`` (default), ``data_pipeline`` or ``plain_json``.
    :param compression: ``gzip`` (default), ``zstd`` or ``none``.
    :param part_bytes: about how large a file gets before compression; default 128 MiB.
    :param on_existing: about exports this run made before Clear: ``resume`` (default) goes on with an
        unfinished one, ``fail`` refuses, ``new`` starts another. A retry always goes on with its own.
    :param resume_within_seconds: an unfinished export untouched for longer is not resumed; default 24 h.
    :param keep_checkpoint: keep ``_checkpoint/`` after the manifest is written; default False.
    :param save_table_definition: write what the table is apart from its items to ``table-definition.json``
        beside the manifest; default False.
    :param method: ``scan`` (default), or ``auto``: a planner picks the scan, a native export or native
        exports of the changes by size, price, settings and recovery, and says why. A native export is waited
        for here, and the record is then that of ``NativeExportResult``; ``method`` in it is what was picked.
    :param finish_within_seconds: with ``auto``: a scan that is expected to take longer is not picked if
        anything else is possible.
    :param s3_sse_kms_key_id: encrypt what is written with this KMS key; default: the bucket's own settings.
    """

    aws_hook_class = DynamoDBPipelineHook
    template_fields: Sequence[str] = aws_template_fields(*COERCIONS)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "expression_attribute_names": "json",
        "expression_attribute_values": "json",
    }
    lineage_flow = export_flow
    ui_color = "#e8f1fb"
    operator_extra_links = (S3PrefixLink(), DynamoDBTableLink(), NativeExportJobLink())
    _stop: threading.Event | None = None  # made in execute: an operator is copied, a lock cannot be

    def __init__(
        self,
        *,
        table_name: str,
        s3_uri: str,
        ratio: float | str | None = None,
        units_per_second: float | str | None = None,
        segments: int | str = "auto",
        index_name: str | None = None,
        filter_expression: str | None = None,
        projection_expression: str | None = None,
        expression_attribute_names: Mapping[str, str] | str | None = None,
        expression_attribute_values: Mapping[str, Any] | str | None = None,
        consistent_read: bool | str = False,
        file_format: str = "dynamodb_json",
        compression: str = "gzip",
        part_bytes: int | str = 128 * 1024 * 1024,
        on_existing: str = "resume",
        resume_within_seconds: float | str = 24 * 3600.0,
        keep_checkpoint: bool | str = False,
        save_table_definition: bool | str = False,
        method: str = "scan",
        finish_within_seconds: float | str | None = None,
        s3_sse_kms_key_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table_name = table_name
        self.s3_uri = s3_uri
        self.ratio = ratio
        self.units_per_second = units_per_second
        self.segments = segments
        self.index_name = index_name
        self.filter_expression = filter_expression
        self.projection_expression = projection_expression
        self.expression_attribute_names = expression_attribute_names
        self.expression_attribute_values = expression_attribute_values
        self.consistent_read = consistent_read
        self.file_format = file_format
        self.compression = compression
        self.part_bytes = part_bytes
        self.on_existing = on_existing
        self.resume_within_seconds = resume_within_seconds
        self.keep_checkpoint = keep_checkpoint
        self.save_table_definition = save_table_definition
        self.method = method
        self.finish_within_seconds = finish_within_seconds
        self.s3_sse_kms_key_id = s3_sse_kms_key_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Export the table and return what was exported."""
        self._stop = threading.Event()
        budget = TimeBudget.of(self, context, self._stop)
        with failing_at_once(budget):
            request = ExportRequest.from_settings({name: getattr(self, name) for name in COERCIONS})
            links = ConsoleLinks(self, context).of(request.s3_uri, request.table_name)
            ports = self.hook.export_ports(
                request, stop=self._stop, say=self.log.info, warn=self.log.warning, clock=budget.clock
            )
            tags = {"table": request.table_name}
            reports = progress_reports(context, self.log.info, "export", tags, budget.keep)
            work = work_of(context, self.retries)
            if request.method == "scan":
                record = export_table(request, work, ports, reports).to_json()
            else:
                record = export_by_choice(request, work, self.hook.auto_ports(request, ports), reports)
            links.result(record)
        announce(self, context, record, request.location.uri, table_name=request.table_name)
        return self.finished(record)

    def on_kill(self) -> None:
        """Stop within a page; the parts that are open are closed and the checkpoint is written."""
        if self._stop is not None:
            stop_from_signal(
                self._stop, self.log.info, "the pages under way are the last, and a retry resumes after them"
            )
