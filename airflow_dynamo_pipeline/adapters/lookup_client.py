"""A lookup on a boto3 client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.conditions import describe_table
from airflow_dynamo_pipeline.adapters.whole_replies import refusing_cut_replies
from airflow_dynamo_pipeline.adapters.wiring import engine_config
from airflow_dynamo_pipeline.engine.backoff import retrying
from airflow_dynamo_pipeline.engine.ports import Clock, KeyAttribute
from airflow_dynamo_pipeline.errors import InvalidSetting
from airflow_dynamo_pipeline.lookup.reader import Lookup
from airflow_dynamo_pipeline.lookup.reader_settings import LookupSettings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY_TAGS = ("S", "N", "B")
MOST_KEY_ATTRIBUTES = 2


@dataclass(frozen=True, slots=True)
class ClientItems:
    """The port ItemGetter on a boto3 client."""

    client: DynamoDBClient
    table_name: str

    def batch_get_item(self, **arguments: Any) -> Mapping[str, Any]:
        """Call BatchGetItem once; raises our error tree."""
        with translated("dynamodb:BatchGetItem", f"table {self.table_name}"):
            return self.client.batch_get_item(**arguments)


def open_lookup(
    table_name: str,
    *,
    client: DynamoDBClient | None = None,
    region_name: str | None = None,
    key: Mapping[str, str] | None = None,
    stop: threading.Event | None = None,
    warn: Callable[[str], None] | None = None,
    clock: Clock | None = None,
    **settings: object,
) -> Lookup:
    """Open a lookup table for reading.

    :param table_name: the table's name or ARN.
    :param client: a boto3 DynamoDB client; None: one of boto3's own credential chain and ``region_name``.
    :param key: the key's attributes and their types, as in ``{"product_id": "S"}``, partition key first.
        None: DescribeTable is called, once, which needs a permission of its own.
    :param stop: ends every wait; the call that waits raises Stopped.
    :param warn: takes a line for the log when a call is tried again.
    :param settings: those of LookupSettings, as values or as templates render them.

    Raises InvalidRequest for settings that cannot work and, without ``key``, AccessDenied and NotFound.
    """
    asked = LookupSettings.from_settings(settings)
    given = None if key is None else _schema(key)
    own = client or boto3.client("dynamodb", region_name=region_name, config=engine_config(None))
    whole = refusing_cut_replies(own)
    time, stopped = clock or SystemClock(), stop or threading.Event()
    if given is None:
        tries = retrying(time, stopped, patience_seconds=asked.patience_seconds)
        given = tries(describe_table, whole, table_name).key
    return Lookup(
        table_name,
        key=given,
        getter=ClientItems(whole, table_name),
        clock=time,
        settings=asked,
        stop=stopped,
        warn=warn or (lambda _: None),
    )


def _schema(key: Mapping[str, str]) -> Sequence[KeyAttribute]:
    is_key = 1 <= len(key) <= MOST_KEY_ATTRIBUTES and all(tag in KEY_TAGS for tag in key.values())
    if not is_key or not all(key):
        raise InvalidSetting("key", dict(key), "one or two attributes with their types, S, N or B")
    return [KeyAttribute(name, tag) for name, tag in key.items()]
