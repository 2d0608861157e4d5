from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.formats.reading import MAX_LINE_BYTES, Attribute
from tests.unit.formats.mapped_reading import declared, problems, read_mapped


@pytest.mark.parametrize("chunk_bytes", [1, 5, 1 << 20])
def test_values_are_typed_by_what_they_are(chunk_bytes: int) -> None:
    line = (
        '{"s":"é\\n","n":1.50,"big":12345678901234567890123456789012345678,'
        '"t":true,"f":false,"z":null,"l":[1,[]],"m":{"a":{}}}\n'
    )
    found = read_mapped("plain_json", line.encode(), chunk_bytes)

    assert [
        {
            "s": {"S": "é\n"},
            "n": {"N": "1.50"},
            "big": {"N": "12345678901234567890123456789012345678"},
            "t": {"BOOL": True},
            "f": {"BOOL": False},
            "z": {"NULL": True},
            "l": {"L": [{"N": "1"}, {"L": []}]},
            "m": {"M": {"a": {"M": {}}}},
        }
    ] == found.items


@pytest.mark.parametrize(
    ("tag", "value", "typed"),
    [
        ("S", "5.0", {"S": "5.0"}),
        ("N", '"1.50"', {"N": "1.50"}),
        ("B", '"AAH/"', {"B": "AAH/"}),
        ("SS", '["x", "y"]', {"SS": ["x", "y"]}),
        ("NS", '[1.0, "2"]', {"NS": ["1.0", "2"]}),
        ("BS", '["AQ=="]', {"BS": ["AQ=="]}),
        ("L", '"[1]"', {"L": [{"N": "1"}]}),
        ("M", '{"a": 1}', {"M": {"a": {"N": "1"}}}),
        ("NULL", "null", {"NULL": True}),
    ],
)
def test_declared_values_are_converted(tag: str, value: str, typed: object) -> None:
    attributes = {"a": Attribute("renamed", tag)}
    found = read_mapped("plain_json", f'{{"a": {value}, "b": 1}}'.encode(), attributes=attributes)

    assert [{"renamed": typed, "b": {"N": "1"}}] == found.items


def test_null_in_a_declared_property_means_no_such_attribute() -> None:
    found = read_mapped("plain_json", b'{"a":null,"b":null}', attributes=declared(a="S"))

    assert [{"b": {"NULL": True}}] == found.items


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[1]", "not an item"),
        (b'{"a":1} {"a":2}', "not JSON: trailing characters"),
        (b'{"a":01}', "not JSON: invalid number"),
        (b'{"a":1,"b":2,"a":3}', "the name 'a' stands twice in one object"),
        (b'{"b":{"a":[{"c":1,"c":1}]}}', "the name 'c' stands twice in one object"),
        (b'{"b":"\xff"}', "not UTF-8"),
        (b'{"b":' + b"[" * 32 + b"]" * 32 + b"}", "nested deeper than 32 levels"),
        (b'{"b":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a":true}', "column 'a': 'true' is not of type N: a value of type BOOL cannot become one"),
        (b'{"a":"x"}', "column 'a': '\"x\"' is not of type N: no number"),
        (b'{"a":1,"key":2}', "two properties become the attribute 'key'"),
        (b'{"a":"' + b"x" * MAX_LINE_BYTES + b'"}', "longer than"),
    ],
    ids=range(12),
)
def test_a_bad_line_is_named_and_the_next_one_read(line: bytes, reason: str) -> None:
    found = read_mapped("plain_json", line + b'\n\n{"x":1}\n', attributes={"a": Attribute("key", "N")})

    assert [{"x": {"N": "1"}}] == found.items
    assert [3] == found.lines
    assert reason in found.reasons[1]


def test_the_deepest_nesting_that_dynamodb_takes_is_read() -> None:
    found = read_mapped("plain_json", b'{"b":' + b"[" * 31 + b"]" * 31 + b"}")

    assert 1 == len(found.items)


def test_settings_that_cannot_work_are_named() -> None:
    assert [] == problems("plain_json")
    assert ["column 'a': the attribute's name is empty"] == problems(
        "plain_json", attributes={"a": Attribute("", "S")}
    )
