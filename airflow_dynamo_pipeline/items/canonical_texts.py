"""Many items in canonical form at once: those that are nearly in it already, as DynamoDB sends most, fast."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from operator import attrgetter, itemgetter
from typing import Final

import msgspec

from airflow_dynamo_pipeline.items.canonical import canonical
from airflow_dynamo_pipeline.items.keys import Key, KeyAttribute, KeyReader
from airflow_dynamo_pipeline.items.typed_text import ItemText
from airflow_dynamo_pipeline.items.values import UNREADABLE


class _Value(msgspec.Struct, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A typed value without members."""

    S: str | None = None
    N: str | None = None
    B: str | None = None
    BOOL: bool | None = None
    NULL: bool | None = None


_Plain = list[dict[str, _Value]]
_plain_lines: Final = msgspec.json.Decoder(dict[str, _Value]).decode_lines
_attributes: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode_lines: Final = msgspec.json.Encoder(order="sorted").encode_lines

# What may have another spelling: escapes, members of sets and maps in another order, white space, numbers
# that are not written in full and without needless zeros.
_ODD: Final = (b"\\", b'S":[', b'"M":', b'": ')
_odd_number: Final = re.compile(rb'"N":"(?!(?:-?(?:0\.[0-9]*[1-9]|[1-9][0-9]*(?:\.[0-9]*[1-9])?)|0)")').search


def canonical_texts(items: Sequence[ItemText]) -> list[bytes]:
    """What ``canonical`` makes of each item, in order; raises UnexpectedReply for what is not an item.

    A value's type and contents are not looked at where nothing about the text is odd: the items are a
    reply's or a file's that was read before.

    >>> canonical_texts([b'{"b":{"N":"1.5"},"a":{"S":"x"}}', b'{"n":{"N":"1.50"}}'])
    [b'{"a":{"S":"x"},"b":{"N":"1.5"}}', b'{"n":{"N":"1.5"}}']
    """
    return _texts(items, _plain(items))


class KeyedTexts:
    """The keys of items of one table, and the items in canonical form."""

    def __init__(self, schema: Sequence[KeyAttribute]) -> None:
        """``schema``: the partition key, then the sort key if there is one."""
        self._reader = KeyReader(schema)
        self._values = [(itemgetter(one.name), attrgetter(one.tag)) for one in schema]

    def of(self, items: Sequence[ItemText]) -> tuple[list[Key], list[bytes]]:
        """Both, in order; raises UnexpectedReply if an item has no key."""
        plain = _plain(items)
        return self._keys(items, plain), _texts(items, plain)

    def _keys(self, items: Sequence[ItemText], plain: _Plain | None) -> list[Key]:
        if plain is not None:
            with suppress(KeyError):
                held = [list(map(value, map(typed, plain))) for typed, value in self._values]
                if not any(nothing in values for values in held for nothing in (None, "")):
                    return list(zip(*held, strict=True))
        return self._reader.of_all(items)


def _plain(items: Sequence[ItemText]) -> _Plain | None:
    """The items decoded; None where one has lists, maps or sets, or is none."""
    lines = b"\n".join(items)
    if not items or lines.count(b"\n") != len(items) - 1:  # white space with newlines
        return None
    try:
        plain = _plain_lines(lines)
    except (*UNREADABLE, RecursionError):
        return None
    return plain if len(plain) == len(items) else None


def _texts(items: Sequence[ItemText], plain: _Plain | None) -> list[bytes]:
    if plain is None:
        return _any_texts(items)
    lines = _encode_lines(plain)
    texts = lines.split(b"\n")[:-1]
    if _odd_number(lines) is None:
        return texts
    return [text if _odd_number(text) is None else canonical(text) for text in texts]


def _any_texts(items: Sequence[ItemText]) -> list[bytes]:
    """The same for items of any types."""
    try:
        lines = _encode_lines(list(map(_attributes, items)))
    except (*UNREADABLE, RecursionError):
        return [canonical(item) for item in items]
    texts = lines.split(b"\n")[:-1]
    if len(texts) != len(items):  # white space with newlines inside a value
        return [canonical(item) for item in items]
    return [canonical(text) if _is_odd(text) else text for text in texts]


def _is_odd(text: bytes) -> bool:
    return any(mark in text for mark in _ODD) or _odd_number(text) is not None
