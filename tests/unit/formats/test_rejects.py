from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from airflow_dynamo_pipeline.formats.detection import detect
from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.formats.reading import Block, ReadSettings
from airflow_dynamo_pipeline.formats.rejects import MARK, encode_rejects

ITEM = b'{"Item":{"pk":{"S":"a"}}}'


class File:
    """A stored file."""

    name = "rejects/00000.jsonl"

    def __init__(self, body: bytes) -> None:
        self.body = body

    def chunks(self) -> Iterator[bytes]:
        yield self.body

    def size(self) -> int:
        return len(self.body)

    def range(self, start: int, length: int) -> bytes:
        return self.body[start : start + length]


def read(body: bytes) -> Block:
    (block,) = READERS["rejects"].blocks(File(body), ReadSettings())
    return block


def test_a_line_tells_what_was_wrong_where_and_holds_the_text_to_mend() -> None:
    body = encode_rejects(
        [("a/part-1", 7, "no key", "dynamodb_json", ITEM), ("b", 1, 'a "quote"', "csv", b"x")]
    )

    first, second = map(json.loads, body.splitlines())
    wanted = {"rejected": {"file": "a/part-1", "line": 7, "reason": "no key"}, "reader": "dynamodb_json"}
    assert {**wanted, "text": ITEM.decode()} == first
    assert ("b", 'a "quote"') == (second["rejected"]["file"], second["rejected"]["reason"])
    assert all(line.startswith(MARK) for line in body.splitlines())


def test_its_first_line_tells_what_it_is() -> None:
    assert "rejects" == detect("anything", encode_rejects([("a", 1, "x", "csv", b"y")]))


@pytest.mark.parametrize("text", [b"\xff\x00", b"\xed\xa0\x80"])
def test_bytes_that_are_no_text_are_kept_in_base64(text: bytes) -> None:
    (line,) = encode_rejects([("a", 1, "not UTF-8", "dynamodb_json", text)]).splitlines()

    assert "text" not in json.loads(line)
    assert text == base64.b64decode(json.loads(line)["base64"])
    (bad,) = read(line).bad
    assert bad.reason.startswith("not UTF-8")


@pytest.mark.parametrize(
    ("reader", "text", "item"),
    [
        ("dynamodb_json", '{"Item":{"pk":{"S":"a"}}}', b'{"pk":{"S":"a"}}'),
        ("dynamodb_json", '{"Item":{"pk":{"S":"a"}}}\n', b'{"pk":{"S":"a"}}'),
        ("data_pipeline", '{"pk":{"s":"a"}}', b'{"pk":{"S":"a"}}'),
        ("data_pipeline", 'pk\x03{"s":"a"}', b'{"pk":{"S":"a"}}'),
        ("plain_json", '{"pk":"a"}', b'{"pk":{"S":"a"}}'),
    ],
)
def test_a_mended_line_is_read_as_the_reader_it_names_does(reader: str, text: str, item: bytes) -> None:
    body = encode_rejects([("a", 1, "x", reader, text.encode())])

    block = read(body)

    assert ([], [item], [1]) == (list(block.bad), [bytes(one) for one in block.items], list(block.lines))


def test_a_deletion_stays_one() -> None:
    change = b'{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"pk":{"S":"a"}}}'

    block = read(encode_rejects([("a", 1, "x", "incremental", change)]))

    assert ([b'{"pk":{"S":"a"}}'], [0]) == ([bytes(one) for one in block.items], list(block.deletes))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (encode_rejects([("a", 1, "x", "dynamodb_json", b"{")]), "not JSON: "),
        (encode_rejects([("a", 1, "x", "dynamodb_json", b"")]), "its text holds 0 items, not one"),
        (
            encode_rejects([("a", 1, "x", "dynamodb_json", ITEM + b"\n" + ITEM)]),
            "its text holds 2 items, not one",
        ),
        (
            encode_rejects([("a", 1, "x", "xml", ITEM)]),
            "its reader is 'xml'; expected one of dynamodb_json, ",
        ),
        (encode_rejects([("a", 1, "x", "rejects", ITEM)]), "its reader is 'rejects'; expected one of "),
        (b'{"rejected":{"file":"a","line":1,"reason":"x"},"reader":"csv","base64":"?"}\n', ""),
        (
            b'{"rejected":{"file":"a","line":1,"reason":"x"},"reader":"csv","txt":"?"}\n',
            "unknown field `txt`",
        ),
        (b'{"Item":{"pk":{"S":"a"}}}\n', "not an item: "),
    ],
)
def test_a_line_that_cannot_be_read_is_a_bad_line_with_its_whole_text(line: bytes, reason: str) -> None:
    block = read(b"\n" + line)

    assert [] == list(block.items)
    (bad,) = block.bad
    assert (2, line.removesuffix(b"\n")) == (bad.line, bad.text)
    assert reason in bad.reason
