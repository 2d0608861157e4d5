"""What columns of a query become: names, types, and how values without a DynamoDB type are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.errors import InvalidSetting, Problem
from airflow_dynamo_pipeline.items.values import TAGS, is_typed

MOMENTS: Final = ("iso", "epoch_seconds", "epoch_milliseconds")
NULLS: Final = ("omit", "null")
NOT_FINITE: Final = ("reject", "null", "text")
JSON: Final = "json"  # a column's type beside the ten tags: JSON text becomes maps and lists
TYPES: Final = (*sorted(TAGS), JSON)


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnMapping:
    """What one column becomes; None: as the defaults of the load say."""

    name: str | None = None  # of the attribute; None: the column's own
    type: str | None = None  # one of TYPES; None: by what the values are
    drop: bool = False
    moments: str | None = None  # one of MOMENTS
    nulls: str | None = None  # one of NULLS
    not_finite: str | None = None  # one of NOT_FINITE


@dataclass(frozen=True, kw_only=True, slots=True)
class RowMapping:
    """What rows become.

    ``ttl_attribute`` gets epoch seconds (type N) from ``ttl_column``, which may be a timestamp, a date or a
    number of seconds; the column itself stays unless it is dropped.
    """

    columns: Mapping[str, ColumnMapping] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)  # attribute -> typed value: {"S": "x"}
    ttl_attribute: str | None = None
    ttl_column: str | None = None
    moments: str = "iso"  # timestamps and dates: ISO 8601 in UTC, or epoch numbers
    nulls: str = "omit"
    not_finite: str = "reject"  # NaN and infinities
    trim_text: bool = False  # drop trailing blanks, with which CHAR columns are padded

    def attribute(self, column: str) -> str:
        """The attribute that a column becomes."""
        found = self.columns.get(column)
        return (found.name if found else None) or column


FIELDS: Final = ("name", "type", "drop", "moments", "nulls", "not_finite")


def column_mappings(name: str, value: object) -> Mapping[str, ColumnMapping]:
    """``{"price": "N", "note": {"name": "comment", "nulls": "null"}, "x": {"drop": true}}``, or its JSON."""
    found: dict[str, ColumnMapping] = {}
    for column, what in settings.mapping(name, value).items():
        given = {"type": what} if isinstance(what, str) else what
        if isinstance(given, ColumnMapping):
            found[column] = given
        elif isinstance(given, Mapping) and given.keys() <= set(FIELDS):
            found[column] = ColumnMapping(**{**given, "drop": settings.flag(name, given.get("drop", False))})
        else:
            raise InvalidSetting(name, value, f"for each column a type, or some of {', '.join(FIELDS)}")
    return found


def mapping_problems(mapping: RowMapping, key_columns: Sequence[str]) -> Iterator[Problem]:
    """What is wrong with a mapping by itself, before the query's columns are known."""
    for column, found in mapping.columns.items():
        yield from _column_problems(column, found)
        if found.drop and column in key_columns:
            yield Problem("columns", f"column {column!r} is dropped, and is one of key_columns")
    yield from _word("moments", mapping.moments, MOMENTS)
    yield from _word("nulls", mapping.nulls, NULLS)
    yield from _word("not_finite", mapping.not_finite, NOT_FINITE)
    for attribute, value in mapping.constants.items():
        if not is_typed(value):
            hint = 'as in {"source": {"S": "redshift"}}'
            yield Problem("constants", f"{attribute} is {value!r}, not a typed value", hint)
    if (mapping.ttl_attribute is None) != (mapping.ttl_column is None):
        given, missing = ("ttl_attribute", "ttl_column")
        if mapping.ttl_attribute is None:
            given, missing = missing, given
        yield Problem(missing, f"is required with {given}")


def _column_problems(column: str, found: ColumnMapping) -> Iterator[Problem]:
    if found.type is not None and found.type not in TYPES:
        yield Problem("columns", f"column {column!r}: {found.type!r} is not one of {', '.join(TYPES)}")
    if found.name == "":
        yield Problem("columns", f"column {column!r}: the attribute's name is empty")
    known = {"moments": MOMENTS, "nulls": NULLS, "not_finite": NOT_FINITE}
    for setting, words in known.items():
        word = getattr(found, setting)
        if word is not None and word not in words:
            yield Problem(
                "columns", f"column {column!r}: {setting} {word!r} is not one of {', '.join(words)}"
            )


def _word(name: str, word: str, words: Sequence[str]) -> Iterator[Problem]:
    if word not in words:
        yield Problem(name, f"{word!r} is not one of {', '.join(words)}")
