"""What is kept of an item to compare it with another by meaning and to name the attributes that differ."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import msgspec

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.canonical import canonical, number_parts, plain_number, short_number
from airflow_dynamo_pipeline.items.typed_text import ItemText

PAIR = struct.Struct("qq")  # the hashes of an attribute's name and of its value
PLAIN_DIGITS = 38  # as many as DynamoDB keeps; a number that needs more is shown with its exponent

_attributes = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_key_values = msgspec.json.Decoder(dict[str, dict[str, str]]).decode
_encode = msgspec.json.Encoder(order="sorted").encode


class Print:
    """The canonical text of an item's key, and 16 bytes for each of its attributes.

    >>> one = Print(msgspec.Raw(b'{"id":{"N":"1.0"},"a":{"SS":["x","y"]}}'), ["id"])
    >>> other = Print(msgspec.Raw(b'{"a":{"SS":["y","x"]},"id":{"N":"1"}}'), ["id"])
    >>> one.key, one.key == other.key, one.pairs == other.pairs
    (b'{"id":{"N":"1"}}', True, True)
    """

    __slots__ = ("key", "names", "pairs")

    def __init__(self, item: ItemText, key: Sequence[str]) -> None:
        """``key``: the names of the key attributes; those the item lacks are left out."""
        values = _canonical_values(item)
        self.key = _encode({name: values[name] for name in key if name in values})
        self.names: Mapping[int, str] = {hash(name): name for name in values}
        self.pairs = b"".join(
            sorted(PAIR.pack(hash(name), hash(bytes(text))) for name, text in values.items())
        )


def differing_names(one: bytes, other: bytes, names: Mapping[int, str]) -> Sequence[str]:
    """The attributes in which the pairs of two prints differ, by name, in order.

    A name that is not in ``names`` is left out.
    """
    pairs = set(PAIR.iter_unpack(one)) ^ set(PAIR.iter_unpack(other))
    return sorted({names[name] for name, _ in pairs if name in names})


def shown_key(key: bytes) -> str:
    """A print's key for a person: numbers without an exponent where that is no longer than a number is.

    >>> shown_key(b'{"id":{"S":"a"},"n":{"N":"12E2"}}'), shown_key(b'{"n":{"N":"-5E-1"}}')
    ('{"id":{"S":"a"},"n":{"N":"1200"}}', '{"n":{"N":"-0.5"}}')
    """
    try:
        values = _key_values(key)
    except msgspec.DecodeError:  # not a key at all
        return key.decode(errors="replace")
    shown = {
        name: {tag: _shown(text) if tag == "N" else text for tag, text in value.items()}
        for name, value in values.items()
    }
    return _encode(shown).decode()


def _shown(text: str) -> str:
    parts = number_parts(text)
    if parts is None or not -PLAIN_DIGITS < parts.exponent <= PLAIN_DIGITS:
        return text if parts is None else short_number(parts)
    return plain_number(parts)


def _canonical_values(item: ItemText) -> Mapping[str, msgspec.Raw]:
    """A value that is none of DynamoDB's typed ones keeps its text."""
    try:
        return _attributes(canonical(item))
    except UnexpectedReply:
        return _attributes(item)
