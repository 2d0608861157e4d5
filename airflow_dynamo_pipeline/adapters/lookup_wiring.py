"""Puts the AWS adapters of a lookup load together."""

from __future__ import annotations

import threading
from collections.abc import Callable

from airflow_dynamo_pipeline.adapters.allocator import keep_large_blocks_apart
from airflow_dynamo_pipeline.adapters.import_wiring import import_ports
from airflow_dynamo_pipeline.adapters.item_getter import DynamoDBGetter
from airflow_dynamo_pipeline.adapters.whole_replies import refusing_cut_replies
from airflow_dynamo_pipeline.adapters.wiring import Around, Clients, export_ports, transport_for
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.lookup.plan import reading_of
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.request import LookupRequest


def lookup_ports(
    client: Clients,
    load: LookupRequest,
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    clock: Clock | None = None,
    around: Around | None = None,
    is_lean: bool = True,
) -> LookupPorts:
    """Everything a lookup load needs but its source. ``stop`` ends every wait; no ``clock``: the machine's.

    ``around`` is put around each transport of pages, items and writes; ``is_lean`` False: botocore makes
    every call.
    """
    keep_large_blocks_apart()
    writes = ImportRequest(
        table_name=load.table_name, s3_uri=(load.s3_uri,), s3_sse_kms_key_id=load.s3_sse_kms_key_id
    )
    reading = export_ports(
        client, reading_of(load), stop=stop, say=say, warn=warn, clock=clock, around=around, is_lean=is_lean
    )
    writing = import_ports(
        client, writes, stop=stop, say=say, warn=warn, clock=clock, around=around, is_lean=is_lean
    )
    dynamodb = refusing_cut_replies(client("dynamodb"))
    transport = transport_for(dynamodb, load.table_name, warn, is_lean=is_lean)
    getter = DynamoDBGetter(around(transport) if around else transport)
    return LookupPorts(reading=reading, writing=writing, getter=getter)
