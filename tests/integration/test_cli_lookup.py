"""``dynamo-pipeline lookup`` as people run it, with a file of SQLite and a PostgreSQL behind two drivers."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.test_cli import PATIENCE_SECONDS, Command, ended, read_until, running
from tests.integration.world import create_table
from tests.services import Services, aws_client
from tests.services.postgres import Postgres, postgres

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient

ROWS = [(f"P{number:03}", f"name {number}", number) for number in range(200)]
QUICK = ("--units-per-second", "100000", "--read-units-per-second", "100000")
SLOW = ("--units-per-second", "2", "--read-units-per-second", "100000")
COLUMNS = '{"id": {"name": "pk"}}'


@dataclass
class Shop:
    """A file with products, and a lookup table of them."""

    file: Path
    table: str
    dynamodb: DynamoDBClient

    def fill(self, rows: Sequence[tuple[object, ...]]) -> None:
        with contextlib.closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS products (id TEXT, name TEXT, price NUMERIC)")
            connection.execute("DELETE FROM products")
            connection.executemany("INSERT INTO products VALUES (?, ?, ?)", rows)

    def items(self) -> dict[str, dict[str, object]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return {item["pk"]["S"]: dict(item) for page in pages for item in page["Items"]}


@pytest.fixture
def shop(services: Services, tmp_path: Path) -> Iterator[Shop]:
    dynamodb = aws_client("dynamodb", services.gateway_url)
    made = Shop(tmp_path / "shop.db", create_table(dynamodb), dynamodb)
    made.fill(ROWS)
    yield made
    dynamodb.delete_table(TableName=made.table)


@pytest.fixture
def command(services: Services, bucket: str, shop: Shop) -> Command:
    arguments = ("lookup", "--table", shop.table, "--key-columns", "id", "--columns", COLUMNS, "--json")
    more = ("--s3-uri", f"s3://{bucket}/l", "--sql", "SELECT id, name, price FROM products")
    return Command(services.gateway_url, services.moto_url, (*arguments, *more))


def of_file(shop: Shop) -> tuple[str, str]:
    return "--source-uri", f"sqlite:///{shop.file}"


def test_a_table_equals_a_query_and_then_the_query_that_changed(command: Command, shop: Shop) -> None:
    first = command.run(*of_file(shop), *QUICK).result
    shop.fill([("P001", "eins", 1), *ROWS[2:], ("P999", "new", 9.5)])

    second = command.run(*of_file(shop), *QUICK).result

    assert (200, 200) == (first["rows"], first["written"])
    told = ("unchanged", "inserted", "updated", "deleted", "written")
    assert (198, 1, 1, 1, 3) == tuple(second[name] for name in told)
    found = shop.items()
    assert {"pk": {"S": "P001"}, "name": {"S": "eins"}, "price": {"N": "1"}} == found["P001"]
    assert {"pk": {"S": "P999"}, "name": {"S": "new"}, "price": {"N": "9.5"}} == found["P999"]
    assert "P000" not in found


def test_a_dry_run_names_the_differences_and_writes_no_item(command: Command, shop: Shop) -> None:
    looked = command.run(*of_file(shop), "--dry-run", "--max-differences", "3", *QUICK)

    assert (True, 200, 0) == tuple(looked.result[name] for name in ("dry_run", "inserted", "written"))
    assert 3 == len(looked.result["differences"])
    assert looked.result["differences"][0] in looked.err
    assert {} == shop.items()


def test_a_check_is_a_dry_run_that_tolerates_no_change(command: Command, shop: Shop) -> None:
    check = ("--dry-run", "--max-changes", "0", *of_file(shop), *QUICK)
    refused = command.run(*check)
    command.run(*of_file(shop), *QUICK)

    assert (10, "") == (refused.code, refused.out)
    assert "LookupRefused" == json.loads(refused.err.splitlines()[-1])["code"]
    assert 200 == command.run(*check).result["unchanged"]


def test_a_guard_ends_with_10_and_rejected_rows_with_1_or_3(command: Command, shop: Shop) -> None:
    command.run(*of_file(shop), *QUICK)
    shop.fill(ROWS[:100])
    shrunk = command.run(*of_file(shop), *QUICK)
    shop.fill([*ROWS, ("", "no key", 1)])
    too_many = command.run(*of_file(shop), *QUICK)
    tolerated = command.run(*of_file(shop), "--max-rejected", "1", *QUICK)

    assert [10, 10, 3] == [shrunk.code, too_many.code, tolerated.code]
    assert "max_shrink" in shrunk.err
    assert 1 == json.loads(tolerated.out)["rejected"]
    assert 200 == len(shop.items())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_and_the_same_command_brings_the_rest(
    command: Command, shop: Shop, number: signal.Signals
) -> None:
    with running(command.start(*of_file(shop), *SLOW)) as process:
        read_until(process.stderr, "the query has 200 rows")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not shop.items():
            assert time.monotonic() < deadline, "nothing was written"
        process.send_signal(number)
        stopped = ended(process)
    left = len(shop.items())

    result = command.run(*of_file(shop), *QUICK).result

    assert (130, "") == (stopped.code, stopped.out)
    assert 0 < left < 200
    assert (left, 200 - left) == (result["unchanged"], result["inserted"])
    assert 200 == len(shop.items())


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as found:
        yield found


@pytest.mark.parametrize("scheme", ["postgresql", "redshift"])
@pytest.mark.parametrize("variable", ["DYNAMO_PIPELINE_SOURCE_PASSWORD", "PGPASSWORD"])
def test_a_password_comes_from_the_environment_and_is_shown_nowhere(
    command: Command, shop: Shop, database: Postgres, scheme: str, variable: str
) -> None:
    database.run(
        "DROP TABLE IF EXISTS products",
        "CREATE TABLE products (id text, name text, price numeric)",
        "INSERT INTO products VALUES ('P1', 'eins', 1.50)",
    )
    port = database.port if scheme == "postgresql" else database.redshift_port
    uri = f"{scheme}://{database.user}@{database.host}:{port}/{database.database}"
    if scheme == "redshift":
        uri += "?ssl=false"
    command.environment[variable] = database.password

    done = command.run("--source-uri", uri, *QUICK)

    assert database.password not in done.out + done.err
    if (scheme, variable) == ("redshift", "PGPASSWORD"):  # which only PostgreSQL's own drivers read
        assert 10 == done.code
        return
    assert 1 == done.result["written"]
    assert {"P1": {"pk": {"S": "P1"}, "name": {"S": "eins"}, "price": {"N": "1.5"}}} == shop.items()
    assert f"{scheme}://{database.host}:{port}/{database.database}" in done.err


def test_a_file_that_is_not_there_is_refused(command: Command) -> None:
    done = command.run("--source-uri", "sqlite:////no/such/shop.db", *QUICK)

    assert (10, "") == (done.code, done.out)
    assert "there is no file" in done.err
