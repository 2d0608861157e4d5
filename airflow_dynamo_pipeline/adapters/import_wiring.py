"""Puts the AWS adapters of an import together."""

from __future__ import annotations

import threading
from collections.abc import Callable

from airflow_dynamo_pipeline.adapters.allocator import share_one_arena
from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.dynamodb_writer import DynamoDBWriter
from airflow_dynamo_pipeline.adapters.retrying import RetryingCapacity, RetryingStore, RetryingTableWriter
from airflow_dynamo_pipeline.adapters.s3 import S3Store
from airflow_dynamo_pipeline.adapters.whole_replies import refusing_cut_replies
from airflow_dynamo_pipeline.adapters.wiring import Around, Clients, aws_capacity, transport_for
from airflow_dynamo_pipeline.engine.import_plan import ImportPorts
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.ports import Clock


def import_ports(
    client: Clients,
    request: ImportRequest,
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    clock: Clock | None = None,
    around: Around | None = None,
    is_lean: bool = True,
) -> ImportPorts:
    """Everything an import of this request needs. ``stop`` ends every wait; no ``clock``: the machine's.

    ``around`` is put around the transport of writes; ``is_lean`` False: botocore makes every call.
    """
    share_one_arena()
    clock = clock or SystemClock()
    dynamodb, s3 = refusing_cut_replies(client("dynamodb")), refusing_cut_replies(client("s3"))
    transport = transport_for(dynamodb, request.table_name, warn, is_lean=is_lean)
    table = DynamoDBWriter(dynamodb, request.table_name, around(transport) if around else transport)

    def store(bucket: str) -> RetryingStore:
        return RetryingStore(S3Store(s3, bucket, kms_key_id=request.s3_sse_kms_key_id), clock, stop, warn)

    return ImportPorts(
        table=RetryingTableWriter(table, clock, stop, warn),
        source=store(request.location.bucket),
        records=store((request.records_location or request.location).bucket),
        capacity=RetryingCapacity(aws_capacity(client, clock, warn), clock, stop, warn),
        clock=clock,
        stop=stop,
        say=say,
        warn=warn,
    )
