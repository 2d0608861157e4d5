"""A DynamoDB table asked for single items, behind the lookup load's port."""

from __future__ import annotations

from airflow_dynamo_pipeline.adapters.transport import Transport
from airflow_dynamo_pipeline.items.page import ReplyText


class DynamoDBGetter:
    """One table, asked by raw JSON over a transport."""

    def __init__(self, transport: Transport) -> None:
        """``transport`` is this table's."""
        self._transport = transport

    def get(self, body: bytes) -> ReplyText:
        """Call BatchGetItem, once; raises Throttled and the rest of the error tree."""
        return self._transport.call("BatchGetItem", body)
