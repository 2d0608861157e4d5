r"""Reads DynamoDB JSON, ``{"Item":{...}}`` a line, without looking into the items.

The items become parts of requests as they are, so a line must be proven to be one object with one field.
msgspec alone does not prove it: between items it takes any white space or none for the end of a line, and
of two fields ``Item`` it hands out the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from airflow_dynamo_pipeline.formats.lines import Lines, NotAnItem, check_utf8, cut_lines, read_one_by_one
from airflow_dynamo_pipeline.formats.reading import Block, Content, ReadSettings
from airflow_dynamo_pipeline.items.typed_text import has_only_fields, is_object
from airflow_dynamo_pipeline.items.values import UNREADABLE


class _Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    Item: msgspec.Raw


_decoder: Final = msgspec.json.Decoder(_Line)

_OPEN = b'{"Item":{'
_BETWEEN = b"}\n" + _OPEN
_AROUND = len(b'{"Item":}\n')  # what a line holds beside its item


class DynamoDBJsonReader:
    """Our own exports and DynamoDB's native full exports."""

    __slots__ = ()

    name = "dynamodb_json"

    def check_available(self) -> None:
        """Never raises."""

    def check_settings(self, settings: ReadSettings) -> Iterator[str]:
        """Whatever the settings, they are not needed."""
        del settings
        yield from ()

    def blocks(self, content: Content, settings: ReadSettings) -> Iterator[Block]:
        """Read whole blocks at once where every line is as it should be, and line by line elsewhere."""
        del settings
        for lines in cut_lines(content.chunks()):
            yield _all_at_once(lines) or read_one_by_one(lines, _read_line)


def _all_at_once(lines: Lines) -> Block | None:
    r"""Read a block as exporters write it; None for any other, whether or not it holds bad lines.

    What follows proves that each line is ``{"Item":`` + item + ``}``: there are as many items as lines;
    between any two stands ``}\n{"Item":{``, which cannot stand inside JSON; and nothing is left over.
    """
    data = lines.data
    try:
        check_utf8(data)
        items = [line.Item for line in _decoder.decode_lines(data)]
    except (*UNREADABLE, RecursionError):
        return None
    count = len(items)
    if (
        count == lines.count > 0
        and data.startswith(_OPEN)
        and data.count(_BETWEEN) == count - 1
        and sum(map(len, items)) + count * _AROUND == len(data)
    ):
        return Block(items, range(lines.first, lines.first + count), lines.last)
    return None


def _read_line(line: bytes) -> tuple[msgspec.Raw, bool]:
    item = _decoder.decode(line).Item
    if not is_object(item):
        raise NotAnItem('the field "Item" is not a JSON object')
    if not has_only_fields(line, {"Item": item}):
        raise NotAnItem('more than one field "Item", or one that is spelled with escapes')
    return item, False
