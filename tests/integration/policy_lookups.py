"""The ways of loading lookup tables that are tried under the policy printed for them."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from click.testing import CliRunner

from airflow_dynamo_pipeline.cli.main import main
from airflow_dynamo_pipeline.engine.batch_writing import BatchWriting
from airflow_dynamo_pipeline.engine.ledger import Entry
from airflow_dynamo_pipeline.errors import ItemRefused, Stopped
from airflow_dynamo_pipeline.operators.lookup import RedshiftToDynamoDBOperator, SqlToDynamoDBOperator
from tests.airflow.conftest import FakeTask, context_of
from tests.integration.policy_imports import INDEXED
from tests.integration.policy_runs import HEAD_BUCKET, Run
from tests.integration.policy_simulator import Call
from tests.integration.policy_stage import INDEX, KEY, Stage, nothing
from tests.integration.world import QUICK
from tests.services.postgres import Postgres, postgres
from tests.services.redshift_data import redshift_data
from tests.services.redshift_unload import Unloader

Rows = Sequence[tuple[str, object]]
ROWS: Rows = [(f"{number}", f"shop {number}") for number in range(60)]
LATER: Rows = [*ROWS[1:], ("new", "shop")]
SQL = "SELECT pk, shop FROM products"
ROLE = "arn:aws:iam::123456789012:role/unload"
LAST = 3  # of the statements that look at the query
DELETE = frozenset({"dynamodb:DeleteItem"})
SINGLE = frozenset({"dynamodb:PutItem"}) | DELETE
BY_KEYS = frozenset({"dynamodb:BatchGetItem"})  # for a table that is large beside the rows


@contextlib.contextmanager
def _shop(rows: Rows) -> Iterator[str]:
    """A file of SQLite with a connection to it; yields its path."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shop.db"
        with contextlib.closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("CREATE TABLE products (pk text, shop)")
            connection.executemany("INSERT INTO products VALUES (?, ?)", rows)
        told = json.dumps({"conn_type": "sqlite", "host": str(file)})
        with mock.patch.dict(os.environ, AIRFLOW_CONN_SHOP=told):
            yield str(file)


def _operator(stage: Stage, **settings: Any) -> SqlToDynamoDBOperator:
    rate = {"units_per_second": QUICK, "read_units_per_second": QUICK} if "ratio" not in settings else {}
    given = {
        "conn_id": "shop",
        "sql": SQL,
        "table_name": stage.new_table,
        "key_columns": "pk",
        "s3_uri": stage.uri,
        "segments": 1,
    }
    return SqlToDynamoDBOperator(task_id="load", **{**given, **rate, **settings})


def load(stage: Stage, rows: Rows = ROWS, run_id: str = "", **settings: Any) -> dict[str, Any]:
    """Load as a task does."""
    with _shop(rows):
        return _operator(stage, **settings).execute(context_of(FakeTask(run_id or uuid.uuid4().hex)))


def _twice(stage: Stage, **settings: Any) -> None:
    first, second = load(stage, **settings), load(stage, LATER, **settings)
    assert (60, 1) == (first["inserted"], second["inserted"] + second["updated"])


def _make_indexed(stage: Stage) -> None:
    """On demand, with an index whose key an item may have of another type: DynamoDB refuses its batch."""
    key: Any = [{"AttributeName": "pk", "KeyType": "HASH"}]
    index: Any = {
        "IndexName": INDEX,
        "KeySchema": [{"AttributeName": "shop", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    stage.dynamodb.create_table(
        TableName=stage.new_table + INDEXED,
        KeySchema=key,
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "shop", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[index],
    )


@contextlib.contextmanager
def _no_batches_of_deletes() -> Iterator[None]:
    """As if DynamoDB left them unprocessed for so long that single items are tried."""
    send = BatchWriting._send

    def refuse(self: BatchWriting, entries: list[Entry], units: int) -> list[Entry]:
        if any(entry.is_delete for entry in entries):
            raise ItemRefused("not in a batch")
        return send(self, entries, units)

    with mock.patch.object(BatchWriting, "_send", refuse):
        yield


def _everything(stage: Stage) -> None:
    settings: dict[str, Any] = {
        "table_name": stage.new_table + INDEXED,
        "compare": "digests",
        "ratio": 1,
        "max_rejected": 1,
        "s3_sse_kms_key_id": KEY,
    }
    first = load(stage, **settings)
    with _no_batches_of_deletes():
        second = load(stage, [*ROWS[1:], ("new", 1)], **settings)
    third = load(stage, ROWS, **{**settings, "max_shrink": 1})
    assert ("table", 1, 1) == (first["compared_with"], second["refused"], second["deleted"])
    assert 60 == third["unchanged"] + third["inserted"]
    stage.dynamodb.delete_table(TableName=stage.new_table + INDEXED)


def _generations(stage: Stage) -> None:
    first = load(stage, generation_days=2, ttl_attribute="gone_at")
    second = load(stage, generation_days=2, ttl_attribute="gone_at")
    assert (60, 60) == (first["written"], second["written"])


def _expiring(stage: Stage) -> None:
    stage.dynamodb.update_time_to_live(
        TableName=stage.new_table,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone_at"},
    )


def _resume(stage: Stage) -> None:
    """Stopped at its first batch, and gone on with; an upload of a killed attempt is beside it."""
    run_id = uuid.uuid4().hex
    with _shop(ROWS):
        first = _operator(stage)

        def stop(call: Call) -> None:
            if call.operation == "BatchWriteItem" and first._stop is not None:
                first._stop.set()

        stage.after = stop
        with pytest.raises(Stopped):
            first.execute(context_of(FakeTask(run_id)))
        stage.after = nothing

    assert "resume" == load(stage, LATER, run_id)["start"]


def _adopt(stage: Stage) -> None:
    run_id = uuid.uuid4().hex
    assert {**load(stage, run_id=run_id), "start": "adopt"} == load(stage, run_id=run_id)


def _from_the_command_line(stage: Stage) -> None:
    with _shop(ROWS) as file:
        place = ("--table", stage.new_table, "--s3-uri", stage.uri, "--source-uri", f"sqlite:///{file}")
        rates = ("--units-per-second", str(QUICK), "--read-units-per-second", str(QUICK))
        done = CliRunner().invoke(
            main, ["lookup", *place, *rates, "--sql", SQL, "--key-columns", "pk", "--json"]
        )
    assert 0 == done.exit_code, done.output
    assert 60 == json.loads(done.stdout)["written"]


def _run(name: str, act: Callable[[Stage], object], arguments: str, **more: Any) -> Run:
    given = {"borne": HEAD_BUCKET, **more}
    return Run(name=name, operator="SqlToDynamoDBOperator", act=act, arguments=arguments, **given)


ABSOLUTE = "--table {new_table} --s3-uri {uri} --no-on-demand-ratio"
EVERYTHING = _run(
    "lookup load by digests, encrypted, by a ratio of an on-demand table with an index",
    _everything,
    "--table {new_table}" + INDEXED + " --s3-uri {uri} --s3-sse-kms-key-id {key}",
    prepare=_make_indexed,
)
MIRROR = _run("lookup load", _twice, ABSOLUTE, unused=SINGLE)
CONDITIONAL = _run(
    "lookup load of what is not there",
    lambda stage: _twice(stage, mode="insert_only", allow_protected=True),
    ABSOLUTE + " --mode insert_only --allow-protected",
    unused=BY_KEYS,
)
GENERATIONS = _run(
    "lookup load of generations",
    _generations,
    ABSOLUTE + " --generations",
    prepare=_expiring,
)
LOOKUPS = (
    EVERYTHING,
    MIRROR,
    CONDITIONAL,
    GENERATIONS,
    _run("lookup load that is resumed", _resume, ABSOLUTE, unused=SINGLE),
    _run("lookup load that is adopted", _adopt, ABSOLUTE, unused=SINGLE),
    _run("lookup load from the command line", _from_the_command_line, ABSOLUTE, unused=SINGLE),
    _run(
        "lookup load that is only rehearsed",
        lambda stage: load(stage, dry_run=True),
        ABSOLUTE + " --allow-protected",
        unused=SINGLE | {"dynamodb:BatchWriteItem", "dynamodb:DescribeTimeToLive"},
    ),
)


# --- Redshift -------------------------------------------------------------------------------------


class StageUnloader(Unloader):
    """Unloads into the bucket of a stage, which is told of keys that encrypt."""

    stage: Stage

    def run(self, sql: str) -> None:
        self._s3 = self.stage.s3
        super().run(sql)
        unloaded = [key for key in self.stage.listed() if "/unload-" in key and KEY in sql]
        self.stage.keys.update({f"arn:aws:s3:::{self.stage.bucket}/{key}": KEY for key in unloaded})


@dataclass(frozen=True)
class Warehouse:
    """A database, and the Data API before it."""

    database: Postgres
    unloader: StageUnloader
    api_url: str


@functools.cache
def warehouse() -> Warehouse:
    """Started when first asked for; it ends with this process."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    database = stack.enter_context(postgres())
    database.run(
        "CREATE TABLE products (pk text, shop text)",
        "INSERT INTO products SELECT n::text, 'shop ' || n FROM generate_series(1, 60) n",
    )
    unloader = StageUnloader(database, None)  # type: ignore[arg-type]  # each stage has its own
    return Warehouse(database, unloader, stack.enter_context(redshift_data(database, unloader)))


@contextlib.contextmanager
def _redshift(stage: Stage, **settings: Any) -> Iterator[RedshiftToDynamoDBOperator]:
    """By UNLOAD where a role is given, by the Data API where a cluster is."""
    found = warehouse()
    found.unloader.stage = stage
    given: dict[str, Any] = {
        "sql": SQL,
        "table_name": stage.new_table,
        "key_columns": "pk",
        "s3_uri": stage.uri,
        "units_per_second": QUICK,
        "read_units_per_second": QUICK,
        "segments": 1,
    }
    if "cluster_identifier" in settings or "workgroup_name" in settings:
        given["database"] = found.database.database
    told = {
        "conn_type": "redshift",
        "host": found.database.host,
        "port": found.database.redshift_port,
        "login": found.database.user,
        "password": found.database.password,
        "schema": found.database.database,
        "extra": {"ssl": False},
    }
    aws = json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"])
    aws["extra"]["service_config"]["redshift-data"] = {"endpoint_url": found.api_url}
    more = {"AIRFLOW_CONN_REDSHIFT_DEFAULT": json.dumps(told), "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws)}
    with mock.patch.dict(os.environ, more):
        yield RedshiftToDynamoDBOperator(task_id="load", **given, **settings)


def _load_redshift(stage: Stage, **settings: Any) -> None:
    with _redshift(stage, **settings) as operator:
        assert 60 == operator.execute(context_of(FakeTask(uuid.uuid4().hex)))["written"]


def _unload(stage: Stage) -> None:
    """Of a table with an item that the query has not."""
    stage.dynamodb.put_item(TableName=stage.new_table, Item={"pk": {"S": "gone"}})
    settings = {**OF_CLUSTER, "kms_key_id": KEY, "db_user": "loader"}
    with _redshift(stage, **settings) as operator, _no_batches_of_deletes():
        assert 61 == operator.execute(context_of(FakeTask(uuid.uuid4().hex)))["written"]


def _cancel_statement(stage: Stage) -> None:
    """Stopped while its third statement runs: the ones before it only look at the query."""
    begun: list[Call] = []
    with _redshift(stage, cluster_identifier="analytics") as operator:

        def stop(call: Call) -> None:
            begun.extend([call] if call.operation == "ExecuteStatement" else [])
            if call.operation == "DescribeStatement" and len(begun) == LAST and operator._stop is not None:
                operator._stop.set()

        stage.after = stop
        with pytest.raises(Stopped):
            operator.execute(context_of(FakeTask(uuid.uuid4().hex)))
    stage.after = nothing


def _of_redshift(name: str, settings: dict[str, Any], arguments: str, **more: Any) -> Run:
    return Run(
        name=f"lookup load from Redshift {name}",
        operator="RedshiftToDynamoDBOperator",
        arguments=ABSOLUTE + arguments,
        borne=HEAD_BUCKET,
        **{"act": lambda stage: _load_redshift(stage, **settings), "unused": SINGLE, **more},
    )


CANCEL = frozenset({"redshift-data:CancelStatement"})
OF_CLUSTER = {"method": "unload", "iam_role": ROLE, "cluster_identifier": "analytics"}
UNLOADED = _of_redshift(
    "by UNLOAD and the Data API, as a database user",
    {},
    " --cluster-identifier analytics --db-user loader --kms-key-id {key}",
    act=_unload,
    unused=(SINGLE - DELETE) | CANCEL,
)
BY_API = _of_redshift(
    "by the Data API",
    {"cluster_identifier": "analytics"},
    " --cluster-identifier analytics --database postgres",
    unused=SINGLE | CANCEL,
)
SERVERLESS = _of_redshift(
    "Serverless, of generations",
    {"workgroup_name": "nightly", "generation_days": 2, "ttl_attribute": "gone_at"},
    " --workgroup-name nightly --generations",
    prepare=_expiring,
    unused=CANCEL,
)
BY_SECRET = _of_redshift(
    "by a secret",
    {"workgroup_name": "nightly", "secret_arn": "arn:aws:secretsmanager:us-east-1:111122223333:secret:s"},
    " --workgroup-name nightly --secret-arn arn:aws:secretsmanager:us-east-1:111122223333:secret:s",
    unused=SINGLE | CANCEL,
)
BY_CURSOR = _of_redshift(
    "by a cursor, of what is not there", {"mode": "insert_only"}, " --mode insert_only", unused=BY_KEYS
)
CANCELLED = Run(
    name="lookup load from Redshift that is stopped while its statement runs",
    operator="RedshiftToDynamoDBOperator",
    act=_cancel_statement,
    arguments=ABSOLUTE + " --cluster-identifier analytics",
    borne=HEAD_BUCKET,
    unused=SINGLE
    | {
        "dynamodb:BatchWriteItem",
        "dynamodb:DescribeTimeToLive",
        "dynamodb:Scan",
    },
    bearable=CANCEL,  # the statement then runs on for nothing
)
REDSHIFTS = (UNLOADED, BY_API, SERVERLESS, BY_SECRET, BY_CURSOR, CANCELLED)
MOST_LOOKUPS = (EVERYTHING, UNLOADED, SERVERLESS, CANCELLED)
LOOKUP = "--table {new_table} --s3-uri {uri} --no-on-demand-ratio"
ELSEWHERE_LOOKUPS = [
    (MIRROR, LOOKUP.replace("{new_table}", "{new_table}2"), "dynamodb:DescribeTable"),
    (MIRROR, LOOKUP.replace("{uri}", "{uri}2"), "s3:ListBucket"),
    (MIRROR, LOOKUP + " --generations", "dynamodb:Scan"),
    (MIRROR, LOOKUP + " --mode insert_only", "dynamodb:BatchWriteItem"),
    (MIRROR, LOOKUP + " --allow-protected", "dynamodb:ListTagsOfResource"),
    (BY_API, LOOKUP + " --cluster-identifier another", "redshift-data:ExecuteStatement"),
    (BY_API, LOOKUP + " --workgroup-name nightly", "redshift-data:ExecuteStatement"),
    (UNLOADED, LOOKUP + " --cluster-identifier analytics --db-user loader", "kms:Decrypt"),
]
