"""Products of a warehouse and the lookup table that held them yesterday: one key of a hundred has changed.

Positions count the products. Of each 300 one is gone from the warehouse, one is new, one has another price;
all others are the same on both sides. Products come in blocks of 6000 positions, and but for the key every
block holds the same values. A key looks random, and the table hands its items out in an order of its own.

>>> [change_of(position) for position in (0, 1, 100, 200)]
['delete', '', 'insert', 'update']
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from tests.benchmarks.items import WORDS, item_bytes

KEY = "product_id"
EVERY = 300
CHANGES: Mapping[int, str] = {0: "delete", 100: "insert", 200: "update"}
BLOCK = 6000  # positions
KEYS_PER_BLOCK = BLOCK - BLOCK // EVERY  # of the table, and of the warehouse
MIDNIGHT = datetime(2026, 1, 1)  # noqa: DTZ001  as a timestamp without a zone comes
FACTOR, MASK = 2654435761, (1 << 32) - 1  # odd: each position has a key of its own
BACK = pow(FACTOR, -1, MASK + 1)
COLUMNS = {
    KEY: "text",
    "name": "text",
    "price": "number",
    "available": "boolean",
    "updated_at": "timestamp",
}

Product = tuple[Any, ...]
"""What a product has beside its key, in the order of COLUMNS."""


def change_of(position: int) -> str:
    """What the night has to do about a product; empty: nothing."""
    return CHANGES.get(position % EVERY, "")


def key_of(position: int) -> str:
    """A product's key.

    >>> position_of(key_of(9_999_999))
    9999999
    """
    return f"P{position * FACTOR & MASK:010}"


def position_of(key: str) -> int:
    """Undo ``key_of``."""
    return int(key[1:]) * BACK & MASK


def product(offset: int, *, today: bool) -> Product:
    """What the product at a position of a block is, today or yesterday."""
    dice = random.Random(offset)
    price = Decimal(dice.randint(100, 99_999)).scaleb(-2)
    if today and change_of(offset) == "update":
        price += 1
    return (
        " ".join(dice.choices(WORDS, k=4)),
        price,
        dice.random() < 0.8,
        MIDNIGHT + timedelta(seconds=dice.randrange(20_000_000)),
    )


def typed(position: int, *, today: bool) -> dict[str, dict[str, Any]]:
    """A product as an item; its attributes are in no order, as in DynamoDB's replies."""
    name, price, available, updated_at = product(position % BLOCK, today=today)
    return {
        "price": {"N": f"{price.normalize():f}"},
        "updated_at": {"S": updated_at.isoformat(timespec="microseconds") + "Z"},
        KEY: {"S": key_of(position)},
        "name": {"S": name},
        "available": {"BOOL": available},
    }


@dataclass(frozen=True, slots=True)
class Side:
    """The products of one block on one side, but for their keys, made once."""

    offsets: Sequence[int]
    columns: Sequence[Sequence[Any]]  # without the key
    today: bool

    def keys(self, block: int) -> list[str]:
        """The keys of the products of a block."""
        first = block * BLOCK
        return [f"P{(first + offset) * FACTOR & MASK:010}" for offset in self.offsets]


@cache
def side(*, today: bool) -> Side:
    """Today's products are the warehouse's, yesterday's the table's."""
    absent = "delete" if today else "insert"
    offsets = [offset for offset in range(BLOCK) if change_of(offset) != absent]
    random.Random(today).shuffle(offsets)
    columns = list(zip(*[product(offset, today=today) for offset in offsets], strict=True))
    return Side(offsets, columns, today)


class Pages:
    """Yesterday's items as pages of a Scan: a block is a page."""

    def __init__(self) -> None:
        found = side(today=False)
        self._offsets = found.offsets
        self._index = {offset: index for index, offset in enumerate(found.offsets)}
        zero = key_of(0)
        self._texts = [
            json.dumps(typed(offset, today=False), separators=(",", ":"))
            .replace("%", "%%")
            .replace(key_of(offset), zero)
            .replace(zero, "P%010d")
            .encode()
            for offset in found.offsets
        ]
        self.item_bytes = item_bytes(typed(1, today=False))

    def text(self, block: int, first: int, end: int) -> bytes:
        """Items ``first`` to ``end`` of a page, parted by commas."""
        start = block * BLOCK
        keys = tuple([(start + offset) * FACTOR & MASK for offset in self._offsets[first:end]])
        return b",".join(self._texts[first:end]) % keys

    def place(self, key: str) -> tuple[int, int]:
        """In which page a key is, and as which of its items."""
        block, offset = divmod(position_of(key), BLOCK)
        return block, self._index[offset]

    def last_key(self, block: int, end: int) -> str:
        """The key of the item before ``end``."""
        return key_of(block * BLOCK + self._offsets[end - 1])


def blocks_for(keys: int) -> int:
    """How many blocks hold at least so many keys."""
    return -(-keys // KEYS_PER_BLOCK)


def changes_in(blocks: int) -> dict[str, int]:
    """How many products are to be inserted, updated and deleted."""
    return dict.fromkeys(CHANGES.values(), blocks * (BLOCK // EVERY))


def plain(count: int) -> Iterator[dict[str, Any]]:
    """The first of today's products as a person would hand them to boto3."""
    found = side(today=True)
    for block in range(blocks_for(count)):
        columns = [found.keys(block), *found.columns]
        for row in zip(*columns, strict=True):
            if not count:
                return
            count -= 1
            item = dict(zip(COLUMNS, row, strict=True))
            item["updated_at"] = item["updated_at"].isoformat(timespec="microseconds") + "Z"
            yield item
