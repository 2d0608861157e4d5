from __future__ import annotations

import json

import pytest

from airflow_dynamo_pipeline.engine.single_writes import SingleBody
from tests.unit.engine.import_parts import Parts, some


def test_an_item_is_put_as_it_was_read() -> None:
    (entry,) = Parts().entries({"pk": {"S": "é\u2028"}, "n": {"N": "1.50"}})

    body = json.loads(SingleBody('a"b', by_index=True).of(entry))

    wanted = {
        "TableName": 'a"b',
        "ReturnConsumedCapacity": "INDEXES",
        "Item": {"pk": {"S": "é\u2028"}, "n": {"N": "1.50"}},
    }
    assert wanted == body


def test_what_is_to_be_deleted_is_named_by_its_key() -> None:
    (entry,) = Parts().entries(*some(1), deletes=[0])

    body = json.loads(SingleBody("t", by_index=False).of(entry))

    assert ({"pk": {"S": "000"}}, False) == (body["Key"], "Item" in body)


def test_a_condition_asks_for_the_item_it_meets_and_its_values_are_typed() -> None:
    (entry,) = Parts().entries(*some(1))
    single = SingleBody(
        "t",
        by_index=False,
        condition="#v < :v AND #b = :b",
        names={"#v": "v"},
        values={":b": {"B": b"\x00\xff"}},
    )

    body = json.loads(single.of(entry, {":v": b'{"N":"7"}'}))

    assert ("#v < :v AND #b = :b", "ALL_OLD", {"#v": "v"}) == (
        body["ConditionExpression"],
        body["ReturnValuesOnConditionCheckFailure"],
        body["ExpressionAttributeNames"],
    )
    assert {":b": {"B": "AP8="}, ":v": {"N": "7"}} == body["ExpressionAttributeValues"]


def test_without_a_condition_nothing_of_one_is_sent() -> None:
    (entry,) = Parts().entries(*some(1))

    body = json.loads(SingleBody("t", by_index=False).of(entry))

    assert {"TableName", "ReturnConsumedCapacity", "Item"} == body.keys()


def test_what_is_no_typed_value_is_refused() -> None:
    with pytest.raises(TypeError, match="set is not part of a typed value"):
        SingleBody("t", by_index=False, values={":v": {"SS": {"x"}}})
