"""What OpenLineage's provider sends of a real run, checked with OpenLineage's own schemas."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.demo.airflow_env import airflow_environment, connection
from tests.demo.runs import AirflowFailed, migrate, run_dag
from tests.demo.table import BUCKET, TABLE, prepare
from tests.openlineage_schemas import checked
from tests.services import Services, aws_client, running_services
from tests.services.process import free_port

DAGS = Path(__file__).parent / "lineage_dags"
DAG = "told_to_openlineage"
TASKS = ("export", "check", "rehearsal", "copy")
COPY = "orders-copy"
ITEMS = 200
SECRET = "never-to-be-told-abcdefgh"  # loopback services take any
CONF = {"table_name": TABLE, "copy_name": COPY, "s3_uri": f"s3://{BUCKET}/nightly/{TABLE}"}
PREFIX = (f"s3://{BUCKET}", f"nightly/{TABLE}")

Told = dict[str, Any]


@pytest.fixture(scope="module")
def run() -> Iterator[tuple[list[Told], str]]:
    """The events of one run of the DAG, in their order, and its log."""
    with running_services() as services, tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        env = _environment(home, services)
        migrate(env)
        prepare(services, ITEMS)
        _make_copy(services)
        with pytest.raises(AirflowFailed):
            run_dag(DAG, CONF, env, home / "run.log")
        lines = (home / "events.jsonl").read_text().splitlines()
        yield [json.loads(line) for line in lines], (home / "run.log").read_text()


@pytest.fixture
def events(run: tuple[list[Told], str]) -> list[Told]:
    """All of them."""
    return run[0]


def _environment(home: Path, services: Services) -> dict[str, str]:
    return {
        **airflow_environment(home, services, free_port()),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({**connection(services), "password": SECRET}),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(home / "events.jsonl"), "append": True}
        ),
    }


def _make_copy(services: Services) -> None:
    aws_client("dynamodb", services.gateway_url).create_table(
        TableName=COPY,
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 100, "WriteCapacityUnits": 1000},
    )


def of(events: list[Told], task: str, kind: str) -> Told:
    wanted = f"{DAG}.{task}", kind
    (found,) = [each for each in events if wanted == (each["job"]["name"], each["eventType"])]
    return found


def names(event: Told, side: str) -> list[tuple[str, str]]:
    return [(each["namespace"], each["name"]) for each in event[side]]


def table(name: str) -> tuple[str, str]:
    return "arn:aws:dynamodb:ddblocal:000000000000", f"table/{name}"  # as DynamoDB Local calls its place


@pytest.mark.slow
def test_every_event_of_a_real_run_is_valid_by_openlineages_own_schemas(events: list[Told]) -> None:
    tasks = [checked(each) for each in events if each["job"]["name"].startswith(f"{DAG}.")]

    told = [(each["job"]["name"].partition(".")[2], each["eventType"]) for each in tasks]
    assert [
        *((task, kind) for task in TASKS for kind in ("START", "COMPLETE")),
        ("missing", "START"),
        ("missing", "FAIL"),
    ] == told


@pytest.mark.slow
def test_items_are_followed_from_the_table_to_the_bucket_and_to_the_copy(events: list[Told]) -> None:
    export, copy = of(events, "export", "COMPLETE"), of(events, "copy", "COMPLETE")

    assert ([table(TABLE)], [PREFIX]) == (names(export, "inputs"), names(export, "outputs"))
    assert ([PREFIX], [table(COPY)]) == (names(copy, "inputs"), names(copy, "outputs"))
    for event in (export, copy):
        assert ITEMS == event["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"]
        assert ITEMS == event["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"]
    version = export["outputs"][0]["facets"]["version"]["datasetVersion"]
    assert version == copy["inputs"][0]["facets"]["version"]["datasetVersion"]


@pytest.mark.slow
def test_what_only_reads_writes_no_dataset(events: list[Told]) -> None:
    check, rehearsal = of(events, "check", "COMPLETE"), of(events, "rehearsal", "COMPLETE")

    assert ([PREFIX, table(TABLE)], []) == (names(check, "inputs"), names(check, "outputs"))
    assert ([PREFIX], []) == (names(rehearsal, "inputs"), names(rehearsal, "outputs"))


@pytest.mark.slow
def test_a_failure_is_told_with_its_message_and_what_it_read(events: list[Told]) -> None:
    failure = of(events, "missing", "FAIL")

    assert ([PREFIX], []) == (names(failure, "inputs"), names(failure, "outputs"))
    assert "no such table: no-such-table" in failure["run"]["facets"]["errorMessage"]["message"]


@pytest.mark.slow
def test_no_event_tells_the_connections_secret(run: tuple[list[Told], str]) -> None:
    events, log = run

    assert SECRET not in json.dumps(events)
    assert "no lineage is told" not in log
