"""DynamoDB's own exports behind the engine's port, and the port put together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.dynamodb import description
from airflow_dynamo_pipeline.adapters.native_jobs import describe_export, export_state
from airflow_dynamo_pipeline.adapters.retrying import Retries, RetryingStore
from airflow_dynamo_pipeline.adapters.s3 import S3Store
from airflow_dynamo_pipeline.adapters.whole_replies import refusing_cut_replies
from airflow_dynamo_pipeline.adapters.wiring import Clients
from airflow_dynamo_pipeline.engine.native_export_ports import ExportState, NativeExportPorts
from airflow_dynamo_pipeline.engine.native_export_request import NativeExportRequest
from airflow_dynamo_pipeline.engine.native_windows import Recovery
from airflow_dynamo_pipeline.engine.ports import Clock, TableDescription
from airflow_dynamo_pipeline.errors import NativeJobConflict, PipelineError, RecoveryUnavailable, with_hint

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Result = TypeVar("Result")
PER_PAGE = 25  # the most that ListExports takes


class NativeExports:
    """The native exports of one table. What a retry can help is tried again: every call may be repeated."""

    def __init__(self, client: DynamoDBClient, table_name: str, retries: Retries) -> None:
        self._client = client
        self._table_name = table_name
        self._retries = retries

    def table(self) -> TableDescription:
        """Describe the table; raises NotFound or AccessDenied."""
        return self._retries(lambda: _table(self._client, self._table_name))

    def recovery(self) -> Recovery:
        """Describe its point-in-time recovery; raises NotFound or AccessDenied."""
        return self._retries(lambda: _recovery(self._client, self._table_name))

    def start(self, parameters: Mapping[str, Any]) -> str:
        """Ask for an export and return its ARN; raises NativeJobConflict or RecoveryUnavailable."""
        return self._retries(lambda: _started(self._client, parameters))

    def describe(self, arn: str) -> ExportState:
        """Look at an export; raises NotFound."""
        return _state(self._describe(arn))

    def find(self, table_arn: str, token: str) -> str | None:
        """The ARN of the export that was asked for by a token; looks at each export of the table."""
        for arn in self._retries(lambda: _listed(self._client, table_arn)):
            if self._describe(arn).get("ClientToken") == token:
                return arn
        return None

    def _describe(self, arn: str) -> Mapping[str, Any]:
        return self._retries(lambda: describe_export(self._client, arn))


def native_export_ports(
    client: Clients,
    request: NativeExportRequest,
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    clock: Clock | None = None,
) -> NativeExportPorts:
    """Everything a native export of this request needs. ``stop`` ends every wait."""
    clock = clock or SystemClock()
    store = S3Store(
        refusing_cut_replies(client("s3")), request.location.bucket, kms_key_id=request.s3_sse_kms_key_id
    )
    dynamodb: DynamoDBClient = refusing_cut_replies(client("dynamodb"))
    return NativeExportPorts(
        service=NativeExports(dynamodb, request.table_name, Retries(clock, stop, warn)),
        store=RetryingStore(store, clock, stop, warn),
        clock=clock,
        say=say,
        warn=warn,
    )


def _table(client: DynamoDBClient, table_name: str) -> TableDescription:
    with translated("dynamodb:DescribeTable", f"table {table_name}"):
        reply = client.describe_table(TableName=table_name)
    return description(reply["Table"], client.meta.region_name)


def _recovery(client: DynamoDBClient, table_name: str) -> Recovery:
    with translated("dynamodb:DescribeContinuousBackups", f"table {table_name}"):
        reply = client.describe_continuous_backups(TableName=table_name)
    found: Mapping[str, Any] = reply["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return Recovery(
        table_name=table_name,
        enabled=found.get("PointInTimeRecoveryStatus") == "ENABLED",
        earliest_at=found.get("EarliestRestorableDateTime"),
        latest_at=found.get("LatestRestorableDateTime"),
        period_days=found.get("RecoveryPeriodInDays"),
    )


def _started(client: DynamoDBClient, parameters: Mapping[str, Any]) -> str:
    table_arn = parameters["TableArn"]
    with translated("dynamodb:ExportTableToPointInTime", f"table {table_arn}"):
        try:
            reply = client.export_table_to_point_in_time(**parameters)
        except ClientError as error:
            named = _named(error, parameters)
            if named is None:
                raise
            raise named from error
    return reply["ExportDescription"]["ExportArn"]


def _named(error: ClientError, parameters: Mapping[str, Any]) -> PipelineError | None:
    """What only this call is refused for."""
    found = error.response.get("Error", {})
    code, text = found.get("Code", ""), f"{parameters['TableArn']}: {found.get('Message', '')}"
    if code == "ExportConflictException":
        hint = "clear the task: it then asks by another token"
        said = f"client token {parameters.get('ClientToken')} is in use with other arguments, {text}"
        return NativeJobConflict(with_hint(said, hint))
    if code == "PointInTimeRecoveryUnavailableException":
        return RecoveryUnavailable("off", f"point-in-time recovery is off, {text}", "switch it on")
    if code == "InvalidExportTimeException":
        return RecoveryUnavailable("time", f"an instant is outside of the recovery window, {text}")
    return None


def _listed(client: DynamoDBClient, table_arn: str) -> list[str]:
    arns: list[str] = []
    more: dict[str, Any] = {}
    while True:
        with translated("dynamodb:ListExports", f"table {table_arn}"):
            reply = client.list_exports(TableArn=table_arn, MaxResults=PER_PAGE, **more)
        arns += [each["ExportArn"] for each in reply.get("ExportSummaries", ())]
        if not reply.get("NextToken"):
            return arns
        more = {"NextToken": reply["NextToken"]}


def _state(described: Mapping[str, Any]) -> ExportState:
    return ExportState(
        job=export_state(described),
        manifest_key=described.get("ExportManifest"),
        export_time=described.get("ExportTime"),
        item_count=described.get("ItemCount") or 0,
        billed_bytes=described.get("BilledSizeBytes") or 0,
        table_id=described.get("TableId"),
    )
