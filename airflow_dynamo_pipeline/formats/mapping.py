"""Plain values to typed ones: as a mapping declares them, or by what they are."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from airflow_dynamo_pipeline.formats.reading import ReadSettings
from airflow_dynamo_pipeline.items.canonical import number_parts
from airflow_dynamo_pipeline.items.numbers import SHOWN_CHARACTERS
from airflow_dynamo_pipeline.items.values import TAGS

UNFIT = (ValueError, RecursionError, msgspec.DecodeError)  # what a value that cannot be converted raises
MAX_NESTING = 32  # levels, the item being the first: DynamoDB takes no more
FLAGS: Final[Mapping[str, bool]] = {
    "true": True,
    "t": True,
    "1": True,
    "false": False,
    "f": False,
    "0": False,
}
SET_MEMBERS: Final[Mapping[str, str]] = {"SS": "S", "NS": "N", "BS": "B"}

Typed = dict[str, Any]
"""One tag and what it holds, ready to be written as JSON."""

_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode
_whole = msgspec.json.Decoder(msgspec.Raw).decode
encode = msgspec.json.Encoder().encode


def mapping_problems(settings: ReadSettings) -> Iterator[str]:
    """Say what is wrong with the declared attributes themselves."""
    for column, attribute in settings.attributes.items():
        if attribute.tag not in TAGS:
            yield f"column {column!r}: {attribute.tag!r} is not one of the types {', '.join(sorted(TAGS))}"
        if not attribute.name:
            yield f"column {column!r}: the attribute's name is empty"
    names = Counter(attribute.name for attribute in settings.attributes.values())
    for name in (name for name, times in names.items() if times > 1):
        yield f"attribute {name!r} is declared for {names[name]} columns"


def shown(value: object) -> str:
    """Write a value for a message, cut when it is long.

    >>> shown("x" * 100) == repr("x" * 60) + "..."
    True
    """
    text = value if isinstance(value, str) else str(value)
    return repr(text) if len(text) <= SHOWN_CHARACTERS else repr(text[:SHOWN_CHARACTERS]) + "..."


def in_column(column: str, tag: str, value: object, convert: Callable[[str, Any], Typed]) -> Typed:
    """Convert a declared column's value; raises ValueError with column, value and type."""
    try:
        return convert(tag, value)
    except ValueError as exc:
        raise ValueError(f"column {column!r}: {shown(value)} is not of type {tag}: {exc}") from exc


def from_text(tag: str, text: str) -> Typed:
    """Convert a text, such as a CSV field; raises ValueError.

    Sets, lists and maps are JSON in the text.

    >>> from_text("N", "1.50"), from_text("NS", '[1, "2"]'), from_text("BOOL", "t")
    ({'N': '1.50'}, {'NS': ['1', '2']}, {'BOOL': True})
    """
    if tag in _SCALARS:
        return {tag: _SCALARS[tag](text)}
    try:
        value = from_json(_whole(text))
    except msgspec.DecodeError as exc:
        raise ValueError(f"no JSON: {exc}") from exc
    return converted(tag, value)


def converted(tag: str, value: Typed) -> Typed:
    """Give a value that was typed by what it is the declared type; raises ValueError.

    A text is read as one in a CSV file; a number can be a string; an array of strings, numbers or base64
    texts can be a set.
    """
    ((found, held),) = value.items()
    if found == tag:
        return value
    if found == "S":
        return from_text(tag, _as_text(held))
    if found == "N" and tag == "S":
        return {"S": held}
    if found == "L" and tag in SET_MEMBERS:
        member = SET_MEMBERS[tag]
        return {tag: [_member(member, element) for element in held]}
    raise ValueError(f"a value of type {found} cannot become one")


def from_json(raw: msgspec.Raw, level: int = 1) -> Typed:
    """Type a JSON value by what it is, numbers with every digit; raises ValueError for deep nesting.

    >>> from_json(msgspec.Raw(b'[1.50,null]'))
    {'L': [{'N': '1.50'}, {'NULL': True}]}
    """
    text = bytes(raw).strip()
    first = text[:1]
    if first == b'"':
        return {"S": msgspec.Raw(text)}
    if first == b"{":
        return {"M": {name: from_json(inner, level + 1) for name, inner in members(text, level).items()}}
    if first == b"[":
        _check_level(level)
        return {"L": [from_json(inner, level + 1) for inner in _array(text)]}
    if first in (b"t", b"f"):
        return {"BOOL": text == b"true"}
    return {"NULL": True} if first == b"n" else {"N": text.decode()}


def members(text: bytes | msgspec.Raw, level: int = 0) -> dict[str, msgspec.Raw]:
    """Take a JSON object apart; raises ValueError for deep nesting or a name that stands twice.

    ``level`` is 0 for the item itself.
    """
    _check_level(level)
    found = _object(text)
    if len(encode(found)) < len(text):  # white space, escapes in names, or a name that stands twice
        json.loads(text, object_pairs_hook=_check_names, parse_int=str, parse_float=str)
    return found


def _check_level(level: int) -> None:
    if level >= MAX_NESTING:
        raise ValueError(f"nested deeper than {MAX_NESTING} levels")


def _check_names(pairs: Sequence[tuple[str, Any]]) -> None:
    names = Counter(name for name, _ in pairs)
    for name in (name for name, times in names.items() if times > 1):
        raise ValueError(f"the name {shown(name)} stands twice in one object")


def _member(tag: str, element: Typed) -> Any:
    return converted(tag, element)[tag]


def _as_text(held: str | msgspec.Raw) -> str:
    return held if isinstance(held, str) else _text(held)


def _string(text: str) -> str:
    return text


def _number(text: str) -> str:
    if number_parts(text) is None:
        raise ValueError("no number")
    return text


def _binary(text: str) -> str:
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode("ascii")
    except ValueError as exc:
        raise ValueError(f"no base64: {exc}") from exc


def _flag(text: str) -> bool:
    if text.lower() not in FLAGS:
        raise ValueError("neither true nor false")
    return FLAGS[text.lower()]


def _null(text: str) -> bool:
    if text.lower() != "null":
        raise ValueError("not null")
    return True


_SCALARS: Final[Mapping[str, Callable[[str], Any]]] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": _flag,
    "NULL": _null,
}
