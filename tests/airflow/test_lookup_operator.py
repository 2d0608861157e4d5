"""The operators of lookup loads against the real services and a real PostgreSQL, attempt by attempt."""

import contextlib
import copy
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.adapters.redshift_settings import COERCIONS as OF_REDSHIFT
from airflow_dynamo_pipeline.airflow_versions import AirflowFailException, Asset, Stats
from airflow_dynamo_pipeline.errors import ServiceTrouble, Stopped
from airflow_dynamo_pipeline.lookup.request import COERCIONS
from airflow_dynamo_pipeline.operators import redshift_lookup
from airflow_dynamo_pipeline.operators.links import DynamoDBTableLink, S3PrefixLink
from airflow_dynamo_pipeline.operators.lookup import RedshiftToDynamoDBOperator, SqlToDynamoDBOperator
from airflow_dynamo_pipeline.operators.sql_lookup import ATTRIBUTES
from tests.airflow.conftest import FakeTask, context_of
from tests.services import Services, aws_client
from tests.services.postgres import Postgres, postgres
from tests.services.process import free_port
from tests.unit.airflow_parts import OutletEventAccessors

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.usefixtures("aws_default")
NewTask = Callable[..., FakeTask]
SQL = "SELECT id, name, price FROM products ORDER BY id"
SLEEP = "SELECT 'P1' AS id, CAST(pg_sleep(120) AS text) AS slept"
ROWS = 60
SLOW = 25  # write units a second; every item is one


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    """A PostgreSQL, for whom its own driver and Redshift's are the same."""
    with postgres() as found:
        yield found


@pytest.fixture
def products(database: Postgres, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    """A table of products, to which the connection ``redshift_default`` leads."""
    database.run(
        "DROP TABLE IF EXISTS products",
        "CREATE TABLE products (id varchar(10), name varchar(20), price numeric(10, 2))",
        f"INSERT INTO products SELECT 'P' || n, 'name ' || n, n / 4.0 FROM generate_series(1, {ROWS}) n",
    )
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(redshift_connection(database)))
    return database


def redshift_connection(database: Postgres) -> dict[str, object]:
    return {
        "conn_type": "redshift",
        "host": database.host,
        "port": database.redshift_port,
        "login": database.user,
        "password": database.password,
        "schema": database.database,
        "extra": {"ssl": False},
    }


@pytest.fixture
def gateway(services: Services) -> "DynamoDBClient":
    """DynamoDB Local with moto's tags."""
    return aws_client("dynamodb", services.gateway_url)


@pytest.fixture
def lookup_table(gateway: "DynamoDBClient") -> Iterator[str]:
    """An empty table."""
    name = f"lookup-{uuid.uuid4().hex[:8]}"
    gateway.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000},
    )
    yield name
    gateway.delete_table(TableName=name)


@pytest.fixture
def load(lookup_table: str, bucket: str, products: Postgres) -> Callable[..., RedshiftToDynamoDBOperator]:
    """Make an operator for the products."""
    del products

    def make(**settings: Any) -> RedshiftToDynamoDBOperator:
        given = {"ratio": 1} if "units_per_second" not in settings else {}
        defaults = {"sql": SQL, "table_name": lookup_table, "key_columns": "id", "s3_uri": f"s3://{bucket}/l"}
        return RedshiftToDynamoDBOperator(task_id="load", **{**defaults, **given, **settings})

    return make


Make = Callable[..., RedshiftToDynamoDBOperator]


def items_of(gateway: "DynamoDBClient", table: str) -> dict[str, Any]:
    """Every item by its key."""
    pages = gateway.get_paginator("scan").paginate(TableName=table)
    return {found["id"]["S"]: found for page in pages for found in page["Items"]}


def test_every_setting_is_a_templated_parameter() -> None:
    assert set(COERCIONS) == set(ATTRIBUTES)
    general = {*COERCIONS, "is_dry_run", "conn_id"} - {"dry_run"}
    assert general <= set(SqlToDynamoDBOperator.template_fields)
    assert general | set(OF_REDSHIFT) <= set(RedshiftToDynamoDBOperator.template_fields)
    assert (".sql",) == RedshiftToDynamoDBOperator.template_ext
    assert "sql" == RedshiftToDynamoDBOperator.template_fields_renderers["sql"]


def test_templates_reach_the_query_and_nested_settings(load: Make) -> None:
    from jinja2 import Environment

    operator = load(
        sql="SELECT * FROM {{ source }}",
        redshift_conn_id="{{ source }}_db",
        columns={"price": {"name": "{{ source }}"}},
        dry_run="{{ only_look }}",
        iam_role="{{ source }}",
    )

    values: Any = {"source": "shop", "only_look": True}
    operator.render_template_fields(values, Environment(autoescape=False))

    assert ("SELECT * FROM shop", "shop_db") == (operator.sql, operator.redshift_conn_id)
    assert ({"price": {"name": "shop"}}, "True") == (operator.columns, operator.is_dry_run)
    assert "shop" == operator.iam_role


def test_a_query_may_stand_in_a_file_that_is_a_template(load: Make, tmp_path: Path) -> None:
    from jinja2 import Environment, FileSystemLoader

    (tmp_path / "products.sql").write_text("SELECT * FROM {{ source }}")
    environment = Environment(loader=FileSystemLoader(tmp_path), autoescape=False)
    operator = load(sql="products.sql")

    values: Any = {"source": "shop"}
    operator.render_template_fields(values, environment)

    assert "SELECT * FROM shop" == operator.sql


def test_a_mirror_makes_the_table_equal_the_query(
    load: Make, products: Postgres, gateway: "DynamoDBClient", lookup_table: str, new_task: NewTask
) -> None:
    first = load().execute(context_of(new_task()))
    products.run(
        "DELETE FROM products WHERE id = 'P1'",
        "UPDATE products SET name = 'new' WHERE id = 'P2'",
        "INSERT INTO products VALUES ('P0', NULL, 1)",
    )

    second = load().execute(context_of(new_task(run_id="tomorrow")))

    assert (ROWS, ROWS, ROWS) == (first["rows"], first["inserted"], first["written"])
    told = ("unchanged", "inserted", "updated", "deleted", "written", "table_items")
    assert (ROWS - 2, 1, 1, 1, 3, ROWS) == tuple(second[name] for name in told)
    found = items_of(gateway, lookup_table)
    assert {f"P{number}" for number in (0, *range(2, ROWS + 1))} == set(found)
    assert {"id": {"S": "P0"}, "price": {"N": "1"}} == found["P0"]
    assert {"id": {"S": "P2"}, "name": {"S": "new"}, "price": {"N": "0.5"}} == found["P2"]


def test_templated_text_is_coerced_in_execute(
    load: Make, gateway: "DynamoDBClient", lookup_table: str, new_task: NewTask
) -> None:
    operator = load(
        key_columns=" id ",
        units_per_second="None",
        ratio="1",
        segments="2",
        columns='{"price": "S", "name": {"drop": true}}',
        constants='{"source": {"S": "shop"}}',
        max_deletes="",
        max_shrink="0.5",
        dry_run="False",
        method="cursor",
        unload_above_rows="1000",
    )

    operator.execute(context_of(new_task()))

    assert {"id": {"S": "P4"}, "price": {"S": "1"}, "source": {"S": "shop"}} == items_of(
        gateway, lookup_table
    )["P4"]


def test_the_xcom_result_is_json_and_progress_and_metrics_are_sent(
    load: Make, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    gauges: dict[str, float] = {}
    monkeypatch.setattr(Stats, "gauge", lambda name, value, **_: gauges.update({name: value}))
    task = new_task()

    result = load().execute(context_of(task))

    assert result == json.loads(json.dumps(result))
    assert ("new", False, "table", []) == tuple(
        result[name] for name in ("start", "dry_run", "compared_with", "differences")
    )
    assert ROWS == task.pushed["progress"][-1]["items"]
    assert ROWS == gauges["dynamo_pipeline.lookup.items"]


def test_links_and_the_asset_event_tell_of_the_load(
    load: Make, lookup_table: str, bucket: str, new_task: NewTask
) -> None:
    task, made = new_task(), Asset("dynamodb://us-east-1/lookup")
    context: Any = {**context_of(task), "outlet_events": OutletEventAccessors()}
    operator = load(outlets=[made])

    record = operator.execute(context)

    assert {S3PrefixLink.key, DynamoDBTableLink.key} <= set(list(task.pushed)[:4])
    shown = [parts["prefix"] for parts in task.pushed[S3PrefixLink.key]]
    assert ["l/", record["changes_uri"].removeprefix(f"s3://{bucket}/")] == shown
    assert {**record, "s3_uri": f"s3://{bucket}/l"} == context["outlet_events"][made].extra
    assert [made] == operator.outlets


def test_lineage_names_the_database_of_the_connection(
    load: Make, products: Postgres, new_task: NewTask
) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    operator = load()

    operator.execute(context_of(new_task()))

    (source,) = operator.get_openlineage_facets_on_complete(None).inputs
    place = f"redshift://{products.host}:{products.redshift_port}"
    assert (place, products.database) == (source.namespace, source.name)
    assert ROWS == source.inputFacets["inputStatistics"].rowCount


def test_a_dry_run_names_the_differences_writes_no_item_and_makes_no_event(
    load: Make, gateway: "DynamoDBClient", lookup_table: str, new_task: NewTask
) -> None:
    operator = load(outlets=[Asset("x://y")], dry_run="True", max_differences=2)
    context: Any = {**context_of(new_task()), "outlet_events": OutletEventAccessors()}

    record = operator.execute(context)

    assert (True, ROWS, 0) == tuple(record[name] for name in ("dry_run", "inserted", "written"))
    assert 2 == len(record["differences"])
    assert {} == items_of(gateway, lookup_table)
    assert [] == operator.outlets


def test_a_check_after_a_load_finds_nothing_to_change(load: Make, new_task: NewTask) -> None:
    load().execute(context_of(new_task()))

    check = load(dry_run=True, max_changes=0).execute(context_of(new_task(run_id="check")))

    assert (ROWS, 0, 0, 0) == tuple(check[n] for n in ("unchanged", "inserted", "updated", "deleted"))


@pytest.mark.parametrize(
    ("statements", "settings", "words"),
    [
        (["DELETE FROM products"], {}, "rows"),
        (["DELETE FROM products WHERE id > 'P3'"], {}, "max_shrink"),
        (["DELETE FROM products WHERE id IN ('P1', 'P2')"], {"max_deletes": "1"}, "max_deletes"),
        (["UPDATE products SET name = 'x'"], {"max_changes": 10}, "max_changes"),
        (["INSERT INTO products VALUES ('P1', 'again', 1)"], {}, "P1"),
        (["INSERT INTO products VALUES ('', 'no key', 1)"], {}, "max_rejected"),
    ],
    ids=["empty", "shrank", "deletes", "changes", "repeated", "rejected"],
)
def test_a_guard_fails_the_task_at_once_and_the_table_stays(
    load: Make,
    products: Postgres,
    gateway: "DynamoDBClient",
    lookup_table: str,
    new_task: NewTask,
    statements: list[str],
    settings: dict[str, Any],
    words: str,
) -> None:
    load().execute(context_of(new_task()))
    before = items_of(gateway, lookup_table)
    products.run(*statements)

    with pytest.raises(AirflowFailException) as caught:
        load(**settings).execute(context_of(new_task(run_id="tomorrow")))

    assert "refused before the first write" in str(caught.value)
    assert words in str(caught.value)
    assert before == items_of(gateway, lookup_table)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mode": "replace"}, "mode: 'replace' is not one of"),
        ({"ratio": "7"}, "ratio: 7 is not above 0"),
        ({"method": "carrier"}, "method: 'carrier' is not one of"),
        ({"method": "unload"}, "iam_role: is required with method='unload'"),
        ({"redshift_conn_id": ""}, "conn_id: is required"),
        ({"columns": "id"}, "columns: 'id' is not"),
    ],
)
def test_settings_that_cannot_work_fail_at_once(
    load: Make, new_task: NewTask, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        load(**settings).execute(context_of(new_task()))

    assert words in str(caught.value)


def test_settings_of_the_load_and_of_the_warehouse_are_refused_together(
    load: Make, new_task: NewTask
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        load(mode="replace", method="data_api").execute(context_of(new_task()))

    assert "mode: 'replace'" in str(caught.value)
    assert "cluster_identifier: is required" in str(caught.value)


def test_a_connection_that_is_not_there_fails_at_once(load: Make, new_task: NewTask) -> None:
    with pytest.raises(AirflowFailException, match="no such connection: nowhere"):
        load(redshift_conn_id="nowhere").execute(context_of(new_task()))


def test_sql_that_cannot_run_fails_at_once_beside_what_else_is_wrong(load: Make, new_task: NewTask) -> None:
    with pytest.raises(AirflowFailException) as caught:
        load(sql="SELECT nothing FROM nowhere", table_name="no-such-table").execute(context_of(new_task()))

    assert 'relation "nowhere" does not exist' in str(caught.value)
    assert "no such table: no-such-table" in str(caught.value)


def test_a_database_that_cannot_be_reached_is_left_to_airflows_retries(
    load: Make, database: Postgres, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("airflow.providers.postgres")
    away = {**redshift_connection(database), "conn_type": "postgres", "port": free_port(), "extra": {}}
    monkeypatch.setenv("AIRFLOW_CONN_AWAY", json.dumps(away))
    settings = {name: getattr(load(), name) for name in ("sql", "table_name", "key_columns", "s3_uri")}
    operator = SqlToDynamoDBOperator(task_id="load", conn_id="away", **settings)

    with pytest.raises(ServiceTrouble, match="connecting to connection away"):
        operator.execute(context_of(new_task()))


def test_no_password_is_in_log_or_record(
    load: Make, database: Postgres, new_task: NewTask, caplog: pytest.LogCaptureFixture
) -> None:
    record = load().execute(context_of(new_task()))

    assert database.password not in caplog.text
    assert database.password not in json.dumps(record)


def test_a_retry_after_the_end_adopts_the_load_without_running_the_query(
    load: Make, products: Postgres, new_task: NewTask
) -> None:
    first = load().execute(context_of(new_task()))
    products.run("DELETE FROM products")

    again = load().execute(context_of(new_task()))

    assert {**first, "start": "adopt"} == again


def test_clear_of_a_succeeded_task_loads_again(
    load: Make, products: Postgres, gateway: "DynamoDBClient", lookup_table: str, new_task: NewTask
) -> None:
    first = load().execute(context_of(new_task(max_tries=0)))
    products.run("DELETE FROM products WHERE id = 'P1'")

    second = load().execute(context_of(new_task(max_tries=1)))

    assert ("new", 1) == (second["start"], second["deleted"])
    assert first["run_id"] != second["run_id"]
    assert ROWS - 1 == len(items_of(gateway, lookup_table))


def test_a_load_that_was_killed_on_kill_goes_on_with_its_change_set(
    load: Make, products: Postgres, gateway: "DynamoDBClient", lookup_table: str, new_task: NewTask
) -> None:
    with pytest.raises(Stopped):
        stopped_after_calls(1, load(units_per_second=SLOW), new_task())
    left = len(items_of(gateway, lookup_table))
    products.run("UPDATE products SET name = 'later'")

    result = load(units_per_second=10_000).execute(context_of(new_task()))

    assert 0 < left < ROWS
    assert ("resume", ROWS) == (result["start"], result["inserted"])
    names = {item["name"]["S"] for item in items_of(gateway, lookup_table).values()}
    assert {f"name {number}" for number in range(1, ROWS + 1)} == names


def stopped_after_calls(calls: int, load: SqlToDynamoDBOperator, task: FakeTask) -> None:
    """Run a load; call ``on_kill`` once so many batches were sent."""
    asked = threading.Semaphore(0)
    client = load.hook.client_for("dynamodb")
    client.meta.events.register("before-call.dynamodb.BatchWriteItem", lambda **_: asked.release())
    original = type(load.hook).client_for

    def client_for(self: Any, service: str) -> Any:
        return client if service == "dynamodb" else original(self, service)

    def kill() -> None:
        for _ in range(calls):
            asked.acquire()
        load.on_kill()

    patched = pytest.MonkeyPatch()
    patched.setattr(type(load.hook), "client_for", client_for)
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        load.execute(context_of(task))
    finally:
        patched.undo()
        killer.join()


@pytest.mark.parametrize("kind", ["postgres", "redshift"])
def test_on_kill_is_heard_while_the_query_runs(
    kind: str, load: Make, products: Postgres, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator: SqlToDynamoDBOperator = load(sql=SLEEP)
    if kind == "postgres":
        pytest.importorskip("airflow.providers.postgres")
        shop = {**redshift_connection(products), "port": products.port, "conn_type": kind, "extra": {}}
        monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(shop))
        settings = {name: getattr(operator, name) for name in ("sql", "table_name", "key_columns", "s3_uri")}
        operator = SqlToDynamoDBOperator(task_id="load", conn_id="shop", **settings)
    ended = threading.Event()

    def kill() -> None:
        with contextlib.closing(products.psycopg2()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not ended.is_set():
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
                if cursor.fetchone()[0]:
                    operator.on_kill()
                    return

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(Stopped, match="the statement is cancelled"):
            operator.execute(context_of(new_task()))
    finally:
        ended.set()
        killer.join()
        products.run(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        )  # PostgreSQL sees no connection that was closed


def test_what_is_unloaded_may_have_the_loads_own_key(
    load: Make, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []

    def source(*_arguments: Any, kms_key_id: str, **_settings: Any) -> Any:
        keys.append(kms_key_id)
        raise ServiceTrouble("no more is asked")

    monkeypatch.setattr(redshift_lookup, "redshift_source", source)

    with pytest.raises(ServiceTrouble, match="no more is asked"):
        load(s3_sse_kms_key_id="k").execute(context_of(new_task()))
    assert ["k"] == keys


def test_on_kill_before_execute_does_nothing_and_an_operator_can_be_copied(
    load: Make, new_task: NewTask
) -> None:
    operator = load()
    operator.on_kill()
    copy.deepcopy(operator)

    operator.execute(context_of(new_task()))

    assert SQL == copy.copy(operator).sql


def test_a_table_with_a_production_tag_is_refused_at_once_unless_it_is_allowed(
    load: Make, gateway: "DynamoDBClient", lookup_table: str, new_task: NewTask
) -> None:
    arn = gateway.describe_table(TableName=lookup_table)["Table"]["TableArn"]
    gateway.tag_resource(ResourceArn=arn, Tags=[{"Key": "env", "Value": "prod"}])

    with pytest.raises(AirflowFailException, match="has the tag env=prod"):
        load().execute(context_of(new_task()))

    assert ROWS == load(allow_protected=True).execute(context_of(new_task()))["written"]


# --- any connection -------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["postgres", "sqlite"])
def test_the_same_door_is_open_to_other_databases(
    provider: str,
    products: Postgres,
    gateway: "DynamoDBClient",
    lookup_table: str,
    bucket: str,
    tmp_path: Path,
    new_task: NewTask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip(f"airflow.providers.{provider}")
    connection = {
        **redshift_connection(products),
        "port": products.port,
        "conn_type": "postgres",
        "extra": {},
    }
    if provider == "sqlite":
        connection = {"conn_type": "sqlite", "host": sqlite_file(tmp_path)}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(connection))
    operator = SqlToDynamoDBOperator(
        task_id="load",
        conn_id="shop",
        sql=SQL,
        table_name=lookup_table,
        key_columns=["id"],
        s3_uri=f"s3://{bucket}/l",
        ratio=1,
    )

    record = operator.execute(context_of(new_task()))

    assert ROWS == record["written"]
    found = items_of(gateway, lookup_table)
    assert {"id": {"S": "P2"}, "name": {"S": "name 2"}, "price": {"N": "0.5"}} == found["P2"]


def sqlite_file(folder: Path) -> str:
    """The same products in a file."""
    import sqlite3

    file = folder / "shop.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE products (id text, name text, price numeric)")
    rows = [(f"P{n}", f"name {n}", n / 4) for n in range(1, ROWS + 1)]
    connection.executemany("INSERT INTO products VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return str(file)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("aws", "connection shop is of type aws, which runs no SQL"),
        ("cuneiform", "install the provider of this type of connection"),
    ],
)
def test_a_connection_that_runs_no_sql_fails_at_once(
    load: Make, kind: str, words: str, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps({"conn_type": kind}))
    settings = {name: getattr(load(), name) for name in ("sql", "table_name", "key_columns", "s3_uri")}
    operator = SqlToDynamoDBOperator(task_id="load", conn_id="shop", **settings)

    with pytest.raises(AirflowFailException, match=words):
        operator.execute(context_of(new_task()))
