"""No secret of a connection is in anything that a run leaves behind, whatever the services answer (A3)."""

import contextlib
import http.server
import json
import logging
import threading
import traceback
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import AirflowFailException
from airflow_dynamo_pipeline.errors import Temporary
from airflow_dynamo_pipeline.operators import time_budget
from airflow_dynamo_pipeline.operators.capacity import DynamoDBCapacityModeOperator
from airflow_dynamo_pipeline.operators.emr import EmrDynamoDBExportOperator, EmrDynamoDBImportOperator
from airflow_dynamo_pipeline.operators.lookup import RedshiftToDynamoDBOperator, SqlToDynamoDBOperator
from airflow_dynamo_pipeline.operators.native import (
    DynamoDBPointInTimeExportOperator,
    DynamoDBTableImportOperator,
)
from airflow_dynamo_pipeline.operators.ranges import (
    DynamoDBExportCommitOperator,
    DynamoDBExportPlanOperator,
    DynamoDBExportRangeOperator,
    DynamoDBImportCommitOperator,
    DynamoDBImportPlanOperator,
    DynamoDBImportRangeOperator,
)
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator
from airflow_dynamo_pipeline.sensors.dynamodb import DynamoDBTableExistsSensor
from tests.airflow.conftest import FakeTask, context_of
from tests.clock import ManualClock
from tests.unit.airflow_parts import deferral_of

NewTask = Callable[..., FakeTask]
SECRETS = {
    "secret key": "wJalrSECRETKEYbPxRfiCYEXAMPLEKEY",
    "session token": "FwoGZXIvSESSIONTOKENdzEXAMPLE",
    "password of a URL": "URLPASSWORDhunter2",
    "password of a database": "DATABASEPASSWORDhunter3",
}
MANIFEST = "s3://backups/x/AWSDynamoDB/01/manifest-summary.json"
JOB: dict[str, Any] = {"ranges": 2, "code_s3_uri": "s3://backups/code", "dependencies": "none"}
LOAD: dict[str, Any] = {
    "task_id": "t",
    "sql": "SELECT 'P1' AS id",
    "table_name": "orders",
    "key_columns": "id",
    "s3_uri": "s3://backups/x",
}
KINDS: dict[str, Callable[[], Any]] = {
    "export": lambda: DynamoDBExportOperator(task_id="t", table_name="orders", s3_uri="s3://backups/x"),
    "auto export": lambda: DynamoDBExportOperator(
        task_id="t", table_name="orders", s3_uri="s3://backups/x", method="auto"
    ),
    "import": lambda: DynamoDBImportOperator(task_id="t", table_name="orders", s3_uri=MANIFEST),
    "verify": lambda: DynamoDBVerifyOperator(task_id="t", manifest_uri=MANIFEST),
    "verify table": lambda: DynamoDBVerifyOperator(task_id="t", manifest_uri=MANIFEST, table_name="orders"),
    "native export": lambda: DynamoDBPointInTimeExportOperator(
        task_id="t", table_name="orders", s3_uri="s3://backups/x"
    ),
    "native import": lambda: DynamoDBTableImportOperator(
        task_id="t", table_name="new", manifest_uri=MANIFEST
    ),
    "lookup load": lambda: SqlToDynamoDBOperator(conn_id="shop", **LOAD),
    "lookup load from Redshift": lambda: RedshiftToDynamoDBOperator(**LOAD),
    "lookup load by the Data API": lambda: RedshiftToDynamoDBOperator(
        cluster_identifier="analytics", database="dev", **LOAD
    ),
    "export by a job on a cluster": lambda: EmrDynamoDBExportOperator(
        task_id="t", table_name="orders", s3_uri="s3://backups/x", job_flow_id="j-1", **JOB
    ),
    "import by a job of EMR Serverless": lambda: EmrDynamoDBImportOperator(
        task_id="t", table_name="orders", s3_uri=MANIFEST, application_id="a1", execution_role_arn="r", **JOB
    ),
    "capacity": lambda: DynamoDBCapacityModeOperator(task_id="t", table_name="orders", mode="on_demand"),
}
OF_EXPORT: dict[str, Any] = {"task_id": "t", "table_name": "orders", "s3_uri": "s3://backups/x"}
OF_IMPORT: dict[str, Any] = {"task_id": "t", "table_name": "orders", "s3_uri": MANIFEST}
WORK: dict[str, Any] = {
    "id": "2026-03-04-05-06-07-0a1b2c3d",
    "number": 0,
    "ranges": 2,
    "at_once": 2,
    "slack": 0.0,
    "run": "dag|plan|-1|run",
    "generation": "0",
    "began_at": "2026-03-04T05:06:07+00:00",
}
KINDS |= {
    "export plan": lambda: DynamoDBExportPlanOperator(ranges=2, **OF_EXPORT),
    "export range": lambda: DynamoDBExportRangeOperator(work=WORK, **OF_EXPORT),
    "export commit": lambda: DynamoDBExportCommitOperator(work=[WORK], **OF_EXPORT),
    "import plan": lambda: DynamoDBImportPlanOperator(ranges=2, **OF_IMPORT),
    "import range": lambda: DynamoDBImportRangeOperator(work=WORK, **OF_IMPORT),
    "import commit": lambda: DynamoDBImportCommitOperator(work=[WORK], **OF_IMPORT),
}
SIGNATURE = "The request signature we calculated does not match the signature you provided. "


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers everything with an error that repeats the request's headers, as AWS does for a signature."""

    code = "InvalidSignatureException"
    status = 403

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = "\n".join(f"{name.lower()}:{value}" for name, value in self.headers.items())
        words = f"{SIGNATURE}The Canonical String for this request should have been\n'POST\n/\n{headers}'"
        if "x-amz-target" in self.headers:
            body = json.dumps({"__type": f"x#{self.code}", "message": words}).encode()
        else:
            body = f"<Error><Code>{self.code}</Code><Message>{words}</Message></Error>".encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amz-crc32", str(zlib.crc32(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


for verb in ("GET", "PUT", "POST", "HEAD", "DELETE"):
    setattr(Echo, f"do_{verb}", Echo.answer)


@contextlib.contextmanager
def echoing(code: str, status: int) -> Iterator[str]:
    kind = type("Echoing", (Echo,), {"code": code, "status": status})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def connected(patch: pytest.MonkeyPatch, url: str) -> None:
    """Let ``aws_default`` hold secrets of every kind and lead there."""
    extra = {
        "region_name": "us-east-1",
        "endpoint_url": url,
        "aws_session_token": SECRETS["session token"],
        "config_kwargs": {"connect_timeout": 1, "read_timeout": 5},
    }
    told = {"conn_type": "aws", "login": "AKIDEXAMPLE", "password": SECRETS["secret key"], "extra": extra}
    patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(told))
    patch.setenv("AIRFLOW_CONN_SHOP", json.dumps({"conn_type": "sqlite", "host": ":memory:"}))
    nowhere = {"conn_type": "redshift", "host": "127.0.0.1", "port": 1, "login": "me", "schema": "dev"}
    nowhere["password"] = SECRETS["password of a database"]
    patch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(nowhere))


@dataclass
class Leftovers:
    """Everything that a run leaves behind, as text."""

    texts: dict[str, str] = field(default_factory=dict)

    def found(self) -> list[str]:
        return [
            f"{name} in {where}"
            for where, text in self.texts.items()
            for name, secret in SECRETS.items()
            if secret in text
        ]


class Store(dict[str, Any]):
    """Airflow 3.3's task state store."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def run(operator: Any, task: FakeTask) -> Leftovers:
    """Execute until it ends, and gather what is left but for the log."""
    left, store = Leftovers(), Store()
    context = {**context_of(task), "task_state_store": store}
    try:
        left.texts["record"] = repr(operator.execute(context))
    except (AirflowFailException, Temporary) as error:
        left.texts["exception"] = str(error)
        left.texts["traceback"] = "".join(traceback.format_exception(error))
    left.texts["XCom"] = repr(task.pushed)
    left.texts["state"] = repr(store)
    left.texts["templates"] = repr([getattr(operator, name) for name in operator.template_fields])
    for hook in ("start", "complete", "failure"):
        facets = getattr(operator, f"get_openlineage_facets_on_{hook}", None)
        if facets is not None:
            left.texts[f"lineage on {hook}"] = repr(facets() if hook == "start" else facets(task))
    return left


def logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> str:
    """What was logged: by the standard library's loggers, and by Airflow 3's, which print here."""
    said = capfd.readouterr()
    return caplog.text + said.out + said.err


REPLIES = {
    "wrong key": ("SignatureDoesNotMatch", 403),
    "denied": ("AccessDeniedException", 403),
    "broken": ("InternalServerError", 500),
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a3_no_secret_is_left_behind_by_a_service_that_repeats_the_request(
    kind: str,
    reply: tuple[str, int],
    new_task: NewTask,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG, logger="airflow_dynamo_pipeline")
    monkeypatch.setattr(time_budget, "SystemClock", ManualClock)
    with echoing(*reply) as url:
        connected(monkeypatch, url)
        operator = KINDS[kind]()
        operator.execution_timeout = timedelta(minutes=10)
        left = run(operator, new_task())
    left.texts["log"] = logged(caplog, capfd)

    assert [] == left.found()
    assert "press Clear" in left.texts["exception"].splitlines()[0]
    assert left.texts["exception"].splitlines()[0] in left.texts["log"]


@pytest.mark.parametrize("kind", KINDS)
def test_a3_no_password_of_an_endpoint_is_left_behind_when_nobody_answers(
    kind: str,
    new_task: NewTask,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time_budget, "SystemClock", ManualClock)
    connected(monkeypatch, f"http://me:{SECRETS['password of a URL']}@127.0.0.1:1")
    operator = KINDS[kind]()
    operator.execution_timeout = timedelta(minutes=10)

    left = run(operator, new_task())
    left.texts["log"] = logged(caplog, capfd)

    assert "exception" in left.texts
    assert [] == left.found()


def test_a3_a_deferral_holds_the_name_of_the_connection_and_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with echoing("ResourceNotFoundException", 400) as url:
        connected(monkeypatch, url)
        sensor = DynamoDBTableExistsSensor(task_id="t", table_name="orders", deferrable=True)
        left = Leftovers({"trigger": repr(deferral_of(sensor).trigger.serialize())})

    assert "aws_default" in left.texts["trigger"]
    assert [] == left.found()


@pytest.mark.usefixtures("aws_default")
def test_a3_plan_progress_and_report_are_where_a_person_looks(
    table: str,
    bucket: str,
    new_task: NewTask,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    task, store = new_task(), Store()
    export = DynamoDBExportOperator(task_id="export", table_name=table, s3_uri=f"s3://{bucket}/x", ratio=1)

    context: Any = {**context_of(task), "task_state_store": store}
    record = export.execute(context)
    check = DynamoDBVerifyOperator(task_id="check", manifest_uri=record["manifest_uri"], table_name=table)
    report = check.execute(context_of(task))

    log = logged(caplog, capfd)
    assert f"table {table}" in log
    assert "units per second" in log
    assert "100%: 400 items" in log
    assert "identical: 400 items in the export" in log
    assert 1.0 == store["progress"]["share_done"]
    assert True is report["identical"]


def test_every_operator_of_the_package_is_tried_here() -> None:
    folder = Path(time_budget.__file__).parent
    named = {
        line.split()[1].partition("(")[0]
        for module in folder.glob("*.py")
        for line in module.read_text().splitlines()
        if line.startswith("class ") and "Operator(" in line
    }

    assert named == {type(make()).__name__ for make in KINDS.values()}
