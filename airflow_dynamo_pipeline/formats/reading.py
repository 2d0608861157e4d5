"""What reading a file of items is: bytes of a backup in, whole items and named bad lines out.

A backup is untrusted. What a reader hands out as an item is one JSON object and nothing beside it,
in UTF-8; everything else comes out as a ``BadLine`` with the place where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from airflow_dynamo_pipeline.items.keys import Key, KeyReader
from airflow_dynamo_pipeline.items.typed_text import ItemText

MAX_LINE_BYTES = 8 * 1024 * 1024  # 400 KB of item need less than that, however they are escaped
KEPT_BYTES = 4096  # of a bad line, for the file of rejected items


@dataclass(frozen=True, slots=True)
class BadLine:
    """Something that is not an item, and why. ``line`` counts from 1; rows where there are no lines."""

    line: int
    reason: str
    text: bytes  # what stood there; a line that cannot be an item at all is cut to KEPT_BYTES


@dataclass(frozen=True, slots=True)
class Block:
    """Some lines of one file, in their order; small enough to be held in memory.

    ``items`` are whole items as JSON text in DynamoDB's typed form; at the positions in ``deletes`` it is
    the key of an item to delete. ``lines[n]`` is the line of ``items[n]``. ``lines_read`` is the number of
    the last line that this block or one before it has used up, blank lines included. ``keys``, of all
    items, are there if they were asked for and came for nothing.
    """

    items: Sequence[ItemText]
    lines: Sequence[int]
    lines_read: int
    bad: Sequence[BadLine] = ()
    deletes: Sequence[int] = ()
    keys: Sequence[Key] | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a column becomes: the attribute's name and its type, one of the ten tags."""

    name: str
    tag: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadSettings:
    """How files that do not describe themselves are read; empty for those that do."""

    attributes: Mapping[str, Attribute] = field(default_factory=dict)  # by column, field or property
    csv_columns: Sequence[str] = ()  # none: the first line of every file names them
    csv_delimiter: str = ","
    null_text: str = ""  # a CSV field that says: no such attribute
    keys: KeyReader | None = None  # of the table: whoever parses items anyway may read their keys as well


class Content(Protocol):
    """One file of a backup, read piece by piece."""

    name: str  # for messages: its key

    def chunks(self) -> Iterator[bytes]:
        """Its content after decompression, from the beginning; raises ValueError when it is damaged."""
        ...

    def size(self) -> int:
        """Its stored size in bytes."""
        ...

    def range(self, start: int, length: int) -> bytes:
        """Some of its stored bytes."""
        ...


class ItemReader(Protocol):
    """One way of reading items from a file."""

    name: str  # as settings and command line spell it: "dynamodb_json"

    def check_available(self) -> None:
        """Raise MissingLibrary when this machine cannot do it."""
        ...

    def check_settings(self, settings: ReadSettings) -> Iterator[str]:
        """What is wrong with the settings for this format, in words; nothing: they can be used."""
        ...

    def blocks(self, content: Content, settings: ReadSettings) -> Iterator[Block]:
        """Read a file with bounded memory; raises ValueError when what is left of it cannot be read at all.

        A block holds at most about a quarter mebibyte of text, or one line.
        """
        ...
