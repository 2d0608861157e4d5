"""What the contract suite cannot show: other drivers, odd counts, exact digits, errors of every kind."""

from __future__ import annotations

import socket
import sqlite3
import sys
import threading
import types
from collections.abc import Sequence
from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.sql_errors import clean, sql_errors
from airflow_dynamo_pipeline.adapters.sql_source import SqlSource
from airflow_dynamo_pipeline.adapters.sql_text import DIALECTS, QueryText, one_statement
from airflow_dynamo_pipeline.adapters.sql_values import SourceColumn, all_parsed, described, named, tidy
from airflow_dynamo_pipeline.errors import (
    ImportRefused,
    PipelineError,
    ServiceTrouble,
    Stopped,
    UnexpectedReply,
)
from airflow_dynamo_pipeline.lookup.source import Column


class Cursor:
    """A cursor of a scripted driver: two columns, and the rows it was given."""

    description = (("a", 246, None, None, None, None, None), ("t", 11, None, None, None, None, None))

    def __init__(self, rows: Sequence[Sequence[object]] = (), rowcount: int = -1) -> None:
        self.rows = list(rows)
        self.rowcount = rowcount
        self.statements: list[str] = []

    def execute(self, sql: str) -> None:
        self.statements.append(sql)

    def fetchmany(self, most: int) -> Sequence[object]:
        found, self.rows = self.rows[:most], self.rows[most:]
        return found

    def fetchall(self) -> Sequence[object]:
        return self.fetchmany(len(self.rows))

    def close(self) -> None:
        pass


class Connection:
    """A connection that hands out one cursor, and notes which class of cursor was asked for."""

    def __init__(self, cursor: Cursor) -> None:
        self.found = cursor
        self.kinds: list[object] = []

    def cursor(self, kind: object = None) -> Cursor:
        self.kinds.append(kind)
        return self.found

    def rollback(self) -> None:
        pass

    def close(self) -> None:
        pass


def source(cursor: Cursor, dialect: str = "mysql") -> SqlSource:
    return SqlSource(lambda: Connection(cursor), "SELECT 1", dialect)


def all_rows(found: SqlSource) -> list[tuple[object, ...]]:
    return [row for batch in found.batches() for row in zip(*batch.values, strict=True)]


@pytest.mark.parametrize("said", [1, 3, 0])
def test_a_count_of_the_driver_that_the_rows_do_not_have_is_an_error(said: int) -> None:
    with pytest.raises(UnexpectedReply, match=f"sent {said} rows, and 2 came"):
        all_rows(source(Cursor([(1, None), (2, None)], rowcount=said)))


@pytest.mark.parametrize("said", [-1, 2, 2**64 - 1])
def test_a_count_that_fits_or_says_nothing_is_no_error(said: int) -> None:
    assert [(1, None), (2, None)] == all_rows(source(Cursor([(1, None), (2, None)], rowcount=said)))


def test_a_fetch_that_gave_fewer_rows_than_it_said_is_an_error() -> None:
    with pytest.raises(UnexpectedReply, match="sent 3 rows, and 2 came"):
        all_rows(source(Cursor([(1, None), (2, None)], rowcount=3), "redshift"))


def test_a_row_of_another_width_is_an_error() -> None:
    with pytest.raises(UnexpectedReply, match="a row of 1 values came for 2 columns"):
        all_rows(source(Cursor([(1,)])))


def test_numbers_that_a_driver_computes_keep_every_digit() -> None:
    """Redshift's driver moves the point after it has read a whole number, as this cursor does."""

    class Computing(Cursor):
        def fetchall(self) -> Sequence[object]:
            found: Any = super().fetchall()
            return [(Decimal(number).scaleb(-10), None) for number, _ in found]

    digits = 12345678901234567890123456789012345678

    assert [(Decimal("1234567890123456789012345678.9012345678"), None)] == all_rows(
        source(Computing([(digits, None)]), "redshift")
    )


def test_rows_that_are_mappings_become_rows() -> None:
    assert [(1, "x")] == all_rows(source(Cursor([{"a": 1, "t": "x"}])))  # type: ignore[list-item]


def test_mysql_has_its_kinds_and_its_times_become_times() -> None:
    found = source(Cursor([(Decimal("1.10"), timedelta(hours=23, seconds=1)), (None, timedelta(days=2))]))

    assert [Column("a", "number"), Column("t", "time")] == list(found.columns())
    assert [(Decimal("1.10"), time(23, 0, 1)), (None, timedelta(days=2))] == all_rows(found)


@pytest.mark.parametrize("driver", ["pymysql", "MySQLdb"])
def test_mysql_is_asked_for_a_cursor_without_buffer(monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    cursors = types.ModuleType(f"{driver}.cursors")
    cursors.SSCursor = object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, driver, types.ModuleType(driver))
    monkeypatch.setitem(sys.modules, f"{driver}.cursors", cursors)
    kind = type("Connection", (Connection,), {"__module__": f"{driver}.connections"})
    connection = kind(Cursor([(1, None)]))
    found = SqlSource(lambda: connection, "SELECT 1")

    assert [(1, None)] == all_rows(found)
    assert [None, cursors.SSCursor] == connection.kinds
    assert "`" in QueryText("SELECT 1", DIALECTS["mysql"]).repeated(["a"])
    assert "a query of a database (mysql), by cursor" == found.description


def test_a_database_without_transactions_is_read_too() -> None:
    class WithoutTransactions(Connection):
        def rollback(self) -> None:
            raise ProgrammingError("transactions are not supported")

    found = SqlSource(lambda: WithoutTransactions(Cursor([(1, None)])), "SELECT 1", "other")

    assert ["a", "t"] == [column.name for column in found.columns()]
    assert [(1, None)] == all_rows(found)


def test_closing_never_raises() -> None:
    class Broken(Connection):
        def close(self) -> None:
            raise OSError

    found = SqlSource(lambda: Broken(Cursor()), "SELECT 1", "mysql")
    found.columns()
    found.close()


@pytest.mark.parametrize(
    ("sql", "dialect", "wanted"),
    [
        ("select 'a'';b';", "sqlite", "select 'a'';b'"),
        ("select 'a\\';b';", "mysql", "select 'a\\';b'"),
        ("select 'a\\'; ", "postgresql", "select 'a\\'"),
        ("select e'a\\';b' ;", "postgresql", "select e'a\\';b'"),
        ('select 1 as "a;b"; -- c', "redshift", 'select 1 as "a;b"'),
        ("select `a;b`;", "mysql", "select `a;b`"),
        ("select $t$;'$t$;", "postgresql", "select $t$;'$t$"),
        (";; select 1 /* ; */ + 1", "postgresql", "select 1 /* ; */ + 1"),
    ],
)
def test_one_statement_is_taken_out_of_its_text(sql: str, dialect: str, wanted: str) -> None:
    assert wanted == one_statement(sql, DIALECTS[dialect])


@pytest.mark.parametrize("sql", ["select 1; select 2", "select 'a'; drop table b;", "select 1;;x"])
def test_several_statements_are_refused(sql: str) -> None:
    with pytest.raises(ImportRefused, match="more than one statement"):
        one_statement(sql, DIALECTS["redshift"])


class Error(Exception):
    """The base of a scripted driver's errors, called as DB-API says."""


class OperationalError(Error):
    pass


class ProgrammingError(Error):
    pass


def with_state(error: Exception, **attributes: Any) -> Exception:
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("server closed the connection"),
        OperationalError(2013, "Lost connection to MySQL server during query"),
        OperationalError(1205, "Lock wait timeout exceeded"),
        with_state(Error("too many connections"), pgcode="53300"),
        with_state(Error("deadlock"), sqlstate="40P01"),
        with_state(ProgrammingError({"C": "57P01", "M": "terminating"})),
        with_state(OperationalError("database is locked"), sqlite_errorname="SQLITE_BUSY_SNAPSHOT"),
        ConnectionResetError("reset"),
        TimeoutError("timed out"),
    ],
)
def test_what_passes_is_worth_a_retry(error: Exception) -> None:
    with pytest.raises(ServiceTrouble, match="counting rows: "), sql_errors("counting rows"):
        raise error


@pytest.mark.parametrize(
    ("error", "where", "hint"),
    [
        (ProgrammingError("syntax error"), "sql", "run the query"),
        (OperationalError(1054, "Unknown column 'x'"), "sql", "run the query"),
        (
            with_state(OperationalError("permission denied for table t"), pgcode="42501"),
            "sql",
            "grant SELECT",
        ),
        (ProgrammingError({"C": "XX000", "M": "S3ServiceException:Access Denied"}), "sql", "s3:PutObject"),
        (OperationalError(1045, "Access denied for user 'x'"), "connection", "password of the connection"),
        (with_state(OperationalError("no"), pgcode="28P01"), "connection", "password of the connection"),
        (OperationalError("FATAL:  password authentication failed for user"), "connection", "password of"),
        (OperationalError('FATAL:  database "shop" does not exist'), "connection", "mend the database"),
        (OperationalError('FATAL:  role "me" does not exist'), "connection", "mend the database"),
        (with_state(OperationalError("no"), pgcode="3D000"), "connection", "mend the database"),
        (OperationalError(1049, "Unknown database 'shop'"), "connection", "mend the database"),
        (OverflowError("year 10000 is out of range"), "sql", "cast the column to text"),
    ],
)
def test_what_does_not_pass_is_refused_with_a_hint(error: Exception, where: str, hint: str) -> None:
    with pytest.raises(ImportRefused) as caught, sql_errors("counting rows"):
        raise error

    (problem,) = caught.value.problems
    assert where == problem.where
    assert problem.hint is not None
    assert hint in problem.hint


def test_errors_that_are_no_drivers_pass_unchanged() -> None:
    with pytest.raises(KeyError), sql_errors("counting rows"):
        raise KeyError("ours")


def test_a_password_is_in_neither_the_message_nor_its_cause() -> None:
    text = "cannot connect: postgresql://me:hunter2@host/db password='hunter2' pwd=hunter2"

    with pytest.raises(PipelineError) as caught, sql_errors("connecting"):
        raise OperationalError(text)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "cannot connect: postgresql://***@host/db password=*** pwd=***" == clean(text)


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("binary", "00ff", b"\x00\xff"),
        ("binary", "\\x00ff", b"\x00\xff"),
        ("binary", memoryview(b"a"), b"a"),
        ("binary", "no hex", "no hex"),
        ("other", bytearray(b"a"), b"a"),
        ("text", "00ff", "00ff"),
        ("json", '{"a": 1.10}', '{"a": 1.10}'),
    ],
)
def test_values_of_drivers_are_brought_to_one_form(kind: str, value: object, wanted: object) -> None:
    assert [wanted, None] == list(tidy(SourceColumn("c", kind), [value, None]))


@pytest.mark.parametrize(
    ("type_name", "text", "wanted"),
    [
        ("numeric(38,10)", "1.10", Decimal("1.10")),
        ("NUMERIC", "no number", "no number"),
        ("timestamptz", "infinity", "infinity"),
        ("float8", "-Infinity", float("-inf")),
        ("time", "23:59:59.5", time(23, 59, 59, 500000)),
        ("hllsketch", "1", "1"),
    ],
)
def test_text_is_parsed_as_its_type_says(type_name: str, text: str, wanted: object) -> None:
    assert [wanted] == all_parsed(named("c", type_name), [text])


def test_the_codes_of_redshifts_driver_have_their_kinds() -> None:
    """Every type of Redshift, by the codes that its own driver has."""
    from redshift_connector.utils.oids import RedshiftOID

    wanted = {
        "SUPER": "json", "VARBYTE": "binary", "GEOMETRY": "binary", "GEOMETRYHEX": "binary",
        "GEOGRAPHY": "binary", "BOOLEAN": "boolean", "NUMERIC": "number", "BIGINT": "number", "REAL": "float",
        "FLOAT": "float", "TIMESTAMP": "timestamp", "TIMESTAMPTZ": "timestamptz", "DATE": "date",
        "TIME": "time", "TIMETZ": "time", "VARCHAR": "text", "BPCHAR": "text", "CHAR": "text",
        "INTERVAL": "other",
    }  # fmt: skip
    codes = [(name, int(RedshiftOID[name])) for name in wanted]

    assert wanted == {column.name: column.kind for column in described("redshift", codes)}


def test_a_file_of_sqlite_is_read_as_any_other_database() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (k TEXT, v BLOB)")
    connection.execute("INSERT INTO t VALUES ('a', x'00ff'), ('b', NULL)")
    connection.commit()
    found = SqlSource(lambda: connection, "SELECT * FROM t")

    assert [("a", b"\x00\xff"), ("b", None)] == all_rows(found)


def test_a_plain_name_is_quoted_only_where_the_mark_is_known() -> None:
    """What is between double quotes is a text in BigQuery, Spark and Hive, and all rows have one key."""
    query = QueryText("SELECT 1", DIALECTS["other"])

    assert query.repeated(["id", "nr_2"]).startswith("SELECT id, nr_2, count(*) FROM")
    assert ['"2nd"', '"a b"', "été"] == [query.dialect.quoted(name) for name in ("2nd", "a b", "été")]
    assert '"id"' == DIALECTS["postgresql"].quoted("id")


def test_keys_of_mysql_repeat_only_where_their_bytes_do() -> None:
    """Its usual collations take 'a' and 'A' for equal, which are two keys of a table."""
    query = QueryText("SELECT 1", DIALECTS["mysql"])
    groups = "WHERE `k` IS NOT NULL GROUP BY CAST(`k` AS binary) HAVING count(*) > 1"

    assert f"SELECT min(`k`), count(*) FROM (\nSELECT 1\n) q {groups} ORDER BY min(`k`) LIMIT 5" == (
        query.repeated(["k"])
    )
    assert f"SELECT count(*) FROM (SELECT 1 AS one FROM (\nSELECT 1\n) q {groups}) r" == (
        query.repeated_count(["k"])
    )


def test_after_a_stop_nothing_is_asked() -> None:
    stop = threading.Event()
    stop.set()
    found = SqlSource(lambda: pytest.fail("connected"), "SELECT 1", stop=stop)

    for ask in (found.columns, lambda: found.facts(["a"]), lambda: all_rows(found)):
        with pytest.raises(Stopped, match="before connecting to a database"):
            ask()


@pytest.mark.parametrize("dialect", ["mysql", "redshift"])
def test_a_stop_is_heard_between_statements_and_between_fetches(dialect: str) -> None:
    stop = threading.Event()
    cursor = Cursor([(number, None) for number in range(300)])
    found = SqlSource(lambda: Connection(cursor), "SELECT 1", dialect, batch_rows=100, stop=stop)
    batches = found.batches()
    next(batches)
    asked = list(cursor.statements)
    stop.set()

    with pytest.raises(Stopped, match="before fetching rows"):
        next(batches)
    with pytest.raises(Stopped, match="before counting rows"):
        found.facts(["a"])
    assert asked == cursor.statements


def test_a_stop_closes_a_connection_that_has_no_cancel() -> None:
    stop, closed = threading.Event(), threading.Event()

    class Working(Cursor):
        def execute(self, sql: str) -> None:
            stop.set()
            assert closed.wait(30)
            raise OperationalError("the connection is closed")

    class Closing(Connection):
        def close(self) -> None:
            closed.set()

    before = threading.enumerate()

    with pytest.raises(Stopped, match="looking at the query's columns"):
        SqlSource(lambda: Closing(Working()), "SELECT 1", "mysql", stop=stop).columns()
    assert [] == [thread for thread in threading.enumerate() if thread not in before]


@pytest.mark.parametrize("name", ["_usock", "_sock", "fileno"])
def test_a_stop_ends_what_a_driver_reads_from_its_socket(name: str) -> None:
    stop = threading.Event()

    class Reading(Cursor):
        def execute(self, sql: str) -> None:
            stop.set()
            assert b"" == ours.recv(1)
            raise OperationalError("server has gone away")

    class Wired(Connection):
        def close(self) -> None:
            raise AssertionError("a statement is under way")

    ours, servers = socket.socketpair()
    with ours, servers:
        ours.settimeout(30)
        connection = Wired(Reading())
        setattr(connection, name, ours.fileno if name == "fileno" else ours)

        with pytest.raises(Stopped, match="the statement is cancelled"):
            SqlSource(lambda: connection, "SELECT 1", "mysql", stop=stop).columns()


def test_an_error_without_a_stop_stays_what_it_is() -> None:
    class Failing(Cursor):
        def execute(self, sql: str) -> None:
            raise ProgrammingError("syntax error")

    with pytest.raises(ImportRefused, match="syntax error"):
        SqlSource(lambda: Connection(Failing()), "SELECT 1", "mysql", stop=threading.Event()).columns()


def test_a_stop_interrupts_sqlite() -> None:
    stop = threading.Event()
    connection = sqlite3.connect(":memory:")
    connection.create_function("told", 1, lambda _: stop.set())
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE told(i) = 1"
    )

    with pytest.raises(Stopped, match="the statement is cancelled"):
        all_rows(SqlSource(lambda: connection, endless, stop=stop))
