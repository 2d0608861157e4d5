"""Our side of a nightly mirror: the library's own load, without Airflow."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any
from urllib.request import urlopen

import boto3

from airflow_dynamo_pipeline.adapters.lookup_wiring import lookup_ports
from airflow_dynamo_pipeline.adapters.redshift_unload import UnloadPlace, UnloadSource
from airflow_dynamo_pipeline.adapters.s3 import S3Store
from airflow_dynamo_pipeline.adapters.sql_values import SourceColumn
from airflow_dynamo_pipeline.adapters.wiring import engine_config
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.lookup.progress import LookupReports
from airflow_dynamo_pipeline.lookup.request import LookupRequest
from airflow_dynamo_pipeline.lookup.run import run_lookup
from airflow_dynamo_pipeline.lookup.source import Column, QueryFacts, RowBatch, RowSource
from tests.benchmarks.lookup_items import COLUMNS, KEY, KEYS_PER_BLOCK, blocks_for, side
from tests.benchmarks.worker import BUCKET, CREDENTIALS, UNITS_PER_SECOND, Job

UNLOAD_URL = "{url}/__unload/{keys}/{prefix}"
SEGMENTS = 1


class Products:
    """Products as a cursor hands rows out: Python values, some thousand rows at a time."""

    description = "products"

    def __init__(self, keys: int, *, today: bool = True) -> None:
        self._blocks = blocks_for(keys)
        self._side = side(today=today)

    def columns(self) -> Sequence[Column]:
        """The query's columns."""
        return [Column(name, kind) for name, kind in COLUMNS.items()]

    def source_columns(self) -> Sequence[SourceColumn]:
        """The same, without types of a database."""
        return [SourceColumn(name, kind) for name, kind in COLUMNS.items()]

    def facts(self, key_columns: Sequence[str]) -> QueryFacts:
        """What the database counted."""
        return QueryFacts(rows=self._blocks * KEYS_PER_BLOCK, repeated_keys=0)

    def batches(self) -> Iterator[RowBatch]:
        """A block is a batch."""
        for block in range(self._blocks):
            yield RowBatch([self._side.keys(block), *self._side.columns], KEYS_PER_BLOCK)

    def close(self) -> None:
        """Nothing is left behind."""


def with_table(job: Job) -> int:
    """Rows of a cursor, compared with the table itself."""
    return load(job, Products(job.items), clients(job), compare="table")


def prepare(job: Job) -> int:
    """Yesterday's load: it changes nothing and leaves a digest file."""
    return load(job, Products(job.items, today=False), clients(job), compare="digests")


def with_digests(job: Job) -> int:
    """Rows of a cursor, compared with the digests that ``prepare`` left."""
    return load(job, Products(job.items), clients(job), compare="digests")


def unloaded(job: Job, *, compare: str = "table") -> int:
    """Rows of UNLOADed Parquet files, compared with the table itself."""
    client = clients(job)
    store = S3Store(client("s3"), BUCKET)
    place = UnloadPlace(bucket=BUCKET, prefix="unloaded")
    name = uuid.uuid4().hex
    url = UNLOAD_URL.format(url=job.url, keys=job.items, prefix=f"unloaded/unload-{name}/")
    source = UnloadSource(
        Products(job.items),
        lambda _: urlopen(url).close(),
        store,
        sql="SELECT * FROM products",
        place=place,
        run_id=name,
    )
    return load(job, source, client, compare=compare)


CLIENTS: Mapping[str, Callable[[Job], int]] = {
    "lookup-table": with_table,
    "lookup-prepare": prepare,
    "lookup-digests": with_digests,
    "lookup-unload": unloaded,
    "lookup-unload-digests": partial(unloaded, compare="digests"),
}


def run(job: Job) -> int:
    """Run the job's client; how many rows there were."""
    return CLIENTS[job.client](job)


def load(job: Job, source: RowSource, client: Callable[[str], Any], *, compare: str) -> int:
    """Make the table equal the rows; how many there were."""
    asked = LookupRequest(
        sql="SELECT * FROM products",
        table_name=f"nightly-{job.items}",
        key_columns=(KEY,),
        s3_uri=f"s3://{BUCKET}/lookups-{compare}",
        compare=compare,
        units_per_second=UNITS_PER_SECOND,
        read_units_per_second=UNITS_PER_SECOND,
        segments=SEGMENTS,
    )
    ports = lookup_ports(
        client,
        asked,
        stop=threading.Event(),
        say=lambda _: None,
        warn=print,
    )
    work = Work(run=uuid.uuid4().hex, generation="1", began_at=datetime.now(UTC))
    result = run_lookup(asked, source, work, ports, LookupReports(lambda _: None))
    if result.written and result.compared_with != compare:
        raise RuntimeError(f"compared with {result.compared_with}, not {compare}")
    return result.rows


@cache
def session() -> Any:
    """One for the warm-up and for what is measured: each reads boto3's models anew."""
    return boto3.Session(**CREDENTIALS)


def clients(job: Job) -> Callable[[str], Any]:
    """Makes clients of the endpoint, all of one session."""
    return lambda service: session().client(service, endpoint_url=job.url, config=engine_config(None))
