from __future__ import annotations

import pytest

from tests.unit.formats.reading import read

DEEP = 100_000


def one(line: bytes) -> bytes:
    found = read("data_pipeline", line)
    assert {} == found.reasons
    (item,) = found.raw
    return item


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (("s", "S"), "S"), (("n", "N"), "N"), (("b", "B"), "B"), (("l", "L"), "L"), (("m", "M"), "M"),
        (("sS", "ss", "SS", "Ss"), "SS"), (("nS", "ns", "NS"), "NS"), (("bS", "bs", "BS"), "BS"),
        (("bOOL", "bool", "BOOL", "Bool"), "BOOL"),
        (("nULL", "null", "NULL", "Null", "nULLValue", "nullvalue", "NULLVALUE"), "NULL"),
    ],
)  # fmt: skip
def test_tags_are_read_in_any_case(tags: tuple[str, ...], expected: str) -> None:
    held = {"L": "[]", "M": "{}", "BOOL": "true", "NULL": "true"}.get(expected, '"x"')
    for tag in tags:
        assert f'{{"a":{{"{expected}":{held}}}}}'.encode() == one(f'{{"a":{{"{tag}":{held}}}}}'.encode())


def test_attributes_named_like_tags_keep_their_names() -> None:
    line = b'{"s":{"m":{"sS":{"sS":["x"]},"nULLValue":{"nULLValue":true},"L":{"l":[{"m":{"m":{"m":{}}}}]}}}}'
    item = b'{"s":{"M":{"sS":{"SS":["x"]},"nULLValue":{"NULL":true},"L":{"L":[{"M":{"m":{"M":{}}}}]}}}}'

    assert item == one(line)


def test_values_stay_character_for_character() -> None:
    line = b'{"a":{"s":"\\uD83D\\uDE00 \\/ \xc3\xa9 {\\"s\\":1}"},"n":{"n":"-0.1000E-5"},"b":{"b":"AAH/"}}'

    assert line.replace(b'{"s":"\\u', b'{"S":"\\u').replace(b'{"n":', b'{"N":').replace(
        b'{"b":', b'{"B":'
    ) == one(line)


def test_empty_values_are_values() -> None:
    line = b'{"l":{"l":[]},"m":{"m":{}},"s":{"s":""},"sS":{"sS":[]},"in":{"l":[{"l":[]},{"m":{}}]}}'
    item = b'{"l":{"L":[]},"m":{"M":{}},"s":{"S":""},"sS":{"SS":[]},"in":{"L":[{"L":[]},{"M":{}}]}}'

    assert item == one(line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a":{"x":"1"}}', "a value has the unknown type 'x'"),
        (b'{"a":{"s":"1","n":"1"}}', "a value has 2 types; expected exactly one"),
        (b'{"a":{}}', "a value has 0 types; expected exactly one"),
        (b'{"a":"1"}', "not an item: Expected `object`, got `str` - at `$[...]`"),
        (b'{"a":{"l":{"s":"x"}}}', "not an item: Expected `array`, got `object`"),
        (b'{"a":{"m":[]}}', "not an item: Expected `object`, got `array`"),
        (b'{"a":{"s":"x"}},{"DeleteRequest":{}}', "not JSON: trailing characters"),
        (b'{"a":{"s":"x"}}{"b":{"s":"x"}}', "not JSON: trailing characters"),
        (b'{"a":{"s":"\\x"}}', "not JSON: invalid escaped character"),
        (b'{"a":{"s":"\xc0\xaf"}}', "not UTF-8: invalid start byte at byte 11"),
        (b'{"a":{"n":NaN}}', "not JSON: invalid character"),
        (b'{"a":' + b'{"l":[' * DEEP + b"]}" * DEEP + b"}", "nested too deeply"),
        (b'{"a":' + b'{"m":{"a":' * DEEP + b'{"s":""}' + b"}}" * DEEP + b"}", "nested too deeply"),
        (b"[]", "not an item: Expected `object`, got `array`"),
        (b"null", "not an item: Expected `object`, got `null`"),
        (b"id,name", "not JSON: invalid character"),
        (b'a\x03{"s":"x"},{"DeleteRequest":{}}', "no 0x02 after the value of 'a'"),
        (b'a\x03{"s":"x"}\x02', "no 0x03 after the name that begins with ''"),
        (b'a\x03{"s":"x"}\x02b', "no 0x03 after the name that begins with 'b'"),
        (b'a\x03{"s":"x"}\x02a\x03{"s":"y"}', "the attribute 'a' stands there twice"),
        (b'{"a":{"s":"x"},"a":{"s":"y"}}', "the name 'a' stands twice in one object"),
        (b'{"a":{"m":{"b":{"s":"x"}, "b":{"s":"xx"}}}}', "the name 'b' stands twice in one object"),
        (b'{"a":{"s":"x","s":"y"}}', "the name 's' stands twice in one object"),
        (b'{"a":{"s":"x"},"\\u0061":{"s":"y"}}', "the name 'a' stands twice in one object"),
        (b'a\x03{"m":{"b":{"s":"x"},"b":{"s":"y"}}}', "the name 'b' stands twice in one object"),
        (b"a\x03", "the value of 'a' is not JSON: Expecting value"),
        (b'a\x03{"s":"x', "the value of 'a' is not JSON: Unterminated string starting at"),
        (b'a\x03{"n":NaN}', "NaN is not JSON"),
        (b'a\x03"x"', "not an item: Expected `object`, got `str`"),
        (b'a\x03{"x":"x"}', "a value has the unknown type 'x'"),
        (b"a\x03" + b'{"l":[' * DEEP + b"]}" * DEEP, "nested too deeply"),
        (b'a\x03{"s":"\xff"}', "not UTF-8: invalid start byte at byte 8"),
        (b'{"a":{"s":"x\x03y"}}', """the value of '{"a":{"s":"x' is not JSON: Expecting value"""),
    ],
)
def test_what_is_no_item_is_a_bad_line_with_its_reason(line: bytes, reason: str) -> None:
    found = read("data_pipeline", b'{"id":{"n":"1"}}\n' + line + b'\nid\x03{"n":"3"}\n')

    assert [2] == list(found.reasons)
    assert found.reasons[2].startswith(reason)
    assert [b'{"id":{"N":"1"}}', b'{"id":{"N":"3"}}'] == found.raw
    assert [1, 3] == found.lines


@pytest.mark.parametrize("separator", [b"\x02", b"\x03"])
def test_separators_inside_values_of_hive_text_survive(separator: bytes) -> None:
    value = b"x" + separator + b'b\\"' + separator + b'{\\"s\\":1}'
    escaped = b"\\u%04x" % ord(separator)

    item = one(b'a\x03{"s":"' + value + b'"}\x02b\x03{"l":[ {"s":"\t' + escaped + b'"} ]}')

    expected = value.replace(separator, escaped)
    assert b'{"a":{"S":"' + expected + b'"},"b":{"L":[{"S":"\\u0009' + escaped + b'"}]}}' == item


def test_numbers_of_hive_text_are_never_computed() -> None:
    digits = b"9" * 5000

    assert b'{"a":{"N":"1.50"},"b":{"M":{"c":{"N":' + digits + b"}}}}" == one(
        b'a\x03{"n":"1.50"}\x02b\x03{"m":{"c":{"n":' + digits + b"}}}"
    )


def test_the_form_is_decided_for_each_line() -> None:
    found = read("data_pipeline", b'{"a":{"s":"x"}}\na\x03{"s":"y"} \n{"A":{"S":"z"}}\n')

    assert [b'{"a":{"S":"x"}}', b'{"a":{"S":"y"}}', b'{"A":{"S":"z"}}'] == found.raw
