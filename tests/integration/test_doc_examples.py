"""Every command in the documentation works as it stands there."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo import restore
from tests.demo.table import prepare
from tests.services import Services, aws_client, running_services
from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
EXAMPLES = sorted(FOLDER.glob("*.sh"))
ITEMS = 200


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """A shell whose ``orders`` and ``backups`` are on this machine, with an export to verify."""
    with contextlib.ExitStack() as stack:
        services = stack.enter_context(running_services())
        prepare(services, ITEMS)
        restore.make_copy(services)
        shop = stack.enter_context(lookup_source(services))
        found = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_DYNAMODB": services.gateway_url,
            "AWS_ENDPOINT_URL_S3": services.moto_url,
        }
        made = shell("dynamo-pipeline export --table-name orders --s3-uri s3://backups/first --json", found)
        yield {**found, "SOURCE_URI": shop, "MANIFEST_URI": json.loads(made)["manifest_uri"]}


@contextlib.contextmanager
def lookup_source(services: Services) -> Iterator[str]:
    """A table for products, and the URI of a database with some."""
    aws_client("dynamodb", services.gateway_url).create_table(
        TableName="product_lookup",
        KeySchema=[{"AttributeName": "product_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "product_id", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 100, "WriteCapacityUnits": 100},
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shop.db"
        with contextlib.closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("CREATE TABLE products (product_id text, name text, price numeric, is_listed)")
            connection.execute("INSERT INTO products VALUES ('P1', 'lamp', 9.5, 1)")
        yield f"sqlite:///{file}"


def shell(command: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-ec", command], env=env, cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_a_command_from_the_documentation_runs(example: Path, environment: dict[str, str]) -> None:
    assert shell(example.read_text(), environment)


def test_the_documentation_has_commands_to_run() -> None:
    assert EXAMPLES
