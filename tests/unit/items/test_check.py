from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.items.check import problems_of

PK = KeyAttribute("pk", "S")


def problem(value: bytes) -> str | None:
    """What is wrong with the attribute n of an item."""
    return problems_of(b'{"pk":{"S":"a"},"n":' + value + b"}", (PK,))


def nested(levels: int, inner: Any) -> bytes:
    """A value inside lists, each in the one before."""
    return (b'{"L":[' * levels) + json.dumps(inner).encode() + b"]}" * levels


@pytest.mark.parametrize(
    "value",
    [
        b'{"S":""}',
        b'{"S":"\\u0000\\ud83d\\ude00"}',
        b'{"N":"-9.9999999999999999999999999999999999999E+125"}',
        b'{"N":"1E-130"}',
        b'{"N":"123456789012345678901234567890123456780"}',
        b'{"N":"0E-999"}',
        b'{"N":"+.5"}',
        b'{"B":""}',
        b'{"SS":["","x"]}',
        b'{"NS":["1","1.1"]}',
        b'{"BS":["AA==","AQ=="]}',
        b'{"L":[]}',
        b'{"M":{"S":{"M":{}}}}',
        b'{"BOOL":false}',
        b'{"NULL":true}',
        nested(30, {"L": []}),
        nested(31, {"S": "x"}),
    ],
)
def test_what_dynamodb_takes_has_no_problem(value: bytes) -> None:
    assert None is problem(value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b'"x"', "attribute 'n': a string stands where a typed value is expected"),
        (b"{}", "attribute 'n': a value has 0 types; expected exactly one"),
        (b'{"S":"x","N":"1"}', "attribute 'n': a value has 2 types; expected exactly one"),
        (b'{"s":"x"}', "attribute 'n': a value has the unknown type 's'"),
        (b'{"S":1}', "attribute 'n': a value of type S is a number and not a string"),
        (b'{"N":1}', "attribute 'n': a value of type N is a number and not a string"),
        (b'{"BOOL":"true"}', "attribute 'n': a value of type BOOL is a string and not true or false"),
        (b'{"NULL":null}', "attribute 'n': a value of type NULL is null and not true or false"),
        (b'{"NULL":false}', "attribute 'n': a value of type NULL is false"),
        (b'{"L":{}}', "attribute 'n': a value of type L is an object and not an array"),
        (b'{"N":""}', "attribute 'n': '' is not a number"),
        (b'{"N":"NaN"}', "attribute 'n': 'NaN' is not a number"),
        (b'{"N":"1E126"}', "attribute 'n': the number '1E126' is out of the range 1E-130 to 9.99E+125"),
        (b'{"N":"1E-131"}', "attribute 'n': the number '1E-131' is out of the range 1E-130 to 9.99E+125"),
        (
            b'{"N":"0.123456789012345678901234567890123456789"}',
            "attribute 'n': a number has 39 significant digits; at most 38",
        ),
        (b'{"B":"AA"}', "attribute 'n': 'AA' is not base64"),
        (b'{"B":"AAAA===="}', "attribute 'n': 'AAAA====' is not base64"),
        (b'{"B":"AAA_"}', "attribute 'n': 'AAA_' is not base64"),
        (b'{"SS":[]}', "attribute 'n': a set is empty"),
        (b'{"SS":["x","\\u0078"]}', "attribute 'n': a set of type SS has a member twice"),
        (b'{"NS":["1","2","1.0"]}', "attribute 'n': a set of type NS has a member twice"),
        (b'{"BS":["AA==","AB=="]}', "attribute 'n': a set of type BS has a member twice"),
        (b'{"NS":[1]}', "attribute 'n': a member of a set of type NS is a number and not a string"),
        (b'{"NS":["x"]}', "attribute 'n': 'x' is not a number"),
        (b'{"BS":["x"]}', "attribute 'n': 'x' is not base64"),
        (b'{"M":{"":{"S":"x"}}}', "attribute 'n'['']: an attribute name is empty"),
        (b'{"L":[{"S":"x"},{"M":{"k":{"N":"x"}}}]}', "attribute 'n'[1]['k']: 'x' is not a number"),
        (b'{"S":"\\ud800"}', "attribute 'n': a string or name holds a lone surrogate, U+D800"),
        (b'{"SS":["\\udc00"]}', "attribute 'n': a string or name holds a lone surrogate, U+DC00"),
        (b'{"S":"x","S":"x"}', "the name 'S' stands twice in one object"),
        (b'{"S":"\xff"}', "it is not UTF-8: invalid start byte at byte 26"),
        (b'{"S":"\x01"}', "it is not JSON: Invalid control character at"),
        (b'{"N":NaN}', "attribute 'n': a value of type N is a number and not a string"),
        (b'{"S":"x"}}', "it is not JSON: Extra data"),
        (nested(31, {"L": []}), "attribute 'n'[0]"),
        (nested(32, {"S": "x"}), "attribute 'n'[0]"),
        (nested(100_000, {"S": "x"}), "it is nested deeper than 32 levels"),
    ],
)
def test_what_dynamodb_refuses_is_said_in_words(value: bytes, words: str) -> None:
    found = problem(value)

    assert words == (found or "")[: len(words)]


@pytest.mark.parametrize("levels", [31, 40])
def test_too_deep_a_nesting_is_called_so(levels: int) -> None:
    assert (problem(nested(levels, {"M": {}})) or "").endswith("it is nested deeper than 32 levels")


@pytest.mark.parametrize(
    ("item", "key", "words"),
    [
        (b"[]", "S", "it is an array and not an object"),
        (b"{}", "S", "the partition key 'pk' is missing"),
        (b'{"pk":{"N":"1"}}', "S", "the partition key 'pk' has the type N; the table's is S"),
        (b'{"pk":{"S":""}}', "S", "the partition key 'pk' is empty"),
        (b'{"pk":{"B":""}}', "B", "the partition key 'pk' is empty"),
        (b'{"pk":{"S":"a"},"pk":{"S":"b"}}', "S", "the name 'pk' stands twice in one object"),
        (b'{"pk":{"S":"a"},"":{"S":"b"}}', "S", "attribute '': an attribute name is empty"),
    ],
)
def test_a_wrong_item_or_key_is_said_in_words(item: bytes, key: str, words: str) -> None:
    assert words == problems_of(item, (KeyAttribute("pk", key),))


@pytest.mark.parametrize(
    ("name", "tag", "held", "size"),
    [
        ("pk", "S", "é" * 1025, 2050),
        ("sk", "S", "x" * 1025, 1025),
        ("sk", "B", "AAAA" * 342, 1026),
    ],
)
def test_a_key_may_have_so_many_bytes(name: str, tag: str, held: str, size: int) -> None:
    key = [KeyAttribute(each, tag if each == name else "S") for each in ("pk", "sk")]
    item = {"pk": {"S": "a"}, "sk": {"S": "b"}} | {name: {tag: held}}
    shorter = item | {name: {tag: held[4:]}}

    assert f"key '{name}' has {size} bytes" in (problems_of(json.dumps(item).encode(), key) or "")
    assert None is problems_of(json.dumps(shorter).encode(), key)


@pytest.mark.parametrize(
    ("more", "words"), [(0, None), (1, "it has 409601 bytes; at most 409600 are allowed")]
)
def test_an_item_may_have_400_kib(more: int, words: str | None) -> None:
    assert words == problem(b'{"S":"' + b"x" * (409_600 - 4 + more) + b'"}')


def test_a_name_may_have_one_byte_less_than_64_kib() -> None:
    assert None is problem(b'{"M":{"' + b"x" * 65_535 + b'":{"S":"x"}}}')
    assert (problem(b'{"M":{"' + b"x" * 65_536 + b'":{"S":"x"}}}') or "").endswith("more than 65535 bytes")
