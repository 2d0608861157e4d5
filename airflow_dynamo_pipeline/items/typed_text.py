"""JSON objects as text: what they hold, and the ten tags in whatever case they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from airflow_dynamo_pipeline.items.values import TAGS, one_line

ItemText = msgspec.Raw | bytes
"""The JSON text of one item: part of a larger text, or bytes of its own."""

_Value = dict[str, msgspec.Raw]  # one tag and the text it holds
_attributes = msgspec.json.Decoder(dict[str, _Value]).decode
_elements = msgspec.json.Decoder(list[_Value]).decode
_raw_attributes = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode

# NULL was a Java field called nULLValue for some years
KNOWN_TAGS: Final[Mapping[str, str]] = {tag.lower(): tag for tag in TAGS} | {"nullvalue": "NULL"}


class NotTyped(ValueError):
    """JSON text is not attributes with typed values; the message says why."""


def is_object(text: msgspec.Raw | bytes) -> bool:
    """Whether valid JSON text without white space around it is an object."""
    return memoryview(text)[:1].tobytes() == b"{"


def has_only_fields(text: bytes, fields: Mapping[str, msgspec.Raw]) -> bool:
    r"""Whether a valid JSON object holds these fields, each once and plainly spelled, and nothing else.

    ``fields`` are what a decoder found in it, which of a repeated field is the last.

    >>> has_only_fields(b'{"a": 1, "b":2}', {"a": msgspec.Raw(b"1"), "b": msgspec.Raw(b"2")})
    True
    >>> has_only_fields(b'{"a":{},"a":1}', {"a": msgspec.Raw(b"1")})
    False
    """
    expected = sum(len(f'"{name}":,') + len(one_line(bytes(held))) for name, held in fields.items())
    return len(one_line(text)) == len("{}") - len(",") + expected


def canonical(text: bytes) -> msgspec.Raw:
    """Spell the tags of an item as DynamoDB does; everything that is no tag or name stays as it was written.

    Raises NotTyped, also for a name that stands twice, and what msgspec raises for text it cannot take.

    >>> bytes(canonical(b'{"s":{"sS":["x"]},"gone":{"nULLValue":true},"m":{"m":{"l":{"n":"1.50"}}}}'))
    b'{"s":{"SS":["x"]},"gone":{"NULL":true},"m":{"M":{"l":{"N":"1.50"}}}}'
    """
    found = _encode(_canonical_map(text))
    if len(found) != len(text):  # white space, an escaped name, nULLValue; or one of two that was lost
        _check_names(text.decode())
    return msgspec.Raw(found)


def canonical_value(text: bytes) -> dict[str, Any]:
    """Spell the tags of one value likewise; the result is for msgspec's encoder."""
    return _canonical_value(msgspec.json.decode(text, type=_Value))


def attributes(text: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Cut an object into its attributes; raises what msgspec raises when it is something else."""
    return _raw_attributes(text)


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its names and values; raises NotTyped when a name stands there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotTyped(f"the name {twice[:40]!r} stands twice in one object")
    return found


_check_names: Final = json.JSONDecoder(object_pairs_hook=distinct, parse_int=str, parse_float=str).decode


def _canonical_map(text: bytes | msgspec.Raw) -> dict[str, Any]:
    return {name: _canonical_value(value) for name, value in _attributes(text).items()}


def _canonical_value(value: _Value) -> dict[str, Any]:
    if len(value) != 1:
        raise NotTyped(f"a value has {len(value)} types; expected exactly one")
    ((spelled, held),) = value.items()
    tag = spelled if spelled in TAGS else KNOWN_TAGS.get(spelled.lower())
    if tag == "M":
        return {tag: _canonical_map(held)}
    if tag == "L":
        return {tag: [_canonical_value(element) for element in _elements(held)]}
    if tag is None:
        raise NotTyped(f"a value has the unknown type {spelled[:20]!r}")
    return {tag: held}
