"""One column of a query as pieces of items' texts: ``,"price":{"N":"12.5"}``, nothing for what is omitted."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

import msgspec

from airflow_dynamo_pipeline.formats.mapping import Typed
from airflow_dynamo_pipeline.lookup.values import UNFIT, described
from airflow_dynamo_pipeline.lookup.vectors import Vectors

MOST_UTF8_BYTES = 4  # of a character
Reasons = dict[int, str]
"""What is wrong with a row's value, by the row's index."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRule:
    """What a key attribute must be."""

    which: str  # "partition" or "sort"
    tag: str
    most_bytes: int
    prefix: str = ""  # put before the text

    def checked(self, value: Typed | None) -> Typed:
        """Give the key's value with its prefix; raises ValueError where DynamoDB takes none such."""
        if value is None:
            raise ValueError(f"it is NULL, and the table's {self.which} key")
        ((tag, held),) = value.items()
        if tag != self.tag:
            raise ValueError(f"it has the type {tag}; the table's {self.which} key is {self.tag}")
        if not held:
            raise ValueError(f"it is empty, and the table's {self.which} key")
        whole = self.prefix + held
        size = len(base64.b64decode(held)) if tag == "B" else len(whole.encode())
        if size > self.most_bytes and tag != "N":
            raise ValueError(f"it has {size:,} bytes; a {self.which} key has at most {self.most_bytes:,}")
        return {tag: whole}

    def all_checked(self, held: list[str]) -> list[str]:
        """The same for JSON strings of a column at once; raises ValueError where one needs a closer look."""
        room = self.most_bytes if self.tag == "B" else self.most_bytes // MOST_UTF8_BYTES
        if '""' in held or len(self.prefix) + max(map(len, held)) - 2 > room:
            raise ValueError("empty or long")
        if not self.prefix:
            return held
        head = encode_basestring(self.prefix)[:-1]
        return [head + text[1:] for text in held]


@dataclass(frozen=True, slots=True)
class Written:
    """One attribute of a batch: what stands between ``before`` and ``after`` in each row.

    Those are ``,"price":{"N":`` and ``}``; nothing where some rows have no such attribute.
    """

    texts: Sequence[str]
    wrong: Reasons  # why some rows have none
    before: str = ""
    after: str = ""
    head: int = 0  # how many characters of a text come before the value

    @property
    def values(self) -> Sequence[str]:
        """The JSON text of each row's value, without its type; empty where there is none."""
        return [text[self.head : -1] for text in self.texts] if self.head else self.texts


class Fragments:
    """Writes one attribute from one column."""

    def __init__(
        self,
        column: str,
        attribute: str,
        one: Callable[[Any], Typed | None],
        vectors: Vectors,
        *,
        null: bool = False,
        key: KeyRule | None = None,
    ) -> None:
        """``one`` converts what ``vectors`` cannot; ``null``: NULL is written and not omitted."""
        self.attribute = attribute
        self.key = key
        self._column = column
        self._one = one
        self._vectors = vectors
        self._head = f",{encode_basestring(attribute)}:"
        self._null = f'{self._head}{{"NULL":true}}' if null else ""

    def of(self, values: Sequence[object]) -> Written:
        """What a column's values become, in order."""
        types = set(map(type, values))
        has_null = type(None) in types
        types.discard(type(None))
        if len(types) == 1 and not (has_null and self.key):
            (kind,) = types
            try:
                return self._together(kind, values, has_null=has_null)
            except (KeyError, *UNFIT):
                pass  # a type without a vector, or a value that has to be looked at by itself
        elif not types and not self.key:
            return Written([self._null] * len(values), {})
        return self._singly(values)

    def _together(self, kind: type, values: Sequence[object], *, has_null: bool) -> Written:
        tag, write = self._vectors[kind]
        held = write([value for value in values if value is not None] if has_null else values)
        if self.key is not None:
            held = self.key.all_checked(held)
        head = f'{self._head}{{"{tag}":'
        if not has_null:
            return Written(held, {}, head, "}")
        left, null = iter(held), self._null
        return Written([null if value is None else f"{head}{next(left)}}}" for value in values], {})

    def _singly(self, values: Sequence[object]) -> Written:
        pieces, reasons = [], {}
        for row, value in enumerate(values):
            try:
                pieces.append(self._piece(value))
            except UNFIT as exc:
                pieces.append("")
                reasons[row] = f"column {self._column!r}: {described(value)}: {_said(exc)}"
        head = len(f'{self._head}{{"{self.key.tag}":') if self.key else 0
        return Written(pieces, reasons, head=head)

    def _piece(self, value: object) -> str:
        found = self._one(value)
        if self.key is not None:
            found = self.key.checked(found)
        return self._null if found is None else f"{self._head}{_encode(found).decode()}"


def _said(exc: Exception) -> str:
    return str(exc) or type(exc).__name__
