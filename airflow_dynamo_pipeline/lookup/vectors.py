"""All values of a column at once, where they are of one common type: what DynamoDB's value holds, as JSON.

Each function takes values of one type, none of them NULL, and raises one of UNFIT as soon as it meets a value
that has to be looked at by itself. What it gives is what ``typed_value`` gives.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow, Subnormal
from json.encoder import encode_basestring
from typing import Any, Final

from airflow_dynamo_pipeline.items.canonical import LARGEST_MAGNITUDE, SMALLEST_MAGNITUDE
from airflow_dynamo_pipeline.items.check import MAX_DIGITS
from airflow_dynamo_pipeline.lookup import moments
from airflow_dynamo_pipeline.lookup.json_values import binary, number
from airflow_dynamo_pipeline.lookup.values import Manner

Held = Callable[[Sequence[Any]], list[str]]
Vectors = Mapping[type, tuple[str, Held]]
"""For a type of values the tag they get, and what writes them."""

_LARGEST_WHOLE: Final = 10**MAX_DIGITS
_ZERO: Final = Decimal(0)
_exactly = Context(
    prec=MAX_DIGITS,
    Emax=LARGEST_MAGNITUDE,
    Emin=SMALLEST_MAGNITUDE,
    traps=[Inexact, InvalidOperation, Overflow, Subnormal],
)


def vectors_for(manner: Manner) -> Vectors:
    """What can be written a column at once in this manner."""
    tag = manner.tag
    found: dict[type, tuple[str, Held]] = {}
    if tag in (None, "N", "S"):
        found |= {Decimal: (tag or "N", _decimals), float: (tag or "N", _floats)}
        found |= {} if manner.kind == "boolean" else {int: (tag or "N", _wholes)}
        found |= _moments(manner)
    if tag in (None, "BOOL"):
        found[bool] = ("BOOL", _flags)
    if tag in (None, "S"):
        found[uuid.UUID] = ("S", _uuids)
        if manner.text_is_plain:
            found[str] = ("S", _trimmed if manner.trim_text else _strings)
    if tag in (None, "B") and manner.kind != "json" and manner.tag == manner.type:
        found[bytes] = ("B", _binaries)
    return found


def ttl_vectors() -> Vectors:
    """What writes epoch seconds for the values of a TTL's column."""
    return {
        datetime: ("N", _epochs("epoch_seconds")),
        date: ("N", _days("epoch_seconds")),
        int: ("N", _seconds),
    }


def _moments(manner: Manner) -> Vectors:
    if manner.unit is None:
        return {datetime: ("S", moments.timestamp_texts), date: ("S", _dates)}
    tag = manner.tag or "N"
    return {datetime: (tag, _epochs(manner.unit)), date: (tag, _days(manner.unit))}


def _strings(values: Sequence[Any]) -> list[str]:
    "".join(values).encode()  # raises for a lone surrogate
    return list(map(encode_basestring, values))


def _trimmed(values: Sequence[Any]) -> list[str]:
    return _strings([value.rstrip(" ") for value in values])


def _wholes(values: Sequence[Any]) -> list[str]:
    if not -_LARGEST_WHOLE < min(values) <= max(values) < _LARGEST_WHOLE:
        raise ValueError("more digits than some")
    return [f'"{value}"' for value in values]


def _seconds(values: Sequence[Any]) -> list[str]:
    if not -moments.LATEST_SECONDS < min(values) <= max(values) < moments.LATEST_SECONDS:
        raise ValueError("no seconds")
    return [f'"{value}"' for value in values]


def _decimals(values: Sequence[Any]) -> list[str]:
    """Most are written in full by ``str``, but for needless zeros."""
    texts = list(map(str, values))
    joined = "".join(texts)
    if max(map(len, texts)) > MAX_DIGITS or "E" in joined or "N" in joined or "I" in joined:
        return _any_decimals(values)
    found = [f'"{text.rstrip("0").rstrip(".")}"' if "." in text else f'"{text}"' for text in texts]
    return _any_decimals(values) if '"-0"' in found else found


def _any_decimals(values: Sequence[Any]) -> list[str]:
    normalize = _exactly.normalize
    found = [f'"{normalize(value) or _ZERO:f}"' for value in values]
    joined = "".join(found)
    if "N" in joined or "I" in joined:
        raise ValueError("not finite")
    return found


def _floats(values: Sequence[Any]) -> list[str]:
    return [_float(text) for text in map(repr, values)]


def _float(text: str) -> str:
    """Most floats are written with a point and without an exponent; raises ValueError where not finite."""
    if text.endswith(".0") and text != "-0.0":
        return f'"{text[:-2]}"'
    return f'"{number(text)}"' if "e" in text or "n" in text or text == "-0.0" else f'"{text}"'


def _flags(values: Sequence[Any]) -> list[str]:
    return [("false", "true")[value] for value in values]


def _uuids(values: Sequence[Any]) -> list[str]:
    return [f'"{value}"' for value in values]


def _dates(values: Sequence[Any]) -> list[str]:
    return [f'"{value.isoformat()}"' for value in values]


def _binaries(values: Sequence[Any]) -> list[str]:
    return [f'"{binary(value)}"' for value in values]


def _epochs(unit: str) -> Held:
    counted = moments.epochs(unit)
    return lambda values: [f'"{count}"' for count in counted(values)]


def _days(unit: str) -> Held:
    return lambda values: [f'"{moments.epoch(value, unit)}"' for value in values]
