"""Key schemas: which attributes find an item, and where it lies in the order of a scan.

The order is that of a hash of the partition key, then the sort key in its type's own order, as in the
service; a segment of a parallel scan, a partition and a shard of a stream are ranges of the hash.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.faults.dynamodb.errors import invalid, invalid_value
from tests.faults.dynamodb.sizes import value_size
from tests.faults.dynamodb.values import Item, Value

Position = tuple[Any, ...]  # (hash, sort value) for a table; more behind it for an index
HASH_BYTES = 8  # of a hash, that ranges are made of
HASHES = 1 << (8 * HASH_BYTES)
LONGEST_HASH_KEY = 2048
LONGEST_RANGE_KEY = 1024


@dataclass(frozen=True, slots=True)
class Attribute:
    """A key attribute and its type: S, N or B."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class KeySchema:
    """A partition key and perhaps a sort key."""

    hash: Attribute
    range: Attribute | None

    @classmethod
    def of(cls, elements: list[dict[str, str]], kinds: dict[str, str]) -> KeySchema:
        """Read ``KeySchema`` of a request; ``kinds`` are its attribute definitions."""
        parts = []
        for element in elements:
            name = element["AttributeName"]
            if name not in kinds:
                raise invalid_value(
                    "Some index key attributes are not defined in AttributeDefinitions. "
                    f"Keys: [{name}], AttributeDefinitions: [{', '.join(kinds)}]"
                )
            parts.append(Attribute(name, kinds[name]))
        order = [element["KeyType"] for element in elements]
        if order not in (["HASH"], ["HASH", "RANGE"]):
            raise invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
        return cls(parts[0], parts[1] if len(parts) > 1 else None)

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The key attributes in order."""
        return (self.hash,) if self.range is None else (self.hash, self.range)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the key attributes in order."""
        return tuple(attribute.name for attribute in self.attributes)

    def describe(self) -> list[dict[str, str]]:
        """``KeySchema`` of a reply."""
        kinds = ("HASH", "RANGE")
        return [
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(self.names, kinds, strict=False)
        ]

    def cut(self, item: Item) -> Item:
        """The key of an item."""
        return {name: item[name] for name in self.names}

    def position(self, item: Item) -> Position:
        """Where an item with this key lies."""
        digest = hashed(item[self.hash.name])
        return (digest,) if self.range is None else (digest, sort_value(item[self.range.name]))

    def check_item(self, item: Item) -> None:
        """Refuse an item to be written that lacks a good key."""
        for attribute in self.attributes:
            value = item.get(attribute.name)
            if value is None:
                raise invalid_value(f"Missing the key {attribute.name} in the item")
            if attribute.kind not in value:
                raise invalid_value(
                    f"Type mismatch for key {attribute.name} "
                    f"expected: {attribute.kind} actual: {next(iter(value))}"
                )
        self._check_values(item)

    def check_key(self, key: Item) -> None:
        """Refuse a key that is not exactly one of this schema."""
        if key.keys() != set(self.names) or any(part.kind not in key[part.name] for part in self.attributes):
            raise invalid("The provided key element does not match the schema")
        self._check_values(key)

    def _check_values(self, item: Item) -> None:
        for attribute in self.attributes:
            if not item[attribute.name][attribute.kind]:
                raise invalid(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute "
                    f"cannot contain an empty {_kind_name(attribute)} value. Key: {attribute.name}"
                )
        if value_size(item[self.hash.name]) > LONGEST_HASH_KEY:
            raise invalid_value("Size of hashkey has exceeded the maximum size limit of2048 bytes")
        if self.range and value_size(item[self.range.name]) > LONGEST_RANGE_KEY:
            raise invalid_value("Aggregated size of all range keys has exceeded the size limit of 1024 bytes")


def check_index_key(index_name: str, attribute: Attribute, item: Item) -> None:
    """Refuse an item whose attribute could not be the key of an index it would be in."""
    value = item.get(attribute.name)
    if value is None:
        return
    if attribute.kind not in value:
        raise invalid_value(
            f"Type mismatch for Index Key {attribute.name} Expected: {attribute.kind} "
            f"Actual: {next(iter(value))} IndexName: {index_name}"
        )
    if not value[attribute.kind]:
        raise invalid(
            "One or more parameter values are not valid. A value specified for a secondary index key is not "
            "supported. The AttributeValue for a key attribute cannot contain an empty "
            f"{_kind_name(attribute)} value. IndexName: {index_name}, IndexKey: {attribute.name}"
        )


def _kind_name(attribute: Attribute) -> str:
    return "binary" if attribute.kind == "B" else "string"


def hashed(value: Value) -> bytes:
    """The hash of a partition key, whose first bytes say its partition, segment and shard."""
    ((kind, held),) = value.items()
    raw = base64.b64decode(held) if kind == "B" else held.encode()
    return hashlib.md5(kind.encode() + raw, usedforsecurity=False).digest()


def sort_value(value: Value) -> bytes | Decimal:
    """A sort key as something Python orders the way the service does."""
    ((kind, held),) = value.items()
    if kind == "N":
        return Decimal(held)
    return base64.b64decode(held) if kind == "B" else bytes(held.encode())


def place(position: Position) -> int:
    """Where a position's hash lies among ``HASHES``."""
    return int.from_bytes(position[0][:HASH_BYTES])


def boundary(part: int, parts: int) -> Position | None:
    """The lowest position of one of equal parts of all hashes; None behind the last."""
    lowest = -(-part * HASHES // parts)
    return None if lowest >= HASHES else (lowest.to_bytes(HASH_BYTES),)
