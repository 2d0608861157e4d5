"""Rows or lines that a reader has converted, gathered into blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from airflow_dynamo_pipeline.formats.lines import BLOCK_BYTES, BYTE_ORDER_MARK, PIECE_BYTES
from airflow_dynamo_pipeline.formats.reading import KEPT_BYTES, MAX_LINE_BYTES, BadLine, Block


class Row(NamedTuple):
    """What one row became: an item, a bad line, or nothing where the row was blank."""

    line: int  # where it begins, from 1
    last_line: int  # where it ends
    found: msgspec.Raw | BadLine | None


class Line(NamedTuple):
    """One line of a file without its newline; of one over MAX_LINE_BYTES the beginning only."""

    number: int
    text: bytes
    too_long: bool


def in_blocks(rows: Iterable[Row]) -> Iterator[Block]:
    """Gather rows into blocks; when ``rows`` raises ValueError, what came before is handed out first."""
    pending: list[Row] = []
    size = 0
    try:
        for row in rows:
            pending.append(row)
            size += _size(row)
            if size >= BLOCK_BYTES:
                yield _block(pending)
                pending, size = [], 0
    except ValueError:
        if pending:
            yield _block(pending)
        raise
    if pending:
        yield _block(pending)


def lines_of(chunks: Iterable[bytes]) -> Iterator[Line]:
    """Cut a file into lines, holding one piece and one line at most; a byte order mark is dropped.

    A carriage return stays: inside quotes it belongs to the value.
    """
    number = 0
    begun = bytearray()
    for piece in _pieces(chunks):
        *whole, rest = piece.split(b"\n")
        for text in whole:
            number += 1
            yield _line(number, begun + text if begun else text)
            begun = bytearray()
        if len(begun) <= MAX_LINE_BYTES:  # what is longer is bad, and its end does not matter
            begun += rest
    if begun:
        yield _line(number + 1, begun)


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        view = memoryview(chunk)
        for start in range(0, len(view), PIECE_BYTES):
            yield bytes(view[start : start + PIECE_BYTES])


def _line(number: int, text: bytes | bytearray) -> Line:
    if len(text) > MAX_LINE_BYTES:
        return Line(number, bytes(text[:KEPT_BYTES]), too_long=True)
    whole = bytes(text)
    return Line(number, whole.removeprefix(BYTE_ORDER_MARK) if number == 1 else whole, too_long=False)


def _size(row: Row) -> int:
    found = row.found
    if found is None:
        return 1
    return len(found.text if isinstance(found, BadLine) else memoryview(found))


def _block(rows: list[Row]) -> Block:
    items = [(row.found, row.line) for row in rows if isinstance(row.found, msgspec.Raw)]
    return Block(
        items=[item for item, _ in items],
        lines=[line for _, line in items],
        lines_read=rows[-1].last_line,
        bad=[row.found for row in rows if isinstance(row.found, BadLine)],
    )
