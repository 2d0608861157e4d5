"""Puts the AWS adapters together, whoever makes the clients: an Airflow connection or a boto3 session."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from botocore.config import Config

from airflow_dynamo_pipeline.adapters.aws_calls import AwsCalls
from airflow_dynamo_pipeline.adapters.capacity import AwsCapacity
from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.dynamodb import DynamoDBTable, resource_text
from airflow_dynamo_pipeline.adapters.lean_transport import LeanTransport
from airflow_dynamo_pipeline.adapters.retrying import (
    RetryingCapacity,
    RetryingStore,
    RetryingTable,
    StoppableStore,
)
from airflow_dynamo_pipeline.adapters.s3 import S3Store
from airflow_dynamo_pipeline.adapters.table_definition import read_complete
from airflow_dynamo_pipeline.adapters.transport import BotocoreTransport, Transport
from airflow_dynamo_pipeline.adapters.whole_replies import refusing_cut_replies
from airflow_dynamo_pipeline.engine.plan import Ports
from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.engine.requests import ExportRequest, S3Location

ENGINE_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 1},  # the engine retries, and pays for every try
    max_pool_connections=32,
    parameter_validation=False,  # requests are checked when they are made; checking each page costs CPU
    user_agent_extra="airflow-dynamo-pipeline",
)

DEFAULTS = Config(connect_timeout=10, read_timeout=30)  # a stop waits for what is under way


def engine_config(given: Config | None) -> Config:
    """A person's client settings between our defaults and what the engine must have."""
    return DEFAULTS.merge(given or Config()).merge(ENGINE_CONFIG)


Clients = Callable[[str], Any]  # boto3's clients have no common type; takes a service's name
Around = Callable[[Transport], Transport]


def transport_for(
    client: Any,
    table_name: str,
    warn: Callable[[str], None],
    *,
    index_name: str | None = None,
    is_lean: bool = True,
) -> Transport:
    """A line to one table; threads may share it.

    ``is_lean``: by sockets of our own wherever nothing about the client is unusual; else by botocore.
    """
    resource = resource_text(table_name, index_name)
    botocore = BotocoreTransport(client, resource, warn)
    return LeanTransport(client, botocore, resource) if is_lean else botocore


def export_ports(
    client: Clients,
    request: ExportRequest,
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    clock: Clock | None = None,
    around: Around | None = None,
    is_lean: bool = True,
) -> Ports:
    """Everything an export of this request needs. ``stop`` ends every wait; no ``clock``: the machine's.

    ``around`` is put around the transport of pages; ``is_lean`` False: botocore makes every call.
    """
    clock = clock or SystemClock()
    table = _table(client("dynamodb"), request, warn, around, is_lean=is_lean)
    bucket, key = request.location.bucket, request.s3_sse_kms_key_id
    store = S3Store(refusing_cut_replies(client("s3")), bucket, kms_key_id=key)
    return Ports(
        table=RetryingTable(table, clock, stop, warn),
        store=RetryingStore(store, clock, stop, warn),
        capacity=RetryingCapacity(aws_capacity(client, clock, warn), clock, stop, warn),
        clock=clock,
        stop=stop,
        say=say,
        warn=warn,
        definition=lambda: read_complete(
            AwsCalls(client, clock=clock, stop=stop, warn=warn), request.table_name
        ),
    )


def _table(
    client: Any, request: ExportRequest, warn: Callable[[str], None], around: Around | None, *, is_lean: bool
) -> DynamoDBTable:
    whole = refusing_cut_replies(client)
    transport = transport_for(whole, request.table_name, warn, index_name=request.index_name, is_lean=is_lean)
    return DynamoDBTable(whole, request, warn, around(transport) if around else transport)


def aws_capacity(client: Clients, clock: Clock, warn: Callable[[str], None]) -> AwsCapacity:
    """CloudWatch and Service Quotas, by clients that are made when they are first needed."""

    def cached(service: str) -> Callable[[], Any]:
        return functools.cache(lambda: refusing_cut_replies(client(service)))

    return AwsCapacity(cached("cloudwatch"), cached("service-quotas"), clock, warn)


def reading_store(
    client: Clients,
    location: S3Location,
    warn: Callable[[str], None],
    *,
    stop: threading.Event | None = None,
    clock: Clock | None = None,
) -> RetryingStore:
    """The bucket of a location for a reader, whom ``stop`` ends between two chunks."""
    store = S3Store(refusing_cut_replies(client("s3")), location.bucket)
    return StoppableStore(store, clock or SystemClock(), stop or threading.Event(), warn)
