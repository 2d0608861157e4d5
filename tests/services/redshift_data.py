"""The Redshift Data API with PostgreSQL behind it: statements run, and results are those of the query."""

import contextlib
import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.services.postgres import Postgres
from tests.services.redshift_unload import Unloader, as_text

PAGE_ROWS = 1000
TYPE_NAMES = {  # by PostgreSQL's code, as the Data API calls them
    16: "bool", 17: "varbyte", 20: "int8", 21: "int2", 23: "int4", 25: "text", 114: "super", 700: "float4",
    701: "float8", 1042: "bpchar", 1043: "varchar", 1082: "date", 1083: "time", 1114: "timestamp",
    1184: "timestamptz", 1700: "numeric", 2950: "varchar", 3802: "super",
}  # fmt: skip
TEXTS = (17, 114, 1082, 1083, 1114, 1184, 1700, 3802)
BINARY = 17
NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


@dataclass(slots=True)
class _Statement:
    """One statement; it is said to run until it was looked at twice."""

    number: str
    looks: int = 0
    error: str | None = None
    columns: list[dict[str, Any]] = field(default_factory=list)
    rows: list[list[dict[str, Any]]] = field(default_factory=list)
    has_result: bool = False
    cancelled: bool = False


@contextlib.contextmanager
def redshift_data(postgres: Postgres, unloader: Unloader) -> Iterator[str]:
    """Serve the Data API from a thread of this process; yields its URL."""
    api = _Api(("127.0.0.1", 0), _Handler)
    api.postgres, api.unloader = postgres, unloader
    thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{api.server_port}"
    finally:
        api.shutdown()
        api.server_close()
        thread.join()


class _Refused(Exception):
    """An error reply: its code, its message."""


class _Api(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    postgres: Postgres
    unloader: Unloader

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._statements: dict[str, _Statement] = {}
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if operation == "ExecuteStatement":
                return {"Id": self._execute(request)}
            found = self._statements.get(request["Id"])
            if found is None:
                raise _Refused("ResourceNotFoundException", "Query does not exist.")
            if operation == "DescribeStatement":
                return _description(found)
            if operation == "CancelStatement":
                found.cancelled = True
                return {"Status": True}
            return _page(found, int(request.get("NextToken", "0")))

    def _execute(self, request: dict[str, Any]) -> str:
        if request.get("Database") != self.postgres.database:
            raise _Refused("ValidationException", f"Database {request.get('Database')} does not exist")
        token = request["ClientToken"]
        if token not in self._tokens:
            found = self._run(request["Sql"])
            self._statements[found.number] = found
            self._tokens[token] = found.number
        return self._tokens[token]

    def _run(self, sql: str) -> _Statement:
        found = _Statement(str(uuid.uuid4()))
        try:
            if sql.lstrip().upper().startswith("UNLOAD"):
                self.unloader.run(sql)
            else:
                self._select(sql, found)
        except Exception as error:  # noqa: BLE001  whatever it is, it is the statement's
            first = error.args[0]
            found.error = f"ERROR: {first['M'] if isinstance(first, dict) else first}"
        return found

    def _select(self, sql: str, found: _Statement) -> None:
        with contextlib.closing(self.postgres.psycopg2()) as connection, connection.cursor() as cursor:
            as_text(cursor, TEXTS)
            cursor.execute(sql)
            codes = [column.type_code for column in cursor.description]
            found.columns = [
                {"name": column.name, "label": column.name, "typeName": TYPE_NAMES.get(code, "varchar")}
                for column, code in zip(cursor.description, codes, strict=True)
            ]
            found.rows = [
                [_field(*pair) for pair in zip(row, codes, strict=True)] for row in cursor.fetchall()
            ]
            found.has_result = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Api

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        try:
            status, reply = 200, self.server.answer(operation, request)
        except _Refused as error:
            code, message = error.args
            status, reply = 400, {"__type": code, "message": message}
        body = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Nothing to say."""


def _description(found: _Statement) -> dict[str, Any]:
    found.looks += 1
    reply: dict[str, Any] = {"Id": found.number, "HasResultSet": found.has_result}
    if found.cancelled:
        return reply | {"Status": "ABORTED"}
    if found.looks == 1:
        return reply | {"Status": "STARTED"}
    if found.error is not None:
        return reply | {"Status": "FAILED", "Error": found.error}
    return reply | {"Status": "FINISHED", "ResultRows": len(found.rows) if found.has_result else -1}


def _page(found: _Statement, start: int) -> dict[str, Any]:
    if not found.has_result:
        raise _Refused("ResourceNotFoundException", "Query does not have result.")
    end = start + PAGE_ROWS
    reply: dict[str, Any] = {
        "ColumnMetadata": found.columns,
        "Records": found.rows[start:end],
        "TotalNumRows": len(found.rows),
    }
    return reply | ({"NextToken": str(end)} if end < len(found.rows) else {})


def _field(value: Any, code: int) -> dict[str, Any]:
    if value is None:
        return {"isNull": True}
    if isinstance(value, bool):
        return {"booleanValue": value}
    if isinstance(value, int):
        return {"longValue": value}
    if isinstance(value, float):
        return {"doubleValue": NOT_FINITE.get(str(value), value)}
    return {"stringValue": value.removeprefix("\\x") if code == BINARY else value}
