"""Databases named by a URI: what is read from it, what is refused, and what the drivers are given."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

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
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        SourceUri.parse(f"sqlite:///{file}").connecting(None)()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE t (a)")

    with contextlib.closing(SourceUri.parse(f"sqlite:///{file}").connecting(None)()) as connection:
        assert [] == connection.execute("SELECT * FROM t").fetchall()
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("INSERT INTO t VALUES (1)")


@pytest.mark.parametrize(
    "uri",
    [
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
