"""What DynamoDB itself would refuse in one item, said in words before it is sent.

Stricter than the service where it would guess or change what it was given: a name that stands twice in an
object, a number or flag of the wrong JSON type, a lone surrogate, a second and unknown type in a value.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

import msgspec

from airflow_dynamo_pipeline.items.canonical import (
    LARGEST_MAGNITUDE,
    SMALLEST_MAGNITUDE,
    canonical_number,
    number_parts,
)
from airflow_dynamo_pipeline.items.keys import KeyAttribute
from airflow_dynamo_pipeline.items.numbers import SHOWN_CHARACTERS
from airflow_dynamo_pipeline.items.sizes import MAX_ITEM_BYTES, item_bytes, text_bytes
from airflow_dynamo_pipeline.items.values import TAGS

MAX_DIGITS = 38
MAX_NESTING = 32  # levels, the item itself being the first
MAX_NAME_BYTES = 65_535
KEY_BYTES: Final = (("partition", 2048), ("sort", 1024))

_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")

_JSON_TYPES: Final[Mapping[type, str]] = {
    str: "a string",
    bool: "true or false",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


class _Refused(Exception):
    """Carries the finding out of the walk."""


def problems_of(item: msgspec.Raw | bytes, key: Sequence[KeyAttribute]) -> str | None:
    """Say the first thing that DynamoDB would refuse about an item, or None.

    ``item`` is its JSON text in DynamoDB's typed form; ``key`` the table's key: the partition key, then
    the sort key if there is one.

    >>> problems_of(b'{"id":{"N":"1e126"}}', ())
    "attribute 'id': the number '1e126' is out of the range 1E-130 to 9.99E+125"
    """
    text = bytes(item)
    try:
        parsed = _parsed(text)
        _check_attributes(parsed, (), 1)
        _check_key(parsed, key)
    except _Refused as exc:
        return str(exc)
    size = item_bytes(text)
    return f"it has {size} bytes; at most {MAX_ITEM_BYTES} are allowed" if size > MAX_ITEM_BYTES else None


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        item = json.loads(text.decode(), object_pairs_hook=_object, parse_int=_number, parse_float=_number)
    except UnicodeDecodeError as exc:
        raise _Refused(f"it is not UTF-8: {exc.reason} at byte {exc.start}") from exc
    except RecursionError as exc:
        raise _Refused(f"it is nested deeper than {MAX_NESTING} levels") from exc
    except ValueError as exc:
        raise _Refused(f"it is not JSON: {exc}") from exc
    if not isinstance(item, dict):
        raise _Refused(f"it is {_described(item)} and not an object")
    return item


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Refused(f"the name {_shown(twice)} stands twice in one object")
    return found


def _number(_digits: str) -> int:
    """Take any JSON number for one: nowhere in an item may there be any."""
    return 0


def _described(value: object) -> str:
    return _JSON_TYPES.get(type(value), "a number")


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "...")


def _refuse(path: Sequence[str], finding: str) -> NoReturn:
    name, *rest = path
    inside = "".join(rest)
    shown = inside if len(inside) <= SHOWN_CHARACTERS else inside[:SHOWN_CHARACTERS] + "..."
    raise _Refused(f"attribute {_shown(name)}{shown}: {finding}")


def _check_attributes(attributes: Mapping[str, Any], path: tuple[str, ...], level: int) -> None:
    if level > MAX_NESTING:
        _refuse(path, f"it is nested deeper than {MAX_NESTING} levels")
    for name, value in attributes.items():
        inner = (*path, f"[{_shown(name)}]") if path else (name,)
        if not name:
            _refuse(inner, "an attribute name is empty")
        if _utf8_bytes(name, inner) > MAX_NAME_BYTES:
            _refuse(inner, f"a name has more than {MAX_NAME_BYTES} bytes")
        _check_value(value, inner, level)


def _check_value(value: Any, path: tuple[str, ...], level: int) -> None:
    tag, held = _typed(value, path)
    if tag == "M":
        _check_attributes(held, path, level + 1)
    elif tag == "L":
        _check_list(held, path, level + 1)
    elif tag in _SETS:
        _check_set(tag, held, path)
    elif tag in _SCALARS:
        _SCALARS[tag](held, path)


def _typed(value: Any, path: Sequence[str]) -> tuple[str, Any]:
    if not isinstance(value, dict):
        _refuse(path, f"{_described(value)} stands where a typed value is expected")
    if len(value) != 1:
        _refuse(path, f"a value has {len(value)} types; expected exactly one")
    ((tag, held),) = value.items()
    if tag not in TAGS:
        _refuse(path, f"a value has the unknown type {_shown(tag)}")
    if type(held) is not _HELD[tag]:
        _refuse(path, f"a value of type {tag} is {_described(held)} and not {_JSON_TYPES[_HELD[tag]]}")
    return tag, held


def _check_list(elements: list[Any], path: tuple[str, ...], level: int) -> None:
    if level > MAX_NESTING:
        _refuse(path, f"it is nested deeper than {MAX_NESTING} levels")
    for n, element in enumerate(elements):
        _check_value(element, (*path, f"[{n}]"), level)


def _check_set(tag: str, members: list[Any], path: tuple[str, ...]) -> None:
    """Check a set. An empty string may be a member: the service has allowed it since 2020."""
    if not members:
        _refuse(path, "a set is empty")
    distinct, check = _SETS[tag]
    for member in members:
        if not isinstance(member, str):
            _refuse(path, f"a member of a set of type {tag} is {_described(member)} and not a string")
        check(member, path)
    if len({distinct(member) for member in members}) < len(members):
        _refuse(path, f"a set of type {tag} has a member twice")


def _check_text(held: str, path: Sequence[str]) -> None:
    _utf8_bytes(held, path)


def _utf8_bytes(text: str, path: Sequence[str]) -> int:
    try:
        return text_bytes(text)
    except UnicodeEncodeError as exc:
        _refuse(path, f"a string or name holds a lone surrogate, U+{ord(text[exc.start]):04X}")


def _check_number(held: str, path: Sequence[str]) -> None:
    parts = number_parts(held)
    if parts is None:
        _refuse(path, f"{_shown(held)} is not a number")
    if len(parts.digits) > MAX_DIGITS:
        _refuse(path, f"a number has {len(parts.digits)} significant digits; at most {MAX_DIGITS}")
    if parts.digits and not SMALLEST_MAGNITUDE <= parts.magnitude <= LARGEST_MAGNITUDE:
        _refuse(path, f"the number {_shown(held)} is out of the range 1E-130 to 9.99E+125")


def _check_binary(held: str, path: Sequence[str]) -> None:
    if not _BASE64.fullmatch(held):
        _refuse(path, f"{_shown(held)} is not base64")


def _check_null(held: bool, path: Sequence[str]) -> None:  # noqa: FBT001  it is what the value holds
    if not held:
        _refuse(path, "a value of type NULL is false")


def _check_key(item: Mapping[str, Any], key: Sequence[KeyAttribute]) -> None:
    for attribute, (kind, most) in zip(key, KEY_BYTES, strict=False):
        where = f"the {kind} key {_shown(attribute.name)}"
        if attribute.name not in item:
            raise _Refused(f"{where} is missing")
        ((tag, held),) = item[attribute.name].items()
        if tag != attribute.tag:
            raise _Refused(f"{where} has the type {tag}; the table's is {attribute.tag}")
        if not held:
            raise _Refused(f"{where} is empty")
        size = len(base64.b64decode(held)) if tag == "B" else text_bytes(held)
        if size > most and tag != "N":
            raise _Refused(f"{where} has {size} bytes; at most {most} are allowed")


_HELD: Final[Mapping[str, type]] = {
    "S": str, "N": str, "B": str, "SS": list, "NS": list, "BS": list, "M": dict, "L": list,
    "BOOL": bool, "NULL": bool,
}  # fmt: skip

_SCALARS: Final[Mapping[str, Callable[[Any, Sequence[str]], None]]] = {
    "S": _check_text,
    "N": _check_number,
    "B": _check_binary,
    "NULL": _check_null,
}

_SETS: Final[Mapping[str, tuple[Callable[[str], object], Callable[[str, Sequence[str]], None]]]] = {
    "SS": (str, _check_text),
    "NS": (canonical_number, _check_number),
    "BS": (base64.b64decode, _check_binary),
}
