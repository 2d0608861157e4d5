"""The example DAGs that load lookup tables, in a real Airflow, with a real PostgreSQL behind them."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest

from airflow_dynamo_pipeline.adapters.lookup_client import open_lookup
from airflow_dynamo_pipeline.lookup.reader import Lookup
from tests.airflow.test_example_dags import dag_bag
from tests.airflow.test_notices import make_topic, received
from tests.demo.airflow_env import airflow_environment
from tests.demo.runs import AirflowFailed, migrate, run_dag
from tests.services import Services, aws_client, running_services
from tests.services.postgres import Postgres, postgres
from tests.services.process import free_port

BUCKET = "shop"
NIGHT = pendulum.datetime(2026, 7, 2, 3, tz="UTC")
LOOKUP_TABLE, GENERATIONS = "product_lookup", "product_generations"
CONF = {
    "table_name": LOOKUP_TABLE,
    "s3_uri": f"s3://{BUCKET}/lookups",
    "ready_uri": f"s3://{BUCKET}/ready",
    "ratio": 1.0,
    "max_deletes": 50,
}


@dataclass(frozen=True)
class Home:
    """Services, a database and an Airflow of their own."""

    services: Services
    database: Postgres
    env: dict[str, str]
    path: Path

    def run(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Run a DAG; returns its log. A run that failed raises AirflowFailed."""
        log = self.path / "run.log"
        run_dag(dag_id, conf, self.env, log)
        return log.read_text()

    def lookup(self, table: str, **settings: Any) -> Lookup:
        return open_lookup(table, client=aws_client("dynamodb", self.services.gateway_url), **settings)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with contextlib.ExitStack() as stack:
        services = stack.enter_context(running_services())
        database = stack.enter_context(postgres())
        path = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        env = airflow_environment(path, services, free_port())
        env["NOTICES_TOPIC_ARN"] = make_topic(services)
        env["AIRFLOW_CONN_REDSHIFT_DEFAULT"] = json.dumps(connection(database, "redshift"))
        env["AIRFLOW_CONN_SHOP"] = json.dumps(connection(database, "postgres"))
        migrate(env)
        prepare(services, database)
        yield Home(services, database, env, path)


def connection(database: Postgres, kind: str) -> dict[str, object]:
    """A connection of one of two types, which have drivers of their own, to the same database."""
    is_redshift = kind == "redshift"
    return {
        "conn_type": kind,
        "host": database.host,
        "port": database.redshift_port if is_redshift else database.port,
        "login": database.user,
        "password": database.password,
        "schema": database.database,
        "extra": {"ssl": False} if is_redshift else {},
    }


def prepare(services: Services, database: Postgres) -> None:
    database.run(
        "CREATE SCHEMA programme",
        "CREATE TABLE programme.products (product_id varchar(10), name varchar(20), price numeric(10, 2), "
        "updated_at timestamp, is_listed boolean)",
        "INSERT INTO programme.products "
        "SELECT 'P' || n, 'name ' || n, n / 4.0, '2026-07-02 03:04:05', n <= 300 "
        "FROM generate_series(1, 310) n",
        "CREATE VIEW products AS SELECT * FROM programme.products WHERE is_listed",
    )
    dynamodb = aws_client("dynamodb", services.gateway_url)
    for table in (LOOKUP_TABLE, GENERATIONS):
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "product_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "product_id", "AttributeType": "S"}],
            ProvisionedThroughput={"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000},
        )
    dynamodb.update_time_to_live(
        TableName=GENERATIONS, TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone_at"}
    )
    s3 = aws_client("s3", services.moto_url)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="ready", Body=b"")


def test_a_night_mirrors_checks_and_tells_and_the_next_one_writes_only_what_changed(home: Home) -> None:
    first = home.run("redshift_lookup_table", CONF)
    home.database.run(
        "UPDATE programme.products SET is_listed = false WHERE product_id IN ('P1', 'P2')",
        "UPDATE programme.products SET price = 9.99 WHERE product_id = 'P3'",
    )
    second = home.run("redshift_lookup_table", CONF)

    assert "300 rows: 0 unchanged; 300 were inserted, 0 updated, 0 deleted" in first
    assert "298 rows: 297 unchanged; 0 were inserted, 1 updated, 2 deleted" in second
    assert "300 rows: 300 unchanged; 0 would be inserted" in first
    assert "298 rows: 298 unchanged; 0 would be inserted" in second
    found = home.lookup(LOOKUP_TABLE)
    assert {"P1": False, "P2": False, "P3": True, "P301": False} == found.contains(["P1", "P2", "P3", "P301"])
    told = received(home.services)[f"Done: task check of DAG redshift_lookup_table, table {LOOKUP_TABLE}"]
    assert "updated: 1\n" in told
    assert "deleted: 2\n" in told
    assert home.database.password not in first + second + told


def test_a_night_with_an_empty_query_writes_nothing_and_tells_why(home: Home) -> None:
    home.run("redshift_lookup_table", CONF)
    before = home.lookup(LOOKUP_TABLE).get(["P7"])
    home.database.run("ALTER TABLE programme.products RENAME TO kept")
    home.database.run("CREATE TABLE programme.products (LIKE programme.kept)")
    received(home.services)
    try:
        with pytest.raises(AirflowFailed):
            home.run("redshift_lookup_table", CONF)
    finally:
        home.database.run("DROP TABLE programme.products", "ALTER TABLE programme.kept RENAME TO products")

    told = received(home.services)[f"FAILED: task mirror of DAG redshift_lookup_table, table {LOOKUP_TABLE}"]
    assert "refused before the first write" in told
    assert before == home.lookup(LOOKUP_TABLE).get(["P7"])
    assert before["P7"] is not None


def test_generations_are_loaded_beside_each_other_by_any_connection(home: Home) -> None:
    conf = {
        "table_name": GENERATIONS,
        "s3_uri": f"s3://{BUCKET}/lookups",
        "units_per_second": 10_000,
        "generation_days": 2,
    }
    home.run("lookup_generations", conf)
    first = home.lookup(GENERATIONS, generations=True).get(["P7"])["P7"]
    home.database.run("UPDATE programme.products SET name = 'seven' WHERE product_id = 'P7'")
    home.run("lookup_generations", conf)
    second = home.lookup(GENERATIONS, generations=True).get(["P7"])["P7"]

    assert first is not None
    assert second is not None
    assert ("name 7", "seven") == (first["name"], second["name"])


@pytest.mark.parametrize(
    "moments",
    [{"data_interval_end": NIGHT}, {"dag_run": SimpleNamespace(run_after=NIGHT)}],
    ids=["scheduled", "by hand"],
)
def test_every_night_waits_for_a_go_ahead_of_its_own(moments: dict[str, Any]) -> None:
    dag = dag_bag().dags["redshift_lookup_table"]
    ready = dag.get_task("ready")
    context: Any = {**moments, "params": {"ready_uri": dag.params["ready_uri"]}}

    found = ready.render_template(ready.bucket_key, context, jinja_env=dag.get_template_env())

    assert "s3://backups/products-ready/2026-07-02" == found


def test_nothing_is_written_before_the_preconditions_nor_told_before_the_check() -> None:
    dag = dag_bag().dags["redshift_lookup_table"]
    mirror, check = dag.get_task("mirror"), dag.get_task("check")

    assert {"ready", "active"} == mirror.upstream_task_ids
    assert {"mirror"} == check.upstream_task_ids
    assert (True, 0) == (check.is_dry_run, check.max_changes)
    assert check.on_success_callback
    assert not mirror.on_success_callback
    assert mirror.on_failure_callback
    assert not dag.catchup
