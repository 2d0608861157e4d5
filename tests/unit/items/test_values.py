from __future__ import annotations

from typing import Any

import msgspec
import pytest

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.values import TAGS, convert_item, json_line, one_line


def tagged(tag: str, held: Any) -> tuple[str, Any]:
    return tag, bytes(held) if isinstance(held, msgspec.Raw) else held


def test_there_are_ten_types() -> None:
    assert {"S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL"} == TAGS


def test_what_a_scalar_or_set_holds_is_the_text_that_came() -> None:
    item = msgspec.Raw(b'{"s":{"S":"\\uD83D\\uDE00\\/"},"ns":{"NS":[ "1", "2.0" ]},"z":{"NULL":true}}')

    assert {
        "s": ("S", b'"\\uD83D\\uDE00\\/"'),
        "ns": ("NS", b'[ "1", "2.0" ]'),
        "z": ("NULL", b"true"),
    } == convert_item(item, tagged)


def test_lists_and_maps_are_converted_from_the_inside() -> None:
    item = msgspec.Raw(b'{"M":{"M":{"L":{"L":[{"M":{}},{"L":[]},{"L":[{"N":"1"}]}]}}}}')

    assert {
        "M": ("M", {"L": ("L", [("M", {}), ("L", []), ("L", [("N", b'"1"')])])}),
    } == convert_item(item, tagged)


def test_attributes_keep_their_order() -> None:
    names = ["z", "a", "M", "", "é", "b"]
    item = msgspec.json.encode({name: {"S": "x"} for name in names})

    assert names == list(convert_item(msgspec.Raw(item), tagged))


@pytest.mark.parametrize(
    "item",
    [
        b"[]",
        b'"S"',
        b"null",
        b'{"a":"x"}',
        b'{"a":{}}',
        b'{"a":{"S":"x","N":"1"}}',
        b'{"a":{"s":"x"}}',
        b'{"a":{"X":"x"}}',
        b'{"a":{"L":{}}}',
        b'{"a":{"L":["x"]}}',
        b'{"a":{"M":[]}}',
        b'{"a":{"M":{"b":{"L":[{"S":"x"},{}]}}}}',
        b'{"a":{"S":"x"',
        b'{"\xff":{"S":"x"}}',
        b'{"a":{"L":[{"\xff":"x"}]}}',
    ],
)
def test_what_is_not_an_item_is_refused(item: bytes) -> None:
    with pytest.raises(UnexpectedReply):
        convert_item(msgspec.Raw(item), tagged)


def test_one_line_keeps_every_token_and_drops_the_white_space_between() -> None:
    text = b'{ "a b" :\r\n\t[ 1.50 , -0, 1E+2, "\\u000b\\/ \\n", true , null ],\n"a b":{ } }\n'

    assert b'{"a b":[1.50,-0,1E+2,"\\u000b\\/ \\n",true,null],"a b":{}}' == one_line(text)


def test_a_json_line_has_one_newline_whatever_raw_values_hold() -> None:
    value = {"a": msgspec.Raw(b"[\n1,\n2]"), "b": "\n"}

    assert b'{"a":[1,2],"b":"\\n"}\n' == json_line(value)
