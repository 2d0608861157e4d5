from __future__ import annotations

import json

import pytest

from airflow_dynamo_pipeline.formats.changes import delete_line, put_line
from airflow_dynamo_pipeline.formats.detection import detect
from tests.unit.formats.reading import read

ITEM = b'{"id":{"S":"P1"},"n":{"N":"1.50"}}'
KEYS = b'{"id":{"S":"P1"}}'
KEY = b'["P1"]'
OLD, NEW = "aaaaaaaaaaaaaaa+", "bbbbbbbbbbbbbbb/"
PUT = put_line(KEY, OLD, NEW, ITEM)
DELETE = delete_line(KEY, OLD, KEYS)


def line(*fields: bytes) -> bytes:
    return b"{" + b",".join(fields) + b"}\n"


def test_a_put_tells_its_key_both_digests_and_the_item() -> None:
    wanted = {"change": "put", "key": ["P1"], "old": OLD, "new": NEW, "item": json.loads(ITEM)}

    assert wanted == json.loads(PUT)
    assert {**wanted, "old": None} == json.loads(put_line(KEY, None, NEW, ITEM))


def test_a_delete_tells_its_key_the_digest_and_the_typed_key() -> None:
    wanted = {"change": "delete", "key": ["P1"], "old": OLD, "keys": json.loads(KEYS)}

    assert wanted == json.loads(DELETE)


def test_puts_are_items_and_deletes_are_keys_as_they_were_written() -> None:
    found = read("changes", b"\n".join([PUT, DELETE, put_line(KEY, None, NEW, ITEM), DELETE]))

    assert [ITEM, KEYS, ITEM, KEYS] == found.raw
    assert ([1, 3], [], 4) == (found.deletes, found.bad, found.lines_read)


@pytest.mark.parametrize(
    "item",
    [
        b'{"id":{"S":"a\\"b\\\\c\\n\\u0001\\u2028"}}',
        b'{"id":{"S":"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80"}}',
        b'{"id":{"S":"},{\\"change\\":\\"delete\\""}}',
        b'{"change":{"S":"put"},"key":{"L":[]},"old":{"NULL":true},"item":{"M":{"keys":{"M":{}}}}}',
        b'{"b":{"B":"AAH/"},"bs":{"BS":["AQ=="]},"ns":{"NS":["1E+100","-0.50"]}}',
        b"{}",
    ],
)
def test_whatever_an_item_holds_it_comes_back(item: bytes) -> None:
    found = read("changes", put_line(KEY, None, NEW, item) + b"\n")

    assert ([item], [], []) == (found.raw, found.deletes, found.bad)


@pytest.mark.parametrize("key", [b'["a\\"b","-1.5"]', '["é"]'.encode(), b'["\\u0000"]'])
def test_whatever_a_key_holds_the_line_is_one(key: bytes) -> None:
    found = read("changes", put_line(key, None, NEW, ITEM) + b"\n" + delete_line(key, OLD, KEYS))

    assert ([ITEM, KEYS], [1], []) == (found.raw, found.deletes, found.bad)


@pytest.mark.parametrize("chunk_bytes", [1, 7, 64])
def test_how_a_file_is_chunked_does_not_matter(chunk_bytes: int) -> None:
    found = read("changes", b"\n".join([PUT, DELETE] * 5), chunk_bytes)

    assert ([ITEM, KEYS] * 5, [1, 3, 5, 7, 9]) == (found.raw, found.deletes)


def test_white_space_and_blank_lines_are_passed_over() -> None:
    spaced = b' { "change" : "put" , "key":["P1"],"old" : null, "new":"x", "item" : ' + ITEM + b" } "
    found = read("changes", b"\r\n\n" + spaced + b"\r\n\n" + DELETE + b"\n\n")

    assert ([ITEM, KEYS], [3, 5], []) == (found.raw, found.lines, found.bad)


P, D = b'"change":"put"', b'"change":"delete"'
K, O, N, I, S = b'"key":["P1"]', b'"old":null', b'"new":"x"', b'"item":' + ITEM, b'"keys":' + KEYS  # noqa: E741


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([K, O, N, I], "missing required field `change`"),
        ([P, O, N, I], "missing required field `key`"),
        ([b'"change":"update"', K, O, N, I], 'the field "change" is neither "put" nor "delete"'),
        ([b'"change":null', K, O, N, I], 'the field "change" is neither "put" nor "delete"'),
        ([b'"change":"PUT"', K, O, N, I], 'the field "change" is neither "put" nor "delete"'),
        ([P, K, N, I], "its fields are change, key, new, item; expected change, key, old, new, item"),
        ([P, K, O, I], "expected change, key, old, new, item"),
        ([P, K, O, N], "expected change, key, old, new, item"),
        ([P, K, O, N, I, S], "expected change, key, old, new, item"),
        ([P, K, O, S], "expected change, key, old, new, item"),
        ([D, K, O, N, S], "expected change, key, old, keys"),
        ([D, K, O, I], "expected change, key, old, keys"),
        ([D, K, S], "expected change, key, old, keys"),
        ([P, K, O, N, I, b'"more":1'], "unknown field `more`"),
        ([P, K, O, N, I, I], "a field stands there twice, or is spelled with escapes"),
        ([P, D, K, O, S], "a field stands there twice, or is spelled with escapes"),
        ([P, K, O, N, b'"item":{"id":{"S":"evil"}}', I], "a field stands there twice"),
        ([P, K, O, N, b'"\\u0069tem":' + ITEM], "a field stands there twice, or is spelled with escapes"),
        ([P, K, O, N, b'"item":[]'], 'the field "item" is not a JSON object'),
        ([P, K, O, N, b'"item":null'], 'the field "item" is not a JSON object'),
        ([D, K, O, b'"keys":"P1"'], 'the field "keys" is not a JSON object'),
        ([P, K, O, N, I + b'},{"change":"delete"'], "not JSON"),
        ([P, K, O, N, b'"item":{"id":{"S":"P1"}'], "not JSON"),
        ([P, b'"key":' + b"[" * 100_000 + b"]" * 100_000, O, N, I], "nested too deeply"),
    ],
)
def test_what_is_no_change_of_one_item_is_a_bad_line(fields: list[bytes], reason: str) -> None:
    found = read("changes", PUT + b"\n" + line(*fields) + DELETE + b"\n")

    assert [2] == list(found.reasons)
    assert reason in found.reasons[2]
    assert ([ITEM, KEYS], [1, 3], [1]) == (found.raw, found.lines, found.deletes)


def test_lines_that_are_the_same_are_each_a_change() -> None:
    assert [ITEM, ITEM] == read("changes", PUT + b"\n" + PUT).raw


def test_a_line_cut_short_is_a_bad_line() -> None:
    found = read("changes", PUT + b"\n" + DELETE[:-5])

    assert ([ITEM], [2]) == (found.raw, list(found.reasons))


@pytest.mark.parametrize("first", [PUT, DELETE, put_line(KEY, None, NEW, ITEM)])
def test_its_first_line_tells_what_it_is(first: bytes) -> None:
    assert "changes" == detect("anything", first + b"\n")
