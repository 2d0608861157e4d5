"""Rows of Redshift by the way that fits: a cursor, the Data API, or UNLOAD for what is large."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.redshift_data import RedshiftDataSource
from airflow_dynamo_pipeline.adapters.redshift_settings import RedshiftSettings
from airflow_dynamo_pipeline.adapters.redshift_statements import Statements
from airflow_dynamo_pipeline.adapters.redshift_unload import (
    Queries,
    UnloadPlace,
    UnloadSource,
    by_cursor,
)
from airflow_dynamo_pipeline.adapters.sql_source import SqlSource
from airflow_dynamo_pipeline.engine.ports import Clock, ObjectStore
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.lookup.source import Column, QueryFacts, RowBatch, RowSource


class RedshiftSource:
    """One query of Redshift; whether it is unloaded is decided when its rows have been counted."""

    def __init__(self, settings: RedshiftSettings, queries: RowSource, unload: UnloadSource | None) -> None:
        """``queries`` sends SQL; ``unload`` does so for the rows, None where that cannot happen."""
        self._settings = settings
        self._queries = queries
        self._unload = unload
        self._rows: int | None = None

    @property
    def description(self) -> str:
        """The source for a log."""
        return self._chosen.description

    def columns(self) -> Sequence[Column]:
        """The result's columns."""
        return self._queries.columns()

    def facts(self, key_columns: Sequence[str]) -> QueryFacts:
        """Count rows and find keys that repeat; the way is chosen by the count."""
        found = (self._unload or self._queries).facts(key_columns)
        self._rows = found.rows
        return found

    def batches(self) -> Iterator[RowBatch]:
        """Run the query and hand out its rows."""
        return self._chosen.batches()

    def close(self) -> None:
        """End the query and remove what was unloaded."""
        (self._unload or self._queries).close()

    @property
    def _chosen(self) -> RowSource:
        if self._unload is not None and self._settings.unloads(self._rows):
            return self._unload
        return self._queries


def redshift_source(
    settings: RedshiftSettings,
    sql: str,
    *,
    connect: Callable[[], Any] | None = None,
    client: Any = None,
    store: ObjectStore,
    location: S3Location,
    region: str | None = None,
    kms_key_id: str | None = None,
    name: str = "Redshift",
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    warn: Callable[[str], None] = lambda _: None,
    attempt: str | None = None,
) -> RedshiftSource:
    """Put a source together; raises MissingLibrary where it may unload and pyarrow is not installed.

    ``connect`` opens a connection, ``client`` is boto3's redshift-data: the one that
    ``settings.by_data_api`` asks for is required. ``store`` is the bucket of ``location``, below which files
    are unloaded, ``region`` the bucket's. ``kms_key_id`` encrypts them where the settings name no key.
    A ``stop`` that is set cancels the statement under way. ``attempt`` tells tries of a task apart.
    """
    queries: Queries
    run: Callable[[str], None]
    if settings.by_data_api:
        clock, stop = clock or SystemClock(), stop or threading.Event()
        run = Statements(client, settings.warehouse, clock=clock, stop=stop, warn=warn, attempt=attempt)
        queries = RedshiftDataSource(run, sql)
    elif connect is None:
        raise ValueError("without a cluster or a workgroup a connection is needed")
    else:
        run = by_cursor(connect, stop)
        queries = SqlSource(connect, sql, "redshift", name=name, stop=stop)
    place = _place(settings, location, region, kms_key_id)
    unload = UnloadSource(queries, run, store, sql=sql, place=place, warn=warn) if place else None
    return RedshiftSource(settings, queries, unload)


def _place(
    settings: RedshiftSettings, location: S3Location, region: str | None, kms_key_id: str | None
) -> UnloadPlace | None:
    """Where rows may be unloaded; None: nowhere."""
    if settings.iam_role is None:
        return None
    return UnloadPlace(
        bucket=location.bucket,
        prefix=location.prefix,
        iam_role=settings.iam_role,
        kms_key_id=settings.kms_key_id or kms_key_id,
        region=region,
    )
