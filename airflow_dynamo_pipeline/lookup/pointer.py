"""The item of a table of generations that says which generation counts.

With generations every row stands under ``<generation>#<key>``, so that a new one is loaded beside the one
that is being read. One pointer item names the generation that counts; writing it is the flip.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.errors import InvalidSetting, UnexpectedReply, with_hint

POINTER: Final = "#current"  # the pointer's partition key: no generation has an empty name
SEPARATOR: Final = "#"  # between generation and key
GENERATION: Final = "generation"
ROWS: Final = "rows"
LOADED_AT: Final = "loaded_at"
VALID_UNTIL: Final = "valid_until"  # text: a number could be what the table expires items by
EARLIER: Final = "earlier"
POINTER_ATTRIBUTES: Final = (GENERATION, ROWS, LOADED_AT, VALID_UNTIL, EARLIER)
RELOAD: Final = "load a new generation, or let each one live for longer (generation_days)"

POINTER_SORT_KEYS: Final[Mapping[str, str | bytes]] = {"S": POINTER, "N": "0", "B": POINTER.encode()}
_WHOLE: Final = re.compile(r"[0-9]{1,11}")

TypedItem = dict[str, Any]
"""Attributes in DynamoDB's typed form as JSON has it: ``{"id": {"S": "a"}}``, binaries as base64 text."""


class GenerationExpired(UnexpectedReply):
    """The generation that counts has outlived its time: its items may be gone, and absent says nothing."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which generation counts. Instants have a time zone; ``expires_at`` is kept in whole seconds."""

    generation: str  # not empty, without "#"
    rows: int
    loaded_at: datetime
    expires_at: datetime  # from here on DynamoDB may delete the generation's items
    earlier: str | None = None  # the generation that counted before

    def __post_init__(self) -> None:
        """Refuse a name that could be taken for another's key."""
        if not self.generation or SEPARATOR in self.generation:
            raise InvalidSetting("generation", self.generation, f"a name without {SEPARATOR!r}")

    def key(self, partition_key: str) -> str:
        """The partition key under which a row of this generation stands.

        >>> at = datetime(2026, 1, 1, tzinfo=UTC)
        >>> Pointer("g1", 1, at, at).key("P1")
        'g1#P1'
        """
        return f"{self.generation}{SEPARATOR}{partition_key}"

    def refuse_if_expired(self, now: datetime, table_name: str) -> None:
        """Raise GenerationExpired from the instant on from which items may be missing."""
        if now >= self.expires_at:
            expired = (
                f"generation {self.generation} of table {table_name} expired at {_text(self.expires_at)}"
            )
            raise GenerationExpired(with_hint(expired, RELOAD))

    def to_item(self, key: Sequence[KeyAttribute]) -> TypedItem:
        """The pointer item; ``key`` is the table's key, whose partition key is of type S."""
        item = {
            **pointer_key(key),
            GENERATION: {"S": self.generation},
            ROWS: {"N": str(self.rows)},
            LOADED_AT: {"S": _text(self.loaded_at)},
            VALID_UNTIL: {"S": _text(self.expires_at)},
        }
        return item if self.earlier is None else {**item, EARLIER: {"S": self.earlier}}

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Pointer:
        """Read a pointer item; raises UnexpectedReply saying what is wrong with it."""
        generation = _held(item, GENERATION, "S")
        if SEPARATOR in generation:
            raise UnexpectedReply(f"the pointer item {POINTER} names the generation {generation!r}")
        return cls(
            generation=generation,
            rows=_whole(item, ROWS),
            loaded_at=_instant(item, LOADED_AT),
            expires_at=_instant(item, VALID_UNTIL),
            earlier=_held(item, EARLIER, "S") if EARLIER in item else None,
        )


def pointer_key(key: Sequence[KeyAttribute]) -> TypedItem:
    """The primary key of the pointer item; raises InvalidSetting where the partition key is not of type S.

    >>> pointer_key([KeyAttribute("id", "S"), KeyAttribute("at", "N")])
    {'id': {'S': '#current'}, 'at': {'N': '0'}}
    """
    partition, *sort = key
    if partition.tag != "S":
        raise InvalidSetting(partition.name, partition.tag, "type S: with generations it begins with a name")
    found: TypedItem = {partition.name: {"S": POINTER}}
    return found | {attribute.name: {attribute.tag: _sort_key(attribute.tag)} for attribute in sort}


def _sort_key(tag: str) -> str:
    held = POINTER_SORT_KEYS[tag]
    return held if isinstance(held, str) else base64.b64encode(held).decode("ascii")


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _held(item: Mapping[str, Any], name: str, tag: str) -> str:
    held = item.get(name, {}).get(tag)
    if not isinstance(held, str) or not held:
        raise UnexpectedReply(f"the pointer item {POINTER} has no {name} of type {tag}")
    return held


def _whole(item: Mapping[str, Any], name: str) -> int:
    held = _held(item, name, "N")
    if not _WHOLE.fullmatch(held):
        raise UnexpectedReply(f"the pointer item {POINTER} has {name} {held!r}, not a whole number")
    return int(held)


def _instant(item: Mapping[str, Any], name: str) -> datetime:
    held = _held(item, name, "S")
    try:
        found = datetime.fromisoformat(held)
    except ValueError:
        raise UnexpectedReply(f"the pointer item {POINTER} has {name} {held!r}, not an instant") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
