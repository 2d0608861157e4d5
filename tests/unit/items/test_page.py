from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.errors import CorruptReply
from airflow_dynamo_pipeline.items.page import cut_page


def test_items_and_last_key_are_the_text_that_came() -> None:
    page = cut_page(
        b'{"Items":[{"b": {"N":"1.50"}},{"a":{"S":"\\uD83D\\uDE00\\/}},{"}}],"Count":2,"ScannedCount":7,'
        b'"LastEvaluatedKey":{ "a":{"S":"\\u000B"}}}'
    )

    assert [b'{"b": {"N":"1.50"}}', b'{"a":{"S":"\\uD83D\\uDE00\\/}},{"}}'] == [bytes(i) for i in page.Items]
    assert b'{ "a":{"S":"\\u000B"}}' == page.last_key
    assert 7 == page.ScannedCount


def test_an_indented_page_gives_items_of_one_line() -> None:
    indented = b'{\n  "Items": [\n    {"a": {\n      "S": "x \\n y"\n    }}\n  ],\n  "Count": 1\n}\n'

    assert [b'{"a":{"S":"x \\n y"}}'] == [bytes(item) for item in cut_page(indented).Items]


@pytest.mark.parametrize("key", [b"", b',"LastEvaluatedKey":null', b',"LastEvaluatedKey":{}'])
def test_a_key_that_could_not_continue_the_scan_is_none(key: bytes) -> None:
    assert cut_page(b'{"Items":[],"Count":0,"ScannedCount":0' + key + b"}").last_key is None


@pytest.mark.parametrize(
    ("capacity", "units"),
    [
        (b"", None),
        (b',"ConsumedCapacity":null', None),
        (b',"ConsumedCapacity":{"TableName":"t"}', None),
        (b',"ConsumedCapacity":{"TableName":"t","CapacityUnits":128.5,"Table":{"CapacityUnits":1}}', 128.5),
        (b',"ConsumedCapacity":{"CapacityUnits":3}', 3.0),
    ],
)
def test_units_are_the_consumed_capacity_where_the_reply_says(capacity: bytes, units: float | None) -> None:
    assert units == cut_page(b'{"Items":[],"Count":0' + capacity + b"}").units


def test_fields_may_come_in_any_order_with_others_between() -> None:
    page = cut_page(b'{"New":[{}],"Count":1,"ConsumedCapacity":null,"Items":[{"a":{"NULL":true}}]}')

    assert [b'{"a":{"NULL":true}}'] == [bytes(item) for item in page.Items]


def test_a_page_without_items_is_empty() -> None:
    assert [] == cut_page(b'{"Count":0,"ScannedCount":90,"LastEvaluatedKey":{"a":{"S":"x"}}}').Items


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",  # would otherwise pass for the last page of a segment
        b"null",
        b"<html>bad gateway</html>",
        b'{"Items":[{"a":{"S":"x"}}],"Count":2}',
        b'{"Items":[{"a":{"S":"x"}}],"Count":0}',
        b'{"Count":4,"ScannedCount":4}',
        b'{"Items":{},"Count":0}',
        b'{"Items":[],"Count":0}{"Items":[],"Count":0}',
    ],
)
def test_what_is_not_a_whole_page_is_a_corrupt_reply(body: bytes) -> None:
    with pytest.raises(CorruptReply, match="a Scan reply"):
        cut_page(body)


def test_every_truncation_is_a_corrupt_reply() -> None:
    body = b'{"Items":[{"a":{"S":"\\uD83D\\uDE00"}}],"Count":1,"LastEvaluatedKey":{"a":{"S":"x"}}}'

    for length in range(len(body)):
        with pytest.raises(CorruptReply):
            cut_page(body[:length])


def test_the_message_of_a_corrupt_reply_shows_no_data() -> None:
    with pytest.raises(CorruptReply) as caught:
        cut_page(b'{"Items":[{"name":{"S":"secret')

    assert "secret" not in str(caught.value)
