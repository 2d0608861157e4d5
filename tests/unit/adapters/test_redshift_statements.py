from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from airflow_dynamo_pipeline.adapters.redshift_data import RedshiftDataSource
from airflow_dynamo_pipeline.adapters.redshift_statements import LONGEST_PAUSE_SECONDS, Statements, Warehouse
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    ImportRefused,
    NotFound,
    PipelineError,
    ServiceTrouble,
    Stopped,
    UnexpectedReply,
)
from tests.clock import ManualClock

WAREHOUSE = Warehouse(database="dev", cluster_identifier="main", db_user="loader")


class DataApi:
    """boto3's redshift-data: replies are scripted, an exception among them is raised."""

    def __init__(self, *looks: Any, pages: Sequence[Any] = (), executes: Sequence[Any] = ()) -> None:
        self.looks = list(looks)
        self.result = list(pages)
        self.executes = list(executes)
        self.executed: list[dict[str, Any]] = []
        self.cancelled: list[str] = []

    def execute_statement(self, **request: Any) -> dict[str, Any]:
        self.executed.append(request)
        return reply(self.executes.pop(0)) if self.executes else {"Id": f"s{len(self.executed)}"}

    def describe_statement(self, **_request: Any) -> dict[str, Any]:
        return reply(self.looks.pop(0) if len(self.looks) > 1 else self.looks[0])

    def get_statement_result(self, **_request: Any) -> dict[str, Any]:
        return reply(self.result.pop(0))

    def cancel_statement(self, **request: Any) -> dict[str, Any]:
        self.cancelled.append(request["Id"])
        return {"Status": True}


def reply(scripted: Any) -> dict[str, Any]:
    if isinstance(scripted, Exception):
        raise scripted
    return dict(scripted)


def refused(code: str, message: str = "no", status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "ExecuteStatement",
    )


def statements(client: DataApi, clock: ManualClock | None = None, **given: Any) -> Statements:
    settings: dict[str, Any] = {"stop": threading.Event(), "warn": lambda _: None, "attempt": "a1"} | given
    return Statements(client, WAREHOUSE, clock=clock or ManualClock(), **settings)


def page(*rows: Sequence[dict[str, Any]], token: str | None = None, name: str = "n") -> dict[str, Any]:
    found: dict[str, Any] = {
        "ColumnMetadata": [{"name": name, "typeName": "int4"}],
        "Records": [list(row) for row in rows],
    }
    return found | ({"NextToken": token} if token else {})


RUNNING = {"Status": "STARTED"}
DONE = {"Status": "FINISHED", "ResultRows": 2}
ONE = [{"longValue": 1}]


def test_a_statement_is_looked_at_ever_less_often_until_it_ends() -> None:
    clock = ManualClock()
    found = statements(DataApi(*[RUNNING] * 12, DONE), clock).run("SELECT 1")

    assert ("s1", 2) == (found.id, found.rows)
    assert 12 == len(clock.waits)
    assert sorted(clock.waits) == clock.waits
    assert LONGEST_PAUSE_SECONDS == clock.waits[-1]


def test_a_statement_goes_where_the_warehouse_says() -> None:
    client = DataApi(DONE)
    statements(client).run("SELECT 1")
    (request,) = client.executed
    token = request.pop("ClientToken")

    assert {"Sql": "SELECT 1", "Database": "dev", "ClusterIdentifier": "main", "DbUser": "loader"} == request
    assert 64 == len(token)
    assert token.isalnum()


def test_a_statement_sent_again_has_the_same_token_and_another_one_another() -> None:
    client = DataApi(DONE, executes=[EndpointConnectionError(endpoint_url="x"), {"Id": "s1"}, {"Id": "s2"}])
    found = statements(client)
    found.run("SELECT 1")
    found.run("SELECT 1")
    again = DataApi(DONE)
    statements(again).run("SELECT 1")
    other = DataApi(DONE)
    statements(other, attempt="a2").run("SELECT 1")
    tokens = [request["ClientToken"] for request in (*client.executed, *again.executed, *other.executed)]

    assert tokens[0] == tokens[1] == tokens[3]
    assert 3 == len(set(tokens))


def test_a_stop_cancels_the_statement() -> None:
    stop = threading.Event()
    clock = ManualClock(on_wait=lambda _: stop.set())
    client = DataApi(RUNNING)

    with pytest.raises(Stopped):
        statements(client, clock, stop=stop).run("SELECT 1")
    assert ["s1"] == client.cancelled


def test_an_exception_while_waiting_cancels_the_statement() -> None:
    def timeout(_seconds: float) -> None:
        raise KeyboardInterrupt

    client = DataApi(RUNNING)

    with pytest.raises(KeyboardInterrupt):
        statements(client, ManualClock(on_wait=timeout)).run("SELECT 1")
    assert ["s1"] == client.cancelled


@pytest.mark.parametrize(
    ("last", "kind", "said"),
    [
        ({"Status": "FAILED", "Error": 'ERROR: relation "x" does not exist'}, ImportRefused, 'relation "x"'),
        ({"Status": "FAILED", "Error": 'ERROR: no column "connection"'}, ImportRefused, "no column"),
        ({"Status": "FAILED"}, ImportRefused, "without a reason"),
        ({"Status": "FAILED", "Error": "ERROR: permission denied for t"}, ImportRefused, "grant SELECT"),
        ({"Status": "FAILED", "Error": "S3ServiceException:Access Denied"}, ImportRefused, "s3:PutObject"),
        ({"Status": "FAILED", "Error": "Serializable isolation violation"}, ServiceTrouble, "isolation"),
        ({"Status": "FAILED", "Error": "Connection refused"}, ServiceTrouble, "refused"),
        *[
            ({"Status": "FAILED", "Error": f"ERROR: {said}"}, ServiceTrouble, said.split()[0])
            for said in (
                "server closed the connection unexpectedly",
                "terminating connection due to administrator command",
                'connection limit "500" exceeded for user "loader"',
                "too many connections for database",
                "canceling statement due to statement timeout",
                "S3CurlException: operation timed out",
                "Disk Full",
                "Out of Memory",
                "the cluster is resizing",
                "the database system is shutting down",
            )
        ],
        *[
            ({"Status": "FAILED", "Error": f"ERROR: {said}"}, ImportRefused, said.split()[0])
            for said in (
                "unterminated quoted string at or near",
                "permission denied for relation connections",
                "column q.resume_date does not exist",
                "function connection_limit(integer) does not exist",
                "Numeric data overflow: too many digits",
                "invalid input syntax for integer: connection refused",
                "column resume_date must appear in the GROUP BY clause",
                "subquery has too many columns",
            )
        ],
        ({"Status": "ABORTED"}, ServiceTrouble, "ended from outside"),
    ],
)
def test_a_statement_that_fails_says_why(last: Any, kind: type[PipelineError], said: str) -> None:
    with pytest.raises(kind, match=said):
        statements(DataApi(RUNNING, last)).run("SELECT 1")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            refused("ValidationException", "Cluster x not found"),
            ImportRefused,
            "main/dev: Cluster x not found",
        ),
        (refused("ResourceNotFoundException"), NotFound, "main/dev"),
        (refused("AccessDeniedException"), AccessDenied, "redshift-data:ExecuteStatement"),
    ],
)
def test_a_refused_request_is_final(error: Exception, kind: type[PipelineError], said: str) -> None:
    with pytest.raises(kind, match=said):
        statements(DataApi(DONE, executes=[error])).run("SELECT 1")


@pytest.mark.parametrize(
    ("code", "status"), [("ActiveStatementsExceededException", 400), ("InternalServerException", 500)]
)
def test_a_busy_service_is_asked_again(code: str, status: int) -> None:
    said: list[str] = []
    client = DataApi(DONE, executes=[refused(code, status=status), {"Id": "s2"}])

    assert "s2" == statements(client, warn=said.append).run("SELECT 1").id
    assert 1 == len(said)
    assert code in said[0]


def test_rows_come_from_every_page() -> None:
    client = DataApi(DONE, pages=[page(), page(ONE, token="t"), page([{"isNull": True}])])
    source = RedshiftDataSource(statements(client), "SELECT n FROM t;")

    assert [[[1]], [[None]]] == [batch.values for batch in source.batches()]
    assert "SELECT * FROM (\nSELECT n FROM t\n) q" == client.executed[-1]["Sql"]


@pytest.mark.parametrize("pages", [[page(ONE)], [page(ONE, ONE, token="t"), page(ONE)], [page()]])
def test_a_count_that_the_rows_do_not_have_is_an_error(pages: list[Any]) -> None:
    client = DataApi(DONE, pages=[page(), *pages])

    with pytest.raises(UnexpectedReply, match=r"found 2 rows, and [013] came"):
        list(RedshiftDataSource(statements(client), "SELECT n FROM t").batches())


def test_columns_that_changed_meanwhile_are_an_error() -> None:
    client = DataApi(DONE, pages=[page(), page(ONE, ONE, name="m")])

    with pytest.raises(UnexpectedReply, match="others than a moment ago"):
        list(RedshiftDataSource(statements(client), "SELECT n FROM t").batches())


def test_a_field_of_an_unknown_kind_is_an_error() -> None:
    client = DataApi(DONE, pages=[page(), page([{"listValue": []}])])

    with pytest.raises(UnexpectedReply, match="listValue"):
        list(RedshiftDataSource(statements(client), "SELECT n FROM t").batches())


def test_a_result_without_rows_is_a_reply_that_no_count_has() -> None:
    client = DataApi(DONE, pages=[page(), page()])

    with pytest.raises(UnexpectedReply, match="a count is one number, and 0 rows came"):
        RedshiftDataSource(statements(client), "SELECT n FROM t").facts(["n"])
