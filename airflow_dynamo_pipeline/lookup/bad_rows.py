"""A row that is no item, as a line of JSON for a person to read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from airflow_dynamo_pipeline.formats.reading import KEPT_BYTES

MOST_BITS = 4096  # of a whole number that is written in full

_encode = msgspec.json.Encoder(enc_hook=str).encode


def row_text(values: Mapping[str, object]) -> bytes:
    """Write a row as plain JSON, cut to KEPT_BYTES; never raises.

    What JSON has no form for is a string: NaN, timestamps, types that are not known.

    >>> row_text({"id": "a", "price": float("nan"), "at": None})
    b'{"id":"a","price":"nan","at":null}'
    """
    text = b",".join(_encode(_clean(name)) + b":" + _written(value) for name, value in values.items())
    whole = b"{" + text + b"}"
    return whole if len(whole) <= KEPT_BYTES else whole[:KEPT_BYTES].decode(errors="ignore").encode()


def _written(value: object) -> bytes:
    try:
        return _encode(_plain(value))
    except Exception:  # noqa: BLE001  whatever a foreign type raises: the row must be told of
        return _encode(f"a value of type {type(value).__name__}")


def _plain(value: Any) -> Any:
    """What JSON can say, and not much more of a long value than is kept of the row."""
    for kind in type(value).__mro__:
        if kind in _PLAIN:
            return _PLAIN[kind](value)
    return value


def _bytes(value: bytes | bytearray | memoryview) -> bytes:
    return bytes(value[:KEPT_BYTES])


def _float(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _decimal(value: Decimal) -> msgspec.Raw | str:
    return msgspec.Raw(str(value).encode()) if value.is_finite() else str(value)


def _int(value: int) -> msgspec.Raw | str:
    if value.bit_length() > MOST_BITS:
        return f"a whole number of {value.bit_length():,} bits"
    return msgspec.Raw(str(int(value)).encode())


def _flag(value: bool) -> bool:  # noqa: FBT001  it is the value
    return value


def _list(value: Sequence[Any]) -> list[Any]:
    return [_plain(one) for one in value[:KEPT_BYTES]]


def _dict(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {_clean(str(name)): _plain(one) for name, one in value.items()}


def _clean(text: str) -> str:
    return text[:KEPT_BYTES].encode(errors="backslashreplace").decode()


_PLAIN: Final[Mapping[type, Callable[[Any], Any]]] = {
    str: _clean,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    float: _float,
    Decimal: _decimal,
    bool: _flag,
    int: _int,
    list: _list,
    tuple: _list,
    dict: _dict,
}
