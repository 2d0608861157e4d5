"""One suite for every source of rows: the same query has the same rows, facts and errors by every way."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.adapters.redshift_data import RedshiftDataSource
from airflow_dynamo_pipeline.adapters.redshift_settings import RedshiftSettings
from airflow_dynamo_pipeline.adapters.redshift_source import redshift_source
from airflow_dynamo_pipeline.adapters.redshift_statements import Statements, Warehouse
from airflow_dynamo_pipeline.adapters.s3 import S3Store
from airflow_dynamo_pipeline.adapters.sql_source import SqlSource
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import ImportRefused, NotFound, Refused, ServiceTrouble, Stopped
from airflow_dynamo_pipeline.lookup.source import Column, RepeatedKey, RowSource
from tests.clock import ManualClock
from tests.services import aws_client
from tests.services.postgres import Postgres, postgres
from tests.services.redshift_data import redshift_data
from tests.services.redshift_unload import Unloader

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_s3 import S3Client

Make = Callable[[str], RowSource]

ROLE = "arn:aws:iam::123456789012:role/unload"
PREFIX = "lookups/programme"
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) "
WAYS = ("sqlite", "psycopg2", "redshift", "data_api", "unload_cursor", "unload_data_api")
OF_POSTGRES = WAYS[1:]
UNLOADS = WAYS[4:]
SLEEPING = "pg_stat_activity WHERE wait_event = 'PgSleep'"
TYPES = """
SELECT CAST('1234567890123456789012345678.0123456789' AS numeric(38, 10)) AS exact,
       CAST(9223372036854775807 AS bigint) AS large, CAST(-7 AS smallint) AS small,
       CAST(0.1 AS real) AS single, CAST(0.1 AS double precision) AS double,
       TIMESTAMP '2026-07-02 03:04:05.123456' AS local,
       TIMESTAMPTZ '2026-07-02 03:04:05.123456+00' AS zoned, DATE '2024-02-29' AS day,
       TIME '23:59:59.5' AS clock, true AS flag, CAST('\\x00ff27' AS bytea) AS bytes,
       CAST('{"n": 1.10, "l": [1, null]}' AS jsonb) AS document, CAST('ab' AS char(5)) AS padded,
       'it''s "ünï" \N{GRINNING FACE} %s 100%' || chr(10) || chr(92) || 'd' AS words,
       CAST('' AS text) AS nothing
"""
KINDS = {
    "exact": "number", "large": "number", "small": "number", "single": "float", "double": "float",
    "local": "timestamp", "zoned": "timestamptz", "day": "date", "clock": "time", "flag": "boolean",
    "bytes": "binary", "document": "json", "padded": "text", "words": "text", "nothing": "text",
}  # fmt: skip
TYPED = {
    "exact": Decimal("1234567890123456789012345678.0123456789"),
    "large": 9223372036854775807,
    "small": -7,
    "single": 0.1,
    "double": 0.1,
    "local": datetime(2026, 7, 2, 3, 4, 5, 123456),  # noqa: DTZ001  without a zone is what it shall be
    "zoned": datetime(2026, 7, 2, 3, 4, 5, 123456, tzinfo=UTC),
    "day": date(2024, 2, 29),
    "clock": time(23, 59, 59, 500000),
    "flag": True,
    "bytes": b"\x00\xff'",
    "document": '{"l": [1, null], "n": 1.10}',
    "padded": "ab   ",
    "words": 'it\'s "ünï" \N{GRINNING FACE} %s 100%\n\\d',
    "nothing": "",
}


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as found:
        yield found


@pytest.fixture(scope="module")
def unloader(database: Postgres, s3: S3Client) -> Unloader:
    return Unloader(database, s3)


@pytest.fixture(scope="module")
def data_api(database: Postgres, unloader: Unloader) -> Iterator[Any]:
    with redshift_data(database, unloader) as url:
        yield aws_client("redshift-data", url)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(
    way: str, database: Postgres, unloader: Unloader, data_api: Any, s3: S3Client, bucket: str
) -> Iterator[Make]:
    """Makes sources of one kind, and closes them."""

    def source(sql: str) -> RowSource:
        if way == "sqlite":
            return SqlSource(lambda: sqlite3.connect(":memory:"), sql)
        if way == "psycopg2":
            return SqlSource(database.psycopg2, sql, name="warehouse")
        given: dict[str, object] = {"method": "unload", "iam_role": ROLE} if way in UNLOADS else {}
        if way.endswith("data_api"):
            given |= {"database": database.database, "workgroup_name": "analytics"}
        return redshift_source(
            RedshiftSettings.from_settings(given),
            sql,
            connect=unloader.connecting(database.redshift),
            client=data_api,
            store=S3Store(s3, bucket),
            location=S3Location(bucket, PREFIX),
            region="eu-west-1",
            clock=ManualClock(),
        )

    with contextlib.ExitStack() as stack:

        def closing(sql: str) -> RowSource:
            found = source(sql)
            stack.callback(found.close)
            return found

        yield closing


def rows_of(source: RowSource) -> list[tuple[object, ...]]:
    return [row for batch in source.batches() for row in zip(*batch.values, strict=True)]


def names_of(source: RowSource) -> Sequence[str]:
    return [column.name for column in source.columns()]


def test_a_query_has_its_rows_with_nulls(make: Make) -> None:
    source = make("SELECT 1 AS id, 'a' AS name UNION ALL SELECT 2, NULL ORDER BY 1")

    assert ["id", "name"] == names_of(source)
    assert [(1, "a"), (2, None)] == sorted(rows_of(source))


@pytest.mark.parametrize("end", [";", " ;\n;", " -- all; of them", ";\n/* 'quoted; */ -- done", "\n"])
def test_semicolons_and_comments_at_the_end_do_no_harm(make: Make, end: str) -> None:
    source = make(f"SELECT 'a;--b' AS name{end}")

    assert 1 == source.facts(["name"]).rows
    assert [("a;--b",)] == rows_of(source)


def test_a_limit_and_with_stay_what_they_are(make: Make) -> None:
    source = make(NUMBERS.format(most=10) + "SELECT i FROM n ORDER BY i DESC LIMIT 2")

    assert 2 == source.facts(["i"]).rows
    assert [(9,), (10,)] == sorted(rows_of(source))


def test_many_rows_come_in_batches_none_of_which_is_large(make: Make) -> None:
    source = make(NUMBERS.format(most=20_000) + "SELECT i, 'x' || i AS name FROM n")
    batches = list(source.batches())
    rows = [row for batch in batches for row in zip(*batch.values, strict=True)]

    assert len(batches) >= 4
    assert all(0 < batch.rows <= 5000 for batch in batches)
    assert all(len(values) == batch.rows for batch in batches for values in batch.values)
    assert [(number, f"x{number}") for number in range(1, 20_001)] == sorted(rows)


def test_a_query_without_rows_has_columns_and_no_batch(make: Make) -> None:
    source = make("SELECT 1 AS id, 'a' AS name WHERE 1 = 0")

    assert ["id", "name"] == names_of(source)
    facts = source.facts(["id"])
    assert (0, 0) == (facts.rows, facts.repeated_keys)
    assert [] == rows_of(source)


def test_keys_that_repeat_are_counted_and_the_first_are_named(make: Make) -> None:
    sql = NUMBERS.format(most=20) + "SELECT i % 7 AS k, 'b' AS s, i FROM n WHERE i % 7 < 6"
    facts = make(sql).facts(["k", "s"])

    assert (17, 6) == (facts.rows, facts.repeated_keys)
    wanted = [RepeatedKey(values=(number, "b"), rows=3 if number else 2) for number in range(5)]
    assert wanted == list(facts.repeated)


def test_keys_without_repetition_have_none(make: Make) -> None:
    facts = make(NUMBERS.format(most=20) + "SELECT i % 7 AS k, i FROM n").facts(["k", "i"])

    assert (20, 0, []) == (facts.rows, facts.repeated_keys, list(facts.repeated))


def test_null_keys_do_not_repeat(make: Make) -> None:
    pairs = ("'a', NULL", "'a', NULL", "NULL, 1", "NULL, 1")
    sql = "SELECT 'b' AS k, 2 AS s" + "".join(f" UNION ALL SELECT {pair}" for pair in pairs)
    facts = make(sql).facts(["k", "s"])

    assert (5, 0) == (facts.rows, facts.repeated_keys)


@pytest.mark.parametrize("name", ['say "x"', "select", "Mixed Case", "it's", "back`tick"])
def test_columns_may_have_any_name(make: Make, name: str) -> None:
    quoted = name.replace('"', '""')
    source = make(f'SELECT 1 AS "{quoted}" UNION ALL SELECT 1')

    assert [name] == names_of(source)
    assert [RepeatedKey(values=(1,), rows=2)] == list(source.facts([name]).repeated)
    assert [(1,), (1,)] == rows_of(source)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT nope FROM nowhere", "nowhere"),
        ("SELEC 1", "syntax error"),
        ("", "is empty"),
        ("  -- only; a comment", "is empty"),
        ("SELECT 1 AS a; DROP TABLE x", "more than one statement"),
    ],
)
def test_sql_that_cannot_run_is_refused_with_the_reason(make: Make, sql: str, said: str) -> None:
    with pytest.raises(Refused) as caught:
        make(sql).columns()

    assert ["sql"] == [problem.where for problem in caught.value.problems]
    assert said in caught.value.problems[0].message


def test_a_key_that_is_no_column_is_refused_with_the_one_that_was_meant(make: Make) -> None:
    with pytest.raises(Refused) as caught:
        make("SELECT 1 AS product_id, 2 AS price").facts(["Product_ID", "q"])

    assert [
        ("key_columns", "the query has no column 'Product_ID'", "did you mean 'product_id'?"),
        ("key_columns", "the query has no column 'q'", "its columns are product_id, price"),
    ] == [(problem.where, problem.message, problem.hint) for problem in caught.value.problems]


def test_a_description_has_neither_password_nor_sql(make: Make, database: Postgres) -> None:
    source = make("SELECT 'secret words' AS x")
    source.columns()

    assert "secret words" not in source.description
    assert database.password not in source.description


def test_closing_twice_or_before_the_end_does_no_harm(make: Make) -> None:
    source = make(NUMBERS.format(most=9000) + "SELECT i FROM n")
    next(source.batches())
    source.close()
    source.close()


@pytest.mark.parametrize("way", OF_POSTGRES, indirect=True)
def test_every_type_has_its_kind_and_its_exact_value(make: Make) -> None:
    source = make(TYPES)

    assert [Column(name, kind) for name, kind in KINDS.items()] == list(source.columns())
    (row,) = rows_of(source)
    found = dict(zip(TYPED, row, strict=True))
    assert TYPED == found
    assert {name: type(value) for name, value in TYPED.items()} == {
        name: type(value) for name, value in found.items()
    }


@pytest.mark.parametrize("way", OF_POSTGRES, indirect=True)
def test_every_type_may_be_null(make: Make) -> None:
    source = make(f"SELECT q.* FROM (SELECT 1 AS one) o LEFT JOIN ({TYPES}) q ON false")

    assert [(None,) * len(TYPED)] == rows_of(source)


@pytest.mark.parametrize("way", OF_POSTGRES, indirect=True)
@pytest.mark.parametrize("kind", ["real", "double precision"])
def test_floats_that_are_not_finite_arrive(make: Make, kind: str) -> None:
    names = ("NaN", "Infinity", "-Infinity")
    casts = ", ".join(f"CAST('{name}' AS {kind}) AS v{index}" for index, name in enumerate(names))
    ((nan, most, least),) = rows_of(make(f"SELECT {casts}"))

    assert isinstance(nan, float)
    assert math.isnan(nan)
    assert (math.inf, -math.inf) == (most, least)


@pytest.mark.parametrize("way", OF_POSTGRES, indirect=True)
@pytest.mark.parametrize("text", ["3.4028235e+38", "1e-45", "16777217", "-0.3", "1.17549435e-38"])
def test_a_float_of_32_bits_has_the_fewest_digits_that_mean_it(make: Make, text: str) -> None:
    ((value,),) = rows_of(make(f"SELECT CAST('{text}' AS real) AS v"))
    (written,) = rows_of(make(f"SELECT CAST(CAST('{text}' AS real) AS text) AS v"))

    assert isinstance(value, float)
    assert (repr(float(str(written[0]))),) == (repr(value),)


@pytest.mark.parametrize("way", ["psycopg2", "redshift", *UNLOADS], indirect=True)
def test_wide_rows_come_few_at_once(make: Make) -> None:
    source = make(NUMBERS.format(most=400) + "SELECT i, repeat(md5(CAST(i AS text)), 2000) AS wide FROM n")
    batches = list(source.batches())

    assert 400 == sum(batch.rows for batch in batches)
    most = max(sum(len(str(value)) for values in batch.values for value in values) for batch in batches)
    assert most <= 8 * 1024 * 1024


@pytest.mark.parametrize("way", OF_POSTGRES, indirect=True)
def test_two_columns_of_one_name_are_refused(make: Make) -> None:
    with pytest.raises(Refused) as caught:
        make("SELECT 1 AS a, 2 AS a, 3 AS b").columns()

    assert ["two columns are called 'a'"] == [problem.message for problem in caught.value.problems]


@pytest.mark.parametrize("way", OF_POSTGRES, indirect=True)
def test_a_query_that_fails_on_a_row_is_refused(make: Make) -> None:
    source = make("SELECT 1 / (i - 1) AS x FROM generate_series(1, 3) i")

    with pytest.raises(ImportRefused, match="division by zero"):
        rows_of(source)


@pytest.mark.parametrize("way", OF_POSTGRES, indirect=True)
def test_a_lost_connection_is_worth_a_retry(make: Make) -> None:
    source = make("SELECT pg_terminate_backend(pg_backend_pid()) AS gone")

    with pytest.raises(ServiceTrouble):
        rows_of(source)


@contextlib.contextmanager
def once_it_sleeps(database: Postgres, action: Callable[[], object]) -> Iterator[None]:
    """Do something from another thread when a statement of the database sleeps."""
    gone = threading.Event()

    def wait() -> None:
        with contextlib.closing(database.psycopg2()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not gone.is_set():
                cursor.execute(f"SELECT count(*) FROM {SLEEPING}")
                if cursor.fetchone()[0]:
                    action()
                    return

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        gone.set()
        thread.join()


def told_by_signal() -> None:
    os.kill(os.getpid(), signal.SIGUSR1)


@pytest.mark.parametrize("driver", ["psycopg2", "redshift"])
@pytest.mark.parametrize("by_signal", [False, True])
def test_a_stop_ends_the_statement_under_way(database: Postgres, driver: str, by_signal: bool) -> None:
    """A signal's handler runs in the thread that asks, which a driver in C would not let it."""
    stop = threading.Event()
    connect = database.redshift if driver == "redshift" else database.psycopg2
    source = SqlSource(connect, "SELECT pg_sleep(120)", stop=stop)
    held = signal.signal(signal.SIGUSR1, lambda *_: stop.set())
    try:
        with (
            once_it_sleeps(database, told_by_signal if by_signal else stop.set),
            pytest.raises(Stopped, match="while fetching rows; the statement is cancelled"),
        ):
            rows_of(source)
    finally:
        signal.signal(signal.SIGUSR1, held)
        source.close()

    assert [] == [one.name for one in threading.enumerate() if one.name.startswith("sql")]
    if driver == "psycopg2":
        assert 0 == sleeping(database)
    # PostgreSQL sees no closed connection; up to a minute until the process is gone.
    database.run(f"SELECT pg_terminate_backend(pid, 60000) FROM {SLEEPING}")


def sleeping(database: Postgres) -> int:
    with contextlib.closing(database.psycopg2()) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {SLEEPING}")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("way", UNLOADS, indirect=True)
def test_an_unload_leaves_nothing_behind_and_touches_nobody_elses(
    make: Make, s3: S3Client, bucket: str, unloader: Unloader
) -> None:
    others = [f"{PREFIX}/unload-of-somebody/0000_part_00.parquet", f"{PREFIX}.txt"]
    for key in others:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    source = make(NUMBERS.format(most=100) + "SELECT i FROM n")
    assert 100 == len(rows_of(source))
    assert 6 == len(s3.list_objects_v2(Bucket=bucket)["Contents"])

    source.close()

    assert sorted(others) == [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert "ALLOWOVERWRITE" not in unloader.statements[-1]
    assert f"IAM_ROLE '{ROLE}'" in unloader.statements[-1]


@pytest.mark.parametrize("way", ["psycopg2", "redshift"], indirect=True)
@pytest.mark.parametrize("autocommit", [True, False])
def test_a_connection_may_commit_by_itself(way: str, database: Postgres, autocommit: bool) -> None:
    connection = database.redshift() if way == "redshift" else database.psycopg2()
    connection.autocommit = autocommit
    source = SqlSource(lambda: connection, "SELECT i FROM generate_series(1, 200) i")

    assert 200 == source.facts(["i"]).rows
    assert 200 == len(rows_of(source))
    source.close()


def test_no_transaction_stays_open_between_the_questions(database: Postgres) -> None:
    """It would hold back the database's clean-up, and the rows would be those of an old snapshot."""
    connection = database.psycopg2()
    source = SqlSource(lambda: connection, "SELECT 1 AS a")
    source.columns()
    after_columns = connection.info.transaction_status
    source.facts(["a"])
    after_facts = connection.info.transaction_status
    rows_of(source)
    after_rows = connection.info.transaction_status
    source.close()

    assert (0, 0, 0) == (after_columns, after_facts, after_rows)


def test_a_wrong_password_is_final_and_not_in_the_message(database: Postgres) -> None:
    import psycopg2

    def connect() -> Any:
        return psycopg2.connect(
            f"host=127.0.0.1 port={database.port} user=loader password=hunter2 dbname=postgres"
        )

    with pytest.raises(ImportRefused) as caught:
        SqlSource(connect, "SELECT 1 AS a").columns()

    assert ["connection"] == [problem.where for problem in caught.value.problems]
    assert "hunter2" not in str(caught.value)


def test_nobody_who_listens_is_worth_a_retry(database: Postgres) -> None:
    import psycopg2

    with pytest.raises(ServiceTrouble):
        SqlSource(lambda: psycopg2.connect(host="127.0.0.1", port=1, user="x"), "SELECT 1 AS a").columns()


def test_the_data_api_names_a_place_that_is_not_there(data_api: Any) -> None:
    elsewhere = Statements(
        data_api,
        Warehouse(database="nowhere", workgroup_name="analytics"),
        clock=ManualClock(),
        stop=threading.Event(),
        warn=lambda _: None,
    )

    with pytest.raises(ImportRefused, match="analytics/nowhere: Database nowhere does not exist"):
        RedshiftDataSource(elsewhere, "SELECT 1 AS a").columns()


def test_a_result_that_is_gone_is_not_found(data_api: Any, database: Postgres) -> None:
    warehouse = Warehouse(database=database.database, workgroup_name="analytics")
    statements = Statements(
        data_api, warehouse, clock=ManualClock(), stop=threading.Event(), warn=lambda _: None
    )
    statement = statements.run("SELECT 1 AS a")
    data_api.cancel_statement(Id=statement.id)

    with pytest.raises(NotFound, match="Query does not exist"):
        next(statements.pages(type(statement)("00000000-0000-0000-0000-000000000000", 1)))
