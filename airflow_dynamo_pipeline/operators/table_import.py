"""Import a backup into an existing DynamoDB table under a throttle."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.airflow_versions import Context
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_request import COERCIONS, ImportRequest
from airflow_dynamo_pipeline.engine.table_import import import_table
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.assets import announce, announce_nothing, table_uri
from airflow_dynamo_pipeline.operators.lineage import LineageMixin
from airflow_dynamo_pipeline.operators.lineage_flows import import_flow
from airflow_dynamo_pipeline.operators.links import ConsoleLinks, DynamoDBTableLink, S3PrefixLink, folder_of
from airflow_dynamo_pipeline.operators.running import (
    failing_at_once,
    progress_report,
    stop_from_signal,
    work_of,
)
from airflow_dynamo_pipeline.operators.time_budget import DRY_RUN_ANEW, TimeBudget

ATTRIBUTES = {name: "is_dry_run" if name == "dry_run" else name for name in COERCIONS}  # settings by name


class DynamoDBImportOperator(LineageMixin, AwsBaseOperator[DynamoDBPipelineHook]):
    """Write a backup into an existing table, never faster than asked, and account for every item.

    Reads our own exports, native full and incremental exports (DynamoDB JSON and Ion), backups of AWS Data
    Pipeline and the EMR connector of every generation, plain JSON lines, CSV and Parquet.
    A retry goes on after what an earlier attempt had accounted for. Importing a backup into a table that it
    was imported into already is refused, so that a recurring DAG does not write old items over newer ones
    every day; Clear of a task that succeeded, or ``on_existing="new"``, imports it again.
    All settings are templated and may be text.

    Returns (XCom) the record of ``ImportResult``: import_id, table_name, table_arn, start, dry_run, read,
    written, deleted, skipped, conflicted, rejected, expired, duplicates, duplicates_share, rejects_uri,
    consumed_units, seconds, units_per_second_asked, units_per_second_held, backup_id, plan. ``read`` is
    always the sum of written, skipped, conflicted and rejected; if it is not, the task fails.

    Fails at once (AirflowFailException) on what no retry can help: settings, permissions, more than
    ``max_rejected`` items rejected, a conflict with ``on_conflict="fail"``. Throttling is waited out for as
    long as the task may run, network trouble for ten minutes a call, then by Airflow's retries.

    Memory: under 80 MB above Airflow itself, whatever the size of the files.

    :param table_name: the table to write to; it must exist, with the backup's key.
    :param s3_uri: what to import: a ``manifest-summary.json``, an export's folder, a folder of backup files
        or one file; for incremental exports a list: a full export and the increments that follow it.
    :param ratio: share of the table's and its indexes' write capacity, above 0 and at most 1.5; default 0.25.
    :param units_per_second: absolute rate in write capacity units of table and indexes together, 1 or more;
        instead of ``ratio``.
    :param segments: batches under way at the same time, 1 to 32, or ``"auto"`` (default): by the rate.
    :param file_format: ``auto`` (default), ``dynamodb_json``, ``data_pipeline``, ``incremental``, ``ion``,
        ``plain_json``, ``csv``, ``parquet`` or ``rejects``.
    :param on_conflict: what to do where the table has an item with the same key: ``overwrite`` (default) it,
        ``skip`` ours, ``fail`` at the first one, keep the ``newer`` one by ``version_attribute``, or write
        where a ``condition`` of your own holds.
    :param version_attribute: with ``newer``: the attribute (S, N or B) that grows with each version.
    :param condition_expression: with ``condition``: DynamoDB's ConditionExpression.
    :param expression_attribute_names: names used in it: ``{"#n": "name"}``, or JSON text of it.
    :param expression_attribute_values: typed values: ``{":v": {"S": "x"}}``, or JSON text of it.
    :param max_rejected: how many items may be rejected before the task fails; default 0.
    :param rejects_s3_uri: where rejected items, the checkpoint and the record of the import go; default: the
        folder of the source, below ``_imports/``.
    :param dry_run: read and judge everything, write nothing, and log units, hours and dollars.
    :param on_existing: about earlier imports of this backup into this table: ``resume`` (default) goes on
        with an unfinished one and refuses after a finished one, ``fail`` refuses both, ``new`` imports again.
    :param expired_items: ``keep`` (default) or ``drop`` items whose time to live is over.
    :param allow_protected: import although the table is deletion-protected, has replicas or a production tag.
    :param expected_backup_id: refuse any other backup: the ``backup_id`` that an earlier look (``dry_run``)
        returned. Default: whatever lies there.
    :param changes_from: for incremental exports without a full one: the moment whose state the table has.
    :param attributes: what columns become, for CSV, Parquet and plain JSON:
        ``{"id": "S", "n": {"name": "count", "type": "N"}}``, or JSON text of it.
    :param csv_columns: the columns of CSV files without a header.
    :param csv_delimiter: of CSV files; default a comma.
    :param null_text: the CSV field that means: no such attribute; default an empty one.
    :param s3_sse_kms_key_id: encrypt what is written to S3 with this KMS key; default: the bucket's settings.
    """

    aws_hook_class = DynamoDBPipelineHook
    template_fields: Sequence[str] = aws_template_fields(*ATTRIBUTES.values())
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "expression_attribute_names": "json",
        "expression_attribute_values": "json",
        "attributes": "json",
    }
    lineage_flow = import_flow
    ui_color = "#fdf3e3"
    operator_extra_links = (S3PrefixLink(), DynamoDBTableLink())
    _stop: threading.Event | None = None  # made in execute: an operator is copied, a lock cannot be

    def __init__(
        self,
        *,
        table_name: str,
        s3_uri: str | Sequence[str],
        ratio: float | str | None = None,
        units_per_second: float | str | None = None,
        segments: int | str = "auto",
        file_format: str = "auto",
        on_conflict: str = "overwrite",
        version_attribute: str | None = None,
        condition_expression: str | None = None,
        expression_attribute_names: Mapping[str, str] | str | None = None,
        expression_attribute_values: Mapping[str, Any] | str | None = None,
        max_rejected: int | str = 0,
        rejects_s3_uri: str | None = None,
        dry_run: bool | str = False,
        on_existing: str = "resume",
        expired_items: str = "keep",
        allow_protected: bool | str = False,
        expected_backup_id: str | None = None,
        changes_from: datetime | str | None = None,
        attributes: Mapping[str, Any] | str | None = None,
        csv_columns: Sequence[str] | str | None = None,
        csv_delimiter: str = ",",
        null_text: str = "",
        s3_sse_kms_key_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table_name = table_name
        self.s3_uri = s3_uri
        self.ratio = ratio
        self.units_per_second = units_per_second
        self.segments = segments
        self.file_format = file_format
        self.on_conflict = on_conflict
        self.version_attribute = version_attribute
        self.condition_expression = condition_expression
        self.expression_attribute_names = expression_attribute_names
        self.expression_attribute_values = expression_attribute_values
        self.max_rejected = max_rejected
        self.rejects_s3_uri = rejects_s3_uri
        self.is_dry_run = dry_run  # Airflow has a method dry_run
        self.on_existing = on_existing
        self.expired_items = expired_items
        self.allow_protected = allow_protected
        self.expected_backup_id = expected_backup_id
        self.changes_from = changes_from
        self.attributes = attributes
        self.csv_columns = csv_columns
        self.csv_delimiter = csv_delimiter
        self.null_text = null_text
        self.s3_sse_kms_key_id = s3_sse_kms_key_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Import the backup and return its accounts."""
        self._stop = threading.Event()
        budget = TimeBudget.of(self, context, self._stop)
        with failing_at_once(budget):
            request = ImportRequest.from_settings(
                {name: getattr(self, field) for name, field in ATTRIBUTES.items()}
            )
            if request.dry_run:
                budget.retry = DRY_RUN_ANEW
            ConsoleLinks(self, context).of(folder_of(request.s3_uri[0]), request.table_name)
            ports = self.hook.import_ports(
                request, stop=self._stop, say=self.log.info, warn=self.log.warning, clock=budget.clock
            )
            report = progress_report(context, self.log.info, "import", {"table": request.table_name})
            work = work_of(context, self.retries)
            record = import_table(request, work, ports, ImportReports(report, at_stop=budget.keep)).to_json()
        if request.dry_run:
            announce_nothing(self)
        uris = list(request.s3_uri)
        announce(self, context, record, lambda: table_uri(self, request.table_name), s3_uri=uris)
        return self.finished(record)

    def on_kill(self) -> None:
        """Stop after the calls that are under way; the checkpoint is written."""
        if self._stop is not None:
            stop_from_signal(
                self._stop, self.log.info, "the calls under way are the last, and a retry resumes after them"
            )
