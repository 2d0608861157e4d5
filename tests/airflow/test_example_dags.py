"""The example DAGs load, can be triggered by a person who reads no code, and run in a real Airflow."""

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.demo.airflow_env import EXAMPLE_DAGS, airflow_environment
from tests.demo.result import exported
from tests.demo.runs import AirflowFailed, migrate, run_dag
from tests.demo.table import BUCKET, READ_UNITS, READY_KEY, TABLE, prepare
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
        migrate(env)
        prepare(services, ITEMS)
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

    run_dag("export_table", CONF, env, path / "run.log")

    figures = exported(services, ITEMS)
    log = (path / "run.log").read_text()
    assert figures["equal"]
    assert f"{ITEMS:,} items in 1 files equal their manifest" in log
    assert "progress could not be stored" not in log
    assert "table orders is provisioned and ACTIVE" in log
    assert "point-in-time recovery of table orders is ENABLED" in log


def test_an_export_goes_the_cheapest_way_and_says_so_in_a_real_airflow(home: Home) -> None:
    _, env, path = home
    conf = {"table_name": CONF["table_name"], "s3_uri": "s3://backups/chosen"}

    run_dag("export_by_choice", conf, env, path / "choice.log")

    log = (path / "choice.log").read_text()
    assert "method scan: the cheapest, by list prices of us-east-1" in log
    assert "full: less than 0.01 dollars, no time is promised" in log
    assert "cheapest: scan; fastest: scan, the only way whose time can be told" in log


def test_every_precondition_is_met_before_a_nightly_export_in_a_real_airflow(home: Home) -> None:
    services, env, path = home
    dynamodb = aws_client("dynamodb", services.gateway_url)
    dynamodb.update_table(
        TableName=TABLE, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    )
    aws_client("s3", services.moto_url).put_object(Bucket=BUCKET, Key="incoming/orders.csv", Body=b"")
    conf = {
        **CONF,
        "s3_uri": f"s3://{BUCKET}/nightly",
        "inputs_uri": f"s3://{BUCKET}/incoming/",
        "view_type": "NEW_IMAGE",
    }

    run_dag("nightly_pipeline", conf, env, path / "nightly.log")

    log = (path / "nightly.log").read_text()
    seen = [
        f"s3://{BUCKET}/{READY_KEY} is there",
        f"there is s3://{BUCKET}/incoming/orders.csv",
        f"table {TABLE} has items",
        f"table {TABLE} is provisioned and ACTIVE",
        f"point-in-time recovery of table {TABLE} is ENABLED",
        f"table {TABLE} is ACTIVE and has a stream of NEW_IMAGE",
        f"table {TABLE} consumes 0.0 of {READ_UNITS} read units per second (provisioned)",
        f"manifest-summary.json is complete: {ITEMS:,} items",
    ]
    assert [] == [words for words in seen if words not in log]
    assert re.search(rf"table {TABLE} is ACTIVE(?! and)", log)  # it exists, and is active
    assert f"{ITEMS:,} items in 1 files equal their manifest" in log


def test_a_nightly_export_has_every_precondition_before_it_and_its_check_after_it() -> None:
    dag = dag_bag().dags["nightly_pipeline"]
    before = dag.get_task("export").get_flat_relative_ids(upstream=True)

    sensors = {type(dag.get_task(name)).__name__ for name in before}
    assert {
        "S3KeyExistsSensor",
        "S3PrefixNotEmptySensor",
        "DynamoDBTableExistsSensor",
        "DynamoDBDataExistsSensor",
        "DynamoDBTableActiveSensor",
        "DynamoDBProvisionedModeSensor",
        "DynamoDBPointInTimeRecoverySensor",
        "DynamoDBStreamEnabledSensor",
        "DynamoDBUnitsAvailableSensor",
    } == sensors
    assert {"exported"} == dag.get_task("export").downstream_task_ids
    assert {"exported"} == dag.get_task("check").upstream_task_ids
    assert not dag.catchup


def test_a_missing_table_fails_the_run_at_once_and_says_why(home: Home) -> None:
    _, env, path = home
    conf = {**CONF, "table_name": "no-such-table"}

    with pytest.raises(AirflowFailed):
        run_dag("export_table", conf, env, path / "fail.log")

    assert "no such table: no-such-table" in (path / "fail.log").read_text()


def test_the_rehearsal_restores_into_a_scratch_table_and_drops_that_alone(home: Home) -> None:
    services, env, path = home
    conf = {"table_name": TABLE, "s3_uri": f"s3://{BUCKET}/rehearsals", "ratio": 1.0}
    dynamodb = aws_client("dynamodb", services.gateway_url)

    run_dag("restore_rehearsal", conf, env, path / "rehearsal.log")

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

    run_dag("import_data_pipeline_backup", conf, env, path / "restore.log")

    expected = {
        "order_id": {"S": "a"},
        "total": {"N": "1.5"},
        "tags": {"SS": ["x"]},
        "gone": {"NULL": True},
    }
    assert [expected] == dynamodb.scan(TableName="restored")["Items"]
    assert "dry run: nothing was written. 1 items read" in (path / "restore.log").read_text()
    dynamodb.delete_table(TableName="restored")


def test_a_table_is_exported_and_then_imported_elsewhere_by_mapped_tasks(home: Home) -> None:
    services, env, path = home
    dynamodb = aws_client("dynamodb", services.gateway_url)
    dynamodb.create_table(
        TableName="mapped",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    folder = f"s3://{BUCKET}/mapped"
    confs = {
        "mapped_export": {"table_name": TABLE, "s3_uri": folder, "ratio": 1.0},
        "mapped_import": {"table_name": "mapped", "s3_uri": folder, "ratio": 1.0},
    }
    for name, conf in confs.items():
        run_dag(name, conf, env, path / f"{name}.log")

    log = (path / "mapped_export.log").read_text()
    assert re.search(rf"{ITEMS:,} items in \d+ files equal their manifest", log)
    assert {"range 0 of 8", "range 7 of 8"} <= set(re.findall(r"range \d of 8", log))
    items = [dynamodb.scan(TableName=table)["Items"] for table in (TABLE, "mapped")]
    dynamodb.delete_table(TableName="mapped")
    there, copied = [sorted(some, key=lambda one: str(one["order_id"])) for some in items]
    assert ITEMS == len(there)
    assert there == copied


@pytest.fixture
def on_demand(home: Home) -> Iterator[str]:
    """A table without provisioned capacity."""
    dynamodb = aws_client("dynamodb", home[0].gateway_url)
    dynamodb.create_table(
        TableName="on-demand",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield "on-demand"
    dynamodb.delete_table(TableName="on-demand")


@pytest.mark.parametrize("is_there", [True, False], ids=["imported", "failed"])
def test_capacity_is_provisioned_for_an_import_and_put_back_whatever_becomes_of_it(
    home: Home, on_demand: str, is_there: bool
) -> None:
    services, env, path = home
    dynamodb = aws_client("dynamodb", services.gateway_url)
    folder = f"provisioned-{is_there}"
    if is_there:
        line = b'{"Item":{"order_id":{"S":"a"}}}\n'
        aws_client("s3", services.moto_url).put_object(Bucket=BUCKET, Key=f"{folder}/part.json", Body=line)
    conf = {
        "table_name": on_demand,
        "s3_uri": f"s3://{BUCKET}/{folder}",
        "record_s3_uri": f"s3://{BUCKET}/capacity",
        "write_units": 77,
    }
    log = path / f"{folder}.log"

    with contextlib.nullcontext() if is_there else pytest.raises(AirflowFailed):
        run_dag("provisioned_import", conf, env, log)

    assert "'WriteCapacityUnits': 77" in log.read_text()
    billing = dynamodb.describe_table(TableName=on_demand)["Table"]["BillingModeSummary"]
    assert "PAY_PER_REQUEST" == billing["BillingMode"]
    assert int(is_there) == dynamodb.scan(TableName=on_demand, Select="COUNT")["Count"]


def test_capacity_is_put_back_even_if_it_could_not_be_provisioned() -> None:
    dag = dag_bag().dags["provisioned_import"]
    put_back = dag.get_task("put_back")

    assert put_back.is_teardown
    assert "all_done_setup_success" == put_back.trigger_rule
    assert {"remember", "provision", "import"} == put_back.upstream_task_ids
    assert dag.get_task("remember").is_setup
    assert dag.get_task("provision").is_setup
