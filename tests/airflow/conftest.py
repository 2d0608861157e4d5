"""A connection to the services, a small table, and as much context as an operator asks for."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.demo.airflow_env import connection
from tests.quick_clients import spare_looking_for_the_caller
from tests.services import Services

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient

ITEMS = 400
READ_UNITS = 1000


class FakeTask:
    """A task instance: what an operator reads of it, and what it pushed."""

    def __init__(self, run_id: str, max_tries: int = 0) -> None:
        self.dag_id = "dag"
        self.task_id = "export"
        self.map_index = -1
        self.run_id = run_id
        self.max_tries = max_tries
        self.pushed: dict[str, list[Any]] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed.setdefault(key, []).append(value)


def context_of(task: FakeTask) -> Any:
    logical_date = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    return {"ti": task, "logical_date": logical_date, "dag_run": SimpleNamespace(run_after=logical_date)}


@pytest.fixture
def aws_default(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection ``aws_default`` leads to the services."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection(services)))


@pytest.fixture
def new_task() -> Callable[..., FakeTask]:
    """Make the attempt of a run nobody else has."""
    run_id = uuid.uuid4().hex

    def make(**fields: Any) -> FakeTask:
        return FakeTask(**{"run_id": run_id, **fields})

    return make


@pytest.fixture
def table(dynamodb: "DynamoDBClient", services: Services) -> Iterator[str]:
    """A provisioned table of some hundred items."""
    name = f"orders-{uuid.uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": READ_UNITS, "WriteCapacityUnits": 1000},
    )
    for start in range(0, ITEMS, 25):
        some = [item(number) for number in range(start, start + 25)]
        dynamodb.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": one}} for one in some]})
    yield name
    dynamodb.delete_table(TableName=name)


def item(number: int) -> dict[str, Any]:
    return {"pk": {"S": f"k{number}"}, "n": {"N": f"{number}.50"}, "text": {"S": "x" * 300}}


@pytest.fixture(scope="session", autouse=True)
def _quick_hooks() -> Iterator[None]:
    """Hooks do not read the source of the whole stack for their user agent."""
    with pytest.MonkeyPatch.context() as patch:
        spare_looking_for_the_caller(patch)
        yield
