"""What Parquet's types become: a typed value for each value of a column."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from airflow_dynamo_pipeline.formats.mapping import Typed

Typing = Callable[[Any], Typed]

UNITS: Final[Mapping[str, int]] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NULL: Final[Typed] = {"NULL": True}
FLOATS: Final[Mapping[int, tuple[str, int]]] = {
    16: ("e", 5),
    32: ("f", 9),
    64: ("d", 17),
}  # bits: code, digits


def python_of(pyarrow: Any, array: Any) -> list[Any]:
    """List a column's values; timestamps as whole numbers of their unit, which keep every digit."""
    if pyarrow.types.is_timestamp(array.type):
        array = array.cast(pyarrow.int64())
    values: list[Any] = array.to_pylist()
    return values


def typed_by(pyarrow: Any, kind: Any, declared: str | None) -> Typing:
    """Find how the values of a type are typed; raises ValueError where it has to be declared, or cannot be.

    ``declared`` is the tag that the column's attribute shall have, if any.
    """
    types = pyarrow.types
    if types.is_timestamp(kind) or types.is_date(kind):
        if declared not in ("S", "N"):
            raise ValueError(f"a {kind} has to be declared S (ISO 8601 in UTC) or N (seconds since 1970)")
        moment = _timestamp(UNITS[kind.unit]) if types.is_timestamp(kind) else _date
        return _or_null(lambda value: {declared: moment(value)[declared]})
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _list(typed_by(pyarrow, kind.value_type, None))
    if types.is_struct(kind):
        return _map({field.name: typed_by(pyarrow, field.type, None) for field in kind})
    if types.is_map(kind):
        if not (types.is_string(kind.key_type) or types.is_large_string(kind.key_type)):
            raise ValueError(f"the keys of a {kind} are no strings")
        return _entries(typed_by(pyarrow, kind.item_type, None))
    if types.is_dictionary(kind):
        return typed_by(pyarrow, kind.value_type, declared)
    return _scalar(types, kind)


def _scalar(types: Any, kind: Any) -> Typing:
    for fits, typing in (
        (types.is_string, _text), (types.is_large_string, _text),
        (types.is_integer, _number), (types.is_decimal, _decimal), (types.is_boolean, _flag),
        (types.is_binary, _binary), (types.is_large_binary, _binary), (types.is_fixed_size_binary, _binary),
        (types.is_null, _text),
    ):  # fmt: skip
        if fits(kind):
            return _or_null(typing)
    if types.is_floating(kind):
        return _or_null(_float(kind.bit_width))
    raise ValueError(f"the type {kind} has no counterpart in DynamoDB")


def _or_null(typing: Typing) -> Typing:
    return lambda value: NULL if value is None else typing(value)


def _text(value: str) -> Typed:
    return {"S": value}


def _number(value: int) -> Typed:
    return {"N": str(value)}


def _decimal(value: Decimal) -> Typed:
    return {"N": str(value)}


def _flag(value: bool) -> Typed:  # noqa: FBT001  it is the value
    return {"BOOL": value}


def _binary(value: bytes) -> Typed:
    return {"B": base64.b64encode(value).decode("ascii")}


def _float(bits: int) -> Typing:
    """Write a float with the fewest digits that mean it among those of its width."""
    code, most = FLOATS[bits]

    def typing(value: float) -> Typed:
        if not math.isfinite(value):
            raise ValueError("neither NaN nor infinity is a number in DynamoDB")
        if bits == 64:  # noqa: PLR2004  Python's own width
            return {"N": repr(value)}
        packed = struct.pack(code, value)
        texts = (f"{value:.{digits}g}" for digits in range(1, most + 1))
        return {"N": next(text for text in texts if struct.pack(code, float(text)) == packed)}

    return typing


def _timestamp(per_second: int) -> Callable[[int], Typed]:
    places = len(str(per_second)) - 1

    def moment(value: int) -> Typed:
        seconds, part = divmod(value, per_second)
        try:
            text = f"{(EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()}"
        except OverflowError as exc:
            raise ValueError("out of the years 1 to 9999") from exc
        return {
            "S": f"{text}{f'.{part:0{places}}' if part else ''}Z",
            "N": f"{(Decimal(value) / per_second).normalize():f}",
        }

    return moment


def _date(value: date) -> Typed:
    return {"S": value.isoformat(), "N": str((value - EPOCH.date()).days * 86_400)}


def _list(element: Typing) -> Typing:
    return _or_null(lambda values: {"L": [element(value) for value in values]})


def _map(fields: Mapping[str, Typing]) -> Typing:
    return _or_null(lambda values: {"M": {name: fields[name](value) for name, value in values.items()}})


def _entries(item: Typing) -> Typing:
    def typing(pairs: list[tuple[str, Any]]) -> Typed:
        found = {name: item(value) for name, value in pairs}
        if len(found) < len(pairs):
            raise ValueError("a key of a map stands twice")
        return {"M": found}

    return _or_null(typing)
