from __future__ import annotations

import pytest

from tests.unit.formats.reading import read

META = b'"Metadata":{"WriteTimestampMicros":{"N":"1680109764000000"}}'
KEYS = b'"Keys":{"id":{"N":"1"}}'
IMAGE = b'{"id":{"N":"1"},"a":{"S":"x"}}'


def line(*fields: bytes) -> bytes:
    return b"{" + b",".join(fields) + b"}\n"


def test_inserts_and_updates_are_items_and_deletes_are_keys() -> None:
    text = (
        line(META, KEYS, b'"NewImage":' + IMAGE)
        + line(META, KEYS, b'"OldImage":' + IMAGE)
        + line(META, KEYS)
        + line(META, KEYS, b'"OldImage":{"id":{"N":"1"}}', b'"NewImage":' + IMAGE)
    )

    found = read("incremental", text)

    assert [] == found.bad
    assert [IMAGE, b'{"id":{"N":"1"}}', b'{"id":{"N":"1"}}', IMAGE] == found.raw
    assert [1, 2] == found.deletes


def test_a_key_may_be_spelled_otherwise_in_the_image() -> None:
    found = read("incremental", line(META, KEYS, b'"NewImage":{"id" : { "N":"\\u0031" }}'))

    assert ([b'{"id" : { "N":"\\u0031" }}'], []) == (found.raw, found.bad)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([KEYS], "missing required field `Metadata`"),
        ([META], "missing required field `Keys`"),
        ([b'"Metadata":{}', KEYS], "missing required field `WriteTimestampMicros`"),
        ([META, KEYS, b'"Item":{}'], "unknown field `Item`"),
        ([META, b'"Keys":{}'], 'the field "Keys" is empty'),
        ([META, b'"Keys":[]'], 'the field "Keys" is not a JSON object'),
        ([META, KEYS, b'"NewImage":null'], 'the field "NewImage" is not a JSON object'),
        ([META, KEYS, b'"OldImage":1'], 'the field "OldImage" is not a JSON object'),
        ([META, KEYS, KEYS], "a field stands there twice, or is spelled with escapes"),
        ([META, KEYS, b'"NewImage":{},"NewImage":' + IMAGE], "a field stands there twice"),
        ([META, KEYS, b'"NewImage":{"a":{"S":"x"}}'], "does not hold the key attribute 'id'"),
        ([META, KEYS, b'"NewImage":{"id":{"N":"2"}}'], "does not hold the key attribute 'id'"),
        ([META, KEYS, b'"NewImage":{"id":{"S":"1"}}'], "does not hold the key attribute 'id'"),
        ([META, KEYS, b'"NewImage":' + IMAGE + b'},{"DeleteRequest":{}'], "not JSON"),
        ([META, KEYS, b'"OldImage":' + b"[" * 100_000 + b"]" * 100_000], "nested too deeply"),
    ],
)
def test_what_is_no_change_of_one_item_is_a_bad_line(fields: list[bytes], reason: str) -> None:
    found = read("incremental", line(META, KEYS) + line(*fields) + line(META, KEYS, b'"NewImage":' + IMAGE))

    assert [2] == list(found.reasons)
    assert reason in found.reasons[2]
    assert ([1, 3], [0]) == (found.lines, found.deletes)
