"""Parquet files, one row after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from airflow_dynamo_pipeline.formats.mapping import (
    UNFIT,
    Typed,
    converted,
    encode,
    in_column,
    mapping_problems,
    shown,
)
from airflow_dynamo_pipeline.formats.parquet_files import batches, opened, pyarrow_module
from airflow_dynamo_pipeline.formats.parquet_values import python_of, typed_by
from airflow_dynamo_pipeline.formats.reading import (
    KEPT_BYTES,
    Attribute,
    BadLine,
    Block,
    Content,
    ReadSettings,
)
from airflow_dynamo_pipeline.formats.rows import Row, in_blocks

Columns = list[tuple[str, Attribute | None, Callable[[Any], Typed]]]


class ParquetReader:
    """Reads Parquet files by batches of rows; the file is never whole in memory.

    A column that ``attributes`` declares is converted to its type; a null there means that the item has no
    such attribute. All others are typed by what they are: strings S, integers, decimals and floats N
    (a float with the fewest digits that mean it), Booleans BOOL, binaries B, lists L, structs and maps M,
    null NULL. Timestamps and dates have to be declared: S is ISO 8601 in UTC, N seconds since 1970.
    A timestamp without a zone is taken for UTC.
    """

    __slots__ = ()

    name = "parquet"

    def check_available(self) -> None:
        """Raise MissingLibrary where pyarrow is not installed."""
        pyarrow_module()

    def check_settings(self, settings: ReadSettings) -> Iterator[str]:
        """Say what is wrong with the declared attributes."""
        yield from mapping_problems(settings)

    def blocks(self, content: Content, settings: ReadSettings) -> Iterator[Block]:
        """Read a file; a row that does not fit is a bad line, its number that of the row.

        Raises ValueError for what is no Parquet file, for damage, and for columns without a usable type.
        """
        yield from in_blocks(_rows(pyarrow_module(), content, settings.attributes))


def _rows(pyarrow: Any, content: Content, attributes: Mapping[str, Attribute]) -> Iterator[Row]:
    broken = (pyarrow.ArrowException, OSError)
    try:
        file = opened(pyarrow, content)
        columns = _columns(pyarrow, file.schema_arrow, attributes)
        number = 0
        for batch in batches(file):
            arrays = [python_of(pyarrow, array) for array in batch.columns]
            for values in zip(*arrays, strict=True):
                number += 1
                yield _row(number, values, columns)
    except broken as exc:
        raise ValueError(f"not a Parquet file that can be read: {exc}") from exc


def _columns(pyarrow: Any, schema: Any, attributes: Mapping[str, Attribute]) -> Columns:
    problems: list[str] = []
    columns: Columns = []
    for field in schema:
        declared = attributes.get(field.name)
        try:
            columns.append(
                (field.name, declared, typed_by(pyarrow, field.type, declared.tag if declared else None))
            )
        except ValueError as exc:
            problems.append(f"column {shown(field.name)}: {exc}")
    problems += [
        f"there is no column {shown(name)}, which is declared"
        for name in attributes
        if name not in schema.names
    ]
    names = [declared.name if declared else name for name, declared, _ in columns]
    problems += [
        f"two columns become the attribute {shown(name)}"
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
    if problems:
        raise ValueError("; ".join(problems)[:KEPT_BYTES])
    return columns


def _row(number: int, values: tuple[Any, ...], columns: Columns) -> Row:
    item: dict[str, Typed] = {}
    try:
        for value, (column, declared, typed) in zip(values, columns, strict=True):
            if declared is None:
                item[column] = _undeclared(column, value, typed)
            elif value is not None or declared.tag == "NULL":
                item[declared.name] = in_column(column, declared.tag, value, partial(_declared, typed))
        found: msgspec.Raw | BadLine = msgspec.Raw(encode(item))
    except UNFIT as exc:
        text = str(dict(zip((column for column, _, _ in columns), values, strict=True)))[:KEPT_BYTES]
        found = BadLine(number, str(exc), text.encode(errors="replace"))
    return Row(number, number, found)


def _declared(typed: Callable[[Any], Typed], tag: str, value: Any) -> Typed:
    return converted(tag, typed(value))


def _undeclared(column: str, value: Any, typed: Callable[[Any], Typed]) -> Typed:
    try:
        return typed(value)
    except ValueError as exc:
        raise ValueError(f"column {shown(column)}: {shown(value)} has no type in DynamoDB: {exc}") from exc
