"""Typed values in the one spelling by which items are compared, or why DynamoDB would not take them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from airflow_dynamo_pipeline.formats.mapping import MAX_NESTING, Typed, from_json
from airflow_dynamo_pipeline.items.canonical import (
    LARGEST_MAGNITUDE,
    SMALLEST_MAGNITUDE,
    number_parts,
    plain_number,
)
from airflow_dynamo_pipeline.items.check import MAX_DIGITS, MAX_NAME_BYTES

SETS: Final = ("SS", "NS", "BS")
MOST_BITS = 420  # of a whole number: 9.99E+125 has fewer

_whole = msgspec.json.Decoder(msgspec.Raw).decode
_string = msgspec.json.Decoder(str).decode


def number(text: str) -> str:
    """Spell a number without exponent and needless zeros; raises ValueError for what DynamoDB refuses.

    >>> number("-0012.50E+1"), number("-0.0"), number("1E-3")
    ('-125', '0', '0.001')
    """
    parts = number_parts(text)
    if parts is None:
        raise ValueError("it is no number")
    if len(parts.digits) > MAX_DIGITS:
        raise ValueError(f"it has {len(parts.digits)} significant digits; at most {MAX_DIGITS} are allowed")
    if parts.digits and not SMALLEST_MAGNITUDE <= parts.magnitude <= LARGEST_MAGNITUDE:
        raise ValueError("it is out of the range 1E-130 to 9.99E+125")
    return plain_number(parts)


def whole_number(value: int) -> str:
    """Spell a whole number; raises ValueError for what DynamoDB refuses."""
    if value.bit_length() > MOST_BITS:
        raise ValueError("it is out of the range 1E-130 to 9.99E+125")
    return number(str(int(value)))


def string(held: str | msgspec.Raw) -> str:
    """Give a string, or what its JSON text means; raises ValueError for a lone surrogate."""
    text = held if isinstance(held, str) else _string(held)
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise ValueError(f"it holds a lone surrogate, U+{ord(text[exc.start]):04X}") from exc
    return text


def binary(held: str | bytes) -> str:
    """Spell bytes, or their base64 text, as base64; raises ValueError."""
    data = base64.b64decode(held, validate=True) if isinstance(held, str) else held
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def from_json_text(text: str | bytes) -> Typed:
    """Type a JSON text by what it says, numbers with every digit; raises ValueError.

    >>> from_json_text('{"b": [1.50, null], "a": "x"}')
    {'M': {'a': {'S': 'x'}, 'b': {'L': [{'N': '1.5'}, {'NULL': True}]}}}
    """
    try:
        value = from_json(_whole(string(text) if isinstance(text, str) else text))
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ValueError(f"it is no JSON: {exc}") from exc
    except RecursionError as exc:
        raise ValueError(f"nested deeper than {MAX_NESTING} levels") from exc
    return normal(value)


def normal(value: Typed, level: int = 1) -> Typed:
    """Spell a typed value in the form in which it is compared; raises ValueError for what cannot be written.

    ``level`` is 1 for the value of an attribute. Members that mean the same stand in a set once.

    >>> normal({"NS": ["10", "1E1", "2.0"]})
    {'NS': ['10', '2']}
    """
    ((tag, held),) = value.items()
    if tag == "M":
        _check_level(level)
        return {"M": {_name(name): normal(held[name], level + 1) for name in sorted(held)}}
    if tag == "L":
        _check_level(level)
        return {"L": [normal(element, level + 1) for element in held]}
    if tag in SETS:
        return {tag: _members(tag, held)}
    return {tag: _SCALARS[tag](held)}


def _members(tag: str, held: list[Any]) -> list[str]:
    spell = _SCALARS[tag[0]]
    if not held:
        raise ValueError("a set is empty")
    return sorted({spell(member) for member in held})


def _check_level(level: int) -> None:
    if level >= MAX_NESTING:
        raise ValueError(f"nested deeper than {MAX_NESTING} levels")


def _name(name: str) -> str:
    if not name:
        raise ValueError("a name in it is empty")
    if len(string(name).encode()) > MAX_NAME_BYTES:
        raise ValueError(f"a name in it has more than {MAX_NAME_BYTES} bytes")
    return name


def _flag(held: bool) -> bool:  # noqa: FBT001  it is what the value holds
    return held


def _null(held: bool) -> bool:  # noqa: FBT001  it is what the value holds
    if not held:
        raise ValueError("a value of type NULL is false")
    return True


_SCALARS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "S": string,
    "N": number,
    "B": binary,
    "BOOL": _flag,
    "NULL": _null,
}
