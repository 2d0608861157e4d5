r"""Reads DynamoDB JSON, ``{"Item":{...}}`` a line, without looking into the items.

The items become parts of requests as they are, so a line must be proven to be one object with one field.
msgspec alone does not prove it: between items it takes any white space or none for the end of a line, and
of two fields ``Item`` it hands out the last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from operator import itemgetter
from typing import Final

import msgspec

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.formats.lines import Lines, NotAnItem, check_utf8, cut_lines, read_one_by_one
from airflow_dynamo_pipeline.formats.reading import Block, Content, ReadSettings
from airflow_dynamo_pipeline.items.keys import KeyReader
from airflow_dynamo_pipeline.items.typed_text import has_only_fields, is_object
from airflow_dynamo_pipeline.items.values import UNREADABLE


class _Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    Item: msgspec.Raw


class _Object(msgspec.Struct, gc=False):
    """Any JSON object: whatever it holds is passed over."""


_line: Final = msgspec.json.Decoder(_Line).decode
_object: Final = msgspec.json.Decoder(_Object).decode

_BEFORE = b'{"Item":'
_AFTER = b"}\n"
_BETWEEN = _AFTER + _BEFORE
_item = itemgetter(slice(len(_BEFORE), -len(_AFTER)))


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
        for lines in cut_lines(content.chunks()):
            yield _all_at_once(lines, settings.keys) or read_one_by_one(lines, _read_line)


def _all_at_once(lines: Lines, keys: KeyReader | None) -> Block | None:
    """Read a block as exporters write it; None for any other, whether or not it holds bad lines.

    Each line is taken for ``{"Item":`` + item + ``}``. That the block is written anew from these items proves
    the lines, that each item parses as one object proves the items.
    """
    data = lines.data
    try:
        check_utf8(data)
        items = list(map(_item, lines.rows))
        if b"".join((_BEFORE, _BETWEEN.join(items), _AFTER)) != data:
            return None
        if keys is None:
            deque(map(_object, items), maxlen=0)
        found = keys.of_all(items) if keys else None
    except (*UNREADABLE, RecursionError, UnexpectedReply):
        return None
    return Block(items, range(lines.first, lines.first + len(items)), lines.last, keys=found)


def _read_line(line: bytes) -> tuple[msgspec.Raw, bool]:
    item = _line(line).Item
    if not is_object(item):
        raise NotAnItem('the field "Item" is not a JSON object')
    if not has_only_fields(line, {"Item": item}):
        raise NotAnItem('more than one field "Item", or one that is spelled with escapes')
    return item, False
