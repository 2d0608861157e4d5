"""The ten typed forms of a value, and a walk over an item that leaves everything else as raw text."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, get_args

import msgspec

from airflow_dynamo_pipeline.errors import UnexpectedReply

Tag = Literal["S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL"]
TAGS: Final[frozenset[str]] = frozenset(get_args(Tag))

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)  # what msgspec raises for JSON it cannot take

Convert = Callable[[str, Any], Any]
"""Takes a tag and what it holds: converted values for M (a dict) and L (a list), else ``msgspec.Raw``."""

_TypedValue = dict[str, msgspec.Raw]  # one tag and the text it holds
_attributes = msgspec.json.Decoder(dict[str, _TypedValue]).decode
_elements = msgspec.json.Decoder(list[_TypedValue]).decode
_encode = msgspec.json.Encoder().encode


def convert_item(item: msgspec.Raw, convert: Convert) -> dict[str, Any]:
    """Convert every value of an item, innermost first, in order; raises UnexpectedReply.

    Attribute names are never taken for tags, whatever they are.

    >>> item = msgspec.Raw(b'{"S":{"M":{"n":{"N":"1"}}},"x":{"S":"a"}}')
    >>> convert_item(item, lambda tag, held: (tag, held if tag == "M" else bytes(held)))
    {'S': ('M', {'n': ('N', b'"1"')}), 'x': ('S', b'"a"')}
    """
    try:
        attributes = _attributes(item)
    except UNREADABLE as exc:
        raise UnexpectedReply(f"an item or map is not attributes with typed values: {exc}") from exc
    return {name: _convert_value(value, convert) for name, value in attributes.items()}


def is_typed(value: object) -> bool:
    """Whether a Python value is one of the ten typed forms, binaries as base64 text or bytes.

    >>> is_typed({"L": [{"N": "1"}, {"BOOL": True}]}), is_typed({"N": 1}), is_typed("x")
    (True, False, False)
    """
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    ((tag, held),) = value.items()
    return tag in _SHAPES and _SHAPES[tag](held)


def _is_text(held: object) -> bool:
    return isinstance(held, str)


def _is_binary(held: object) -> bool:
    if not isinstance(held, str):
        return isinstance(held, bytes)
    try:
        base64.b64decode(held, validate=True)
    except ValueError:
        return False
    return True


def _is_flag(held: object) -> bool:
    return isinstance(held, bool)


def _is_typed_map(held: object) -> bool:
    return isinstance(held, Mapping) and all(is_typed(one) for one in held.values())


def _list_of(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda held: isinstance(held, list) and all(check(one) for one in held)


_SHAPES: Final[Mapping[object, Callable[[object], bool]]] = {
    "S": _is_text,
    "N": _is_text,
    "B": _is_binary,
    "SS": _list_of(_is_text),
    "NS": _list_of(_is_text),
    "BS": _list_of(_is_binary),
    "M": _is_typed_map,
    "L": _list_of(is_typed),
    "BOOL": _is_flag,
    "NULL": _is_flag,
}


def _convert_value(value: _TypedValue, convert: Convert) -> Any:
    if len(value) != 1:
        raise UnexpectedReply(f"a value has {len(value)} types; expected exactly one")
    ((tag, held),) = value.items()
    if tag not in TAGS:
        raise UnexpectedReply(f"a value has the unknown type {tag!r}")
    if tag == "M":
        return convert(tag, convert_item(held, convert))
    if tag == "L":
        return convert(tag, _convert_list(held, convert))
    return convert(tag, held)


def _convert_list(held: msgspec.Raw, convert: Convert) -> list[Any]:
    try:
        elements = _elements(held)
    except UNREADABLE as exc:
        raise UnexpectedReply(f"a list is not an array of typed values: {exc}") from exc
    return [_convert_value(element, convert) for element in elements]


def json_line(value: Any) -> bytes:
    r"""Write a converted item as one line.

    >>> json_line({"id": msgspec.Raw(b"1.50")})
    b'{"id":1.50}\n'
    """
    text = _encode(value)
    # A raw newline is white space of a server that indents, kept inside a value that was not looked into.
    return (one_line(text) if b"\n" in text else text) + b"\n"


def one_line(text: bytes) -> bytes:
    r"""Drop the white space between the tokens of a JSON text; every token stays as it was written.

    >>> one_line(b'{ "a b":\n 1.50 }')
    b'{"a b":1.50}'
    """
    return msgspec.json.format(text, indent=-1)
