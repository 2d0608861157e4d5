"""Any item, written by any format: compared with decoders and models that share no code with it."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dynamo_pipeline.formats import FORMATS
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS
from airflow_dynamo_pipeline.items.page import cut_page

TAG_NAMES = ["S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL", "s", "sS", "nULL", "bOOL", "Item"]
NESTED_AT_MOST = 6

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", "\n", "\x00\x1f\x7f", "\u2028", "😀", '{"S":"x"}', '"}}\n{"Item":', "\\", "\\u000b", "e\u0301"]
)
names = st.sampled_from(TAG_NAMES) | texts


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """Draw a number text with up to 38 digits, plain or with an exponent."""
    digits = str(draw(st.integers(0, 10**38 - 1)))
    point = draw(st.integers(1, len(digits)))
    fraction = f".{digits[point:]}" if point < len(digits) else ""
    whole = digits[:point] if fraction else digits
    exponent = draw(st.sampled_from(["", "", "E+100", "E-128", "e5"]))
    return draw(st.sampled_from(["", "-"])) + whole + fraction + exponent


binaries = st.binary(max_size=9).map(lambda data: base64.b64encode(data).decode())
leaves = st.one_of(
    st.fixed_dictionaries({"S": texts}),
    st.fixed_dictionaries({"N": numbers()}),
    st.fixed_dictionaries({"B": binaries}),
    st.fixed_dictionaries({"SS": st.lists(texts, max_size=3, unique=True)}),
    st.fixed_dictionaries({"NS": st.lists(numbers(), max_size=3, unique=True)}),
    st.fixed_dictionaries({"BS": st.lists(binaries, max_size=3, unique=True)}),
    st.fixed_dictionaries({"BOOL": st.booleans()}),
    st.just({"NULL": True}),
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"L": st.lists(inner, max_size=3)}) | st.fixed_dictionaries(
        {"M": st.dictionaries(names, inner, max_size=3)}
    )


@st.composite
def values(draw: st.DrawFn) -> Any:
    """Draw a typed value, at times inside several lists and maps."""
    value = draw(st.recursive(leaves, containers, max_leaves=6))
    for name in draw(st.lists(names | st.none(), max_size=NESTED_AT_MOST)):
        value = {"L": [value]} if name is None else {"M": {name: value}}
    return value


items = st.dictionaries(names, values(), max_size=4)


@st.composite
def sent(draw: st.DrawFn) -> tuple[Any, msgspec.Raw]:
    """Draw an item and one of the texts a server might send for it."""
    item = draw(items)
    indent = draw(st.sampled_from([None, None, 1]))
    separators = draw(st.sampled_from([(",", ":"), (" , ", " : ")]))
    text = json.dumps(item, ensure_ascii=draw(st.booleans()), indent=indent, separators=separators)
    (raw,) = cut_page(b'{"Items":[' + text.encode() + b'],"Count":1}').Items
    return item, raw


def lines(format_name: str, batch: list[tuple[Any, msgspec.Raw]]) -> list[bytes]:
    data = b"".join(FORMATS[format_name].encode([text for _, text in batch]))
    *found, rest = data.split(b"\n")
    assert b"" == rest
    return found


batches = st.lists(sent(), max_size=3)


@given(batches)
def test_dynamodb_json_lines_hold_the_items_exactly(batch: list[tuple[Any, msgspec.Raw]]) -> None:
    found = [json.loads(line, object_pairs_hook=ordered) for line in lines("dynamodb_json", batch)]

    assert [{"Item": in_order(item)} for item, _ in batch] == [dict(line) for line in found]


@given(items)
def test_dynamodb_json_changes_no_byte_of_an_item_without_newlines(item: Any) -> None:
    text = json.dumps(item, ensure_ascii=False).encode()

    assert [b'{"Item":' + text + b"}"] == lines("dynamodb_json", [(item, msgspec.Raw(text))])


def ordered(pairs: list[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """Keep an object's order, and twice the same name, where they can be compared."""
    return tuple(pairs)


def in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((name, in_order(held)) for name, held in value.items())
    return [in_order(held) for held in value] if isinstance(value, list) else value


UPPER = {"s": "S", "n": "N", "b": "B", "sS": "SS", "nS": "NS", "bS": "BS", "bOOL": "BOOL", "nULL": "NULL"}


def from_data_pipeline(value: dict[str, Any]) -> dict[str, Any]:
    """Decode one value as a reader of backups would, knowing nothing of the writer."""
    ((tag, held),) = value.items()
    match tag:
        case "m":
            return {"M": {name: from_data_pipeline(inner) for name, inner in held.items()}}
        case "l":
            return {"L": [from_data_pipeline(inner) for inner in held]}
        case _:
            return {UPPER[tag]: held}


@given(batches)
def test_data_pipeline_lines_decode_to_the_items(batch: list[tuple[Any, msgspec.Raw]]) -> None:
    found = [json.loads(line) for line in lines("data_pipeline", batch)]
    decoded = [{name: from_data_pipeline(value) for name, value in line.items()} for line in found]

    assert [in_order(item) for item, _ in batch] == [in_order(item) for item in decoded]


class Number(str):
    """The digits of a JSON number, told from a string by its type."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and str.__eq__(self, other)

    __hash__ = str.__hash__


def plain(value: dict[str, Any]) -> Any:
    """Say what a typed value is in plain JSON, numbers by their digits."""
    ((tag, held),) = value.items()
    match tag:
        case "N":
            return Number(held)
        case "NS":
            return [Number(text) for text in held]
        case "M":
            return tuple((name, plain(inner)) for name, inner in held.items())
        case "L":
            return [plain(inner) for inner in held]
        case "NULL":
            return None
        case _:
            return held


@given(batches)
def test_plain_json_lines_equal_the_model(batch: list[tuple[Any, msgspec.Raw]]) -> None:
    found = [
        json.loads(line, object_pairs_hook=ordered, parse_int=Number, parse_float=Number)
        for line in lines("plain_json", batch)
    ]

    assert [plain({"M": item}) for item, _ in batch] == found


@pytest.mark.parametrize("name", COMPRESSIONS)
@given(pieces=st.lists(st.binary(max_size=300), max_size=5), cuts=st.lists(st.integers(0, 400), max_size=4))
def test_bytes_come_back_however_they_are_cut(name: str, pieces: list[bytes], cuts: list[int]) -> None:
    compressor = COMPRESSIONS[name].open()
    data = b"".join([*(compressor.compress(piece) for piece in pieces), compressor.flush()])
    edges = [0, *sorted(cuts), len(data)]
    chunks = [data[start:end] for start, end in itertools.pairwise(edges)]

    assert b"".join(pieces) == b"".join(COMPRESSIONS[name].decompress(chunks))
