"""Rows by UNLOAD: the warehouse writes Parquet files to S3, and they are read from there."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from airflow_dynamo_pipeline.adapters.sql_errors import sql_errors
from airflow_dynamo_pipeline.adapters.sql_stopping import asked, go_on
from airflow_dynamo_pipeline.adapters.sql_text import DIALECTS, QueryText
from airflow_dynamo_pipeline.adapters.sql_values import SourceColumn
from airflow_dynamo_pipeline.adapters.unload_columns import in_parquet
from airflow_dynamo_pipeline.adapters.unload_manifest import UnloadedFile, UnloadManifest
from airflow_dynamo_pipeline.adapters.unload_values import column_values
from airflow_dynamo_pipeline.engine.ports import ObjectStore
from airflow_dynamo_pipeline.errors import InvalidExport, NotFound, Problem, UnexpectedReply
from airflow_dynamo_pipeline.formats.parquet_files import batches, opened, pyarrow_module
from airflow_dynamo_pipeline.lookup.source import Column, QueryFacts, RowBatch, RowSource

BATCH_ROWS: Final = 5000
BATCH_BYTES: Final = 4 * 1024 * 1024
FILE_MEGABYTES: Final = 256
MANIFEST: Final = "manifest"
DEFAULT_ROLE: Final = "default"  # the role that the warehouse has for this


@dataclass(frozen=True, kw_only=True, slots=True)
class UnloadPlace:
    """Where an UNLOAD writes, and by which right; everything below ``prefix`` is the source's own."""

    bucket: str
    prefix: str  # of the load; the source makes a folder of its own below it
    iam_role: str = DEFAULT_ROLE
    kms_key_id: str | None = None  # None: SSE-S3, whatever the bucket's default is
    region: str | None = None  # of the bucket; required where the warehouse is in another


class Queries(RowSource, Protocol):
    """A source that knows which types the columns have in the database."""

    def source_columns(self) -> Sequence[SourceColumn]:
        """The columns as ``columns``, with their types."""
        ...


class UnloadSource:
    """One query by UNLOAD, in files of Parquet with a verbose manifest.

    Every file is compared with the manifest before its rows are handed out: its size, and its number of
    rows. An UNLOAD refuses to write where files are, and nothing is ever overwritten.
    """

    def __init__(
        self,
        queries: Queries,
        run_statement: Callable[[str], None],
        store: ObjectStore,
        *,
        sql: str,
        place: UnloadPlace,
        warn: Callable[[str], None] = lambda _: None,
        run_id: str | None = None,
    ) -> None:
        """``queries`` asks the same query for columns and facts, ``run_statement`` runs the UNLOAD.

        ``store`` is the place's bucket. ``run_id`` names the folder; None: one that nobody else has. Raises
        MissingLibrary without pyarrow.
        """
        self._pyarrow = pyarrow_module()
        self._pyarrow.set_memory_pool(self._pyarrow.system_memory_pool())  # its own keeps 15 MB it has freed
        self._queries = queries
        self._run = run_statement
        self._store = store
        self._query = QueryText.of(sql, DIALECTS["redshift"])
        self._place = place
        self._warn = warn
        self._prefix = f"{place.prefix.strip('/')}/unload-{run_id or uuid.uuid4().hex}/".lstrip("/")
        self._rows: int | None = None
        self._began = False

    @property
    def description(self) -> str:
        """The source for a log."""
        return f"{self._queries.description}; rows by UNLOAD to s3://{self._place.bucket}/{self._prefix}"

    def columns(self) -> Sequence[Column]:
        """The result's columns, as the source of the facts says them."""
        return self._queries.columns()

    def facts(self, key_columns: Sequence[str]) -> QueryFacts:
        """Count rows and find keys that repeat."""
        found = self._queries.facts(key_columns)
        self._rows = found.rows
        return found

    def batches(self) -> Iterator[RowBatch]:
        """Run the UNLOAD and hand out the rows of its files.

        Binary columns go to the files as hexadecimal text: Parquet of an UNLOAD has no bytes.
        Raises ImportRefused, ServiceTrouble, InvalidExport where files are missing or others than the
        manifest says, UnexpectedReply where there is no manifest.
        """
        columns = self.columns()
        sql = self._query.rows([one.name for one in columns], in_parquet(self._queries.source_columns()))
        self._began = True
        self._run(unload_statement(sql, self._prefix, self._place))
        manifest = self._manifest(columns)
        if manifest is None:
            return
        for file in manifest.files:
            if file.rows:
                yield from self._file(file, columns)
                self._pyarrow.default_memory_pool().release_unused()

    def close(self) -> None:
        """Remove the files of this source, and of no other."""
        self._queries.close()
        if not self._began:
            return
        try:
            self._store.delete(list(self._store.keys(self._prefix)))
        except Exception as error:  # noqa: BLE001  it never raises: what it ends may be failing already
            self._warn(f"files below s3://{self._place.bucket}/{self._prefix} are left: {error}")

    def _manifest(self, columns: Sequence[Column]) -> UnloadManifest | None:
        """What was written; None for a query without rows, of which there may be no manifest."""
        key = self._prefix + MANIFEST
        name = f"s3://{self._place.bucket}/{key}"
        stored = self._store.get(key)
        if stored is None:
            if self._rows == 0 and not list(self._store.keys(self._prefix)):
                return None
            raise UnexpectedReply(f"the UNLOAD has finished, and there is no {name}")
        found = UnloadManifest.parse(name, stored.body, bucket=self._place.bucket, prefix=self._prefix)
        wanted, written = [one.name for one in columns], [one.name for one in found.columns]
        if sorted(wanted) != sorted(written):
            what = f"its columns are {', '.join(written)}; those of the query are {', '.join(wanted)}"
            raise InvalidExport(name, [Problem(name, what)])
        return found

    def _file(self, file: UnloadedFile, columns: Sequence[Column]) -> Iterator[RowBatch]:
        count = 0
        try:
            found = self._opened(file, [one.name for one in columns])
            for batch in batches(found, most_rows=BATCH_ROWS, most_bytes=BATCH_BYTES):
                count += batch.num_rows
                yield RowBatch(
                    [column_values(self._pyarrow, batch.column(one.name), one) for one in columns],
                    batch.num_rows,
                )
        except (self._pyarrow.ArrowException, OSError) as error:
            raise self._damaged(file, f"cannot be read: {error}") from error
        if count != file.rows:
            raise self._damaged(file, f"gave {count:,} rows; the manifest says {file.rows:,}")

    def _opened(self, file: UnloadedFile, names: Sequence[str]) -> Any:
        """A file, whose size, rows and columns were compared with the manifest."""
        try:
            size = self._store.size(file.key)
        except NotFound as error:
            raise self._damaged(file, "is not there") from error
        if size != file.size_bytes:
            raise self._damaged(file, f"has {size:,} bytes; the manifest says {file.size_bytes:,}")
        found = opened(self._pyarrow, _StoredFile(self._store, file.key), coerce_int96_timestamp_unit="us")
        if found.metadata.num_rows != file.rows:
            raise self._damaged(
                file, f"has {found.metadata.num_rows:,} rows; the manifest says {file.rows:,}"
            )
        if missing := [name for name in names if name not in found.schema_arrow.names]:
            raise self._damaged(file, f"has no column {', '.join(missing)}")
        return found

    def _damaged(self, file: UnloadedFile, what: str) -> InvalidExport:
        manifest = f"s3://{self._place.bucket}/{self._prefix}{MANIFEST}"
        hint = "nobody else may write below this prefix; run the task again"
        return InvalidExport(manifest, [Problem(f"s3://{self._place.bucket}/{file.key}", what, hint)])


@dataclass(frozen=True, slots=True)
class _StoredFile:
    store: ObjectStore
    key: str

    def size(self) -> int:
        """Its size in bytes."""
        return self.store.size(self.key)

    def range(self, start: int, length: int) -> bytes:
        """Some of its bytes."""
        return self.store.read_range(self.key, start, length)


def unload_statement(sql: str, prefix: str, place: UnloadPlace) -> str:
    """The UNLOAD of a query; it has no option to overwrite."""
    role = "default" if place.iam_role == DEFAULT_ROLE else text_constant(place.iam_role)
    lines = [
        f"UNLOAD ({text_constant(sql)})",
        f"TO {text_constant(f's3://{place.bucket}/{prefix}')}",
        f"IAM_ROLE {role}",
        "FORMAT PARQUET",
        "MANIFEST VERBOSE",
        f"MAXFILESIZE {FILE_MEGABYTES} MB",
    ]
    if place.kms_key_id:
        lines.append(f"KMS_KEY_ID {text_constant(place.kms_key_id)} ENCRYPTED")
    if place.region:
        lines.append(f"REGION {text_constant(place.region)}")
    return "\n".join(lines)


def text_constant(text: str) -> str:
    """A text as a constant of Redshift, in which a backslash escapes; between dollars it does not.

    >>> text_constant("it's")
    "'it''s'"
    """
    if "\\" in text and "$$" not in text and not text.endswith("$"):
        return f"$${text}$$"
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def by_cursor(connect: Callable[[], Any], stop: threading.Event | None = None) -> Callable[[str], None]:
    """What runs a statement without a result by a DB-API connection of its own, outside of a transaction.

    A ``stop`` that is set cancels the statement, and Stopped is raised.
    """

    def run(sql: str) -> None:
        go_on(stop, "connecting")
        with sql_errors("connecting"):
            connection = connect()
        try:
            asked(connection, stop, "running UNLOAD", lambda: _executed(connection, sql))
        finally:
            with contextlib.suppress(Exception):
                connection.close()

    return run


def _executed(connection: Any, sql: str) -> None:
    connection.autocommit = True
    connection.cursor().execute(sql)
