"""A DynamoDB table as a place for items, behind the engine's port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.dynamodb import described, resource_text
from airflow_dynamo_pipeline.adapters.transport import Transport
from airflow_dynamo_pipeline.engine.ports import TableDescription
from airflow_dynamo_pipeline.items.page import ReplyText

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

UNKNOWN_OPERATION = "UnknownOperationException"  # of DynamoDB Local
EXPIRING = ("ENABLED", "ENABLING")


class DynamoDBWriter:
    """One table, written by raw JSON over a transport and described through a client."""

    def __init__(self, client: DynamoDBClient, table_name: str, transport: Transport) -> None:
        """``transport`` is this table's."""
        self._client = client
        self._table_name = table_name
        self._transport = transport

    def describe(self) -> TableDescription:
        """Describe the table; raises NotFound or AccessDenied."""
        return described(self._client, self._table_name)

    def ttl_attribute(self) -> str | None:
        """The attribute by which DynamoDB expires items, None when it expires none; raises AccessDenied."""
        with translated("dynamodb:DescribeTimeToLive", resource_text(self._table_name)):
            told = self._client.describe_time_to_live(TableName=self._table_name)["TimeToLiveDescription"]
        return told.get("AttributeName") if told.get("TimeToLiveStatus") in EXPIRING else None

    def tags(self) -> Mapping[str, str]:
        """The table's tags, none where the server knows no tags; raises AccessDenied."""
        arn = self.describe().arn
        pages = self._client.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
        with translated("dynamodb:ListTagsOfResource", resource_text(self._table_name)):
            try:
                return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
            except ClientError as error:
                if error.response["Error"]["Code"] == UNKNOWN_OPERATION:
                    return {}
                raise

    def write(self, operation: str, body: bytes) -> ReplyText:
        """Call BatchWriteItem, PutItem or DeleteItem, once.

        Raises ItemRefused, ConditionFailed, Throttled and the rest of the error tree. After ServiceTrouble
        or CorruptReply the write may have been done.
        """
        return self._transport.call(operation, body)
