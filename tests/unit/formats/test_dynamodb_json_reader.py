from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.formats import dynamodb_json_reader as module
from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.formats.reading import ReadSettings
from airflow_dynamo_pipeline.items.keys import KeyReader
from tests.unit.formats.reading import Text, read

KEYED = ReadSettings(keys=KeyReader([KeyAttribute("id", "N")]))
GOOD = b'{"Item":{"id":{"N":"1"}}}\n'
DEEP = 100_000

SMUGGLED = {
    "a delete after the item": (
        b'{"Item":{"id":{"N":"1"}}},{"DeleteRequest":{"Key":{"id":{"N":"2"}}}}',
        "not JSON",
    ),
    "a delete where the item should end": (
        b'{"Item":{"id":{"N":"1"}}}},{"DeleteRequest":{"Key":{"id":{"N":"2"}}',
        "not JSON",
    ),
    "another table": (b'{"Item":{}}}],"Other":[{"PutRequest":{"Item":{}}}', "not JSON"),
    "a second field": (b'{"Item":{},"DeleteRequest":{}}', "unknown field `DeleteRequest`"),
    "a second field before": (b'{"Key":{},"Item":{}}', "unknown field `Key`"),
    "trailing garbage": (b'{"Item":{}} x', "not JSON"),
    "a trailing NUL": (b'{"Item":{}}\x00', "not JSON"),
    "two objects": (b'{"Item":{"a":{"N":"1"}}}{"Item":{"a":{"N":"2"}}}', "not JSON: trailing characters"),
    "two objects and a space": (b'{"Item":{"a":{"N":"1"}}} {"Item":{}}', "not JSON: trailing characters"),
    "two objects and a return": (b'{"Item":{"a":{"N":"1"}}}\r{"Item":{}}', "not JSON: trailing characters"),
    "the field twice": (b'{"Item":{"a":{"N":"1"}},"Item":{"a":{"N":"2"}}}', 'more than one field "Item"'),
    "the field twice, once escaped": (b'{"Item":{"a":{}},"\\u0049tem":{}}', 'more than one field "Item"'),
    "an escaped field": (b'{"\\u0049tem":{}}', "spelled with escapes"),
    "no field": (b"{}", "missing required field `Item`"),
    "a wrong escape": (b'{"Item":{"a":{"S":"\\x41"}}}', "not JSON: invalid escape"),
    "a wrong unicode escape": (b'{"Item":{"a":{"S":"\\u00g0"}}}', "not JSON"),
    "a control character": (b'{"Item":{"a":{"S":"\x01"}}}', "not JSON"),
    "overlong UTF-8": (b'{"Item":{"a":{"S":"\xc0\xa2"}}}', "not UTF-8: invalid start byte at byte 19"),
    "a surrogate in UTF-8": (b'{"Item":{"a":{"S":"\xed\xa0\x80"}}}', "not UTF-8"),
    "Latin-1": (b'{"Item":{"a":{"S":"\xe9"}}}', "not UTF-8"),
    "NaN": (b'{"Item":{"a":{"N":NaN}}}', "not JSON"),
    "a comment": (b'{"Item":{/* */}}', "not JSON"),
    "a trailing comma": (b'{"Item":{"a":{"N":"1"},}}', "not JSON"),
    "no object": (b'{"Item":[{"a":{"N":"1"}}]}', 'the field "Item" is not a JSON object'),
    "null": (b'{"Item":null}', 'the field "Item" is not a JSON object'),
    "a string": (b'{"Item":"{}"}', 'the field "Item" is not a JSON object'),
    "an array around": (b'[{"Item":{}}]', "not an item: Expected `object`, got `array`"),
    "an item cut short": (b'{"Item":{"a":{"N":"1"}', "not JSON"),
    "another format": (b"id,name", "not JSON"),
    "nested arrays": (b'{"Item":{"a":' + b"[" * DEEP + b"]" * DEEP + b"}}", "nested too deeply"),
    "nested objects": (b'{"Item":' + b'{"M":' * DEEP + b"1" + b"}" * DEEP + b"}", "nested too deeply"),
}


@pytest.mark.parametrize(("line", "reason"), SMUGGLED.values(), ids=SMUGGLED.keys())
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("settings", [ReadSettings(), KEYED], ids=["", "with keys"])
def test_what_is_not_one_item_is_a_bad_line_and_its_neighbours_are_kept(
    line: bytes, reason: str, end: bytes, settings: ReadSettings
) -> None:
    after = GOOD if end else b""

    found = read("dynamodb_json", GOOD + line + end + after, settings=settings)

    assert [(2, line)] == [(one.line, one.text) for one in found.bad]
    assert reason in found.reasons[2]
    assert [b'{"id":{"N":"1"}}'] * (2 if end else 1) == found.raw
    assert [1, 3][: len(found.raw)] == found.lines


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (GOOD + b'{"Item":{"v":{"S":"x"},"id":{"N":"2"}}}\n', [("1",), ("2",)]),
        (GOOD + b'{"Item":{"v":{"S":"x"}}}\n', None),
        (GOOD + b'{"Item":{"id":{"S":"2"}}}\n', None),
        (GOOD + b"\n" + GOOD, None),
    ],
)
def test_keys_come_with_the_items_when_every_line_is_as_it_should_be(
    text: bytes, keys: list[tuple[str]] | None
) -> None:
    (block,) = READERS["dynamodb_json"].blocks(Text(text), KEYED)

    assert ([b'{"id":{"N":"1"}}', 2], keys) == ([bytes(block.items[0]), len(block.items)], block.keys)


def test_two_faults_that_even_out_do_not_hide_each_other() -> None:
    """An object over two lines and two on one line: as many objects as lines, and as many bytes between."""
    text = b'{"Item":{\n}}{"Item":{}}\n'

    found = read("dynamodb_json", text)

    assert ([], [1, 2]) == (found.raw, [one.line for one in found.bad])


@pytest.mark.parametrize(
    "text",
    [
        b'{"Item":{"a":{"N":"1"}}}\n{"Item": {"b":{"N":"2"}}}\n',
        b'{"Item":{"a":{"N":"1"}}}\n\n \t\n{"Item":{"b":{"N":"2"}}}',
        b' {"Item":{"a":{"N":"1"}}} \r\n{ "Item" : {"b":{"N":"2"}} }',
        b'\xef\xbb\xbf{"Item":{"a":{"N":"1"}}}\r\n{"Item":{"b":{"N":"2"}}}\r\n',
    ],
)
def test_white_space_around_items_is_allowed(text: bytes) -> None:
    found = read("dynamodb_json", text)

    assert [] == found.bad
    assert [b'{"a":{"N":"1"}}', b'{"b":{"N":"2"}}'] == [item.strip() for item in found.raw]


def test_blank_lines_count() -> None:
    found = read("dynamodb_json", b"\n\n" + GOOD + b"\n" + GOOD + b"\n\n")

    assert ([3, 5], 7) == (found.lines, found.lines_read)


def test_items_are_handed_out_character_for_character() -> None:
    item = (
        b'{"a":{"S":"\\uD83D\\uDE00 \\/ \xc3\xa9"},'
        b'"n":{"N":"1.50E+0"},"m":{"M":{"Item":{"S":"}\\n{\\"Item\\":{"}}}}'
    )

    found = read("dynamodb_json", GOOD + b'{"Item":' + item + b"}\n")

    assert item == found.raw[1]


def test_blocks_as_exporters_write_them_are_not_read_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast path takes them all; were it to refuse them, nothing but the speed would show it."""
    monkeypatch.delattr(module, "read_one_by_one")
    lines = [
        b'{"Item":{"id":{"N":"%d"},"a":{"S":"%s \xc3\xa9"}}}\n' % (n, b"}" * (n % 90)) for n in range(9000)
    ]

    found = read("dynamodb_json", b"".join(lines), 70_000)

    assert lines == [b'{"Item":%s}\n' % item for item in found.raw]
    assert list(range(1, 9001)) == found.lines


def test_a_bad_line_costs_its_block_no_item() -> None:
    lines = [GOOD] * 30_000
    lines[17] = lines[29_999] = b"bad\n"

    found = read("dynamodb_json", b"".join(lines))

    assert [18, 30_000] == [one.line for one in found.bad]
    assert 29_998 == len(found.raw)
    assert [n for n in range(1, 30_000) if n != 18] == found.lines


@pytest.mark.parametrize("name", ["dynamodb_json", "data_pipeline", "incremental"])
def test_readers_of_lines_need_no_settings_and_no_library(name: str) -> None:
    reader = READERS[name]
    reader.check_available()

    assert [] == list(reader.check_settings(ReadSettings()))
    assert name == reader.name
