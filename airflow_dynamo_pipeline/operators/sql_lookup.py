"""Make a DynamoDB table equal the rows of a query of any SQL connection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.adapters.lookup_settings import both
from airflow_dynamo_pipeline.adapters.sql_source import SqlSource
from airflow_dynamo_pipeline.airflow_versions import Context
from airflow_dynamo_pipeline.engine.settings import is_given
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.hooks.sql import SqlConnection, sql_connection
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.progress import LookupReports
from airflow_dynamo_pipeline.lookup.request import COERCIONS, LookupRequest
from airflow_dynamo_pipeline.lookup.run import run_lookup
from airflow_dynamo_pipeline.lookup.source import RowSource
from airflow_dynamo_pipeline.operators.assets import announce, announce_nothing, table_uri
from airflow_dynamo_pipeline.operators.lineage import LineageMixin
from airflow_dynamo_pipeline.operators.lineage_flows import lookup_flow
from airflow_dynamo_pipeline.operators.links import ConsoleLinks, DynamoDBTableLink, S3PrefixLink
from airflow_dynamo_pipeline.operators.running import (
    failing_at_once,
    progress_report,
    stop_from_signal,
    work_of,
)
from airflow_dynamo_pipeline.operators.time_budget import DRY_RUN_ANEW, TimeBudget

ATTRIBUTES = {name: "is_dry_run" if name == "dry_run" else name for name in COERCIONS}  # settings by name

SourceOf = Callable[[LookupPorts], RowSource]


class SqlToDynamoDBOperator(LineageMixin, AwsBaseOperator[DynamoDBPipelineHook]):
    """Make a table equal a query's rows: write only what changed, delete what vanished, refuse what is odd.

    The query's rows become items and are compared with the table. What differs is written to S3 as a change
    set, and guards judge it. Only then is it imported into the table: puts first, deletes last, never faster
    than asked. A retry after that point goes on with the same change set, without running the query again.
    All settings are templated and may be text; ``sql`` may name a file that ends with ``.sql``.

    Returns (XCom) the record of ``LookupResult``: run_id, table_name, table_arn, mode, start, dry_run, rows,
    unchanged, inserted, updated, skipped, rejected, deleted, table_items, written, conflicted, refused,
    write_units, read_units, consumed_units, compared_with, generation, changes_uri, rejects_uri, refused_uri,
    differences, seconds, plan. ``rows`` is always the sum of unchanged, inserted, updated, skipped, rejected.

    Fails at once (AirflowFailException) on what no retry can help: settings, permissions, SQL that cannot
    run, a guard (an empty query, rows that shrank, too many deletes or changes, keys that repeat), more than
    ``max_rejected`` rejected rows. Trouble of the database is left to Airflow's retries.

    :param sql: one SELECT, or the name of a file with one.
    :param conn_id: connection of Airflow whose hook is one of DB-API: PostgreSQL, MySQL, SQLite and others.
    :param table_name: the table to write to; it must exist.
    :param key_columns: the query's columns that are the table's key: partition key, then sort key. A list,
        or text with commas between.
    :param s3_uri: where work files, change sets and records go: ``s3://bucket/prefix``.
    :param mode: ``mirror`` (default): insert, update, delete; ``upsert``: never delete; ``insert_only``:
        only keys that are not there; ``update_existing``: only keys that are there.
    :param ratio: share of the table's read and write capacity, above 0 and at most 1.5; default 0.25.
    :param units_per_second: absolute rate in write capacity units of table and indexes together.
    :param read_units_per_second: absolute rate in read capacity units, for the comparison.
    :param segments: batches under way at the same time, 1 to 32, or ``"auto"`` (default).
    :param columns: what columns become: ``{"price": "N", "note": {"name": "comment"}, "x": {"drop": true}}``,
        or JSON text of it.
    :param constants: attributes that every item gets: ``{"source": {"S": "redshift"}}``, or JSON text.
    :param ttl_attribute: attribute that gets epoch seconds from ``ttl_column``, or from ``generation_days``.
    :param ttl_column: a column with a timestamp, a date or epoch seconds.
    :param moments: timestamps and dates as ``iso`` (default), ``epoch_seconds``, ``epoch_milliseconds``.
    :param nulls: ``omit`` (default) the attribute, or write a ``null``.
    :param not_finite: NaN and infinities: ``reject`` (default) the row, ``null``, or ``text``.
    :param trim_text: drop trailing blanks, with which CHAR columns are padded.
    :param compare: with the ``table`` (default), or with the ``digests`` that the last load left on S3.
    :param sample_items: items read back before digests are believed; default 1000.
    :param full_compare_days: digests whose last full comparison is older are not believed; default 7.
    :param consistent_read: read the table strongly consistently, at twice the cost.
    :param max_shrink: share by which the rows may be fewer than the table's items; default 0.2.
    :param max_deletes: how many items may be deleted; default: any number.
    :param max_changes: how many items may be written or deleted; default: any number.
    :param allow_empty: a query without rows is no mistake.
    :param max_rejected: how many rows may be rejected before the task fails; default 0. What the table has
        under a rejected row's key stays.
    :param generation_days: blue/green: load all rows under a new generation that lives so long, then flip
        the pointer item to it; default: write in place.
    :param dry_run: run the query, compare, log the differences, write nothing to the table.
    :param max_differences: how many changes a dry run names; default 20.
    :param allow_protected: write although the table is deletion-protected or has a production tag.
    :param s3_sse_kms_key_id: encrypt what is written to S3 with this KMS key; default: the bucket's settings.
    """

    aws_hook_class = DynamoDBPipelineHook
    template_fields: Sequence[str] = aws_template_fields("conn_id", *ATTRIBUTES.values())
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "sql": "sql",
        "columns": "json",
        "constants": "json",
    }
    lineage_flow = lookup_flow
    ui_color = "#e8f3ee"
    operator_extra_links = (S3PrefixLink(), DynamoDBTableLink())
    _stop: threading.Event | None = None  # made in execute: an operator is copied, a lock cannot be
    _read_from: tuple[str, str] | None = None  # the database as OpenLineage names it

    def __init__(
        self,
        *,
        sql: str,
        conn_id: str,
        table_name: str,
        key_columns: Sequence[str] | str,
        s3_uri: str,
        mode: str = "mirror",
        ratio: float | str | None = None,
        units_per_second: float | str | None = None,
        read_units_per_second: float | str | None = None,
        segments: int | str = "auto",
        columns: Mapping[str, Any] | str | None = None,
        constants: Mapping[str, Any] | str | None = None,
        ttl_attribute: str | None = None,
        ttl_column: str | None = None,
        moments: str = "iso",
        nulls: str = "omit",
        not_finite: str = "reject",
        trim_text: bool | str = False,
        compare: str = "table",
        sample_items: int | str = 1000,
        full_compare_days: float | str = 7,
        consistent_read: bool | str = False,
        max_shrink: float | str = 0.2,
        max_deletes: int | str | None = None,
        max_changes: int | str | None = None,
        allow_empty: bool | str = False,
        max_rejected: int | str = 0,
        generation_days: float | str | None = None,
        dry_run: bool | str = False,
        max_differences: int | str = 20,
        allow_protected: bool | str = False,
        s3_sse_kms_key_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.conn_id = conn_id
        self.table_name = table_name
        self.key_columns = key_columns
        self.s3_uri = s3_uri
        self.mode = mode
        self.ratio = ratio
        self.units_per_second = units_per_second
        self.read_units_per_second = read_units_per_second
        self.segments = segments
        self.columns = columns
        self.constants = constants
        self.ttl_attribute = ttl_attribute
        self.ttl_column = ttl_column
        self.moments = moments
        self.nulls = nulls
        self.not_finite = not_finite
        self.trim_text = trim_text
        self.compare = compare
        self.sample_items = sample_items
        self.full_compare_days = full_compare_days
        self.consistent_read = consistent_read
        self.max_shrink = max_shrink
        self.max_deletes = max_deletes
        self.max_changes = max_changes
        self.allow_empty = allow_empty
        self.max_rejected = max_rejected
        self.generation_days = generation_days
        self.is_dry_run = dry_run  # Airflow has a method dry_run
        self.max_differences = max_differences
        self.allow_protected = allow_protected
        self.s3_sse_kms_key_id = s3_sse_kms_key_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Load the table and return the load's accounts."""
        self._stop = threading.Event()
        budget = TimeBudget.of(self, context, self._stop)
        with failing_at_once(budget):
            load, source_of = self._asked()
            if load.dry_run:
                budget.retry = DRY_RUN_ANEW
            links = ConsoleLinks(self, context).of(load.s3_uri, load.table_name)
            ports = self.hook.lookup_ports(
                load, stop=self._stop, say=self.log.info, warn=self.log.warning, clock=budget.clock
            )
            source = source_of(ports)
            report = progress_report(context, self.log.info, "lookup", {"table": load.table_name})
            reports = LookupReports(report, at_stop=budget.keep)
            record = run_lookup(load, source, work_of(context, self.retries), ports, reports).to_json()
        if record["changes_uri"]:
            links.prefix(record["changes_uri"])
        if load.dry_run:
            announce_nothing(self)
        announce(self, context, record, lambda: table_uri(self, load.table_name), s3_uri=load.s3_uri)
        return self.finished(record, {"read_from": self._read_from})

    def on_kill(self) -> None:
        """Stop after the calls that are under way; what was decided and written is kept."""
        if self._stop is not None:
            stop_from_signal(
                self._stop,
                self.log.info,
                "the calls under way are the last, and what was decided and written is kept",
            )

    def _asked(self) -> tuple[LookupRequest, SourceOf]:
        """The load, and what makes its source; raises InvalidRequest with all problems of both."""
        load, conn_id = both(self._load, self._checked_conn_id)
        return load, lambda _: self._sql_source(load, sql_connection(conn_id))

    def _load(self) -> LookupRequest:
        return LookupRequest.from_settings({name: getattr(self, field) for name, field in ATTRIBUTES.items()})

    def _checked_conn_id(self) -> str:
        if not is_given(self.conn_id):
            raise InvalidRequest([Problem("conn_id", "is required for a lookup load")])
        return self.conn_id.strip()

    def _sql_source(self, load: LookupRequest, connection: SqlConnection) -> RowSource:
        self._read_from = connection.dataset()
        return SqlSource(
            connection.connect, load.sql, connection.dialect, name=connection.name, stop=self._stop
        )
