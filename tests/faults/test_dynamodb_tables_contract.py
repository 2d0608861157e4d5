"""The fake's tables are made, described, changed and deleted as DynamoDB Local's are."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.dynamodb.asking import reply_to
from tests.faults.dynamodb.pair import Pair, paired_with
from tests.services import Services

Item = dict[str, Any]

TP = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
PK = [{"AttributeName": "pk", "KeyType": "HASH"}]
PK_S = [{"AttributeName": "pk", "AttributeType": "S"}]
KEY = {"pk": {"S": "k"}}
VALIDATION = "ValidationException"
MISSING = "ResourceNotFoundException"


@pytest.fixture(scope="module")
def pair(services: Services) -> Iterator[Pair]:
    with paired_with(services.dynamodb_url) as found:
        yield found


def test_a_table_is_described_as_it_was_made(pair: Pair) -> None:
    name = pair.table(
        (("pk", "S"), ("sk", "N")),
        attributes=[("g", "B"), ("l", "S")],
        BillingMode="PROVISIONED",
        ProvisionedThroughput=TP,
        LocalSecondaryIndexes=[
            {
                "IndexName": "local",
                "KeySchema": [*PK, {"AttributeName": "l", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a"]},
            }
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "global",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
                "ProvisionedThroughput": TP,
            }
        ],
    )

    # Local counts the decreases of tables, but not of indexes
    table = pair.call("describe_table", TableName=name, without=["NumberOfDecreasesToday"])["Table"]

    assert "ACTIVE" == table["TableStatus"]
    assert 6 == table["ProvisionedThroughput"]["WriteCapacityUnits"]
    assert ["global"] == [index["IndexName"] for index in table["GlobalSecondaryIndexes"]]


def test_an_on_demand_table_has_no_provisioned_units(pair: Pair) -> None:
    table = pair.call("describe_table", TableName=pair.table())["Table"]

    assert "PAY_PER_REQUEST" == table["BillingModeSummary"]["BillingMode"]
    assert 0 == table["ProvisionedThroughput"]["ReadCapacityUnits"]


def test_a_new_table_is_creating_until_it_is_looked_at(pair: Pair) -> None:
    """Local says ACTIVE at once; the service does not."""
    name = f"table-{uuid.uuid4().hex}"

    ours, theirs = pair.raw(
        "create_table",
        TableName=name,
        KeySchema=PK,
        AttributeDefinitions=PK_S,
        BillingMode="PAY_PER_REQUEST",
    )

    assert "CREATING" == ours["TableDescription"]["TableStatus"]
    assert "ACTIVE" == theirs["TableDescription"]["TableStatus"]
    assert "ACTIVE" == pair.call("describe_table", TableName=name)["Table"]["TableStatus"]


def test_a_name_is_taken_once(pair: Pair) -> None:
    name = pair.table()
    again = {"TableName": name, "KeySchema": PK, "AttributeDefinitions": PK_S}

    pair.refused("ResourceInUseException", name, "create_table", **again, BillingMode="PAY_PER_REQUEST")


@pytest.mark.parametrize(
    ("words", "params"),
    [
        ("ReadCapacityUnits", {"KeySchema": PK, "AttributeDefinitions": PK_S}),
        ("not defined", {"KeySchema": PK, "AttributeDefinitions": [{**PK_S[0], "AttributeName": "q"}]}),
        (
            "does not exactly match",
            {"KeySchema": PK, "AttributeDefinitions": [*PK_S, {**PK_S[0], "AttributeName": "q"}]},
        ),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(pair: Pair, words: str, params: Item) -> None:
    pair.refused(VALIDATION, words, "create_table", TableName="nonsense", **params)


def test_a_table_is_gone_when_it_was_deleted(pair: Pair) -> None:
    name = pair.table()

    pair.call("delete_table", TableName=name, without=["TableStatus"])  # Local says ACTIVE to the last

    pair.refused(MISSING, name, "describe_table", TableName=name)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("delete_table", {}),
        ("update_table", {"BillingMode": "PAY_PER_REQUEST"}),
        ("scan", {}),
        ("get_item", {"Key": KEY}),
        ("put_item", {"Item": KEY}),
        ("delete_item", {"Key": KEY}),
        ("update_item", {"Key": KEY}),
    ],
)
def test_what_is_not_there_cannot_be_used(pair: Pair, operation: str, params: Item) -> None:
    pair.refused(MISSING, "Requested resource not found", operation, TableName="there-is-none", **params)


def test_a_table_changes_its_units_and_its_billing(pair: Pair) -> None:
    name = pair.table(BillingMode="PROVISIONED", ProvisionedThroughput=TP)
    changed = {"TableName": name, "without": ["TableStatus"]}  # Local changes at once

    pair.call("update_table", **changed, ProvisionedThroughput={**TP, "ReadCapacityUnits": 50})
    assert (
        50
        == pair.call("describe_table", TableName=name)["Table"]["ProvisionedThroughput"]["ReadCapacityUnits"]
    )
    pair.call("update_table", **changed, BillingMode="PAY_PER_REQUEST")

    table = pair.call("describe_table", TableName=name)["Table"]
    assert "PAY_PER_REQUEST" == table["BillingModeSummary"]["BillingMode"]


def test_a_change_that_changes_nothing_is_refused(pair: Pair) -> None:
    name = pair.table(BillingMode="PROVISIONED", ProvisionedThroughput=TP)

    pair.refused(VALIDATION, "At least one of", "update_table", TableName=name)
    pair.refused(VALIDATION, "will not change", "update_table", TableName=name, ProvisionedThroughput=TP)


def test_tables_are_listed_in_pages(pair: Pair) -> None:
    names = sorted(pair.table() for _ in range(4))
    before = names[0][:-1]

    ours, theirs = pair.raw("list_tables", ExclusiveStartTableName=before, Limit=2)

    assert ours["TableNames"] == sorted(ours["TableNames"])
    assert [2, 2] == [len(reply["TableNames"]) for reply in (ours, theirs)]
    assert ours["TableNames"][-1] == ours["LastEvaluatedTableName"]
    assert theirs["TableNames"][-1] == theirs["LastEvaluatedTableName"]


def test_time_to_live_is_off_at_first(pair: Pair) -> None:
    pair.call("describe_time_to_live", TableName=pair.table())


# --- the protocol ---------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["ListTables", "DescribeTable", "Nonsense"])
def test_every_reply_carries_its_checksum_and_an_id(pair: Pair, operation: str) -> None:
    reply = reply_to(pair.dynamodb, operation, TableName="there-is-none")

    assert str(zlib.crc32(b"".join(reply.body))) == reply.headers["x-amz-crc32"]
    assert "application/x-amz-json-1.0" == reply.headers["Content-Type"]
    again = reply_to(pair.dynamodb, operation, TableName="there-is-none")
    assert again.headers["x-amzn-RequestId"] != reply.headers["x-amzn-RequestId"]


def test_headers_are_locals(pair: Pair) -> None:
    ours, theirs = (reply["ResponseMetadata"]["HTTPHeaders"] for reply in pair.raw("list_tables", Limit=1))

    for name in ("content-type", "x-amz-crc32", "x-amzn-requestid"):
        assert (name in theirs) == (name in ours)
    assert theirs["content-type"] == ours["content-type"]


def test_an_operation_that_is_not_simulated_is_unknown(pair: Pair) -> None:
    reply = reply_to(pair.dynamodb, "TransactWriteItems", TransactItems=[])

    assert 400 == reply.status
    assert json.loads(b"".join(reply.body))["__type"].endswith("#UnknownOperationException")
