"""Columns of an unloaded Parquet file as the values that every source of rows hands out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from airflow_dynamo_pipeline.adapters.sql_values import SourceColumn, all_parsed, tidy
from airflow_dynamo_pipeline.lookup.source import Column


def column_values(pyarrow: Any, array: Any, column: Column) -> Sequence[object]:
    """The values of a column; one that Python cannot hold, as a year after 9999, stays text."""
    kind = array.type
    if pyarrow.types.is_timestamp(kind):
        return _moments(pyarrow, array, aware=column.kind == "timestamptz")
    if pyarrow.types.is_decimal(kind):
        return _read(pyarrow, array, Decimal)
    if pyarrow.types.is_float32(kind):
        return _singles(pyarrow, array)
    values = _python(array)
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        as_told = SourceColumn(column.name, column.kind)
        return tidy(as_told, all_parsed(as_told, values))
    return values


def _moments(pyarrow: Any, array: Any, *, aware: bool) -> Sequence[object]:
    """Timestamps; those of a column with a zone are in UTC, whether the file says so or not."""
    values = _read(pyarrow, array.cast(pyarrow.timestamp("us"), safe=False), datetime.fromisoformat)
    if not aware:
        return values
    return [value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in values]


def _read(pyarrow: Any, array: Any, read: Callable[[str], object]) -> Sequence[object]:
    """The values by their texts: a fifth of the time that pyarrow takes to make Python's values."""
    texts = array.cast(pyarrow.string()).to_pylist()
    try:
        return [None if text is None else read(text) for text in texts]
    except ValueError:
        return _python(array)


def _python(array: Any) -> Sequence[object]:
    try:
        values: Sequence[object] = array.to_pylist()
    except (ValueError, OverflowError):
        return [_one(scalar) for scalar in array]
    return values


def _one(scalar: Any) -> object:
    try:
        value: object = scalar.as_py()
    except (ValueError, OverflowError):
        return str(scalar.cast("string").as_py())
    return value


def _singles(pyarrow: Any, array: Any) -> Sequence[object]:
    """Floats of 32 bits with the fewest digits that mean them, which is how they are written as text."""
    texts = array.cast(pyarrow.string()).to_pylist()
    return [None if text is None else float(text) for text in texts]
