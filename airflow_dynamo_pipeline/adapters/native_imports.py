"""DynamoDB's imports behind the engine's port, and their error logs in CloudWatch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_dynamo_pipeline.adapters.aws_calls import AwsCalls
from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.dynamodb import described, resource_text
from airflow_dynamo_pipeline.adapters.native_jobs import describe_import
from airflow_dynamo_pipeline.adapters.retrying import RetryingStore
from airflow_dynamo_pipeline.adapters.s3 import S3Store
from airflow_dynamo_pipeline.adapters.table_restore import restore_table
from airflow_dynamo_pipeline.adapters.whole_replies import refusing_cut_replies
from airflow_dynamo_pipeline.adapters.wiring import Clients
from airflow_dynamo_pipeline.engine.native_import_ports import (
    ErrorLog,
    NativeImport,
    NativeImportPorts,
    Restored,
)
from airflow_dynamo_pipeline.engine.ports import Clock, TableDescription
from airflow_dynamo_pipeline.engine.table_definition import TableDefinition
from airflow_dynamo_pipeline.engine.table_restore import RestoreRequest
from airflow_dynamo_pipeline.errors import NativeJobConflict, NotFound, with_hint

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LOG_GROUP = "/aws-dynamodb/imports"  # where DescribeImport names none
LOG_PAGES = 20  # at most, of up to 10,000 lines or 1 MB each
CONFLICT = "an import into %s was begun by this run in the last eight hours, with another request: %s"
MEND_CONFLICT = "source or definition have changed since; Clear the task to import what is there now"
LIST_PAGE = 25  # the most that ListImports gives at once


class AwsNativeImports:
    """Imports by two clients; that of CloudWatch Logs is made when it is first needed."""

    def __init__(self, client: DynamoDBClient, logs: Callable[[], Any]) -> None:
        self._client = refusing_cut_replies(client)
        self._logs = logs

    def table(self, name: str) -> TableDescription | None:
        """Describe a table, None for none."""
        try:
            return described(self._client, name)
        except NotFound:
            return None

    def imports_into(self, table_arn: str) -> Iterator[NativeImport]:
        """List the imports of a table's ARN, and describe each when it is asked for."""
        summaries: list[Any] = []
        token: dict[str, str] = {}
        while True:
            with translated("dynamodb:ListImports", f"table {table_arn}"):
                page = self._client.list_imports(
                    TableArn=table_arn,
                    PageSize=LIST_PAGE,
                    **token,
                )
            summaries += page.get("ImportSummaryList", ())
            if not page.get("NextToken"):
                break
            token = {"NextToken": page["NextToken"]}
        summaries.sort(key=lambda each: each["StartTime"], reverse=True)
        for summary in summaries:
            yield self.describe(summary["ImportArn"])

    def start(self, call: Mapping[str, Any]) -> NativeImport | None:
        """Begin an import, or be told of the one that was begun by the same call."""
        name = call["TableCreationParameters"]["TableName"]
        with translated("dynamodb:ImportTable", resource_text(name)):
            try:
                reply = self._client.import_table(**call)
            except self._client.exceptions.ResourceInUseException:
                return None
            except self._client.exceptions.ImportConflictException as error:
                raise NativeJobConflict(with_hint(CONFLICT % (name, error), MEND_CONFLICT)) from error
        return native_import(reply["ImportTableDescription"])

    def describe(self, arn: str) -> NativeImport:
        """Look at an import; raises NotFound."""
        return native_import(describe_import(self._client, arn))

    def error_log(self, found: NativeImport, most: int) -> ErrorLog:
        """Read the first lines of the import's error log and count the others."""
        lines: list[str] = []
        count = 0
        token: str | None = None
        for _ in range(LOG_PAGES):
            page = self._log_page(found, token)
            count += len(page["events"])
            lines += [event["message"] for event in page["events"]][: most - len(lines)]
            if page["nextForwardToken"] == token:
                return ErrorLog(lines=lines, more=count - len(lines))
            token = page["nextForwardToken"]
        return ErrorLog(lines=lines, more=count - len(lines), is_counted=False)

    def _log_page(self, found: NativeImport, token: str | None) -> Any:
        group, stream = log_group(found), f"{found.import_id}/error"
        client = self._logs()
        with translated("logs:GetLogEvents", f"log group {group}"):
            try:
                return client.get_log_events(
                    logGroupName=group,
                    logStreamName=stream,
                    startFromHead=True,
                    **({"nextToken": token} if token else {}),
                )
            except client.exceptions.ResourceNotFoundException as error:
                raise NotFound("log stream", f"{stream} in {group}") from error

    def delete_table(self, name: str) -> None:
        """Begin to delete a table."""
        with translated("dynamodb:DeleteTable", resource_text(name)):
            self._client.delete_table(TableName=name)


def native_import(described_import: Mapping[str, Any]) -> NativeImport:
    """ImportTableDescription as the engine's value."""
    return NativeImport(
        arn=described_import["ImportArn"],
        status=described_import["ImportStatus"],
        table_arn=described_import.get("TableArn", ""),
        table_id=described_import.get("TableId"),
        client_token=described_import.get("ClientToken"),
        started_at=described_import.get("StartTime"),
        ended_at=described_import.get("EndTime"),
        log_group_arn=described_import.get("CloudWatchLogGroupArn"),
        items=int(described_import.get("ImportedItemCount", 0)),
        processed_items=int(described_import.get("ProcessedItemCount", 0)),
        processed_bytes=int(described_import.get("ProcessedSizeBytes", 0)),
        errors=int(described_import.get("ErrorCount", 0)),
        failure_code=described_import.get("FailureCode"),
        failure_message=described_import.get("FailureMessage"),
    )


def log_group(found: NativeImport) -> str:
    """The name of the log group that an import writes to.

    >>> arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws-dynamodb/imports:*"
    >>> log_group(NativeImport(arn="x", status="FAILED", log_group_arn=arn))
    '/aws-dynamodb/imports'
    """
    return (found.log_group_arn or "").partition(":log-group:")[2].removesuffix(":*") or LOG_GROUP


def native_import_ports(
    client: Clients,
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    clock: Clock | None = None,
) -> NativeImportPorts:
    """Everything a native import needs. ``stop`` ends every wait; no ``clock``: the machine's."""
    time = clock or SystemClock()

    def restore(definition: TableDefinition, table_name: str) -> Restored:
        request = RestoreRequest(definition=definition, table_name=table_name, onto_existing=True)
        result = restore_table(request, AwsCalls(client, clock=time, stop=stop, warn=warn), say)
        return Restored(done=result.done, not_restored=[each.line() for each in result.not_put_back])

    def store(bucket: str) -> RetryingStore:
        return RetryingStore(S3Store(refusing_cut_replies(client("s3")), bucket), time, stop, warn)

    return NativeImportPorts(
        imports=AwsNativeImports(client("dynamodb"), lambda: refusing_cut_replies(client("logs"))),
        store=store,
        restore=restore,
        clock=time,
        stop=stop,
        say=say,
        warn=warn,
    )
