"""A lookup table that equals a query of PostgreSQL, mirrored by the command line night after night."""

import contextlib
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.demo.commands import Figures, run_command
from tests.demo.result import WIDTH
from tests.services import Services, aws_client
from tests.services.postgres import Postgres

LOOKUP = "products"
LOOKUP_BUCKET = "lookups"
PRODUCTS = 20_000
CHANGED = 200  # of the second night, of all kinds together
UNITS = 4000
SQL = "SELECT product_id, name, price, available, updated_at FROM products WHERE programme = 'gold'"
FILL = f"""
INSERT INTO products
SELECT 'P' || lpad(n::text, 8, '0'), 'Product ' || n, (n % 90000 + 100) / 100.0, n % 5 > 0,
       timestamp '2026-01-01' + n * interval '1 minute', 'gold'
FROM generate_series(1, {PRODUCTS}) AS n
"""
NIGHT = (
    "DELETE FROM products WHERE product_id <= 'P00000050'",
    """
    INSERT INTO products
    SELECT 'N' || substr(product_id, 2), name, price, available, updated_at, programme FROM products
    WHERE product_id BETWEEN 'P00001001' AND 'P00001050'
    """,
    "UPDATE products SET price = price + 1 WHERE product_id BETWEEN 'P00002001' AND 'P00002100'",
)


def prepare(services: Services, database: Postgres) -> None:
    """Make the products, an empty lookup table, and the bucket of work files and change sets."""
    database.run(
        "CREATE TABLE products (product_id varchar(20), name varchar(80), price numeric(10, 2),"
        " available boolean, updated_at timestamp, programme varchar(10))",
        FILL,
        "INSERT INTO products SELECT 'S' || product_id, name, price, available, updated_at, 'silver'"
        " FROM products LIMIT 1000",
    )
    aws_client("s3", services.moto_url).create_bucket(Bucket=LOOKUP_BUCKET)
    aws_client("dynamodb", services.gateway_url).create_table(
        TableName=LOOKUP,
        KeySchema=[{"AttributeName": "product_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "product_id", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": UNITS, "WriteCapacityUnits": UNITS},
    )


def mirrored(services: Services, database: Postgres) -> Figures:
    """Make the table equal the query's rows; what the command says."""
    uri = f"postgresql://{database.user}@{database.host}:{database.port}/{database.database}"
    arguments = ["--sql", SQL, "--source-uri", uri, "--table", LOOKUP, "--key-columns", "product_id"]
    arguments += ["--s3-uri", f"s3://{LOOKUP_BUCKET}/nightly", "--ratio", "1"]
    return run_command(services, "lookup", *arguments, DYNAMO_PIPELINE_SOURCE_PASSWORD=database.password)


def change(database: Postgres) -> None:
    """What a day does: 50 products leave, 50 are new, 100 have another price."""
    database.run(*NIGHT)


def show(title: str, figures: Figures) -> None:
    """Print what one night did."""
    table = Table(title=title, show_header=False, title_justify="left", box=None)
    names = ("unchanged", "inserted", "updated", "deleted")
    table.add_row("rows", f"{figures['rows']:,}: " + ", ".join(f"{figures[name]:,} {name}" for name in names))
    table.add_row(
        "units consumed",
        f"{figures['read_units']:,.1f} read, {figures['consumed_units']:,.1f} write capacity units",
    )
    table.add_row("change set", figures["changes_uri"] or "nothing changed")
    Console(highlight=False, width=WIDTH).print(table)


def check(services: Services, database: Postgres, figures: Figures) -> None:
    """Compare the query's rows with the table's items, one by one; fails when they differ."""
    rows, items = dict(_rows(database)), dict(_items(services))
    changes = figures["inserted"] + figures["updated"] + figures["deleted"]
    if rows != items:
        differing = sum(rows.get(key) != items.get(key) for key in rows.keys() | items.keys())
        raise SystemExit(f"table {LOOKUP} and the query differ in {differing:,} products")
    if changes != CHANGED or figures["written"] != CHANGED:
        raise SystemExit(f"{figures['written']:,} items were written for {CHANGED:,} changes")
    print(f"identical: {len(items):,} rows of the query and items of table {LOOKUP}")


def _rows(database: Postgres) -> Iterator[tuple[str, Any]]:
    """The query's rows as the items they should be, by key."""
    with contextlib.closing(database.psycopg2()) as connection, connection.cursor() as cursor:
        cursor.execute(SQL)
        for product_id, name, price, available, updated_at in cursor:
            yield (
                product_id,
                {
                    "product_id": {"S": product_id},
                    "name": {"S": name},
                    "price": {"N": f"{price.normalize():f}"},
                    "available": {"BOOL": available},
                    "updated_at": {"S": updated_at.isoformat(timespec="microseconds") + "Z"},
                },
            )


def _items(services: Services) -> Iterator[tuple[str, Any]]:
    pages = aws_client("dynamodb", services.gateway_url).get_paginator("scan")
    for page in pages.paginate(TableName=LOOKUP, ConsistentRead=True):
        for item in page["Items"]:
            yield item["product_id"]["S"], item
