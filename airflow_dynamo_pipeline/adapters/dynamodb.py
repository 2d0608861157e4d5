"""A DynamoDB table behind the engine's port: pages are read as the JSON text that DynamoDB sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.transport import BotocoreTransport, Transport, base64_text
from airflow_dynamo_pipeline.engine.ports import (
    IndexDescription,
    KeyAttribute,
    ScanCall,
    TableDescription,
    Throughput,
)
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.page import ReplyText

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEY = msgspec.json.Decoder(dict[str, msgspec.Raw])


class DynamoDBTable:
    """One table, or one of its indexes, read through one client shared by all threads."""

    def __init__(
        self,
        client: DynamoDBClient,
        request: ExportRequest,
        warn: Callable[[str], None],
        transport: Transport | None = None,
    ) -> None:
        """``client`` should not retry by itself: the engine does, and pays for every try.

        Pages come by ``transport``; None: through the client.
        """
        self._client = client
        self._table_name = request.table_name
        resource = resource_text(request.table_name, request.index_name)
        self._transport = transport or BotocoreTransport(client, resource, warn)
        self._asked = _scan_text(request)

    def describe(self) -> TableDescription:
        """Describe the table; raises NotFound or AccessDenied."""
        return described(self._client, self._table_name)

    def scan(self, call: ScanCall) -> ReplyText:
        """Read one page; raises Throttled, CorruptReply and the rest of the error tree."""
        body = b'%s,"Segment":%d,"TotalSegments":%d' % (self._asked, call.segment, call.total_segments)
        if call.limit is not None:
            body += b',"Limit":%d' % call.limit
        if call.start_key is not None:
            body += b',"ExclusiveStartKey":' + _whole(call.start_key)
        return self._transport.call("Scan", body + b"}")


def resource_text(table_name: str, index_name: str | None = None) -> str:
    """What errors call a table, or one of its indexes."""
    return f"table {table_name}" + (f" index {index_name}" if index_name else "")


def _whole(start_key: bytes) -> bytes:
    """The text as it is, if it is one JSON object: it becomes part of a request."""
    try:
        _KEY.decode(start_key)
    except msgspec.DecodeError as error:
        raise UnexpectedReply(f"{start_key[:200]!r} is not a key to go on from: {error}") from error
    return start_key


def _scan_text(request: ExportRequest) -> bytes:
    """What all Scans of a request have in common, as JSON without its closing brace."""
    given = {
        "TableName": request.table_name,
        "IndexName": request.index_name,
        "FilterExpression": request.filter_expression,
        "ProjectionExpression": request.projection_expression,
        "ExpressionAttributeNames": dict(request.expression_attribute_names),
        "ExpressionAttributeValues": dict(request.expression_attribute_values),
        "ConsistentRead": request.consistent_read,
        "ReturnConsumedCapacity": "TOTAL",
    }
    kept = {name: value for name, value in given.items() if value}
    return json.dumps(kept, separators=(",", ":"), default=base64_text).encode()[:-1]


def described(client: DynamoDBClient, table_name: str) -> TableDescription:
    """Describe a table; raises NotFound or AccessDenied."""
    with translated("dynamodb:DescribeTable", resource_text(table_name)):
        reply = client.describe_table(TableName=table_name)
    return description(reply["Table"], client.meta.region_name)


def description(table: Mapping[str, Any], region: str) -> TableDescription:
    """DescribeTable's ``Table`` as the engine's value."""
    billing = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    created: datetime | None = table.get("CreationDateTime")
    tags = {each["AttributeName"]: each["AttributeType"] for each in table.get("AttributeDefinitions", ())}
    indexes = [_index(index, tags, is_global=True) for index in table.get("GlobalSecondaryIndexes", ())]
    indexes += [_index(index, tags, is_global=False) for index in table.get("LocalSecondaryIndexes", ())]
    replicas = [replica["RegionName"] for replica in table.get("Replicas", ())]
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
        throughput=_read_throughput(table),
        write_throughput=_write_throughput(table),
        indexes={index.name: index for index in indexes},
        key=_key(table, tags),
        deletion_protected=bool(table.get("DeletionProtectionEnabled", False)),
        replicas=[name for name in replicas if name != region],
        has_stream=bool(table.get("StreamSpecification", {}).get("StreamEnabled", False)),
        table_class=table.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
    )


def _index(index: Mapping[str, Any], tags: Mapping[str, str], *, is_global: bool) -> IndexDescription:
    return IndexDescription(
        name=index["IndexName"],
        arn=index.get("IndexArn", ""),
        is_global=is_global,
        status=index.get("IndexStatus", "ACTIVE"),  # local indexes have none: they live with the table
        size_bytes=int(index.get("IndexSizeBytes", 0)),
        item_count=int(index.get("ItemCount", 0)),
        throughput=_read_throughput(index),
        write_throughput=_write_throughput(index),
        key=_key(index, tags),
    )


def _key(described: Mapping[str, Any], tags: Mapping[str, str]) -> Sequence[KeyAttribute]:
    """The partition key, then the sort key if there is one."""
    parts = sorted(described.get("KeySchema", ()), key=lambda part: str(part["KeyType"]))  # HASH, RANGE
    names = [part["AttributeName"] for part in parts]
    return tuple(KeyAttribute(name, tags.get(name, "")) for name in names)


def _read_throughput(described: Mapping[str, Any]) -> Throughput:
    return _throughput(described, "ReadCapacityUnits", "MaxReadRequestUnits", "ReadUnitsPerSecond")


def _write_throughput(described: Mapping[str, Any]) -> Throughput:
    return _throughput(described, "WriteCapacityUnits", "MaxWriteRequestUnits", "WriteUnitsPerSecond")


def _throughput(described: Mapping[str, Any], provisioned: str, maximum: str, warm: str) -> Throughput:
    on_demand_max = described.get("OnDemandThroughput", {}).get(maximum)
    return Throughput(
        provisioned=float(described.get("ProvisionedThroughput", {}).get(provisioned, 0)),
        on_demand_max=float(on_demand_max) if on_demand_max and on_demand_max > 0 else None,  # -1: no maximum
        warm=described.get("WarmThroughput", {}).get(warm),
    )
