"""A lookup on the real DynamoDB Local."""

from __future__ import annotations

import runpy
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from airflow_dynamo_pipeline.adapters.lookup_client import open_lookup
from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, NotFound
from airflow_dynamo_pipeline.lookup.pointer import Pointer
from tests.clock import ManualClock
from tests.services import Services

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient

MakeTable = Callable[..., str]


@pytest.fixture
def make_table(dynamodb: DynamoDBClient) -> Iterator[MakeTable]:
    """Makes tables by their key, as in ``id="S"``, and drops them in the end."""
    made: list[str] = []

    def make(items: list[dict[str, Any]], *, table_name: str = "", **key: Any) -> str:
        name = table_name or f"lookup-{uuid.uuid4().hex}"
        kinds = zip(key, ("HASH", "RANGE"), strict=False)
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": one, "KeyType": cast("Any", kind)} for one, kind in kinds],
            AttributeDefinitions=[{"AttributeName": one, "AttributeType": tag} for one, tag in key.items()],
            BillingMode="PAY_PER_REQUEST",
        )
        made.append(name)
        for item in items:
            dynamodb.put_item(TableName=name, Item=item)
        return name

    yield make
    for name in made:
        dynamodb.delete_table(TableName=name)


def test_250_keys_are_three_calls_and_then_none(dynamodb: DynamoDBClient, make_table: MakeTable) -> None:
    items = [{"product_id": {"S": f"P{n}"}, "n": {"N": str(n)}} for n in range(0, 250, 2)]
    table = make_table(items, product_id="S")
    lookup = open_lookup(table, client=dynamodb)
    asked = [f"P{n}" for n in range(250)]

    for _ in range(2):
        found = lookup.contains([*asked, "", *asked])
        assert not found.pop("")
        assert {name: n % 2 == 0 for n, name in enumerate(asked)} == found

    assert 3 == lookup.stats.calls
    assert 62.5 == lookup.stats.units  # DynamoDB Local counts nothing for what is absent


def test_the_key_is_found_out_by_the_tables_own_description(
    dynamodb: DynamoDBClient, make_table: MakeTable
) -> None:
    table = make_table([{"at": {"N": "2"}, "user": {"S": "u"}}], user="S", at="N")

    assert {("u", 2): True, ("u", 3): False} == open_lookup(table, client=dynamodb).contains(
        [("u", 2), ("u", 3)]
    )


@pytest.mark.parametrize(
    ("tag", "held", "given", "other"),
    [
        ("N", "12345678901234567890123456789012345678", 12345678901234567890123456789012345678, 1),
        ("N", "1.5", Decimal("1.500"), Decimal("1.51")),
        ("N", "1E+125", Decimal("1E+125"), Decimal("1E+124")),
        ("N", "-1E-130", Decimal("-1E-130"), 0),
        ("B", b"\x00\xff", bytearray(b"\x00\xff"), b"\x00"),
        ("S", "Z\u00fcrich #1", "Z\u00fcrich #1", "zurich"),
    ],
)
def test_keys_of_every_type_are_found_exactly(
    dynamodb: DynamoDBClient, make_table: MakeTable, tag: str, held: Any, given: Any, other: Any
) -> None:
    lookup = open_lookup(make_table([{"id": {tag: held}}], id=tag), client=dynamodb)

    assert [True, False] == list(lookup.contains([given, other]).values())
    (item, nothing) = lookup.get([given, other]).values()
    assert {"id": bytes(given) if tag == "B" else given} == item
    assert nothing is None


def test_attribute_names_may_be_reserved_words(dynamodb: DynamoDBClient, make_table: MakeTable) -> None:
    table = make_table([{"name": {"S": "a"}, "size": {"S": "b"}}], name="S", size="S")

    assert {("a", "b"): True} == open_lookup(table, client=dynamodb).contains([("a", "b")])


class Halving:
    """A client whose table processes at most half of what a call asks for, and of one key all."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.client = client
        self.meta = client.meta

    def batch_get_item(self, **arguments: Any) -> Any:
        ((table, wanted),) = arguments["RequestItems"].items()
        most = max(1, len(wanted["Keys"]) // 2)
        now, left = ({**wanted, "Keys": keys} for keys in (wanted["Keys"][:most], wanted["Keys"][most:]))
        reply = self.client.batch_get_item(**{**arguments, "RequestItems": {table: now}})
        return {**reply, "UnprocessedKeys": {table: left} if left["Keys"] else {}}


def test_what_is_left_unprocessed_is_read_in_the_end(dynamodb: DynamoDBClient, make_table: MakeTable) -> None:
    table = make_table([{"id": {"N": str(n)}} for n in range(0, 100, 3)], id="N")
    clock = ManualClock()
    lookup = open_lookup(table, client=cast("Any", Halving(dynamodb)), key={"id": "N"}, clock=clock)

    assert {n: n % 3 == 0 for n in range(100)} == lookup.contains(range(100))
    assert 8 == lookup.stats.calls  # 100, 50, 25, 13, 7, 4, 2, 1
    assert clock.waits


def test_generations_are_read_by_their_pointer(dynamodb: DynamoDBClient, make_table: MakeTable) -> None:
    key = [KeyAttribute("product_id", "S"), KeyAttribute("mark", "B")]
    table = make_table([], product_id="S", mark="B")
    now = datetime.now(UTC)
    current = Pointer("g2", 1, now, now + timedelta(hours=1), "g1").to_item(key) | {
        "mark": {"B": b"#current"}
    }
    rows = [{"product_id": {"S": name}, "mark": {"B": b"1"}} for name in ("g1#P1", "g2#P2")]
    for item in (current, *rows):
        dynamodb.put_item(TableName=table, Item=cast("Any", item))
    lookup = open_lookup(table, client=dynamodb, generations=True)

    assert {("P1", b"1"): False, ("P2", b"1"): True} == lookup.contains([("P1", b"1"), ("P2", b"1")])
    assert {("P2", b"1"): {"product_id": "P2", "mark": b"1"}} == lookup.get([("P2", b"1")])


def test_a_table_that_is_not_there_is_named(dynamodb: DynamoDBClient) -> None:
    with pytest.raises(NotFound, match="no such table: nowhere"):
        open_lookup("nowhere", client=dynamodb)
    with pytest.raises(NotFound, match="no such table: nowhere"):
        open_lookup("nowhere", client=dynamodb, key={"id": "S"}).contains(["a"])


@pytest.mark.parametrize("key", [{}, {"id": "X"}, {"a": "S", "b": "S", "c": "S"}, {"": "S"}])
def test_what_cannot_be_a_key_is_refused(dynamodb: DynamoDBClient, key: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting, match="one or two attributes"):
        open_lookup("table", client=dynamodb, key=key)


def test_an_unknown_setting_is_refused_before_any_call(dynamodb: DynamoDBClient) -> None:
    with pytest.raises(InvalidRequest, match="did you mean 'ttl_seconds'"):
        open_lookup("nowhere", client=dynamodb, ttl_second=1)


def test_the_program_in_the_documentation_runs(
    services: Services, make_table: MakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", services.dynamodb_url)
    item = {"product_id": {"S": "P1"}, "price": {"N": "1.50"}}
    make_table([item], table_name="product_lookup", product_id="S")

    said = runpy.run_path(str(Path(__file__).with_name("lookup_example.py")))

    assert {"P1": True, "P2": False} == said["present"]
    assert {"P1": {"product_id": "P1", "price": Decimal("1.5")}, "P2": None} == said["items"]
    assert said["is_there"]
    assert ["u1"] == [event["user"] for event in said["ours_found"]]
    assert ["u2", "u3"] == [event["user"] for event in said["others_found"]]
