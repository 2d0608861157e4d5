"""Parquet files, one row after the other."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from airflow_dynamo_pipeline.errors import MissingLibrary
from airflow_dynamo_pipeline.formats.mapping import (
    UNFIT,
    Typed,
    converted,
    encode,
    in_column,
    mapping_problems,
    shown,
)
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

BATCH_BYTES = 1024 * 1024
MAX_BATCH_ROWS = 512
BUFFER_BYTES = 256 * 1024  # read at once of each column

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
        _pyarrow()

    def check_settings(self, settings: ReadSettings) -> Iterator[str]:
        """Say what is wrong with the declared attributes."""
        yield from mapping_problems(settings)

    def blocks(self, content: Content, settings: ReadSettings) -> Iterator[Block]:
        """Read a file; a row that does not fit is a bad line, its number that of the row.

        Raises ValueError for what is no Parquet file, for damage, and for columns without a usable type.
        """
        yield from in_blocks(_rows(_pyarrow(), content, settings.attributes))


class _Seekable(io.RawIOBase):
    """A file of the store as pyarrow reads files."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._size = content.size()
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._at)
        length = left if size < 0 else min(size, left)
        found = self._content.range(self._at, length) if length else b""
        self._at += len(found)
        return found


def _rows(pyarrow: Any, content: Content, attributes: Mapping[str, Attribute]) -> Iterator[Row]:
    broken = (pyarrow.ArrowException, OSError)
    try:
        file = _opened(pyarrow, content)
        columns = _columns(pyarrow, file.schema_arrow, attributes)
        number = 0
        for batch in _batches(file):
            arrays = [python_of(pyarrow, array) for array in batch.columns]
            for values in zip(*arrays, strict=True):
                number += 1
                yield _row(number, values, columns)
    except broken as exc:
        raise ValueError(f"not a Parquet file that can be read: {exc}") from exc


def _opened(pyarrow: Any, content: Content) -> Any:
    from pyarrow import parquet

    source = pyarrow.PythonFile(_Seekable(content), mode="r")
    return parquet.ParquetFile(source, buffer_size=BUFFER_BYTES, pre_buffer=False)


def _batches(file: Any) -> Iterator[Any]:
    for group in range(file.metadata.num_row_groups):
        found = file.metadata.row_group(group)
        row_bytes = found.total_byte_size // max(1, found.num_rows)
        rows = max(1, min(MAX_BATCH_ROWS, BATCH_BYTES // max(1, row_bytes)))
        yield from file.iter_batches(batch_size=rows, row_groups=[group], use_threads=False)


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


def _pyarrow() -> Any:
    try:
        return importlib.import_module("pyarrow")
    except ImportError as exc:
        raise MissingLibrary("pyarrow", "parquet") from exc
