"""Any item written by a lossless format and read back, and any bytes at all read by a reader of lines."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dynamo_pipeline.formats import FORMATS
from airflow_dynamo_pipeline.formats.compression import compression_of
from airflow_dynamo_pipeline.formats.contents import StoredContent
from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.formats.reading import Block, ReadSettings
from tests.properties.test_formats import items

LOSSLESS = [name for name, form in FORMATS.items() if form.lossless]
READERS_OF_LINES = ["dynamodb_json", "data_pipeline", "incremental"]
META = b'{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":%s,"NewImage":%s}\n'
TOKENS = [
    *('{"', '"}', "{", "}", '"Item":', '{"Item":{', "}}", '"s"', '"Keys":', '"Metadata":', '"NewImage":'),
    *("\x02", "\x03", ":", ",", '"x"', "1", "null", "[", "]", "\n", "\r", " ", "\\", "\\ud800", "\ufeff"),
]

chunk_sizes = st.integers(1, 4000)
lines_of_anything = st.lists(
    st.binary(max_size=60)
    | st.text(max_size=30).map(str.encode)
    | st.lists(
        st.sampled_from(TOKENS),
        max_size=14,
    ).map(lambda parts: "".join(parts).encode()),
    max_size=6,
).map(b"\n".join)
plain_lines = lines_of_anything.filter(lambda data: compression_of(data).name == "none")


def stored(data: bytes, chunk_bytes: int = 1 << 16) -> StoredContent:
    def read() -> Iterator[bytes]:
        for start in range(0, len(data), chunk_bytes):
            yield data[start : start + chunk_bytes]

    return StoredContent("0000", read, lambda: len(data), lambda start, length: data[start : start + length])


def blocks(name: str, data: bytes, chunk_bytes: int = 1 << 16) -> list[Block]:
    return list(READERS[name].blocks(stored(data, chunk_bytes), ReadSettings()))


def raw(written: list[Any], *, ascii_only: bool) -> list[msgspec.Raw]:
    return [msgspec.Raw(json.dumps(item, ensure_ascii=ascii_only).encode()) for item in written]


@pytest.mark.parametrize("name", LOSSLESS)
@given(written=st.lists(items, max_size=5), chunk_bytes=chunk_sizes, ascii_only=st.booleans())
def test_items_written_are_the_items_read(
    name: str, written: list[Any], chunk_bytes: int, ascii_only: bool
) -> None:
    data = b"".join(FORMATS[name].encode(raw(written, ascii_only=ascii_only)))

    found = blocks(name, data, chunk_bytes)

    assert [] == [bad for block in found for bad in block.bad]
    assert written == [json.loads(bytes(item)) for block in found for item in block.items]
    assert list(range(1, len(written) + 1)) == [line for block in found for line in block.lines]


@given(written=st.lists(items, max_size=5), chunk_bytes=chunk_sizes)
def test_hive_text_is_read_as_the_items_it_was_made_of(written: list[Any], chunk_bytes: int) -> None:
    """Names that hold a separator or the end of a line cannot be told in this format."""
    written = [
        named for item in written if (named := {n: v for n, v in item.items() if not {*"\x02\x03\n"} & {*n}})
    ]
    data = b"".join(
        b"\x02".join(name.encode() + b"\x03" + json.dumps(value).encode() for name, value in item.items())
        + b"\n"
        for item in written
    )

    found = blocks("data_pipeline", data, chunk_bytes)

    assert [] == [bad for block in found for bad in block.bad]
    assert written == [json.loads(bytes(item)) for block in found for item in block.items]


@given(written=st.lists(items.filter(bool), max_size=5), chunk_bytes=chunk_sizes)
def test_changes_are_read_as_their_new_images(written: list[Any], chunk_bytes: int) -> None:
    keys = raw([dict([next(iter(item.items()))]) for item in written], ascii_only=True)
    images = raw(written, ascii_only=False)
    data = b"".join(META % (bytes(key), bytes(image)) for key, image in zip(keys, images, strict=True))

    found = blocks("incremental", data, chunk_bytes)

    assert [] == [bad for block in found for bad in block.bad]
    assert [bytes(image) for image in images] == [bytes(item) for block in found for item in block.items]


@pytest.mark.parametrize("name", READERS_OF_LINES)
@given(data=plain_lines, chunk_bytes=chunk_sizes)
def test_any_bytes_are_items_and_bad_lines_and_nothing_else(name: str, data: bytes, chunk_bytes: int) -> None:
    found = blocks(name, data, chunk_bytes)

    kept = sorted(
        [line for block in found for line in block.lines] + [bad.line for block in found for bad in block.bad]
    )
    text = data.removeprefix(b"\xef\xbb\xbf")
    assert [n for n, line in enumerate(text.split(b"\n"), start=1) if line.strip()] == kept
    for item in (bytes(item) for block in found for item in block.items):
        assert isinstance(json.loads(item.decode()), dict)
        assert b"\n" not in item


@given(data=lines_of_anything, position=st.integers(0), bit=st.integers(0, 7), cut=st.integers(0, 200))
def test_damaged_compression_is_a_value_error_or_harmless(
    data: bytes, position: int, bit: int, cut: int
) -> None:
    whole = bytearray(gzip.compress(data))
    whole[position % len(whole)] ^= 1 << bit

    try:
        found = blocks("dynamodb_json", bytes(whole[: max(len(whole) - cut, 0)]))
    except ValueError:
        return
    for item in (bytes(item) for block in found for item in block.items):
        assert isinstance(json.loads(item.decode()), dict)
