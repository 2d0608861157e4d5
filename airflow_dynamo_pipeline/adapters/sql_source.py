"""Rows by any DB-API connection: PostgreSQL, Redshift, MySQL and whatever else Airflow connects to."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Context, localcontext
from typing import Any, Final, TypeVar

from airflow_dynamo_pipeline.adapters.query_facts import checked_columns, facts_of
from airflow_dynamo_pipeline.adapters.sql_errors import sql_errors
from airflow_dynamo_pipeline.adapters.sql_stopping import asked, go_on
from airflow_dynamo_pipeline.adapters.sql_text import AS_TEXT, DIALECTS, QueryText, dialect_of
from airflow_dynamo_pipeline.adapters.sql_values import JSON_CODES, SourceColumn, described, tidy
from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.lookup.source import Column, QueryFacts, RowBatch

CURSOR: Final = "lookup_rows"
FIRST_ROWS: Final = 100  # of which the width is learnt
BATCH_BYTES: Final = 4 * 1024 * 1024
MOST_ROWS: Final = 2**62  # more than that is how a driver says that it does not know
# Redshift's driver moves the point of a numeric by arithmetic, which rounds to the digits of the context.
EXACT: Final = Context(prec=200)

T = TypeVar("T")
Rows = Sequence[Sequence[object]]


class SqlSource:
    """One query by a connection of its own, which ``connect`` opens when it is first needed.

    On PostgreSQL and Redshift the rows come by a cursor of the server, in a transaction. Redshift holds the
    whole result on its leader node meanwhile; the limits are in "Cursor constraints" of its Developer Guide.
    On MySQL they come unbuffered where the driver has such a cursor. On others they come by ``fetchmany`` of
    an ordinary cursor: its driver says whether that is bounded. Threads may not share a source.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        sql: str,
        dialect: str | None = None,
        *,
        name: str = "a database",
        batch_rows: int | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """``dialect`` is one of DIALECTS, None to tell it by the connection; ``name`` is for messages.

        ``batch_rows`` is the most rows at once; None: 5,000, on Redshift 1,000. A ``stop`` that is
        set cancels the statement under way: every method that asks the database raises Stopped.
        """
        self._connect = connect
        self._sql = sql
        self._dialect = None if dialect is None else DIALECTS[dialect]
        self._name = name
        self._batch_rows = batch_rows
        self._stop = stop
        self._connection: Any = None
        self._columns: Sequence[SourceColumn] | None = None

    @property
    def description(self) -> str:
        """The source for a log."""
        kind = "" if self._dialect is None else f" ({self._dialect.name})"
        return f"a query of {self._name}{kind}, by cursor"

    def columns(self) -> Sequence[Column]:
        """The result's columns, by a query without rows; raises ImportRefused or ServiceTrouble."""
        return [found.column for found in self.source_columns()]

    def source_columns(self) -> Sequence[SourceColumn]:
        """The columns with the types that the database says; raises as ``columns`` does."""
        if self._columns is None:
            query = self._query()
            description = self._read("looking at the query's columns", query.probe, _description)
            self._columns = checked_columns(described(query.dialect.name, description))
        return self._columns

    def facts(self, key_columns: Sequence[str]) -> QueryFacts:
        """Count rows and find keys that repeat; raises ImportRefused or ServiceTrouble."""
        return facts_of(self._query(), key_columns, self.source_columns(), self._selected)

    def batches(self) -> Iterator[RowBatch]:
        """Run the query and hand out its rows; raises ImportRefused, ServiceTrouble or UnexpectedReply."""
        query, columns = self._query(), self.source_columns()
        parsed = {found.name: AS_TEXT for found in columns if found.code in JSON_CODES}
        sql = query.rows([found.name for found in columns], parsed)
        fetched = self._by_server_cursor if query.dialect.cursors else self._by_cursor
        for rows in fetched(sql, _Pace(self._batch_rows or query.dialect.batch_rows)):
            yield _batch(rows, columns)

    def close(self) -> None:
        """Close the connection, which ends its query."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def _query(self) -> QueryText:
        self._open()
        return QueryText.of(self._sql, self._dialect or DIALECTS["other"])

    def _open(self) -> Any:
        if self._connection is None:
            go_on(self._stop, doing := f"connecting to {self._name}")
            with sql_errors(doing):
                self._connection = self._connect()
            self._dialect = self._dialect or dialect_of(self._connection)
        return self._connection

    def _selected(self, sql: str, most: int) -> Rows:
        """The first rows of a small result."""
        return self._read("counting rows", sql, lambda cursor: _plain(cursor.fetchmany(most)))

    def _read(self, doing: str, sql: str, found: Callable[[Any], T]) -> T:
        """What a cursor has for one small query, the transaction of which ends with it."""
        connection = self._open()

        def work() -> T:
            cursor = connection.cursor()
            cursor.execute(sql)
            result = found(cursor)
            cursor.close()
            return result

        result = self._asked(doing, work)
        _end(connection)
        return result

    def _by_server_cursor(self, sql: str, pace: _Pace) -> Iterator[Rows]:
        connection = self._open()

        def declared() -> Any:
            if getattr(connection, "autocommit", False):
                connection.autocommit = False  # a cursor lives in a transaction
            cursor = connection.cursor()
            cursor.execute(f"DECLARE {CURSOR} CURSOR FOR {sql}")
            return cursor

        def fetched() -> tuple[Rows, Any]:
            cursor.execute(f"FETCH FORWARD {pace.rows} FROM {CURSOR}")
            return _plain(cursor.fetchall()), cursor.rowcount

        cursor = self._asked("running the query", declared)
        while True:
            rows, said = self._asked("fetching rows", fetched)
            _check(len(rows), said)
            if not rows:
                break
            pace.saw(rows)
            yield rows
        _end(connection)

    def _by_cursor(self, sql: str, pace: _Pace) -> Iterator[Rows]:
        connection = self._open()
        count = 0

        def executed() -> Any:
            cursor = _unbuffered(connection)
            cursor.execute(sql)
            return cursor

        def fetched() -> tuple[Rows, Any]:
            return _plain(cursor.fetchmany(pace.rows)), cursor.rowcount

        cursor = self._asked("running the query", executed)
        while True:
            rows, said = self._asked("fetching rows", fetched)
            if not rows:
                break
            count += len(rows)
            pace.saw(rows)
            yield rows
        _check(count, said)

    def _asked(self, doing: str, work: Callable[[], T]) -> T:
        with localcontext(EXACT):
            return asked(self._connection, self._stop, doing, work)


class _Pace:
    """How many rows to fetch at once: few of wide ones."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.rows = min(FIRST_ROWS, most)

    def saw(self, rows: Rows) -> None:
        """Learn from rows how wide they are; the widest batch so far counts."""
        sample = rows[:: max(1, len(rows) // FIRST_ROWS)]
        width = sum(_width(value) for row in sample for value in row) / len(sample)
        self.rows = max(1, min(self._most, int(BATCH_BYTES / max(width, 1.0))))


def _description(cursor: Any) -> Sequence[Sequence[Any]]:
    found: Sequence[Sequence[Any]] = cursor.description
    return found


def _width(value: object) -> int:
    return sys.getsizeof(value) if isinstance(value, str | bytes | memoryview | list | dict) else 32


def _batch(rows: Rows, columns: Sequence[SourceColumn]) -> RowBatch:
    if len(rows[0]) != len(columns):
        raise UnexpectedReply(f"a row of {len(rows[0])} values came for {len(columns)} columns")
    values = zip(*rows, strict=True)
    return RowBatch([tidy(column, found) for column, found in zip(columns, values, strict=True)], len(rows))


def _plain(rows: Any) -> Rows:
    """Rows as sequences, whatever kind of cursor a connection's settings ask for."""
    found = list(rows)
    return [tuple(row.values()) for row in found] if found and isinstance(found[0], Mapping) else found


def _check(count: int, said: Any) -> None:
    """Compare with the count that the driver has of the server, if it has one."""
    if isinstance(said, int) and 0 <= said < MOST_ROWS and said != count:
        raise UnexpectedReply(f"the database sent {said:,} rows, and {count:,} came")


def _end(connection: Any) -> None:
    """End the transaction that a driver began by itself; some have none, and say so by an error."""
    with contextlib.suppress(Exception):
        connection.rollback()


def _unbuffered(connection: Any) -> Any:
    """A cursor that does not fetch everything at once; pymysql and mysqlclient have to be asked for it."""
    driver = type(connection).__module__.partition(".")[0]
    if driver in ("pymysql", "MySQLdb"):
        return connection.cursor(importlib.import_module(f"{driver}.cursors").SSCursor)
    return connection.cursor()
