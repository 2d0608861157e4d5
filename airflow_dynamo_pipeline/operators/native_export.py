"""Export a table by DynamoDB's own point-in-time export."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils import validate_execute_complete_event
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.airflow_versions import (
    AirflowSkipException,
    Context,
    conf,
)
from airflow_dynamo_pipeline.engine.native_export import advance
from airflow_dynamo_pipeline.engine.native_export_ports import NativeExportPorts
from airflow_dynamo_pipeline.engine.native_export_request import COERCIONS, NativeExportRequest
from airflow_dynamo_pipeline.engine.native_export_result import Early, Finished, Nothing, Waiting
from airflow_dynamo_pipeline.engine.native_windows import said
from airflow_dynamo_pipeline.errors import Stopped
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
from airflow_dynamo_pipeline.operators.running import fail_at_once, failing_at_once, stop_from_signal, work_of
from airflow_dynamo_pipeline.operators.time_budget import ADOPTED, TimeBudget
from airflow_dynamo_pipeline.triggers.dynamodb import DynamoDBConditionTrigger
from airflow_dynamo_pipeline.triggers.native import NativeJobTrigger

STATE_KEY = "native_export"
STAYS = "nothing can cancel a native export: what is under way stays, and the next attempt goes on with it"


class DynamoDBPointInTimeExportOperator(LineageMixin, AwsBaseOperator[DynamoDBPipelineHook]):
    """Export a table as it was at an instant, or its changes, by DynamoDB itself: no capacity is used.

    The table needs point-in-time recovery. What is asked for is recorded on S3 before DynamoDB is called, in
    ``<s3_uri>/_dynamo-pipeline/<table>.json``: a retry adopts the export of the attempt before, so that it is
    billed once. Clear of a task that failed adopts what is still under way; Clear of one that succeeded makes
    another export.

    An incremental export goes on where the last one that succeeded below ``s3_uri`` ended: windows are
    contiguous, from 15 minutes to 24 hours long, several one after the other where there is more to do. With
    less than 15 minutes to do the task is skipped.

    Returns (XCom) the record of ``NativeExportResult``: status, table_name, export_type, export_arn,
    manifest_uri, manifest_uris, item_count, billed_bytes, export_time, window_start, window_end, chain_uri.

    Fails at once on what no retry can help: settings, permissions, recovery that is off, a gap between the
    last window and what can still be exported, and an export that ended as FAILED. All settings but
    ``deferrable`` and ``poke_interval`` are templated and may be text.

    :param table_name: the table.
    :param s3_uri: where exports go: ``s3://bucket/prefix``; each gets a folder of its own below it.
    :param export_type: ``full`` (default) or ``incremental``.
    :param export_time: the instant a full export shows, or the end of the changes: a datetime or ISO 8601
        text, UTC unless it says otherwise, cut to whole seconds. Default: as late as recovery allows, which
        is some five minutes ago. An instant of the last minutes is waited for.
    :param file_format: ``dynamodb_json`` (default) or ``ion``.
    :param view_type: of incremental exports: ``NEW_AND_OLD_IMAGES`` (default) or ``NEW_IMAGE``.
    :param on_gap: where changes cannot follow on what was exported before, or nothing was: ``fail`` (default)
        or ``full``, which makes a new full export instead.
    :param s3_bucket_owner: the account that owns the bucket, if it is another one.
    :param s3_sse_algorithm: ``AES256`` or ``KMS``; default: the bucket's own encryption.
    :param s3_sse_kms_key_id: the KMS key, with ``KMS``.
    :param poke_interval: seconds between two looks at an export, 1 or more; default 30.
    :param deferrable: wait in the triggerer; default: Airflow's ``operators.default_deferrable``.
    """

    aws_hook_class = DynamoDBPipelineHook
    template_fields: Sequence[str] = aws_template_fields(*COERCIONS)
    lineage_flow = export_flow
    ui_color = "#e8f1fb"
    operator_extra_links = (S3PrefixLink(), DynamoDBTableLink(), NativeExportJobLink())
    _stop: threading.Event | None = None  # made in execute: an operator is copied, a lock cannot be

    def __init__(
        self,
        *,
        table_name: str,
        s3_uri: str,
        export_type: str = "full",
        export_time: datetime | str | None = None,
        file_format: str = "dynamodb_json",
        view_type: str = "NEW_AND_OLD_IMAGES",
        on_gap: str = "fail",
        s3_bucket_owner: str | None = None,
        s3_sse_algorithm: str | None = None,
        s3_sse_kms_key_id: str | None = None,
        poke_interval: float = 30.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table_name = table_name
        self.s3_uri = s3_uri
        self.export_type = export_type
        self.export_time = export_time
        self.file_format = file_format
        self.view_type = view_type
        self.on_gap = on_gap
        self.s3_bucket_owner = s3_bucket_owner
        self.s3_sse_algorithm = s3_sse_algorithm
        self.s3_sse_kms_key_id = s3_sse_kms_key_id
        self.poke_interval = poke_interval
        self.deferrable = deferrable

    def execute(self, context: Context) -> dict[str, Any]:
        """Export and return what was exported; defers while DynamoDB works, if asked."""
        return self._go_on(context)

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any] | None = None,
        *,
        settings: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Go on after what was waited for, with the settings that were rendered before it."""
        found = validate_execute_complete_event(event)
        if found["status"] != "success":
            fail_at_once(found["message"])
        self.log.info(found["message"])
        return self._go_on(context, settings)

    def on_kill(self) -> None:
        """Stop waiting; the export goes on."""
        if self._stop is not None:
            stop_from_signal(self._stop, self.log.warning, STAYS)

    def _go_on(self, context: Context, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
        stop = self._stop = threading.Event()
        budget = TimeBudget.of(self, context, stop, retry=ADOPTED)
        with failing_at_once(budget):
            request = NativeExportRequest.from_settings(
                settings or {name: getattr(self, name) for name in COERCIONS}
            )
            links = ConsoleLinks(self, context).of(request.s3_uri, request.table_name)
            ports = self.hook.native_export_ports(
                request, stop=stop, say=self.log.info, warn=self.log.warning, clock=budget.clock
            )
            work = work_of(context, self.retries)
            while not isinstance(step := advance(request, work, ports), Finished | Nothing):
                if isinstance(step, Waiting):
                    links.export_job(step.export_arn)
                if self.deferrable:
                    self._defer(step, request)
                else:
                    self._wait(step, ports, stop)
        if isinstance(step, Nothing):
            raise AirflowSkipException(step.why)
        result = step.result.to_json()
        links.result(result)
        self._mirror(context, result)
        return self.finished(announce(self, context, result, request.location.uri))

    def _wait(self, step: Waiting | Early, ports: NativeExportPorts, stop: threading.Event) -> None:
        if isinstance(step, Early):
            self.log.info("%s is not recoverable yet; looking again", said(step.wanted_at))
        if ports.clock.wait(stop, self.poke_interval):
            raise Stopped(f"told to stop while waiting for a native export; {STAYS}")

    def _defer(self, step: Waiting | Early, request: NativeExportRequest) -> None:
        line: Mapping[str, Any] = {
            "poke_interval": self.poke_interval,
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
            "verify": self.verify,
            "botocore_config": self.botocore_config,
        }
        trigger: NativeJobTrigger | DynamoDBConditionTrigger
        if isinstance(step, Waiting):
            trigger = NativeJobTrigger(kind="export", arn=step.export_arn, **line)
        else:
            wanted = {"table_name": request.table_name, "wanted_at": step.wanted_at.isoformat()}
            trigger = DynamoDBConditionTrigger(condition="point_in_time_recovery", arguments=wanted, **line)
        self.defer(
            trigger=trigger,
            method_name=self.execute_complete.__name__,
            kwargs={"settings": request.to_json()},  # templates may render otherwise by then
        )

    def _mirror(self, context: Context, result: Mapping[str, Any]) -> None:
        """Show the last export in the asset state store (Airflow 3.3), where the task has one outlet."""
        stores: Any = context.get("asset_state_store")
        if stores is None or len(self.outlets) != 1:
            return
        try:
            stores[self.outlets[0]].set(STATE_KEY, dict(result))
        except Exception as error:  # noqa: BLE001  a mirror: the chain on S3 is what counts
            self.log.warning("the asset state store could not be written: %s", error)
