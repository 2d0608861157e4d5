from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.conflicts import ConditionalWriting, body_for
from airflow_dynamo_pipeline.engine.import_records import Accounts
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.ports import ConditionFailed
from airflow_dynamo_pipeline.errors import AccessDenied, ImportFailed, ItemRefused, ServiceTrouble
from tests.unit.engine.import_parts import KEY, Answer, Parts, ScriptedTable, some


def writing(*answers: Answer, ours: bool = False, **settings: Any) -> tuple[Parts, ConditionalWriting]:
    given = {"table_name": "t", "s3_uri": "s3://b/x", "on_conflict": "skip", **settings}
    request = ImportRequest.from_settings(given)
    parts = Parts(ScriptedTable(list(answers)))
    body = body_for(request, KEY, by_index=False)
    return parts, ConditionalWriting(
        calls=parts.calls, ledger=parts.ledger, body=body, request=request, key=KEY, may_be_ours=ours
    )


def test_every_item_is_put_if_no_item_has_its_key() -> None:
    parts, one = writing()

    one.write(parts.entries(*some(3)))

    assert ["PutItem"] * 3 == parts.table.operations
    sent = parts.table.calls[0][1]
    assert ("attribute_not_exists(#k)", {"#k": "pk"}) == (
        sent["ConditionExpression"],
        sent["ExpressionAttributeNames"],
    )
    assert Accounts(read=3, written=3) == parts.ledger.accounts


def test_an_item_that_is_there_is_skipped() -> None:
    parts, one = writing({}, ConditionFailed(b'{"pk":{"S":"001"}}'), {})

    one.write(parts.entries(*some(3)))

    assert Accounts(read=3, written=2, skipped=1) == parts.ledger.accounts


def test_fail_ends_at_the_first_with_file_line_and_key() -> None:
    parts, one = writing({}, ConditionFailed(b'{"pk":{"S":"001"},"v":{"N":"2"}}'), on_conflict="fail")

    with pytest.raises(ImportFailed, match="part-1 line 2: table t already has an item with the key 001"):
        one.write(parts.entries(*some(3)))

    assert 2 == len(parts.table.calls)
    assert 2 == parts.ledger.under_way  # a retry meets it again


@pytest.mark.parametrize("on_conflict", ["skip", "fail"])
@pytest.mark.parametrize("met", [b'{"v":{"N":"1"},"pk":{"S":"000"}}', b'{"pk":{"S":"000"},"v":{"N":"1.0"}}'])
def test_after_a_resume_an_equal_item_is_our_own(on_conflict: str, met: bytes) -> None:
    parts, one = writing(ConditionFailed(met), ours=True, on_conflict=on_conflict)

    one.write(parts.entries(*some(1, v={"N": "1"})))

    assert Accounts(read=1, written=1) == parts.ledger.accounts


def test_after_a_lost_reply_an_equal_item_is_our_own() -> None:
    parts, one = writing(ServiceTrouble("cut"), ConditionFailed(b'{"pk":{"S":"000"}}'))

    one.write(parts.entries(*some(1)))

    assert Accounts(read=1, written=1) == parts.ledger.accounts


@pytest.mark.parametrize("met", [b'{"pk":{"S":"000"},"v":{"N":"9"}}', None])
def test_another_item_is_a_conflict_however_often_it_was_tried(met: bytes | None) -> None:
    parts, one = writing(ServiceTrouble("cut"), ConditionFailed(met), ours=True)

    one.write(parts.entries(*some(1)))

    assert Accounts(read=1, skipped=1) == parts.ledger.accounts


@pytest.mark.parametrize("version", [{"N": "7"}, {"S": "2026-01-01"}, {"B": "AA=="}])
def test_newer_compares_the_version_of_the_item(version: dict[str, str]) -> None:
    parts, one = writing(on_conflict="newer", version_attribute="v")

    one.write(parts.entries(*some(1, v=version)))

    sent = parts.table.calls[0][1]
    assert "attribute_not_exists(#k) OR attribute_not_exists(#v) OR #v < :v" == sent["ConditionExpression"]
    assert {"#k": "pk", "#v": "v"} == sent["ExpressionAttributeNames"]
    assert {":v": version} == sent["ExpressionAttributeValues"]


@pytest.mark.parametrize(
    "item", [{}, {"v": {"BOOL": True}}, {"v": {"N": "1", "S": "1"}}, {"v": "1"}, {"v": 1}]
)
def test_an_item_without_a_version_that_can_be_compared_is_rejected(item: dict[str, Any]) -> None:
    parts, one = writing(on_conflict="newer", version_attribute="v")

    one.write(parts.entries({"pk": {"S": "a"}, **item}))

    assert [] == parts.table.calls
    ((reject,)) = parts.ledger.take()[1]
    assert "it has no v of type S, N or B to compare" == reject.reason


def test_a_condition_of_ones_own_is_sent_as_it_is() -> None:
    parts, one = writing(
        on_conflict="condition",
        condition_expression="#s = :s",
        expression_attribute_names={"#s": "state"},
        expression_attribute_values={":s": {"S": "open"}},
    )

    one.write(parts.entries(*some(1)))

    sent = parts.table.calls[0][1]
    assert ("#s = :s", {"#s": "state"}, {":s": {"S": "open"}}) == (
        sent["ConditionExpression"],
        sent["ExpressionAttributeNames"],
        sent["ExpressionAttributeValues"],
    )


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"n": {"N": "x"}}, "attribute 'n': 'x' is not a number"),
        ({}, "Type mismatch for Index Key"),
    ],
)
def test_a_refused_item_is_rejected_with_what_is_wrong_or_dynamodbs_words(
    item: dict[str, Any], reason: str
) -> None:
    parts, one = writing(ItemRefused("Type mismatch for Index Key"))

    one.write(parts.entries({"pk": {"S": "a"}, **item}))

    ((reject,)) = parts.ledger.take()[1]
    assert reason == reject.reason


def test_an_error_for_good_ends_it_and_leaves_the_item_open() -> None:
    parts, one = writing(AccessDenied("dynamodb:PutItem", "t"))

    with pytest.raises(AccessDenied):
        one.write(parts.entries(*some(2)))

    assert 2 == parts.ledger.under_way
