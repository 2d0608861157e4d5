"""What a database's types are called, and what drivers make of their values, brought to one form."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from airflow_dynamo_pipeline.lookup.source import Column

Values = Sequence[object]
DAY: Final = timedelta(days=1)
MIDNIGHT: Final = datetime(2000, 1, 1)  # noqa: DTZ001  a day to count from

# Type codes of PostgreSQL, and of Redshift where it has its own (redshift_connector.utils.oids).
POSTGRES_KINDS: Final[Mapping[int, str]] = {
    16: "boolean", 20: "number", 21: "number", 23: "number", 26: "number", 1700: "number",
    700: "float", 701: "float", 1114: "timestamp", 1184: "timestamptz", 1082: "date", 1083: "time",
    1266: "time", 114: "json", 3802: "json", 4000: "json", 17: "binary", 6551: "binary",
    3000: "binary", 3999: "binary", 3001: "binary",
    18: "text", 19: "text", 25: "text", 1042: "text", 1043: "text", 2950: "text",
}  # fmt: skip
JSON_CODES: Final = (114, 3802)  # which drivers parse, and then a number is a float
SINGLE_CODE: Final = 700  # float4
# Type codes of MySQL's protocol; text and binary share theirs and are told by their values.
MYSQL_KINDS: Final[Mapping[int, str]] = {
    0: "number", 1: "number", 2: "number", 3: "number", 8: "number", 9: "number", 13: "number", 246: "number",
    4: "float", 5: "float", 7: "timestamp", 12: "timestamp", 10: "date", 11: "time", 245: "json",
    255: "binary",
}  # fmt: skip
NAMED_KINDS: Final[Mapping[str, str]] = {  # as the Data API and the manifest of an UNLOAD call them
    "int2": "number", "int4": "number", "int8": "number", "oid": "number", "numeric": "number",
    "smallint": "number", "integer": "number", "bigint": "number", "decimal": "number",
    "float4": "float", "float8": "float", "real": "float", "double precision": "float", "bool": "boolean",
    "boolean": "boolean", "timestamp": "timestamp", "timestamp without time zone": "timestamp",
    "timestamptz": "timestamptz", "timestamp with time zone": "timestamptz", "date": "date", "time": "time",
    "timetz": "time", "time without time zone": "time", "time with time zone": "time",
    "super": "json", "json": "json", "jsonb": "json",
    "varbyte": "binary", "binary varying": "binary", "bytea": "binary", "geometry": "binary",
    "geography": "binary", "varchar": "text", "character varying": "text", "char": "text", "bpchar": "text",
    "character": "text", "text": "text", "name": "text", "uuid": "text",
}  # fmt: skip
LEAST_NORMAL: Final = 1.2e-38  # below it a float of 32 bits has fewer than six digits that count
SINGLE_NAMES: Final = ("float4", "real")


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column of a result as its driver describes it; ``single`` is a float of 32 bits."""

    name: str
    kind: str
    code: object = None
    single: bool = False

    @property
    def column(self) -> Column:
        """The column as the load sees it."""
        return Column(self.name, self.kind)


def described(dialect: str, description: Sequence[Sequence[Any]]) -> list[SourceColumn]:
    """The columns of a cursor's description."""
    kinds = {"postgresql": POSTGRES_KINDS, "redshift": POSTGRES_KINDS, "mysql": MYSQL_KINDS}.get(dialect, {})
    single = SINGLE_CODE if kinds is POSTGRES_KINDS else None
    return [
        SourceColumn(_name(name), kinds.get(code, "other"), code, single is not None and code == single)
        for name, code, *_ in description
    ]


def named(name: str, type_name: str) -> SourceColumn:
    """A column of which the type's name is known, as ``varchar`` or ``numeric(38,10)``."""
    kind = type_word(type_name)
    return SourceColumn(name, NAMED_KINDS.get(kind, "other"), type_name, kind in SINGLE_NAMES)


def type_word(type_name: str) -> str:
    """The name of a type without its width.

    >>> type_word("NUMERIC(38,10)")
    'numeric'
    """
    return type_name.lower().partition("(")[0].strip()


def _name(name: object) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def tidy(column: SourceColumn, values: Values) -> Values:
    """The values of a column as one driver gave them, in the form that all sources hand out.

    Binary is bytes, a float of 32 bits has the fewest digits that mean it, a UUID is text, a time of MySQL a
    time. What cannot be brought to this form stays what it is; the conversion to items judges it.
    """
    found: Callable[[Any], object] | None = {
        "binary": _binary,
        "time": _time,
        "text": _text,
        "other": _other,
    }.get(column.kind)
    if column.kind == "float" and column.single:
        found = shortest_single
    if found is None or (found in (_text, _other) and set(map(type, values)) <= _PLAIN):
        return values
    return [None if value is None else found(value) for value in values]


def all_parsed(column: SourceColumn, values: Values) -> Values:
    """Values that came as text, in their own type; text that has no such form stays text."""
    parse = PARSERS.get(column.kind)
    return values if parse is None else [_parsed(parse, value) for value in values]


def _parsed(parse: Callable[[str], object], value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except (ValueError, InvalidOperation):
        return value


def shortest_single(value: object) -> object:
    """A float of 32 bits as the float of 64 bits with the fewest digits that are the same in 32.

    >>> shortest_single(0.10000000149011612)
    0.1
    """
    if not isinstance(value, float) or value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124
        return value
    try:
        packed = struct.pack("f", value)
    except OverflowError:
        return value
    for digits in range(1 if abs(value) < LEAST_NORMAL else 6, 9):
        short = float(f"{value:.{digits}g}")
        if struct.pack("f", short) == packed:
            return short
    return float(f"{value:.9g}")


def _binary(value: object) -> object:
    if isinstance(value, str):
        try:
            return bytes.fromhex(value.removeprefix("\\x").removeprefix("0x"))
        except ValueError:
            return value
    return _other(value)


def _time(value: object) -> object:
    if isinstance(value, timedelta) and timedelta(0) <= value < DAY:
        return (MIDNIGHT + value).time()
    return value


def _text(value: object) -> object:
    return str(value) if isinstance(value, uuid.UUID) else value


def _other(value: object) -> object:
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    return _text(value)


_PLAIN: Final = frozenset({str, type(None)})
PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "number": Decimal,
    "float": float,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
}
