"""One value of a query's column as a typed value: by what it is, or as the mapping declares it."""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.formats.mapping import (
    FLAGS,
    MAX_NESTING,
    SET_MEMBERS,
    Typed,
    converted,
    from_text,
    shown,
)
from airflow_dynamo_pipeline.lookup import moments
from airflow_dynamo_pipeline.lookup.json_values import (
    binary,
    from_json_text,
    normal,
    number,
    string,
    whole_number,
)
from airflow_dynamo_pipeline.lookup.mapping import JSON

UNFIT = (ValueError, ArithmeticError, TypeError, RuntimeError, msgspec.MsgspecError, UnexpectedReply)
TEXT_KINDS: Final = ("text", "other")
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """How the values of one column are written; see ColumnMapping and RowMapping for the words."""

    kind: str = "other"  # one of KINDS
    type: str | None = None  # one of TYPES; None: by what the values are
    moments: str = "iso"
    not_finite: str = "reject"
    trim_text: bool = False

    @property
    def tag(self) -> str | None:
        """The declared type as one of the ten tags; None: by what the values are."""
        return None if self.type == JSON else self.type

    @property
    def unit(self) -> str | None:
        """Which epoch number a timestamp or date becomes; None: ISO text. A declared number is of seconds."""
        if self.moments != "iso":
            return self.moments
        return "epoch_seconds" if self.type == "N" else None

    @property
    def text_is_plain(self) -> bool:
        """Whether a text is a string as it stands, and not another value's notation."""
        return self.kind in TEXT_KINDS and self.type != JSON


ELEMENT: Final = "other"  # the kind of what stands in an array or object: a driver has read it already


def typed_value(value: object, manner: Manner) -> Typed | None:
    """Convert a value to its normal form; None is NULL, and what counts as NULL.

    That is a JSON null, an empty set, and a number that is not finite where ``not_finite`` is "null". Raises
    one of UNFIT for what cannot be converted.

    >>> typed_value("[3, 1, 1.0]", Manner(kind="json", type="NS"))
    {'NS': ['1', '3']}
    """
    found = _natural(value, manner, 1)
    if found is None or "NULL" in found:
        return None
    if manner.tag is not None:
        try:
            found = _declared(manner.tag, found, manner)
        except ValueError as exc:
            raise ValueError(f"not of type {manner.tag}: {exc}") from exc
    ((tag, held),) = found.items()
    if tag == "NULL" or (tag in SET_MEMBERS and not held):
        return None
    return normal(found)


def ttl_seconds(value: object, kind: str) -> int | None:
    """When an item expires, in epoch seconds; None for NULL. Raises one of UNFIT.

    >>> ttl_seconds("2026-11-21", "date"), ttl_seconds(Decimal("12.9"), "number")
    (1795219200, 12)
    """
    if isinstance(value, str) and kind in (*TEXT_KINDS, "json"):
        value = _number_or_moment(value.strip())
    found = typed_value(value, Manner(kind=kind, moments="epoch_seconds"))
    if found is None:
        return None
    if "N" not in found:
        raise ValueError(f"a value of type {next(iter(found))} is no instant")
    seconds = math.floor(Decimal(found["N"]))
    if not -moments.LATEST_SECONDS < seconds < moments.LATEST_SECONDS:
        raise ValueError("it is beyond the year 9999; seconds are expected, not milliseconds")
    return seconds


def described(value: object) -> str:
    """Write a value for a message, cut when it is long."""
    try:
        return shown(value)
    except Exception:  # noqa: BLE001  a whole number of too many digits, or whatever a foreign type raises
        return f"a value of type {type(value).__name__}"


def _natural(value: Any, manner: Manner, level: int) -> Typed | None:
    for kind in type(value).__mro__:
        if kind in _NATURAL:
            return _NATURAL[kind](value, manner, level)
    raise ValueError(f"the type {type(value).__name__} has no counterpart in DynamoDB")


def _declared(tag: str, found: Typed, manner: Manner) -> Typed:
    ((natural, held),) = found.items()
    if (natural, tag) == ("BOOL", "S"):
        return {"S": "true" if held else "false"}
    if (natural, tag) == ("N", "BOOL"):
        return from_text("BOOL", held)
    if (natural, tag) == ("B", "S"):
        data = base64.b64decode(held)
        return {"S": data.hex() if manner.kind == "binary" else data.decode()}
    if natural == "S":
        string(held)
    return converted(tag, found)


def _number_or_moment(text: str) -> object:
    try:
        return Decimal(number(text))
    except ValueError:
        return moments.parsed(text, "timestamp")


def _null(_value: None, _manner: Manner, _level: int) -> None:
    return None


def _bool(value: bool, _manner: Manner, _level: int) -> Typed:  # noqa: FBT001  it is the value
    return {"BOOL": value}


def _int(value: int, manner: Manner, _level: int) -> Typed:
    text = whole_number(value)
    return from_text("BOOL", text) if manner.kind == "boolean" else {"N": text}


def _decimal(value: Decimal, manner: Manner, _level: int) -> Typed | None:
    return {"N": number(str(value))} if value.is_finite() else _not_finite(value, manner)


def _float(value: float, manner: Manner, _level: int) -> Typed | None:
    return {"N": number(repr(float(value)))} if math.isfinite(value) else _not_finite(value, manner)


def _not_finite(value: float | Decimal, manner: Manner) -> Typed | None:
    if manner.not_finite == "reject":
        raise ValueError("neither NaN nor infinity is a number in DynamoDB")
    if manner.not_finite == "null":
        return None
    is_nan = value.is_nan() if isinstance(value, Decimal) else math.isnan(value)
    return {"S": "NaN" if is_nan else "Infinity" if value > 0 else "-Infinity"}


def _bytes(value: bytes | bytearray | memoryview, manner: Manner, level: int) -> Typed | None:
    if manner.kind == "json" or manner.type == JSON:
        return from_json_text(bytes(value)) if level == 1 else {"B": binary(bytes(value))}
    return {"B": binary(bytes(value))}


def _datetime(value: datetime, manner: Manner, _level: int) -> Typed:
    if manner.unit is None:
        return {"S": moments.timestamp_text(value)}
    return {"N": str(moments.epoch(value, manner.unit))}


def _date(value: date, manner: Manner, _level: int) -> Typed:
    if manner.unit is None:
        return {"S": value.isoformat()}
    return {"N": str(moments.epoch(value, manner.unit))}


def _time(value: time, _manner: Manner, _level: int) -> Typed:
    return {"S": moments.time_text(value)}


def _timedelta(value: timedelta, manner: Manner, _level: int) -> Typed:
    if manner.kind == "time" and timedelta() <= value < DAY:  # as drivers of MySQL hand out a TIME
        return {"S": moments.time_text((moments.NAIVE_EPOCH + value).time())}
    return {"S": moments.duration_text(value)}


def _uuid(value: uuid.UUID, _manner: Manner, _level: int) -> Typed:
    return {"S": str(value)}


def _list(value: Sequence[Any], manner: Manner, level: int) -> Typed:
    return {"L": [_element(one, manner, level) for one in value]}


def _dict(value: Mapping[Any, Any], manner: Manner, level: int) -> Typed:
    other = next((name for name in value if not isinstance(name, str)), None)
    if other is not None:
        raise ValueError(f"a name in it is of type {type(other).__name__}")
    return {"M": {name: _element(one, manner, level) for name, one in value.items()}}


def _element(value: Any, manner: Manner, level: int) -> Typed:
    if level >= MAX_NESTING:
        raise ValueError(f"nested deeper than {MAX_NESTING} levels")
    inner = Manner(kind=ELEMENT, moments=manner.moments, not_finite=manner.not_finite)
    return _natural(value, inner, level + 1) or {"NULL": True}


def _str(value: str, manner: Manner, _level: int) -> Typed | None:
    text = value.rstrip(" ") if manner.trim_text and manner.kind in TEXT_KINDS else value
    if manner.text_is_plain or (manner.tag == "S" and manner.kind == "json"):
        return {"S": string(text)}
    if manner.type == JSON:
        return from_json_text(text)
    return _TEXTS[manner.kind](text, manner)


def _number_text(text: str, manner: Manner) -> Typed | None:
    stripped = text.strip()
    if stripped.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return _not_finite(float(stripped), manner)
    return {"N": number(stripped)}


def _flag_text(text: str, _manner: Manner) -> Typed:
    if text.strip().lower() not in FLAGS:
        raise ValueError("neither true nor false")
    return {"BOOL": FLAGS[text.strip().lower()]}


def _moment_text(text: str, manner: Manner) -> Typed | None:
    return _natural(moments.parsed(text, manner.kind), manner, 1)


def _json_text(text: str, _manner: Manner) -> Typed:
    return from_json_text(text)


def _hexadecimal(text: str, _manner: Manner) -> Typed:
    digits = text.removeprefix("\\x")
    if " " in digits:  # which fromhex would pass over
        raise ValueError("it is not hexadecimal")
    return {"B": binary(bytes.fromhex(digits))}


_TEXTS: Final[Mapping[str, Callable[[str, Manner], Typed | None]]] = {
    "number": _number_text,
    "float": _number_text,
    "boolean": _flag_text,
    "timestamp": _moment_text,
    "timestamptz": _moment_text,
    "date": _moment_text,
    "time": _moment_text,
    "json": _json_text,
    "binary": _hexadecimal,
}

_NATURAL: Final[Mapping[type, Callable[[Any, Manner, int], Typed | None]]] = {
    type(None): _null,
    bool: _bool,
    int: _int,
    Decimal: _decimal,
    float: _float,
    str: _str,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    datetime: _datetime,
    date: _date,
    time: _time,
    timedelta: _timedelta,
    uuid.UUID: _uuid,
    list: _list,
    tuple: _list,
    dict: _dict,
}
