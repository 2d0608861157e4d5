"""A DynamoDB table behind the engine's port, on botocore's client.

Two paths read a page. The fast one takes the response body before botocore parses it (the
public event ``before-parse``): parsing is nine tenths of what a Scan costs a client. The plain
one lets botocore parse and writes the reply's JSON again. Both give the same bytes.
"""

from __future__ import annotations

import base64
import json
import threading
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import HeadersDict
from botocore.model import OperationModel

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.whole_replies import check_length
from airflow_dynamo_pipeline.engine.ports import (
    IndexDescription,
    ScanCall,
    TableDescription,
    Throughput,
)
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import CorruptReply
from airflow_dynamo_pipeline.items.response_text import scan_response_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

try:
    from isal.isal_zlib import crc32
except ImportError:  # no wheel for this platform
    from zlib import crc32

assert crc32(b"DynamoDB") == zlib.crc32(b"DynamoDB")  # noqa: S101

BEFORE_PARSE = "before-parse.dynamodb.Scan"
JSON_TYPES = ("application/x-amz-json-1.0", "application/json")
SUCCESS = range(200, 300)
EMPTY = b"{}"


class DynamoDBTable:
    """One table, or one of its indexes, read through one client shared by all threads."""

    def __init__(self, client: DynamoDBClient, request: ExportRequest, warn: Callable[[str], None]) -> None:
        """``client`` should not retry by itself: the engine does, and pays for every try."""
        self._client = client
        self._table_name = request.table_name
        self._arguments = _scan_arguments(request)
        self._warn = warn
        self._taken = threading.local()
        self._lock = threading.Lock()
        self._is_plain = False
        client.meta.events.register(BEFORE_PARSE, self._take_body, unique_id=f"dynamo-pipeline-{id(self)}")

    def describe(self) -> TableDescription:
        """Describe the table; raises NotFound or AccessDenied."""
        with translated("dynamodb:DescribeTable", f"table {self._table_name}"):
            reply = self._client.describe_table(TableName=self._table_name)
        return description(reply["Table"], self._client.meta.region_name)

    def scan(self, call: ScanCall) -> bytes:
        """Read one page; raises Throttled, CorruptReply and the rest of the error tree."""
        arguments: dict[str, Any] = {
            **self._arguments,
            "Segment": call.segment,
            "TotalSegments": call.total_segments,
        }
        if call.limit is not None:
            arguments["Limit"] = call.limit
        if call.start_key is not None:
            arguments["ExclusiveStartKey"] = typed_values(json.loads(call.start_key))
        self._taken.body, self._taken.is_ours = None, True
        try:
            with translated("dynamodb:Scan", self._resource):
                parsed = self._client.scan(**arguments)
        finally:
            self._taken.is_ours = False
        body: bytes | None = self._taken.body
        return scan_response_json(parsed) if body is None else body

    @property
    def _resource(self) -> str:
        index = self._arguments.get("IndexName")
        return f"table {self._table_name}" + (f" index {index}" if index else "")

    def _take_body(self, operation_model: OperationModel, response_dict: dict[str, Any], **_: object) -> None:
        """Take a successful reply's body and leave botocore an empty one to parse."""
        if response_dict["status_code"] not in SUCCESS or not getattr(self._taken, "is_ours", False):
            return  # an error, or somebody else's call on the same client
        headers, body = response_dict["headers"], response_dict["body"]
        encoded = headers.get("content-encoding", "identity") != "identity"
        if not encoded:
            check_length(operation_model, response_dict)
            _check_crc32(headers, body)
        content_type = str(headers.get("content-type", "")).partition(";")[0].strip()
        if encoded or content_type not in JSON_TYPES:
            self._go_plain(content_type)
        else:
            self._taken.body = body
            response_dict["body"] = EMPTY
            response_dict["headers"] = HeadersDict({**headers, "Content-Length": str(len(EMPTY))})

    def _go_plain(self, content_type: str) -> None:
        """Leave a reply to botocore's parser; said once, whichever thread comes first."""
        with self._lock:
            if not self._is_plain:
                self._is_plain = True
                kind = content_type or "of no stated type"
                self._warn(f"Scan replies are {kind}, or encoded: parsing them by botocore")


def _check_crc32(headers: Mapping[str, str], body: bytes) -> None:
    """DynamoDB sends the CRC-32 of each body; botocore's standard retry mode does not look at it."""
    expected = headers.get("x-amz-crc32")
    if expected is not None and int(expected) != crc32(body):
        raise CorruptReply(f"a Scan reply of {len(body):,} bytes does not match its x-amz-crc32 {expected}")


def _scan_arguments(request: ExportRequest) -> dict[str, Any]:
    given = {
        "TableName": request.table_name,
        "IndexName": request.index_name,
        "FilterExpression": request.filter_expression,
        "ProjectionExpression": request.projection_expression,
        "ExpressionAttributeNames": dict(request.expression_attribute_names),
        "ExpressionAttributeValues": typed_values(request.expression_attribute_values),
        "ConsistentRead": request.consistent_read,
        "ReturnConsumedCapacity": "TOTAL",
    }
    return {name: value for name, value in given.items() if value}


def typed_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """DynamoDB JSON as botocore takes it: binaries as bytes, all else as it is."""
    return {name: _typed(value) for name, value in values.items()}


def _typed(value: Mapping[str, Any]) -> dict[str, Any]:
    ((tag, inner),) = value.items()
    if tag == "B":
        return {tag: inner if isinstance(inner, bytes) else base64.b64decode(inner)}
    if tag == "BS":
        return {tag: [one if isinstance(one, bytes) else base64.b64decode(one) for one in inner]}
    if tag == "M":
        return {tag: typed_values(inner)}
    if tag == "L":
        return {tag: [_typed(one) for one in inner]}
    return {tag: inner}


def description(table: Mapping[str, Any], region: str) -> TableDescription:
    """DescribeTable's ``Table`` as the engine's value."""
    billing = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    created: datetime | None = table.get("CreationDateTime")
    indexes = [_index(index, is_global=True) for index in table.get("GlobalSecondaryIndexes", ())]
    indexes += [_index(index, is_global=False) for index in table.get("LocalSecondaryIndexes", ())]
    return TableDescription(
        name=table["TableName"],
        arn=table["TableArn"],
        table_id=table.get("TableId"),
        created_at=created.isoformat() if created else "",
        region=region,
        status=table["TableStatus"],
        on_demand=billing == "PAY_PER_REQUEST",
        size_bytes=int(table.get("TableSizeBytes", 0)),
        item_count=int(table.get("ItemCount", 0)),
        throughput=_throughput(table),
        indexes={index.name: index for index in indexes},
    )


def _index(index: Mapping[str, Any], *, is_global: bool) -> IndexDescription:
    return IndexDescription(
        name=index["IndexName"],
        arn=index.get("IndexArn", ""),
        is_global=is_global,
        status=index.get("IndexStatus", "ACTIVE"),  # local indexes have none: they live with the table
        size_bytes=int(index.get("IndexSizeBytes", 0)),
        item_count=int(index.get("ItemCount", 0)),
        throughput=_throughput(index),
    )


def _throughput(described: Mapping[str, Any]) -> Throughput:
    on_demand_max = described.get("OnDemandThroughput", {}).get("MaxReadRequestUnits")
    return Throughput(
        provisioned=float(described.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0)),
        on_demand_max=float(on_demand_max) if on_demand_max and on_demand_max > 0 else None,  # -1: no maximum
        warm=described.get("WarmThroughput", {}).get("ReadUnitsPerSecond"),
    )
