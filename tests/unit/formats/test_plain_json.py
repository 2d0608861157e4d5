from __future__ import annotations

import msgspec
import pytest

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.formats.plain_json import PlainJson


def line(item: bytes) -> bytes:
    return b"".join(PlainJson().encode([msgspec.Raw(item)]))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (b'{"S":""}', b'""'),
        (b'{"S":"\\uD83D\\uDE00 \\u000B"}', b'"\\uD83D\\uDE00 \\u000B"'),
        (b'{"N":"12345678901234567890123456789012345678"}', b"12345678901234567890123456789012345678"),
        (b'{"N":"1E+100"}', b"1E+100"),
        (b'{"N":".5"}', b"0.5"),
        (b'{"B":"AAH/"}', b'"AAH/"'),
        (b'{"SS":["x","y"]}', b'["x","y"]'),
        (b'{"NS":["1.0","-2"]}', b"[1.0,-2]"),
        (b'{"BS":["AQ=="]}', b'["AQ=="]'),
        (b'{"M":{"N":{"N":"1"},"a":{"M":{}}}}', b'{"N":1,"a":{}}'),
        (b'{"L":[{"S":"x"},{"L":[]},{"NULL":true}]}', b'["x",[],null]'),
        (b'{"BOOL":true}', b"true"),
        (b'{"BOOL":false}', b"false"),
        (b'{"NULL":true}', b"null"),
    ],
)
def test_each_type_has_its_plain_form(value: bytes, plain: bytes) -> None:
    assert b'{"a":' + plain + b"}\n" == line(b'{"a":' + value + b"}")


def test_attributes_keep_their_order() -> None:
    assert b'{"z":1,"a":2,"m":3}\n' == line(b'{"z":{"N":"1"},"a":{"N":"2"},"m":{"N":"3"}}')


@pytest.mark.parametrize(
    "value", [b'{"N":"NaN"}', b'{"N":1}', b'{"NS":"1"}', b'{"NS":["1","x"]}', b'{"NS":[1]}', b'{"N":"\xff"}']
)
def test_what_is_not_a_number_is_refused(value: bytes) -> None:
    with pytest.raises(UnexpectedReply):
        line(b'{"a":' + value + b"}")


def test_the_line_is_one_line_even_when_the_item_was_indented() -> None:
    assert b'{"a":["x","y"],"n":1}\n' == line(b'{\n"a":{"SS":[\n"x",\n"y"]},\n"n":{"N":"1"}}')
