"""Notices by SNS: readable whatever the context knows, accepted by SNS, and never a task's trouble."""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow import __version__ as airflow_version
from airflow.providers.amazon.aws.notifications.sns import SnsNotifier

from airflow_dynamo_pipeline import airflow_versions
from airflow_dynamo_pipeline.dags.notice_templates import WIDEST_SUBJECT
from airflow_dynamo_pipeline.dags.notices import failure_notice, lateness_settings, success_notice
from tests.demo.airflow_env import airflow_environment
from tests.demo.runs import AirflowFailed, migrate, run_dag
from tests.demo.table import TABLE, prepare
from tests.faults.serving import served
from tests.faults.wire import Reply
from tests.services import Services, aws_client, running_services
from tests.services.process import free_port

try:
    from airflow.sdk import DAG, BaseNotifier
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.notifications.basenotifier import (  # type: ignore[import-not-found, no-redef]
        BaseNotifier,
    )

DAGS = Path(__file__).parent / "dags"
MANIFEST = "s3://backups/orders/AWSDynamoDB/01-a/manifest-summary.json"
LARGEST_MESSAGE = 256 * 1024  # bytes, SNS
SECRET = "wJalrXUtnFEMI/K7MDENG"
RECORDS: dict[str, dict[str, Any]] = {
    "export": {"manifest_uri": MANIFEST, "item_count": 1234567, "consumed_units": 12.345, "plan": {"a": 1}},
    "import": {"table_name": "orders", "dry_run": False, "read": 7000, "rejected": 0, "rejects_uri": None},
    "verify": {"manifest_uri": MANIFEST, "item_count": 9, "files": 2},
    "verify_table": {"manifest_uri": MANIFEST, "table_name": "orders", "identical": True},
    "native_export": {"table_name": "orders", "manifest_uris": [MANIFEST], "manifest_uri": MANIFEST},
    "native_import": {"table_name": "orders", "items": 5, "restored": ["ttl"], "status": "COMPLETED"},
    "lookup": {"table_name": "orders", "rows": 5, "inserted": 1, "changes_uri": None, "differences": ["x"]},
    "capacity": {"table_name": "orders", "mode": "provisioned", "read_units": 5, "index_units": {}},
}


class Instance:
    """A task instance as callbacks see it."""

    task_id, map_index, try_number, max_tries = "export", -1, 2, 2
    log_url = "http://airflow/log"

    def __init__(self, record: object = None, table_name: object = "orders") -> None:
        self.task = SimpleNamespace(table_name=table_name)
        self._record = record

    def xcom_pull(self, task_ids: str, map_indexes: int | None = None) -> object:
        return self._record


def rendered(notice: SnsNotifier, context: dict[str, Any], *, native: bool = False) -> SnsNotifier:
    dag = DAG("nightly", schedule=None, render_template_as_native_obj=native)
    known: Any = {"dag": dag, **context}
    notice.render_template_fields(known)
    assert notice.subject
    assert re.fullmatch(r"[!-~][ -~]*", notice.subject)
    assert len(notice.subject) <= WIDEST_SUBJECT < 100
    assert 0 < len(notice.message.encode()) < LARGEST_MESSAGE
    assert "{{" not in notice.message
    assert "None" not in notice.message
    return notice


def task_context(instance: Instance, **more: Any) -> dict[str, Any]:
    return {"ti": instance, "task": instance.task, "run_id": "manual__1", "params": {}, **more}


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("name", RECORDS)
def test_every_operators_record_is_told_with_table_run_counts_manifest_and_log(
    name: str, native: bool
) -> None:
    record = RECORDS[name]

    sent = rendered(success_notice("arn"), task_context(Instance(record)), native=native)

    lines = sent.message.splitlines()
    assert "Done: task export of DAG nightly, table orders." == lines[0]
    assert {"Table: orders", "Run: manual__1", "Attempt: 2 of 3", "Log: http://airflow/log"} <= set(lines)
    assert f"Manifest: {record.get('manifest_uri', 'unknown')}" in lines
    plain = {key: value for key, value in record.items() if type(value) in (int, float, str, bool)}
    named = {key.replace("_", " ") for key in plain if key not in ("table_name", "manifest_uri")}
    assert named == {line.partition(":")[0] for line in lines[7:]}


def test_counts_are_written_for_people() -> None:
    sent = rendered(success_notice("arn"), task_context(Instance(RECORDS["export"])))

    assert ["item count: 1,234,567", "consumed units: 12.3"] == sent.message.splitlines()[-2:]


@pytest.mark.parametrize(
    ("error", "first"),
    [
        (ValueError("no such table: orders.\nHINT: look at the region\nmore"), "no such table: orders"),
        (AssertionError(), "its error, if it left one, is in the log"),
        ("text, as Airflow 2 may give", "text, as Airflow 2 may give"),
    ],
)
def test_a_failures_first_line_has_the_error_and_what_to_do(error: object, first: str) -> None:
    sent = rendered(failure_notice("arn"), task_context(Instance(), exception=error))

    lines = sent.message.splitlines()
    assert (
        f"FAILED: task export of DAG nightly: {first}. Mend this, then press Clear on the task." == lines[0]
    )
    assert ("HINT: look at the region" in lines) == ("HINT" in str(error))
    assert "Attempt: 2 of 3" in lines
    assert "FAILED: task export of DAG nightly, table orders" == sent.subject


def test_what_to_do_is_not_said_twice() -> None:
    error = ValueError("no such table; to mend it: make it, then press Clear")

    sent = rendered(failure_notice("arn"), task_context(Instance(), exception=error))

    assert f"FAILED: task export of DAG nightly: {error}." == sent.message.splitlines()[0]


CONTEXTS: Mapping[str, dict[str, Any]] = {
    "DAG, Airflow 3 without a task": {"run_id": "r", "reason": "task_failure"},
    "DAG, Airflow 3": {
        "run_id": "r",
        "reason": "x",
        "ti": Instance(),
        "params": {},
        "task": SimpleNamespace(),
    },
    "DAG, Airflow 2": {
        "run_id": "r",
        "reason": None,
        "ti": Instance(),
        "params": {},
        "dag_run": SimpleNamespace(),
    },
    "task without anything": task_context(Instance(table_name=None), run_id=None),
    "task not rendered, as in Airflow 3.0": task_context(Instance(table_name="{{ params.table_name }}")),
    "record of something else": task_context(Instance(["a", "list"], table_name=None)),
    "nothing": {},
}


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=list(CONTEXTS))
@pytest.mark.parametrize("make", [success_notice, failure_notice])
def test_what_is_not_known_is_called_unknown(make: Any, context: dict[str, Any]) -> None:
    sent = rendered(make("arn"), context)

    assert {"Table: unknown", "Manifest: unknown", "Counts: unknown"} <= set(sent.message.splitlines())


def test_the_notice_of_a_run_tells_of_the_task_that_it_names() -> None:
    context = {
        **CONTEXTS["DAG, Airflow 3"],
        "ti": Instance(RECORDS["export"]),
        "params": {"table_name": "orders"},
    }

    named = rendered(success_notice("arn", task_id="export"), dict(context))
    other = rendered(success_notice("arn"), dict(context))

    known = not airflow_version.startswith("3.0.")  # whose DAG callbacks read no XComs
    assert known == (f"Manifest: {MANIFEST}" in named.message)
    assert "Manifest: unknown" in other.message
    assert "Done: DAG nightly, table orders" == named.subject == other.subject


def test_long_and_foreign_text_fits_into_what_sns_takes() -> None:
    long = Instance({f"field_{number}": "ü" * 10_000 for number in range(500)}, table_name="tä\n" * 90)

    for make in (success_notice, failure_notice):
        rendered(make("arn"), task_context(long, exception=ValueError("ö" * 400_000), run_id="r" * 9000))


def test_a_notice_holds_no_params_and_no_settings() -> None:
    secret = Instance(RECORDS["export"])
    secret.task.password = SECRET
    context = task_context(secret, exception=ValueError(f"first\n{SECRET}"), conf={"secret": SECRET})
    context["params"] = {"table_name": "orders", "token": SECRET}

    for make in (success_notice, failure_notice):
        assert SECRET not in rendered(make("arn"), dict(context)).message


def late_notice(arguments: Mapping[str, Any]) -> SnsNotifier:
    if "sla_miss_callback" in arguments:
        return arguments["sla_miss_callback"]  # type: ignore[no-any-return]
    return SnsNotifier(**arguments["deadline"].callback.kwargs)


def test_lateness_is_what_airflow_has_for_it() -> None:
    found = lateness_settings("arn", timedelta(hours=2))

    expected = {"2": {"sla_miss_callback"}, "3.0": set()}
    assert expected.get(airflow_version[:1], expected.get(airflow_version[:3], {"deadline"})) == set(found)
    DAG("late", schedule=None, **found)


@pytest.mark.skipif(airflow_version.startswith("3.0."), reason="Airflow 3.0 has nothing for lateness")
def test_a_late_run_is_told_with_what_a_deadline_knows() -> None:
    arguments = lateness_settings("arn", timedelta(hours=2), table_name='or"ders')
    run = {"dag_id": "nightly", "dag_run_id": "manual__1", "conf": None}
    deadline = {"id": "1", "deadline_time": "2026-03-04 05:06:07"}
    context: Any = {"dag_run": run, "deadline": deadline}
    notice = late_notice(arguments)
    if airflow_version.startswith("2."):
        context = {"dag": DAG("nightly", schedule=None), "task_list": "export\ncheck", "slas": []}

    notice.render_template_fields(context)

    assert 'Late: DAG nightly, table or"ders' == notice.subject
    first = notice.message.splitlines()[0]
    assert first.startswith("Late: DAG nightly has not finished ")
    assert ("2026-03-04 05:06:07" in first) == ("deadline" in context)
    assert 'Table: or"ders' in notice.message


@pytest.mark.skipif(airflow_version.startswith(("2.", "3.0.")), reason="deadlines came with Airflow 3.1")
def test_a_deadline_survives_serialization(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    arguments = lateness_settings("arn", timedelta(hours=2))
    text = json.dumps(DagSerialization.to_dict(DAG("late", schedule=None, **arguments)))

    assert "airflow.providers.amazon.aws.notifications.sns.SnsNotifier" in text
    assert timedelta(hours=2) == arguments["deadline"].interval


class OlderNotifier(BaseNotifier):  # noqa: AIR301  the import above is of the version at hand
    """Takes no context and cannot be awaited, as the provider's up to 9.14.0."""

    def __init__(self, *, message: str) -> None:
        super().__init__()
        self.message = message


@pytest.mark.skipif(airflow_version.startswith(("2.", "3.0.")), reason="deadlines came with Airflow 3.1")
@pytest.mark.parametrize(
    ("version", "notifier", "has_library", "sender"),
    [
        ("3.1.0", SnsNotifier, True, "AsyncCallback"),
        ("3.1.8", SnsNotifier, False, None),
        ("3.1.0", OlderNotifier, True, None),
        ("3.2.1", SnsNotifier, True, "AsyncCallback"),
        ("3.2.1", SnsNotifier, False, "SyncCallback"),
        ("3.2.1", OlderNotifier, True, None),
        ("3.3.2", SnsNotifier, True, "AsyncCallback"),
        ("3.3.2", SnsNotifier, False, "SyncCallback"),
        ("3.3.2", OlderNotifier, True, "SyncCallback"),
    ],
)
def test_a_late_run_is_told_by_whoever_can_and_a_warning_says_if_nobody_can(
    version: str,
    notifier: type,
    has_library: bool,
    sender: str | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(airflow_versions, "airflow_version", version)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if has_library else None)

    found = airflow_versions.late_settings(notifier, {"message": "late"}, timedelta(hours=2))

    assert sender == (type(found["deadline"].callback).__name__ if found else None)
    assert (sender is None) == ("9.15.0" in caplog.text)


@pytest.fixture(scope="module")
def home() -> Iterator[tuple[Services, dict[str, str], Path]]:
    """Services and an Airflow of its own, with a topic that a queue listens to."""
    with running_services() as services, tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        env = airflow_environment(path, services, free_port())
        env["AIRFLOW__CORE__DAGS_FOLDER"] = str(DAGS)
        env["NOTICES_TOPIC_ARN"] = make_topic(services)
        migrate(env)
        prepare(services, 100)
        yield services, env, path


def make_topic(services: Services) -> str:
    sqs, sns = aws_client("sqs", services.moto_url), aws_client("sns", services.moto_url)
    url = sqs.create_queue(QueueName="people")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic: str = sns.create_topic(Name="notices")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    return topic


def received(services: Services) -> dict[str, str]:
    """The messages that came since the last look, by subject."""
    sqs = aws_client("sqs", services.moto_url)
    url = sqs.get_queue_url(QueueName="people")["QueueUrl"]
    found: dict[str, str] = {}
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            body = json.loads(message["Body"])
            found[body["Subject"]] = body["Message"]
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def run(env: dict[str, str], log: Path, **conf: Any) -> str:
    """Run the DAG; returns its log. A run that failed raises AirflowFailed."""
    run_dag("noticed", conf, env, log)
    return log.read_text()


def test_an_export_that_is_done_is_told_in_a_real_airflow(home: Any) -> None:
    services, env, path = home

    run(env, path / "done.log", table_name=TABLE)

    told = received(services)[f"Done: task export of DAG noticed, table {TABLE}"]
    assert "item count: 100" in told
    assert re.search(
        r"^Manifest: s3://backups/noticed/AWSDynamoDB/.+/manifest-summary.json$", told, re.MULTILINE
    )
    assert re.search(r"^Log: http://127.0.0.1:\d+/dags/noticed/.+$", told, re.MULTILINE)


def test_an_export_that_failed_is_told_in_a_real_airflow(home: Any) -> None:
    services, env, path = home

    with pytest.raises(AirflowFailed):
        run(env, path / "failed.log", table_name="no-such-table")

    told = received(services)["FAILED: task export of DAG noticed, table no-such-table"].splitlines()[0]
    has_error = not airflow_version.startswith("3.0.")  # which does not give it to callbacks
    assert has_error == ("no such table: no-such-table" in told)
    assert "Clear" in told


ERROR = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>no</Message></Error></ErrorResponse>"
)


@pytest.mark.parametrize(("status", "code"), [(403, "AuthorizationError"), (400, "Throttling")])
def test_sns_that_refuses_does_not_change_the_state_of_a_task(home: Any, status: int, code: str) -> None:
    services, env, path = home
    body = ERROR.format(code).encode()

    with served(lambda request, asked: Reply(status, [body], {"Content-Type": "text/xml"})) as url:
        connection = json.loads(env["AIRFLOW_CONN_AWS_DEFAULT"])
        connection["extra"]["service_config"]["sns"] = {"endpoint_url": url}
        elsewhere = {**env, "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection)}
        log = run(elsewhere, path / f"{code}.log", table_name=TABLE)

    assert code in log
    assert f"{TABLE}" in log
    assert {} == received(services)
