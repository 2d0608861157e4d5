"""One look at a job that DynamoDB runs by itself: an export or an import, by its ARN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.whole_replies import refusing_cut_replies
from airflow_dynamo_pipeline.engine.native_jobs import JobState
from airflow_dynamo_pipeline.errors import NotFound

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

GONE = {"ExportNotFoundException": "export", "ImportNotFoundException": "import"}


def describe_export(client: DynamoDBClient, arn: str) -> Mapping[str, Any]:
    """``ExportDescription`` of a native export; raises NotFound, AccessDenied or what is temporary."""
    with translated("dynamodb:DescribeExport", arn):
        return _found(lambda: client.describe_export(ExportArn=arn), arn, "ExportDescription")


def describe_import(client: DynamoDBClient, arn: str) -> Mapping[str, Any]:
    """``ImportTableDescription`` of a native import; raises NotFound, AccessDenied or what is temporary."""
    with translated("dynamodb:DescribeImport", arn):
        return _found(lambda: client.describe_import(ImportArn=arn), arn, "ImportTableDescription")


def _found(call: Callable[[], object], arn: str, member: str) -> Mapping[str, Any]:
    try:
        reply = cast("Mapping[str, Any]", call())
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in GONE:
            hint = "DynamoDB forgets a job after 90 days"
            raise NotFound(GONE[code], arn, hint) from error
        raise
    return cast("Mapping[str, Any]", reply[member])


def export_state(described: Mapping[str, Any]) -> JobState:
    """The state in an ``ExportDescription``."""
    return _state(described, "ExportArn", "ExportStatus")


def import_state(described: Mapping[str, Any]) -> JobState:
    """The state in an ``ImportTableDescription``."""
    return _state(described, "ImportArn", "ImportStatus")


def _state(described: Mapping[str, Any], arn: str, status: str) -> JobState:
    return JobState(
        arn=described[arn],
        status=described[status],
        code=described.get("FailureCode") or "",
        message=described.get("FailureMessage") or "",
    )


LOOKS: Mapping[str, Callable[[DynamoDBClient, str], JobState]] = {
    "export": lambda client, arn: export_state(describe_export(client, arn)),
    "import": lambda client, arn: import_state(describe_import(client, arn)),
}


def look(client: DynamoDBClient, kind: str, arn: str) -> JobState:
    """Look at a job once; ``kind`` is ``export`` or ``import``."""
    return LOOKS[kind](refusing_cut_replies(client), arn)
