"""The fake's indexes and queries are DynamoDB Local's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.dynamodb.pair import Pair, paired_with, texts
from tests.services import Services

Item = dict[str, Any]

VALIDATION = "ValidationException"


@pytest.fixture(scope="module")
def pair(services: Services) -> Iterator[Pair]:
    with paired_with(services.dynamodb_url) as found:
        yield found


def indexed(pair: Pair) -> str:
    """A table with three indexes in which not every item is."""
    by_l = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}]
    by_h = [{"AttributeName": "h", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}]
    items: list[Item] = [
        {
            "pk": {"S": str(n % 3)},
            "sk": {"N": str(n)},
            "v": {"S": "x" * 100 * (n + 1)},
            **({"g": {"S": str(n % 4)}} if n % 2 else {}),
            **({"h": {"B": bytes([n])}, "l": {"N": str(-n)}} if n % 3 else {}),
        }
        for n in range(30)
    ]
    return pair.filled(
        items,
        key=[("pk", "S"), ("sk", "N")],
        attributes=[("g", "S"), ("h", "B"), ("l", "N")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "everything",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            },
            {"IndexName": "keys", "KeySchema": by_h, "Projection": {"ProjectionType": "KEYS_ONLY"}},
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "local",
                "KeySchema": by_l,
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["g"]},
            }
        ],
    )


@pytest.mark.parametrize(("index", "count"), [("everything", 15), ("keys", 20), ("local", 20)])
def test_an_index_holds_the_items_that_have_its_key(pair: Pair, index: str, count: int) -> None:
    name = indexed(pair)
    asked: Item = {"TableName": name, "IndexName": index}

    answer = pair.call("scan", **asked)
    assert count == answer["Count"]

    for total in (1, 4):
        for side in (pair.fake, pair.other):
            found = [
                item
                for segment in range(total)
                for page in side.pages(**asked, Segment=segment, TotalSegments=total, Limit=2)
                for item in page["Items"]
            ]
            assert texts(answer["Items"]) == texts(found)


def test_indexes_are_described_with_what_they_hold(pair: Pair) -> None:
    # Local counts the bytes of whole items, and no decreases
    without = ["IndexSizeBytes", "NumberOfDecreasesToday"]

    table = pair.call("describe_table", TableName=indexed(pair), without=without)["Table"]

    indexes = table["GlobalSecondaryIndexes"] + table["LocalSecondaryIndexes"]
    assert [15, 20, 20] == [each["ItemCount"] for each in indexes]


@pytest.mark.parametrize(
    ("index", "ours", "theirs"), [("everything", 3.0, 3.0), ("keys", 0.5, 4.0), ("local", 0.5, 4.0)]
)
def test_reading_an_index_costs_what_it_holds(pair: Pair, index: str, ours: float, theirs: float) -> None:
    """By the documentation, the size of the entries in the index; Local counts the whole items."""
    replies = pair.raw("scan", TableName=indexed(pair), IndexName=index, ReturnConsumedCapacity="INDEXES")

    kind = "LocalSecondaryIndexes" if index == "local" else "GlobalSecondaryIndexes"
    for units, reply in zip((ours, theirs), replies, strict=True):
        used = reply["ConsumedCapacity"]
        assert units == used["CapacityUnits"] == used[kind][index]["CapacityUnits"]
        assert 0 == used["Table"]["CapacityUnits"]


@pytest.mark.parametrize("index", ["everything", "keys", "local"])
def test_the_last_key_of_an_index_names_the_tables_key_too(pair: Pair, index: str) -> None:
    ours, theirs = pair.raw("scan", TableName=indexed(pair), IndexName=index, Limit=1)

    assert theirs["LastEvaluatedKey"].keys() == ours["LastEvaluatedKey"].keys()
    assert {"pk", "sk"} < ours["LastEvaluatedKey"].keys()


def test_an_index_starts_at_its_own_key_only(pair: Pair) -> None:
    key = {"pk": {"S": "1"}, "sk": {"N": "1"}}

    pair.refused(
        VALIDATION, "starting key", "scan", TableName=indexed(pair), IndexName="keys", ExclusiveStartKey=key
    )


def test_only_local_indexes_are_read_consistently(pair: Pair) -> None:
    asked: Item = {"TableName": indexed(pair), "ConsistentRead": True}

    pair.call("scan", IndexName="local", **asked)
    pair.refused(VALIDATION, "global secondary", "scan", IndexName="keys", **asked)


def test_an_index_without_all_attributes_does_not_give_them(pair: Pair) -> None:
    """Local gives what is not projected; the service refuses."""
    ours, theirs = pair.raw("scan", TableName=indexed(pair), IndexName="keys", Select="ALL_ATTRIBUTES")

    assert VALIDATION == ours["Error"]["Code"]
    assert "Items" in theirs


def test_a_count_holds_no_items(pair: Pair) -> None:
    assert "Items" not in pair.call("scan", TableName=indexed(pair), Select="COUNT")


# --- queries --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("pk = :p", {}),
        ("pk = :p AND sk < :n", {":n": {"N": "9"}}),
        ("sk BETWEEN :n AND :m AND pk = :p", {":n": {"N": "4"}, ":m": {"N": "10"}}),
    ],
)
@pytest.mark.parametrize("forward", [True, False])
def test_a_query_gives_one_partition_in_order(
    pair: Pair, condition: str, values: Item, forward: bool
) -> None:
    asked: Item = {
        "TableName": indexed(pair),
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": {":p": {"S": "1"}, **values},
        "ScanIndexForward": forward,
    }

    ours, theirs = pair.raw("query", **asked, ReturnConsumedCapacity="TOTAL")
    assert theirs["Items"] == ours["Items"]
    assert len(ours["Items"]) > 2
    page = pair.call("query", **asked, Limit=2)
    pair.call("query", **asked, ExclusiveStartKey=page["LastEvaluatedKey"])


def test_a_query_needs_its_partition(pair: Pair) -> None:
    asked: Item = {"KeyConditionExpression": "sk = :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}

    pair.refused(VALIDATION, "missed key schema element: pk", "query", TableName=indexed(pair), **asked)
