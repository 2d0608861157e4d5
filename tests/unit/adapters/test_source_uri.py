"""Databases named by a URI: what is read from it, what is refused, and what the drivers are given."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest

from airflow_dynamo_pipeline.adapters.source_uri import SourceUri
from airflow_dynamo_pipeline.errors import InvalidRequest, MissingLibrary


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What each driver was asked to connect with, by its name."""
    asked: dict[str, dict[str, Any]] = {}
    for name in ("psycopg2", "redshift_connector", "pymysql"):
        driver: Any = ModuleType(name)
        driver.connect = lambda name=name, **arguments: asked.update({name: arguments})
        monkeypatch.setitem(sys.modules, name, driver)
    return asked


@pytest.mark.parametrize(
    ("uri", "driver", "arguments"),
    [
        (
            "postgresql://lo%40der@db.example:5433/my%20shop?sslmode=require",
            "psycopg2",
            {"host": "db.example", "port": 5433, "user": "lo@der", "dbname": "my shop", "sslmode": "require"},
        ),
        ("postgres://db/shop", "psycopg2", {"host": "db", "port": 5432, "dbname": "shop"}),
        (
            "redshift://loader@cluster/dev?ssl=false&iam=True&region=eu-west-1",
            "redshift_connector",
            {
                "host": "cluster",
                "port": 5439,
                "user": "loader",
                "database": "dev",
                "ssl": False,
                "iam": True,
                "region": "eu-west-1",
            },
        ),
        (
            "mysql://root@db/shop",
            "pymysql",
            {"host": "db", "port": 3306, "user": "root", "database": "shop"},
        ),
    ],
)
def test_a_driver_is_given_what_the_uri_says_and_the_password_from_elsewhere(
    connected: dict[str, dict[str, Any]], uri: str, driver: str, arguments: dict[str, Any]
) -> None:
    SourceUri.parse(uri).connecting(None)()
    assert {driver: arguments} == connected

    SourceUri.parse(uri).connecting("s3cret")()
    assert {driver: {**arguments, "password": "s3cret"}} == connected


def test_a_file_of_sqlite_is_read_and_never_made(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    with pytest.raises(InvalidRequest, match=r"source_uri: there is no file .*shop\.db"):
        SourceUri.parse(f"sqlite:///{file}").connecting(None)()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE t (a)")

    with contextlib.closing(SourceUri.parse(f"sqlite:///{file}").connecting(None)()) as connection:
        assert [] == connection.execute("SELECT * FROM t").fetchall()
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("INSERT INTO t VALUES (1)")


@pytest.mark.parametrize("name", ["a#b.db", "a?mode=rwc", "100%.db", "a%23b.db"])
def test_a_file_of_sqlite_may_have_any_name_and_is_read_only(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE t (a)")

    uri = f"sqlite:///{quote(str(file))}"
    with contextlib.closing(SourceUri.parse(uri).connecting(None)()) as connection:
        assert [] == connection.execute("SELECT * FROM t").fetchall()
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("INSERT INTO t VALUES (1)")
    assert [name] == [found.name for found in tmp_path.iterdir()]


def declared(
    database: str,
    port: int,
    host: str,
    timeout: int | None = None,
    region: str | None = None,
    ssl: bool = True,
) -> dict[str, object]:
    """A driver that says of which types its options are."""
    return {"timeout": timeout, "region": region, "ssl": ssl}


def undeclared(database, port, host, timeout=None, region=None, ssl=True):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """A driver that does not."""
    return {"timeout": timeout, "region": region, "ssl": ssl}


@pytest.mark.parametrize(
    ("connect", "region"), [(declared, "7"), (undeclared, 7)], ids=["declared", "undeclared"]
)
def test_numbers_and_truths_become_what_a_driver_takes(
    monkeypatch: pytest.MonkeyPatch, connect: Callable[..., Any], region: object
) -> None:
    driver: Any = ModuleType("redshift_connector")
    driver.connect = connect
    monkeypatch.setitem(sys.modules, "redshift_connector", driver)

    found = SourceUri.parse("redshift://db/shop?timeout=2&region=7&ssl=False").connecting(None)()

    assert {"timeout": 2, "region": region, "ssl": False} == found


def test_options_of_postgresql_are_text(connected: dict[str, dict[str, Any]]) -> None:
    SourceUri.parse("postgresql://db/shop?connect_timeout=2").connecting(None)()

    assert "2" == connected["psycopg2"]["connect_timeout"]


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("redshift://127.0.0.1:1/shop?sslmod=require&tim=1", "redshift:// has no option 'sslmod', 'tim'"),
        ("redshift://127.0.0.1:1/shop?timeout=soon", "option timeout is 'soon'\nHINT: it is a whole number"),
        ("redshift://127.0.0.1:1/shop?ssl=no", "option ssl is 'no'\nHINT: it is true or false"),
        ("postgresql://127.0.0.1:1/shop?sslmod=require", 'invalid connection option "sslmod"'),
        ("postgresql://127.0.0.1:1/shop?sslmode=requ", 'invalid sslmode value: "requ"'),
        ("postgresql://127.0.0.1:1/shop?connect_timeout=x", 'invalid integer value "x"'),
    ],
)
def test_an_option_that_the_driver_does_not_take_is_refused_by_its_name(uri: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match="source_uri: ") as caught:
        SourceUri.parse(uri).connecting(None)()

    assert words in str(caught.value)


@pytest.mark.parametrize("error", [TypeError("no option sslmod"), ValueError("no option sslmod")], ids=repr)
def test_a_driver_that_says_only_then_what_it_does_not_take_is_understood(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def connect(**_: object) -> None:
        raise error

    driver: Any = ModuleType("pymysql")
    driver.connect = connect
    monkeypatch.setitem(sys.modules, "pymysql", driver)

    with pytest.raises(InvalidRequest, match="source_uri: sslmod: no option sslmod"):
        SourceUri.parse("mysql://db/shop?sslmod=1").connecting(None)()
    with pytest.raises(type(error)):
        SourceUri.parse("mysql://db/shop").connecting(None)()


@pytest.mark.parametrize(
    "uri",
    [
        "redshift://db/shop?client_secret=s3cret",
        "redshift://db/shop?token=s3cret",
        "redshift://db/shop?web_identity_token=s3cret",
        "mysql://db/shop?ssl_key_password=s3cret",
        "postgresql://loader:s3cret@db/shop",
        "postgresql://loader:@db/shop",
        "redshift://db/shop?password=s3cret",
        "mysql://db/shop?PASSWD=s3cret",
    ],
)
def test_a_password_in_the_uri_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(InvalidRequest, match="has a password in it") as caught:
        SourceUri.parse(uri)

    assert "HINT: put the password into DYNAMO_PIPELINE_SOURCE_PASSWORD" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("shop.db", "begins with 'no scheme'"),
        ("oracle://db/shop", "begins with 'oracle'"),
        ("postgresql:///shop", "names no host"),
        ("postgresql://db", "names no database"),
        ("postgresql://db:port/shop", "cannot be read"),
        ("postgresql://db/shop?sslmode", "cannot be read"),
        ("sqlite://shop.db", "names no database"),
        ("sqlite:///a#b.db", "has a # in it\nHINT: write # as %23"),
        ("sqlite://folder/shop.db", "is not sqlite:///file"),
    ],
)
def test_what_names_no_database_is_refused(uri: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        SourceUri.parse(uri)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("postgresql://loader@db/shop", "postgresql://db:5432/shop"),
        ("redshift://loader@db:1/shop", "redshift://db:1/shop"),
        ("sqlite:////data/shop.db", "sqlite file /data/shop.db"),
    ],
)
def test_a_database_is_named_without_its_user(uri: str, name: str) -> None:
    assert name == SourceUri.parse(uri).name


def test_another_driver_is_taken_where_the_usual_one_is_missing(
    connected: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver: Any = ModuleType("psycopg")
    driver.connect = lambda **arguments: connected.update({"psycopg": arguments})
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    monkeypatch.setitem(sys.modules, "psycopg", driver)

    SourceUri.parse("postgresql://db/shop").connecting(None)()

    assert ["psycopg"] == list(connected)


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redshift_connector", None)

    with pytest.raises(MissingLibrary, match=r"airflow-dynamo-pipeline\[redshift\]"):
        SourceUri.parse("redshift://db/shop").connecting(None)
