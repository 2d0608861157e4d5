"""Keys that a reader asks for, in the one spelling in which they are sent, compared and kept."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Hashable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, SupportsBytes

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.errors import InvalidSetting, UnexpectedReply
from airflow_dynamo_pipeline.items.canonical import (
    LARGEST_MAGNITUDE,
    SMALLEST_MAGNITUDE,
    canonical_number,
    number_parts,
)
from airflow_dynamo_pipeline.items.check import KEY_BYTES, MAX_DIGITS
from airflow_dynamo_pipeline.lookup.pointer import Pointer

Held = str | bytes
SentKey = tuple[Held, ...]
"""What the key attributes hold: texts, numbers in their canonical spelling, bytes."""

PAIR: Final = 2


class LookupKeys:
    """Takes keys as people have them and makes those that are sent, for one table."""

    def __init__(self, schema: Sequence[KeyAttribute]) -> None:
        """``schema``: the partition key, then the sort key if there is one."""
        self._schema = tuple(schema)
        self._is_pair = len(self._schema) == PAIR

    @property
    def names(self) -> Sequence[str]:
        """The names of the key attributes."""
        return [attribute.name for attribute in self._schema]

    def sent(self, given: Any, pointer: Pointer | None = None) -> SentKey | None:
        """The key that is sent for a given one; None for one that no item can have.

        That is None, what is empty, too long or out of the range of numbers. Raises InvalidSetting for a
        value of another type than the table's key has: it could never be found, and nobody would know why.
        """
        if given is None:
            return None
        values = self._values(given)
        held = [_held(*one) for one in zip(self._schema, values, KEY_BYTES[: len(values)], strict=True)]
        if pointer is not None and isinstance(held[0], str):
            held[0] = _no_longer_than(KEY_BYTES[0][1], pointer.key(held[0]))
        return None if any(one is None for one in held) else tuple(one for one in held if one is not None)

    def named(self, given: Any) -> Hashable:
        """A given key as it stands in a reply: itself, with a list as a tuple and a bytearray as bytes."""
        if not self._is_pair or given is None:
            return _hashable(given)
        return tuple(map(_hashable, given))

    def typed(self, key: SentKey) -> dict[str, Any]:
        """A key as boto3 takes it.

        >>> LookupKeys([KeyAttribute("id", "S")]).typed(("P1",))
        {'id': {'S': 'P1'}}
        """
        pairs = zip(self._schema, key, strict=True)
        return {attribute.name: {attribute.tag: held} for attribute, held in pairs}

    def of(self, item: Mapping[str, Any]) -> SentKey:
        """The key of an item that boto3 has read; raises UnexpectedReply for none."""
        try:
            held = [item[attribute.name][attribute.tag] for attribute in self._schema]
        except KeyError as missing:
            raise UnexpectedReply(f"an item came without its key: {missing} is not there") from missing
        pairs = zip(self._schema, held, strict=True)
        return tuple(canonical_number(one) if attribute.tag == "N" else one for attribute, one in pairs)

    def _values(self, given: Any) -> Sequence[Any]:
        if not self._is_pair:
            return (given,)
        if isinstance(given, tuple | list) and len(given) == PAIR:
            return given
        partition, sort = self.names
        raise InvalidSetting("key", given, f"a pair: {partition} and {sort}")


def _hashable(value: Any) -> Hashable:
    found: Hashable = bytes(value) if isinstance(value, bytearray | memoryview) else value
    return found


def _held(attribute: KeyAttribute, value: Any, kind: tuple[str, int]) -> Held | None:
    """What is sent for one attribute; None for what no item can have."""
    if value is None:
        return None
    word, spell = _SPELLINGS[attribute.tag]
    held = spell(value)
    if isinstance(held, _Wrong):
        raise InvalidSetting(attribute.name, value, word)
    return held if held is None or attribute.tag == "N" else _no_longer_than(kind[1], held)


class _Wrong:
    """The type of ``_WRONG``: a value of a type that cannot be spelled as asked."""


_WRONG: Final = _Wrong()


def _no_longer_than(most: int, held: Held) -> Held | None:
    try:
        size = len(held.encode() if isinstance(held, str) else held)
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return held if 0 < size <= most else None


def _text(value: Any) -> Held | _Wrong | None:
    return str(value) if isinstance(value, str) else _WRONG


def _number(value: Any) -> Held | _Wrong | None:
    if isinstance(value, bool) or not isinstance(value, Decimal | numbers.Integral):
        return _WRONG
    exact = value if isinstance(value, Decimal) else Decimal(int(value))
    if not exact.is_finite():
        return _WRONG
    parts = number_parts(str(exact))
    if parts is None or len(parts.digits) > MAX_DIGITS:
        return None
    if parts.digits and not SMALLEST_MAGNITUDE <= parts.magnitude <= LARGEST_MAGNITUDE:
        return None
    return canonical_number(str(exact))


def _bytes(value: Any) -> Held | _Wrong | None:
    return bytes(value) if isinstance(value, bytearray | memoryview | SupportsBytes) else _WRONG


_SPELLINGS: Final[Mapping[str, tuple[str, Callable[[Any], Held | _Wrong | None]]]] = {
    "S": ("text, as the table's key is of type S", _text),
    "N": ("a finite int or Decimal, as the table's key is of type N; a float is not exact", _number),
    "B": ("bytes, as the table's key is of type B", _bytes),
}
