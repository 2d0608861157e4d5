"""A query as a lookup load sees it: facts that the database counted itself, and rows by columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

KINDS: Final = (
    "text",
    "number",  # integers and decimals, with every digit
    "float",
    "boolean",
    "timestamp",  # without a zone
    "timestamptz",
    "date",
    "time",
    "json",  # SUPER, json, jsonb: JSON text, or what a driver made of it
    "binary",  # varbyte, geometry, bytea: bytes, or hexadecimal text
    "other",  # not told: a value is taken for what its Python type says
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a query's result; ``kind`` is one of KINDS."""

    name: str
    kind: str = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatedKey:
    """A key that several rows have."""

    values: tuple[object, ...]  # of the key columns, in their order
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryFacts:
    """What the database said about the query before its rows were fetched."""

    rows: int
    repeated_keys: int  # how many keys several rows have
    repeated: Sequence[RepeatedKey] = ()  # the first few of them


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Some rows, column by column: ``values[c][r]`` is what row ``r`` holds in column ``c``; None is NULL."""

    values: Sequence[Sequence[object]]
    rows: int


class RowSource(Protocol):
    """One query, run once: its rows are one snapshot."""

    @property
    def description(self) -> str:
        """The source for a log: no password, no SQL text."""
        ...

    def columns(self) -> Sequence[Column]:
        """The result's columns, without running the query; raises Refused for SQL that cannot run."""
        ...

    def facts(self, key_columns: Sequence[str]) -> QueryFacts:
        """Count rows and find keys that repeat, in the database; rows whose key is NULL do not repeat."""
        ...

    def batches(self) -> Iterator[RowBatch]:
        """Run the query and hand out its rows in the order of ``columns``, in bounded memory.

        Called once, after ``facts``. Raises UnexpectedReply when fewer or more rows come than the database
        said it has sent.
        """
        ...

    def close(self) -> None:
        """End the query and remove what it left behind, such as unloaded files; never raises.

        It may be called again.
        """
        ...
