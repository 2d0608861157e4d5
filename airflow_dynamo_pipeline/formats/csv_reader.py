"""Comma-separated values, each column with its declared type."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from airflow_dynamo_pipeline.formats.mapping import UNFIT, encode, from_text, in_column, mapping_problems
from airflow_dynamo_pipeline.formats.reading import (
    KEPT_BYTES,
    MAX_LINE_BYTES,
    Attribute,
    BadLine,
    Block,
    Content,
    ReadSettings,
)
from airflow_dynamo_pipeline.formats.rows import Line, Row, in_blocks, lines_of


class CsvReader:
    """Reads CSV files in UTF-8, with or without a first line that names the columns.

    Every column must be declared: a CSV file does not say what 1 is. A field that equals ``null_text``,
    quoted or not, means that the item has no such attribute. Sets, lists and maps are JSON in a field.
    """

    __slots__ = ()

    name = "csv"

    def check_available(self) -> None:
        """Never raises."""

    def check_settings(self, settings: ReadSettings) -> Iterator[str]:
        """Say which columns have no type, and what is wrong with the delimiter."""
        yield from mapping_problems(settings)
        if not settings.attributes:
            yield "csv needs the attribute and type of every column"
        elif settings.csv_columns:
            yield from _column_problems(settings.csv_columns, settings.attributes)
        if len(settings.csv_delimiter) != 1 or settings.csv_delimiter in '"\r\n\0':
            yield f"the delimiter is {settings.csv_delimiter!r}; expected one character, no quote or newline"

    def blocks(self, content: Content, settings: ReadSettings) -> Iterator[Block]:
        """Read a file; a row with too many or too few fields or one that does not fit is a bad line.

        Raises ValueError for columns that are not declared or not there, and where a quote is not closed
        within MAX_LINE_BYTES: which rows follow can then not be told.
        """
        csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
        yield from in_blocks(_rows(_Records(content, settings.csv_delimiter), settings))


class _Records:
    """The records of a file, each with its place; holds one record."""

    def __init__(self, content: Content, delimiter: str) -> None:
        self._lines = lines_of(content.chunks())
        self._reader = csv.reader(iter(self._feed, None), delimiter=delimiter, strict=True)
        self._raw = bytearray()  # the lines of the record being read
        self.line = 0
        self.last_line = 0

    def __iter__(self) -> _Records:
        return self

    def __next__(self) -> list[str] | str:
        """Return the next record's fields, or why it is none; raises ValueError where no more can follow."""
        self._raw = bytearray()
        self.line = self.last_line + 1
        try:
            fields = next(self._reader)
        except csv.Error as exc:
            if "unexpected end of data" in str(exc):
                raise ValueError(f"a quote of the record in line {self.line} is never closed") from exc
            return f"not CSV: {exc}"
        try:
            self._text().decode()
        except UnicodeDecodeError as exc:
            return f"not UTF-8: {exc.reason}"
        return "a NUL character" if any("\0" in field for field in fields) else fields

    def bad(self, reason: str) -> Row:
        """Report the record as bad."""
        return self._row(BadLine(self.line, reason, self._text()))

    def item(self, item: bytes | None) -> Row:
        """Report what the record became."""
        return self._row(None if item is None else msgspec.Raw(item))

    def _row(self, found: msgspec.Raw | BadLine | None) -> Row:
        return Row(self.line, self.last_line, found)

    def _text(self) -> bytes:
        return bytes(self._raw.rstrip(b"\r\n"))

    def _feed(self) -> str | None:
        line: Line | None = next(self._lines, None)
        if line is None:
            return None
        self.last_line = line.number
        if line.too_long or len(self._raw) + len(line.text) > MAX_LINE_BYTES:
            raise ValueError(
                f"the record that begins in line {self.line} has more than {MAX_LINE_BYTES} bytes"
            )
        text = line.text + b"\n"
        self._raw += text
        return text.decode(errors="replace")


def _rows(records: _Records, settings: ReadSettings) -> Iterator[Row]:
    columns = settings.csv_columns or _header(records)
    if columns is None:
        return
    yield records.item(None)
    if problems := list(_column_problems(columns, settings.attributes)):
        raise ValueError("; ".join(problems))
    declared = [(column, settings.attributes[column]) for column in columns]
    for record in records:
        if isinstance(record, str):
            yield records.bad(record)
        elif not record:
            yield records.item(None)
        elif len(record) != len(columns):
            yield records.bad(f"{len(record)} fields; expected {len(columns)}")
        else:
            yield _row(records, record, declared, settings.null_text)


def _header(records: _Records) -> Sequence[str] | None:
    """Read the names of the columns; None where the file is empty."""
    record = next(records, None)
    if isinstance(record, str):
        raise ValueError(f"the first line does not name the columns: {record}")  # noqa: TRY004  the file's fault
    return record


def _row(
    records: _Records, fields: Sequence[str], declared: Sequence[tuple[str, Attribute]], null_text: str
) -> Row:
    try:
        item = {
            attribute.name: in_column(column, attribute.tag, field, from_text)
            for (column, attribute), field in zip(declared, fields, strict=True)
            if field != null_text
        }
    except UNFIT as exc:
        return records.bad(str(exc))
    return records.item(encode(item))


def _column_problems(columns: Sequence[str], attributes: Mapping[str, Attribute]) -> Iterator[str]:
    if undeclared := [column for column in columns if column not in attributes]:
        yield f"no type is declared for the columns {_listed(undeclared)}"
    if missing := [column for column in attributes if column not in columns]:
        yield f"there are no columns {_listed(missing)}, which are declared"
    if twice := [column for column, times in Counter(columns).items() if times > 1]:
        yield f"the columns {_listed(twice)} stand twice"


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(map(repr, columns))[:KEPT_BYTES]
