"""The fake's writes answer and cost as DynamoDB Local's do: conditions, updates, batches, capacity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.dynamodb.pair import Pair, paired_with
from tests.services import Services

Item = dict[str, Any]

KEY = {"pk": {"S": "k"}}
VALIDATION = "ValidationException"
FAILED = "ConditionalCheckFailedException"


@pytest.fixture(scope="module")
def pair(services: Services) -> Iterator[Pair]:
    with paired_with(services.dynamodb_url) as found:
        yield found


def sized(size: int, **more: Any) -> Item:
    """An item of so many bytes."""
    return {**KEY, "v": {"S": "x" * (size - 4)}, **more}


# --- conditions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("holds", "condition", "values"),
    [
        (False, "attribute_not_exists(pk)", {}),
        (True, "attribute_exists(pk)", {}),
        (True, "attribute_not_exists(nothing)", {}),
        (True, "v < :v", {":v": {"N": "11"}}),
        (False, "v < :v", {":v": {"N": "9"}}),  # as text it would be less
        (True, "v = :v AND NOT attribute_exists(q)", {":v": {"N": "10.0"}}),
        (False, "v = :v", {":v": {"S": "10"}}),
    ],
)
@pytest.mark.parametrize("operation", ["put_item", "delete_item", "update_item"])
def test_a_write_happens_if_its_condition_holds(
    pair: Pair, operation: str, holds: bool, condition: str, values: Item
) -> None:
    name = pair.table()
    pair.call("put_item", TableName=name, Item={**KEY, "v": {"N": "10"}})
    params: Item = {"TableName": name, "ConditionExpression": condition}
    params |= {"ExpressionAttributeValues": values} if values else {}
    params |= {"Item": {**KEY, "v": {"N": "99"}}} if operation == "put_item" else {"Key": KEY}

    if holds:
        pair.call(operation, **params)
    else:
        pair.refused(FAILED, "The conditional request failed", operation, **params)

    pair.call("scan", TableName=name)


def test_an_item_that_is_not_there_can_be_put_once(pair: Pair) -> None:
    name = pair.table()
    put: Item = {"TableName": name, "Item": KEY, "ConditionExpression": "attribute_not_exists(pk)"}

    pair.call("put_item", **put, ReturnConsumedCapacity="TOTAL")

    pair.refused(FAILED, "failed", "put_item", **put)
    nobody = {"TableName": name, "Key": {"pk": {"S": "nobody"}}}
    pair.refused(FAILED, "failed", "delete_item", **nobody, ConditionExpression="attribute_exists(pk)")


def test_a_failed_condition_tells_the_item_if_asked(pair: Pair) -> None:
    """Since 2023; Local is older."""
    name = pair.table()
    pair.call("put_item", TableName=name, Item={**KEY, "v": {"N": "1"}})

    ours, theirs = pair.raw(
        "put_item",
        TableName=name,
        Item=KEY,
        ConditionExpression="attribute_not_exists(pk)",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )

    assert {**KEY, "v": {"N": "1"}} == ours["Item"]
    assert "Item" not in theirs


@pytest.mark.parametrize(
    ("condition", "values", "words"),
    [
        ("v <<< :v", {":v": {"N": "1"}}, "Invalid ConditionExpression: Syntax error"),
        ("v < :v", {":w": {"N": "1"}}, "unused in expressions: keys: {:w}"),
        ("v < :v AND v < :w", {":w": {"N": "1"}}, "not defined; attribute value: :v"),
        ("#v < :v", {":v": {"N": "1"}}, "not defined; attribute name: #v"),
    ],
)
def test_a_bad_condition_is_refused(pair: Pair, condition: str, values: Item, words: str) -> None:
    put = {"TableName": pair.table(), "Item": KEY, "ExpressionAttributeValues": values}

    pair.refused(VALIDATION, words, "put_item", **put, ConditionExpression=condition)


# --- updates --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "update",
    [
        "SET v = :v",
        "SET v = v + :v, w = if_not_exists(w, :v) REMOVE s",
        "SET m.a = :v",
        "ADD v :v",
        "REMOVE l[0]",
    ],
)
def test_an_update_changes_an_item_the_same_way(pair: Pair, update: str) -> None:
    name = pair.table()
    item = {**KEY, "v": {"N": "1"}, "s": {"S": "x"}, "m": {"M": {"b": {"B": b"\xff"}}}}
    pair.call("put_item", TableName=name, Item={**item, "l": {"L": [{"S": "x"}, {"BS": [b"y"]}]}})
    values: Item = {"ExpressionAttributeValues": {":v": {"N": "7"}}} if ":v" in update else {}

    for returned in ("ALL_NEW", "ALL_OLD"):
        pair.call(
            "update_item", TableName=name, Key=KEY, UpdateExpression=update, ReturnValues=returned, **values
        )

    pair.call("scan", TableName=name)


def test_an_update_makes_the_item_that_is_not_there(pair: Pair) -> None:
    name = pair.table()

    pair.call("update_item", TableName=name, Key=KEY, ReturnConsumedCapacity="TOTAL")

    assert 1 == pair.call("scan", TableName=name)["Count"]


def test_a_key_cannot_be_updated(pair: Pair) -> None:
    update: Item = {"UpdateExpression": "SET pk = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}}

    pair.refused(VALIDATION, "part of the key", "update_item", TableName=pair.table(), Key=KEY, **update)


# --- cost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [5, 1023, 1024, 1025, 2048, 2049, 400 * 1024])
def test_a_write_costs_what_the_larger_form_of_the_item_takes(pair: Pair, size: int) -> None:
    name = pair.table()
    asked = {"TableName": name, "ReturnConsumedCapacity": "TOTAL"}

    first = pair.call("put_item", Item=sized(size), **asked)
    smaller = pair.call("put_item", Item=KEY, **asked)
    larger = pair.call("put_item", Item=sized(size), **asked)
    deleted = pair.call("delete_item", Key=KEY, **asked)

    for answer in (first, smaller, larger, deleted):
        assert -(-size // 1024) == answer["ConsumedCapacity"]["CapacityUnits"]
    assert 1 == pair.call("delete_item", Key=KEY, **asked)["ConsumedCapacity"]["CapacityUnits"]


def test_every_index_that_a_write_touches_costs_its_own(pair: Pair) -> None:
    def index(name: str, key: str, **projection: Any) -> Item:
        kind = "RANGE" if name == "local" else "HASH"
        schema = [{"AttributeName": key, "KeyType": kind}]
        schema = [{"AttributeName": "pk", "KeyType": "HASH"}, *schema] if name == "local" else schema
        return {"IndexName": name, "KeySchema": schema, "Projection": projection}

    name = pair.table(
        (("pk", "S"), ("sk", "N")),
        attributes=[("g", "S"), ("h", "S"), ("l", "N")],
        GlobalSecondaryIndexes=[
            index("everything", "g", ProjectionType="ALL"),
            index("keys", "h", ProjectionType="KEYS_ONLY"),
        ],
        LocalSecondaryIndexes=[index("local", "l", ProjectionType="INCLUDE", NonKeyAttributes=["a"])],
    )
    asked = {"TableName": name, "ReturnConsumedCapacity": "INDEXES"}
    item = {**KEY, "sk": {"N": "1"}, "z": {"S": "z" * 3000}}
    steps: list[Item] = [
        {},
        {"g": {"S": "1"}, "l": {"N": "1"}},  # into two indexes
        {"g": {"S": "1"}, "l": {"N": "1"}},  # no change at all
        {"g": {"S": "1"}, "l": {"N": "1"}, "a": {"S": "x"}},  # all but the keys
        {"g": {"S": "2"}, "l": {"N": "1"}, "a": {"S": "x"}},  # another key: two writes
        {"g": {"S": "2"}, "h": {"S": "1"}, "l": {"N": "2"}, "z": {"S": ""} | {"S": "small"}},
        {"h": {"S": "1"}},  # out of two indexes
    ]

    costs = [
        pair.call("put_item", Item={**item, **step}, **asked)["ConsumedCapacity"]["CapacityUnits"]
        for step in steps
    ]
    key = {"pk": item["pk"], "sk": item["sk"]}
    costs.append(pair.call("delete_item", Key=key, **asked)["ConsumedCapacity"]["CapacityUnits"])

    assert [3, 3 + 3 + 1, 3, 3 + 3 + 1, 3 + 6] == costs[:5]


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("put_item", {"Item": KEY}),
        ("get_item", {"Key": KEY}),
        ("delete_item", {"Key": KEY}),
        ("update_item", {"Key": KEY}),
        ("scan", {}),
    ],
)
def test_capacity_is_asked_for_by_its_name(pair: Pair, operation: str, params: Item) -> None:
    asked = {"TableName": pair.table(), "ReturnConsumedCapacity": "SOME"}

    pair.refused(VALIDATION, "enum value set", operation, **asked, **params)


def test_capacity_is_asked_for_by_its_name_in_batches_too(pair: Pair) -> None:
    name = pair.table()
    asked = {"ReturnConsumedCapacity": "SOME"}

    for operation, each in (("batch_get_item", {"Keys": [KEY]}), ("batch_write_item", [put("a")])):
        pair.refused(VALIDATION, "enum value set", operation, **asked, RequestItems={name: each})


# --- batches --------------------------------------------------------------------------------------


def put(key: str, **more: Item) -> Item:
    return {"PutRequest": {"Item": {"pk": {"S": key}, **more}}}


def delete(key: str) -> Item:
    return {"DeleteRequest": {"Key": {"pk": {"S": key}}}}


def test_a_batch_writes_all_it_holds(pair: Pair) -> None:
    one, two = pair.table(), pair.table()
    pair.call("put_item", TableName=one, Item={"pk": {"S": "old"}})

    batch = {one: [put("a"), put("b", v={"S": "x" * 2000}), delete("old")], two: [put("a")]}
    answer = pair.call(
        "batch_write_item", RequestItems=batch, ReturnConsumedCapacity="INDEXES", without=[one]
    )

    assert {} == answer["UnprocessedItems"]
    assert 2 == pair.call("scan", TableName=one)["Count"]
    assert 1 == pair.call("scan", TableName=two)["Count"]


def test_a_batch_deletes_what_is_not_there(pair: Pair) -> None:
    """By the published rules that costs one unit; Local counts two."""
    name = pair.table()

    ours, theirs = pair.raw(
        "batch_write_item", RequestItems={name: [delete("a")]}, ReturnConsumedCapacity="TOTAL"
    )

    assert [1, 2] == [each["ConsumedCapacity"][0]["CapacityUnits"] for each in (ours, theirs)]


@pytest.mark.parametrize(
    ("words", "requests"),
    [
        ("Too many items", [put(str(number)) for number in range(26)]),
        ("duplicates", [put("a"), put("a", v={"S": "other"})]),
        ("duplicates", [put("a"), delete("a")]),
        ("more than one", [{**put("a"), **delete("b")}]),
        ("Missing the key", [put("a"), {"PutRequest": {"Item": {"other": {"S": "x"}}}}]),
        ("numeric value", [put("a"), put("b", v={"N": "abc"})]),
        ("maximum allowed size", [put("a"), put("b", v={"S": "x" * 410_000})]),
    ],
)
def test_one_bad_request_refuses_the_whole_batch(pair: Pair, words: str, requests: list[Item]) -> None:
    name = pair.table()

    pair.refused(VALIDATION, words, "batch_write_item", RequestItems={name: requests})

    assert 0 == pair.call("scan", TableName=name)["Count"]


def test_an_empty_batch_is_refused(pair: Pair) -> None:
    pair.refused(VALIDATION, "length", "batch_write_item", RequestItems={})


def test_a_batch_for_a_table_that_is_not_there_is_refused(pair: Pair) -> None:
    batch = {"there-is-none": [put("a")]}

    pair.refused("ResourceNotFoundException", "not found", "batch_write_item", RequestItems=batch)


def test_a_batch_of_keys_gives_the_items_there_are(pair: Pair) -> None:
    name = pair.table()
    for number in range(3):
        pair.call("put_item", TableName=name, Item={"pk": {"S": str(number)}, "v": {"S": "x" * 5000}})
    keys = [{"pk": {"S": key}} for key in ("0", "2", "nobody")]
    asked = {name: {"Keys": keys, "ProjectionExpression": "pk"}}

    ours, theirs = pair.raw("batch_get_item", RequestItems=asked, ReturnConsumedCapacity="TOTAL")

    for answer in (ours, theirs):
        assert ["0", "2"] == sorted(item["pk"]["S"] for item in answer["Responses"][name])
        assert {} == answer["UnprocessedKeys"]
    # what is not there costs half a unit, as in GetItem; Local gives it away
    assert [2.5, 2.0] == [each["ConsumedCapacity"][0]["CapacityUnits"] for each in (ours, theirs)]


@pytest.mark.parametrize("is_consistent", [False, True])
def test_a_consistent_batch_of_keys_costs_twice_as_much(pair: Pair, is_consistent: bool) -> None:
    name = pair.table()
    for number in range(3):
        pair.call("put_item", TableName=name, Item={"pk": {"S": str(number)}, "v": {"S": "x" * 5000}})
    asked = {name: {"Keys": [{"pk": {"S": key}} for key in ("0", "2")], "ConsistentRead": is_consistent}}

    answer = pair.call("batch_get_item", RequestItems=asked, ReturnConsumedCapacity="TOTAL", without=[name])

    assert (4.0 if is_consistent else 2.0) == answer["ConsumedCapacity"][0]["CapacityUnits"]
    assert {} == answer["UnprocessedKeys"]


def test_a_batch_asks_for_100_keys_at_most(pair: Pair) -> None:
    keys = [{"pk": {"S": str(number)}} for number in range(100)]

    pair.call("batch_get_item", RequestItems={pair.table(): {"Keys": keys}}, without=["Responses"])


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("duplicates", [KEY, KEY]),
        ("Too many items", [{"pk": {"S": str(number)}} for number in range(101)]),
    ],
)
def test_a_bad_batch_of_keys_is_refused(pair: Pair, words: str, keys: list[Item]) -> None:
    pair.refused(VALIDATION, words, "batch_get_item", RequestItems={pair.table(): {"Keys": keys}})
