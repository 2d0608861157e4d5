"""The example DAGs load, can be triggered by a person who reads no code, and run in a real Airflow."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.demo.airflow_env import EXAMPLE_DAGS, airflow_environment
from tests.demo.result import exported
from tests.demo.runs import AirflowFailed, airflow, run_airflow
from tests.demo.table import BUCKET, READY_KEY, TABLE, prepare
from tests.services import Services, aws_client, running_services
from tests.services.process import free_port

ITEMS = 1000
CONF = {
    "table_name": TABLE,
    "s3_uri": f"s3://{BUCKET}/{TABLE}",
    "ready_uri": f"s3://{BUCKET}/{READY_KEY}",
    "ratio": 1.0,
}
Home = tuple[Services, dict[str, str], Path]


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """Services of its own, with a table called orders, and an Airflow of its own."""
    with running_services() as services, tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        env = airflow_environment(path, services, free_port())
        with airflow(["db", "migrate"], env, path / "migrate.log") as migration:
            prepare(services, ITEMS)
            assert 0 == migration.wait(), (path / "migrate.log").read_text()
        yield services, env, path


def dag_bag() -> Any:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 2 and 3.0
        from airflow.models.dagbag import DagBag  # type: ignore[no-redef]
    return DagBag(str(EXAMPLE_DAGS))  # the environment switches Airflow's own examples off


def test_every_example_dag_loads_explains_itself_and_describes_its_params() -> None:
    bag = dag_bag()

    assert {} == bag.import_errors
    assert {"export_table", "import_data_pipeline_backup", "restore_rehearsal"} <= set(bag.dags)
    for dag in bag.dags.values():
        assert dag.doc_md
        for name in dag.params:
            assert dag.params.get_param(name).description, f"{dag.dag_id}: {name}"


def test_the_example_dag_exports_the_table_in_a_real_airflow(home: Home) -> None:
    services, env, path = home

    run_airflow(
        ["dags", "test", "export_table", "--conf", json.dumps(CONF)], env, path / "run.log", lambda _: None
    )

    figures = exported(services, ITEMS)
    log = (path / "run.log").read_text()
    assert figures["equal"]
    assert f"{ITEMS:,} items in 1 files equal their manifest" in log
    assert "progress could not be stored" not in log
    assert "table orders is provisioned and ACTIVE" in log
    assert "point-in-time recovery of table orders is ENABLED" in log


def test_a_missing_table_fails_the_run_at_once_and_says_why(home: Home) -> None:
    _, env, path = home
    conf = json.dumps({**CONF, "table_name": "no-such-table"})

    with pytest.raises(AirflowFailed):
        run_airflow(["dags", "test", "export_table", "--conf", conf], env, path / "fail.log", lambda _: None)

    assert "no such table: no-such-table" in (path / "fail.log").read_text()


def test_the_rehearsal_restores_into_a_scratch_table_and_drops_that_alone(home: Home) -> None:
    services, env, path = home
    conf = {"table_name": TABLE, "s3_uri": f"s3://{BUCKET}/rehearsals", "ratio": 1.0}
    dynamodb = aws_client("dynamodb", services.gateway_url)

    run_airflow(
        ["dags", "test", "restore_rehearsal", "--conf", json.dumps(conf)],
        env,
        path / "rehearsal.log",
        lambda _: None,
    )

    log = (path / "rehearsal.log").read_text()
    assert f"identical: {ITEMS:,} items in the export and in table {TABLE}-rehearsal-" in log
    assert [TABLE] == dynamodb.list_tables()["TableNames"]
    assert ITEMS == dynamodb.scan(TableName=TABLE, Select="COUNT")["Count"]


def test_the_rehearsal_drops_its_table_whatever_became_of_the_tasks_before() -> None:
    dag = dag_bag().dags["restore_rehearsal"]
    dropped = dag.get_task("drop_scratch_table")

    assert dropped.is_teardown
    assert dag.get_task("make_scratch_table").is_setup
    assert "all_done_setup_success" == dropped.trigger_rule
    assert {"make_scratch_table", "compare"} == dropped.upstream_task_ids
    assert not dropped.on_failure_fail_dagrun  # the run fails by the tasks before it


def drop(scratch: dict[str, str] | None) -> None:
    """What the teardown task runs."""
    dag_bag().dags["restore_rehearsal"].get_task("drop_scratch_table").python_callable(scratch, TABLE, "run")


@pytest.mark.parametrize("name", [TABLE, "customers", f"{TABLE}-rehearsal-000000000000"])
def test_the_rehearsal_drops_no_table_but_its_own(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    services, env, _ = home
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", env["AIRFLOW_CONN_AWS_DEFAULT"])

    with pytest.raises(ValueError, match=f"{name} is not the scratch table of this run"):
        drop({"table_name": name})

    assert [TABLE] == aws_client("dynamodb", services.gateway_url).list_tables()["TableNames"]


def test_a_rehearsal_that_made_no_table_drops_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT", raising=False)

    drop(None)


def test_a_backup_of_data_pipeline_is_looked_at_and_then_restored(home: Home) -> None:
    """Written by hand, with the tags that the connector writes and a file of a failed attempt."""
    services, env, path = home
    s3 = aws_client("s3", services.moto_url)
    dynamodb = aws_client("dynamodb", services.gateway_url)
    dynamodb.create_table(
        TableName="restored",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    folder = "data-pipeline/2019-04-23"
    entries = [{"url": f"s3://elsewhere/{folder}/part-0", "mandatory": True}]
    manifest = {"name": "DynamoDB-export", "version": 3, "entries": entries}
    s3.put_object(Bucket=BUCKET, Key=f"{folder}/manifest", Body=json.dumps(manifest).encode())
    line = b'{"order_id":{"s":"a"},"total":{"n":"1.50"},"tags":{"sS":["x"]},"gone":{"nULLValue":true}}\n'
    s3.put_object(Bucket=BUCKET, Key=f"{folder}/part-0", Body=line)
    s3.put_object(Bucket=BUCKET, Key=f"{folder}/part-1", Body=line.replace(b'"a"', b'"orphan"'))
    conf = {"table_name": "restored", "s3_uri": f"s3://{BUCKET}/{folder}", "on_conflict": "skip"}

    run_airflow(
        ["dags", "test", "import_data_pipeline_backup", "--conf", json.dumps(conf)],
        env,
        path / "restore.log",
        lambda _: None,
    )

    expected = {
        "order_id": {"S": "a"},
        "total": {"N": "1.5"},
        "tags": {"SS": ["x"]},
        "gone": {"NULL": True},
    }
    assert [expected] == dynamodb.scan(TableName="restored")["Items"]
    assert "dry run: nothing was written. 1 items read" in (path / "restore.log").read_text()
    dynamodb.delete_table(TableName="restored")
