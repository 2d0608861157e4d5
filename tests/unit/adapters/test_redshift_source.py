"""Which way rows come out of Redshift, and settings that cannot work."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.adapters.redshift_settings import RedshiftSettings
from airflow_dynamo_pipeline.adapters.redshift_source import RedshiftSource, redshift_source
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import InvalidRequest, Stopped
from airflow_dynamo_pipeline.lookup.source import Column, QueryFacts, RowBatch

ROLE = "arn:aws:iam::123456789012:role/unload"
WORKGROUP = {"workgroup_name": "w", "database": "dev"}


class Way:
    """A source of so many rows that says its name."""

    def __init__(self, name: str, rows: int = 0) -> None:
        self.description = name
        self.rows = rows
        self.closed = False

    def columns(self) -> Sequence[Column]:
        return [Column("a")]

    def facts(self, key_columns: Sequence[str]) -> QueryFacts:
        return QueryFacts(rows=self.rows, repeated_keys=0)

    def batches(self) -> Iterator[RowBatch]:
        yield RowBatch([[self.description]], 1)

    def close(self) -> None:
        self.closed = True


def chosen(rows: int | None, **given: object) -> object:
    unload = Way("unload", rows or 0)
    source = RedshiftSource(RedshiftSettings.from_settings(given), Way("queries"), unload)  # type: ignore[arg-type]
    if rows is not None:
        source.facts(["a"])
    (batch,) = source.batches()
    assert source.description == batch.values[0][0]
    source.close()
    assert unload.closed
    return batch.values[0][0]


@pytest.mark.parametrize(
    ("rows", "given", "wanted"),
    [
        (500_000, {"iam_role": ROLE}, "queries"),
        (500_001, {"iam_role": ROLE}, "unload"),
        (None, {"iam_role": ROLE}, "queries"),
        (11, {"iam_role": "default", "unload_above_rows": "10"}, "unload"),
        (10_000_000, {}, "queries"),
        (10_000_000, {"method": "cursor"}, "queries"),
        (10_000_000, {"method": "data_api", **WORKGROUP}, "queries"),
        (0, {"method": "unload", "iam_role": ROLE}, "unload"),
    ],
)
def test_many_rows_are_unloaded_where_there_is_a_role(
    rows: int | None, given: dict[str, object], wanted: str
) -> None:
    assert wanted == chosen(rows, **given)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, "a query of warehouse (redshift), by cursor"),
        ({"iam_role": ROLE}, "a query of warehouse (redshift), by cursor"),
        (WORKGROUP, "a query of w/dev, by the Data API"),
        ({"method": "cursor"}, "a query of warehouse (redshift), by cursor"),
        ({"method": "unload", "iam_role": ROLE}, "by cursor; rows by UNLOAD to s3://b/p/unload-"),
        (
            {"method": "unload", "iam_role": ROLE, **WORKGROUP},
            "by the Data API; rows by UNLOAD to s3://b/p/unload-",
        ),
    ],
)
def test_statements_go_by_the_data_api_where_a_warehouse_is_named(
    given: dict[str, object], wanted: str
) -> None:
    source = redshift_source(
        RedshiftSettings.from_settings(given),
        "SELECT 1 AS a",
        connect=lambda: None,
        client=object(),
        store=MemoryStore(),
        location=S3Location("b", "p"),
        name="warehouse",
    )

    assert wanted in source.description


def test_a_cursor_needs_a_connection() -> None:
    with pytest.raises(ValueError, match="a connection is needed"):
        redshift_source(RedshiftSettings(), "SELECT 1", store=MemoryStore(), location=S3Location("b", "p"))


def problems(**given: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        RedshiftSettings.from_settings(given)
    return [(problem.where, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"method": "copy"}, [("method", "'copy' is not one of auto, cursor, data_api, unload")]),
        ({"method": "unload"}, [("iam_role", "is required with method='unload'")]),
        ({"iam_role": "unload"}, [("iam_role", "'unload' is no ARN of a role")]),
        ({"iam_role": "default", "unload_above_rows": -1}, [("unload_above_rows", "-1 is negative")]),
        ({"kms_key_id": "k"}, [("kms_key_id", "says nothing: without iam_role nothing is unloaded")]),
        (
            {"method": "cursor", "iam_role": "default"},
            [("iam_role", "says nothing: with method='cursor' nothing is unloaded")],
        ),
        (
            {"cluster_identifier": "c", **WORKGROUP},
            [("workgroup_name", "cannot be used with cluster_identifier")],
        ),
        ({"workgroup_name": "w"}, [("database", "is required for the Data API")]),
        (
            {"method": "data_api"},
            [
                ("cluster_identifier", "is required with method='data_api'"),
                ("database", "is required for the Data API"),
            ],
        ),
        ({**WORKGROUP, "db_user": "u"}, [("db_user", "cannot be used with workgroup_name")]),
        (
            {"cluster_identifier": "c", "database": "d", "db_user": "u", "secret_arn": "s"},
            [("secret_arn", "cannot be used with db_user")],
        ),
        ({"database": "d"}, [("database", "says nothing without the Data API")]),
        (
            {"method": "cursor", **WORKGROUP},
            [
                ("workgroup_name", "says nothing without the Data API"),
                ("database", "says nothing without the Data API"),
            ],
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any], wanted: list[tuple[str, str]]) -> None:
    assert wanted == problems(**given)


def test_all_problems_are_named_at_once() -> None:
    found = problems(method="unload", workgroup_name="w", unload_above_rows="many", cluster="c")

    assert ["cluster", "unload_above_rows", "iam_role", "database"] == [where for where, _ in found]


def test_a_chain_of_roles_is_a_role() -> None:
    assert f"{ROLE},{ROLE}" == RedshiftSettings.from_settings({"iam_role": f"{ROLE},{ROLE}"}).iam_role


class Unloading:
    """A connection of Redshift with one column and no row, which notes its statements."""

    description = (("a", 23, None, None, None, None, None),)
    rowcount = -1
    autocommit = False

    def __init__(self) -> None:
        self.statements: list[str] = []

    def cursor(self) -> Unloading:
        return self

    def execute(self, sql: str) -> None:
        self.statements.append(sql)

    def fetchmany(self, _most: int) -> Sequence[Sequence[int]]:
        return [(0,)]

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("own", "of_load", "wanted"),
    [({}, "load", "'load'"), ({"kms_key_id": "own"}, "load", "'own'"), ({}, None, None)],
)
def test_what_is_unloaded_has_the_loads_key_unless_it_has_its_own(
    own: dict[str, str], of_load: str | None, wanted: str | None
) -> None:
    connection = Unloading()
    source = redshift_source(
        RedshiftSettings.from_settings({"method": "unload", "iam_role": ROLE, **own}),
        "SELECT 1 AS a",
        connect=lambda: connection,
        store=MemoryStore(),
        location=S3Location("b", "p"),
        kms_key_id=of_load,
    )
    source.facts(["a"])

    assert [] == list(source.batches())
    lines = [line for line in connection.statements[-1].splitlines() if line.startswith("KMS_KEY_ID")]
    assert ([f"KMS_KEY_ID {wanted} ENCRYPTED"] if wanted else []) == lines


def test_a_stop_is_heard_by_a_source_with_a_connection() -> None:
    stop = threading.Event()
    connection = Unloading()
    source = redshift_source(
        RedshiftSettings.from_settings({"method": "unload", "iam_role": ROLE}),
        "SELECT 1 AS a",
        connect=lambda: connection,
        store=MemoryStore(),
        location=S3Location("b", "p"),
        stop=stop,
    )
    source.facts(["a"])
    asked = list(connection.statements)
    stop.set()

    with pytest.raises(Stopped):
        source.facts(["a"])
    with pytest.raises(Stopped):
        list(source.batches())
    assert asked == connection.statements
