from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from airflow_dynamo_pipeline.formats.lines import BLOCK_BYTES, PIECE_BYTES, Lines, cut_lines
from airflow_dynamo_pipeline.formats.reading import KEPT_BYTES, MAX_LINE_BYTES

MEBIBYTE = 1 << 20


def in_chunks(text: bytes, size: int) -> list[bytes]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def numbered(blocks: list[Lines]) -> list[tuple[int, bytes]]:
    return [pair for block in blocks for pair in block.numbered()]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_how_bytes_are_chunked_does_not_change_the_lines(size: int) -> None:
    text = b"\xef\xbb\xbfone\r\n\r\n \t\ntwo \xc3\xa9\nthree"

    blocks = list(cut_lines(in_chunks(text, size)))

    assert [(1, b"one"), (4, b"two \xc3\xa9"), (5, b"three")] == numbered(blocks)
    assert 5 == blocks[-1].last


@pytest.mark.parametrize("text", [b"", b"\xef\xbb\xbf", b"\n", b"\n \n\r\n"])
def test_a_file_without_lines_has_none(text: bytes) -> None:
    assert [] == numbered(list(cut_lines([text])))


def test_a_byte_order_mark_is_only_one_at_the_start() -> None:
    assert [(1, b"a"), (2, b"\xef\xbb\xbfb")] == numbered(list(cut_lines([b"a\n\xef\xbb\xbfb\n"])))


def test_a_return_inside_a_line_stays() -> None:
    assert [(1, b"a\rb")] == numbered(list(cut_lines([b"a\rb\n"])))


def test_blocks_are_whole_lines_of_about_a_quarter_mebibyte() -> None:
    text = b"".join(b"%d %s\n" % (n, b"x" * (n % 700)) for n in range(9000))

    blocks = list(cut_lines(in_chunks(text, 100_000)))

    assert text == b"".join(block.data for block in blocks)
    assert len(blocks) > 5
    assert all(block.data.endswith(b"\n") for block in blocks)
    assert all(BLOCK_BYTES - 800 <= len(block.data) <= BLOCK_BYTES + PIECE_BYTES for block in blocks[:-1])
    assert list(range(1, 9001)) == [number for number, _ in numbered(blocks)]
    assert [block.last + 1 for block in blocks[:-1]] == [block.first for block in blocks[1:]]


@pytest.mark.parametrize("size", [1000, 65_536, 1 << 20, 1 << 25])
def test_the_longest_line_is_a_line_and_one_byte_more_is_too_long(size: int) -> None:
    longest = b"a" * MAX_LINE_BYTES
    text = b"first\n" + longest + b"\nx" + longest + b"\nlast\n"

    blocks = list(cut_lines(in_chunks(text, size)))

    assert [(1, b"first"), (2, longest), (4, b"last")] == numbered(blocks)
    ((line, reason, kept),) = [(one.line, one.reason, one.text) for block in blocks for one in block.bad]
    assert (3, "longer than 8,388,608 bytes") == (line, reason)
    assert b"x" + b"a" * (KEPT_BYTES - 1) == kept


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_file_that_ends_with_a_line_too_long_ends_with_a_bad_line(end: bytes) -> None:
    blocks = list(cut_lines([b"first\n", b"b" * (MAX_LINE_BYTES + 1), end]))

    assert [(1, b"first")] == numbered(blocks)
    assert [2] == [one.line for block in blocks for one in block.bad]
    assert 2 == blocks[-1].last


def test_two_lines_too_long_are_two_bad_lines() -> None:
    line = b"b" * (MAX_LINE_BYTES + 1) + b"\n"

    blocks = list(cut_lines([line + line + b"c"]))

    assert [1, 2] == [one.line for block in blocks for one in block.bad]
    assert [(3, b"c")] == numbered(blocks)


def test_a_line_of_a_gigabyte_is_never_held() -> None:
    def chunks() -> Iterator[bytes]:
        piece = b"a" * MEBIBYTE
        for _ in range(1024):
            yield piece
        yield b"\nlast\n"

    tracemalloc.start()
    try:
        blocks = list(cut_lines(chunks()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert [1] == [one.line for block in blocks for one in block.bad]
    assert [(2, b"last")] == numbered(blocks)
    assert peak < 3 * MAX_LINE_BYTES
