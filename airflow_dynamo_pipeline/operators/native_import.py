"""Import files of S3 into a new DynamoDB table by DynamoDB's own ImportTable."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils import validate_execute_complete_event
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.native_imports import log_group, native_import_ports
from airflow_dynamo_pipeline.airflow_versions import Context, conf
from airflow_dynamo_pipeline.engine.native_import import COERCIONS, NativeImportRequest
from airflow_dynamo_pipeline.engine.native_import_end import finish, wait
from airflow_dynamo_pipeline.engine.native_import_ports import NativeImportPorts
from airflow_dynamo_pipeline.engine.native_import_start import Begun, begin
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.assets import announce, table_uri
from airflow_dynamo_pipeline.operators.lineage import LineageMixin
from airflow_dynamo_pipeline.operators.lineage_flows import table_import_flow
from airflow_dynamo_pipeline.operators.links import (
    ConsoleLinks,
    DynamoDBTableLink,
    NativeImportLogLink,
    S3PrefixLink,
    folder_of,
)
from airflow_dynamo_pipeline.operators.running import fail_at_once, failing_at_once, stop_from_signal, work_of
from airflow_dynamo_pipeline.operators.time_budget import ADOPTED, TimeBudget
from airflow_dynamo_pipeline.triggers.native import NativeJobTrigger


class DynamoDBTableImportOperator(LineageMixin, AwsBaseOperator[DynamoDBPipelineHook]):
    """Make a new table of an export, or of other files, by DynamoDB's own ImportTable.

    Uses no write capacity; AWS bills by the uncompressed byte. Reads DynamoDB JSON (native full exports and
    our own), Ion and CSV; plain, or compressed by gzip or Zstandard. ImportTable reads all that lies below a
    prefix, so files there that are not of the backup are refused. A table that exists is refused, too, unless
    this run's own import makes it: that one is adopted, for an import is never begun twice and cannot be
    cancelled. All settings but ``deferrable`` and ``poke_interval`` are templated and may be text. A deferred
    task goes on with the settings it began with; a retry renders them anew, and knows its import by them, so
    they must not depend on the clock.

    Returns (XCom) import_arn, table_arn, table_name, status, items, errors, processed_items,
    processed_bytes, restored (the settings that were put back) and not_restored (what the stored definition
    has and the table has not).

    Fails at once (AirflowFailException), with the counts, the lines of the error log and the name of the
    partial table, when the import failed, had errors, or processed another number of items than the
    manifest lists.

    :param table_name: the table to make.
    :param s3_uri: an export's folder, a folder of files or one file; this or ``manifest_uri``.
    :param manifest_uri: the ``manifest-summary.json`` of an export.
    :param table_definition: the table as TableCreationParameters of ImportTable, or JSON text of it.
    :param definition_s3_uri: a stored definition; default: ``table-definition.json`` beside the manifest.
    :param file_format: ``auto`` (default), ``dynamodb_json``, ``ion`` or ``csv``.
    :param compression: ``auto`` (default), ``gzip``, ``zstd`` or ``none``.
    :param csv_delimiter: of CSV files; default a comma.
    :param csv_columns: the columns of CSV files without a header.
    :param s3_bucket_owner: the account that must own the bucket, 12 digits.
    :param delete_partial: delete the table that this import made, if it fails and did so within the last 15
        minutes: after that somebody may have filled the table; default False.
    :param restore_settings: after success, put back what the stored definition has and ImportTable does not
        make: time to live, point-in-time recovery, stream, tags, autoscaling, table class, deletion
        protection; default False.
    :param deferrable: wait in the triggerer; default: Airflow's ``operators.default_deferrable``.
    :param poke_interval: seconds between two looks at the import; default 60.
    """

    aws_hook_class = DynamoDBPipelineHook
    template_fields: Sequence[str] = aws_template_fields(*COERCIONS)
    template_fields_renderers: ClassVar[dict[str, str]] = {"table_definition": "json"}
    lineage_flow = table_import_flow
    ui_color = "#fdf3e3"
    operator_extra_links = (S3PrefixLink(), DynamoDBTableLink(), NativeImportLogLink())
    _stop: threading.Event | None = None  # made in execute: an operator is copied, a lock cannot be

    def __init__(
        self,
        *,
        table_name: str,
        s3_uri: str | None = None,
        manifest_uri: str | None = None,
        table_definition: Mapping[str, Any] | str | None = None,
        definition_s3_uri: str | None = None,
        file_format: str = "auto",
        compression: str = "auto",
        csv_delimiter: str | None = None,
        csv_columns: Sequence[str] | str | None = None,
        s3_bucket_owner: str | None = None,
        delete_partial: bool | str = False,
        restore_settings: bool | str = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float = 60.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table_name = table_name
        self.s3_uri = s3_uri
        self.manifest_uri = manifest_uri
        self.table_definition = table_definition
        self.definition_s3_uri = definition_s3_uri
        self.file_format = file_format
        self.compression = compression
        self.csv_delimiter = csv_delimiter
        self.csv_columns = csv_columns
        self.s3_bucket_owner = s3_bucket_owner
        self.delete_partial = delete_partial
        self.restore_settings = restore_settings
        self.deferrable = deferrable
        self.poke_interval = poke_interval

    def execute(self, context: Context) -> dict[str, Any]:
        """Begin or adopt the import, wait for its end and return its accounts."""
        budget = self._budget(context)
        with failing_at_once(budget):
            request, ports = self._request(), self._ports(budget)
            source = folder_of(request.s3_uri or request.manifest_uri or "")
            links = ConsoleLinks(self, context).of(source, request.table_name)
            begun = begin(request, work_of(context, self.retries), ports)
            links.import_log(begun.native.arn, log_group(begun.native))
        if self.deferrable and begun.native.is_running:
            self._defer(begun, request)
        with failing_at_once(budget):
            over = replace(begun, native=wait(begun.native, self.poke_interval, ports))
            return self._announced(context, request, finish(request, over, ports).to_json())

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any] | None = None,
        *,
        expected_items: int | None = None,
        definition_uri: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Judge the import that the trigger saw end, by the settings it was begun with.

        ``settings`` are those, None in a task that an older version of this package deferred. Templates are
        rendered once more before this is called, and one that reads a clock names another table now.
        """
        found = validate_execute_complete_event(event)
        if found["status"] != "success":
            fail_at_once(found["message"])
        budget = self._budget(context)
        with failing_at_once(budget):
            request, ports = self._request(settings), self._ports(budget)
            native = ports.imports.describe(found["arn"])
            begun = Begun(native=native, expected_items=expected_items, definition_uri=definition_uri)
            return self._announced(context, request, finish(request, begun, ports).to_json())

    def on_kill(self) -> None:
        """Stop waiting; the import goes on, and a retry adopts it."""
        if self._stop is not None:
            stop_from_signal(self._stop, self.log.info, "the import goes on, and a retry adopts it")

    def _announced(
        self, context: Context, request: NativeImportRequest, record: dict[str, Any]
    ) -> dict[str, Any]:
        source = {"s3_uri": request.s3_uri, "manifest_uri": request.manifest_uri}
        announce(self, context, record, lambda: table_uri(self, request.table_name), **source)
        return self.finished(record, request.to_settings())

    def _request(self, begun_with: Mapping[str, Any] | None = None) -> NativeImportRequest:
        rendered = {name: getattr(self, name) for name in COERCIONS}
        return NativeImportRequest.from_settings(rendered if begun_with is None else begun_with)

    def _budget(self, context: Context) -> TimeBudget:
        self._stop = threading.Event()
        return TimeBudget.of(self, context, self._stop, retry=ADOPTED)

    def _ports(self, budget: TimeBudget) -> NativeImportPorts:
        return native_import_ports(
            self._client,
            stop=budget.stop,
            say=self.log.info,
            warn=self.log.warning,
            clock=budget.clock,
        )

    def _client(self, service: str) -> Any:
        """A client; assuming the connection's role, if it has one, is where this can fail."""
        with translated("sts:AssumeRole", f"connection {self.aws_conn_id}"):
            return self.hook.dynamodb_client() if service == "dynamodb" else self.hook.client_for(service)

    def _defer(self, begun: Begun, request: NativeImportRequest) -> None:
        self.defer(
            trigger=NativeJobTrigger(
                kind="import",
                arn=begun.native.arn,
                poke_interval=self.poke_interval,
                aws_conn_id=self.aws_conn_id,
                region_name=self.region_name,
                verify=self.verify,
                botocore_config=self.botocore_config,
            ),
            method_name=self.execute_complete.__name__,
            kwargs={
                "expected_items": begun.expected_items,
                "definition_uri": begun.definition_uri,
                "settings": request.to_settings(),
            },
        )
