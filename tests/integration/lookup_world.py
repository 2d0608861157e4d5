"""Lookup loads as an operator runs them, from rows of SQLite into DynamoDB Local."""

from __future__ import annotations

import gzip
import json
import secrets
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_dynamo_pipeline.adapters.lookup_wiring import lookup_ports
from airflow_dynamo_pipeline.adapters.sql_source import SqlSource
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.ports import TableWriter
from airflow_dynamo_pipeline.errors import AccessDenied
from airflow_dynamo_pipeline.items.page import ReplyText
from airflow_dynamo_pipeline.lookup.progress import AnyProgress, LookupReports
from airflow_dynamo_pipeline.lookup.request import LookupRequest
from airflow_dynamo_pipeline.lookup.result import LookupResult
from airflow_dynamo_pipeline.lookup.run import run_lookup
from tests.integration.world import FastClock, Item, World, create_table

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient

SQL = "SELECT id, name, price FROM products"
BEGAN_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class LookupWorld:
    """A query's table in SQLite, and a lookup table."""

    world: World
    table: str = ""
    key: Sequence[tuple[str, str]] = (("pk", "S"),)
    rows: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:"))
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    progress: list[AnyProgress] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make both, empty."""
        self.rows.execute("CREATE TABLE products (id TEXT, name TEXT, price NUMERIC)")
        self.table = create_table(self.dynamodb, self.key)

    @property
    def dynamodb(self) -> DynamoDBClient:
        """A client of DynamoDB Local."""
        client: DynamoDBClient = self.world.fresh_client("dynamodb")
        return client

    def fill(self, rows: Sequence[tuple[object, ...]]) -> None:
        """Let the query have these rows and no others."""
        self.rows.execute("DELETE FROM products")
        self.rows.executemany("INSERT INTO products VALUES (?, ?, ?)", rows)
        self.rows.commit()

    def load(self, *, run: str | None = None, breaks_at: int | None = None, **settings: Any) -> LookupResult:
        """Run one attempt at a load; ``run`` None: a run of its own.

        ``breaks_at`` is the call from which on writes to the table fail for good.
        """
        load = LookupRequest.from_settings(
            {
                "sql": SQL,
                "table_name": self.table,
                "key_columns": "id",
                "columns": {"id": {"name": "pk"}},
                "s3_uri": f"s3://{self.world.bucket}/lookups",
                "units_per_second": 1_000_000,
                "read_units_per_second": 1_000_000,
                "allow_protected": True,
                **settings,
            }
        )
        ports = lookup_ports(
            self.world.client,
            load,
            stop=threading.Event(),
            say=self.said.append,
            warn=self.warned.append,
            clock=FastClock(),
        )
        if breaks_at is not None:
            table = BreakingTable(ports.writing.table, breaks_at)
            ports = replace(ports, writing=replace(ports.writing, table=table))
        source = SqlSource(lambda: _Kept(self.rows), load.sql, "other", name="sqlite")
        work = Work(run=run or secrets.token_hex(4), generation="0", began_at=BEGAN_AT)
        return run_lookup(load, source, work, ports, LookupReports(self.progress.append))

    def keys(self, part: str) -> list[str]:
        """Keys of the bucket in which a text stands."""
        return [key for key in self.world.listed() if part in key]

    def changes(self) -> list[Item]:
        """Every line of the change sets in the bucket."""
        files = [gzip.decompress(self.world.get(key)) for key in self.keys("/changes/")]
        return [json.loads(line) for file in files for line in file.splitlines()]

    def all_items(self) -> list[Item]:
        """What the table holds, whatever its key."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table)
        return [item for page in pages for item in page["Items"]]

    def items(self) -> dict[str, Item]:
        """What the table holds, by partition key."""
        return {item["pk"]["S"]: item for item in self.all_items()}


class BreakingTable:
    """A table that may not be written to any more from some call on."""

    def __init__(self, inner: TableWriter, breaks_at: int) -> None:
        self._inner = inner
        self._left = breaks_at - 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, operation: str, body: bytes) -> ReplyText:
        """Write, or fail for good."""
        self._left -= 1
        if self._left < 0:
            raise AccessDenied(f"dynamodb:{operation}", "the table")
        return self._inner.write(operation, body)


class _Kept:
    """A connection that a source may close without closing it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def close(self) -> None:
        self._connection.rollback()
