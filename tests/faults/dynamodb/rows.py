"""Items in the order of their positions."""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterator

from tests.faults.dynamodb.keys import Position
from tests.faults.dynamodb.sizes import item_size
from tests.faults.dynamodb.values import Item

MANY = 64  # waiting positions are sorted in together; fewer are put in one by one


class Row:
    """One item, never changed, with its size and its JSON once that is asked for."""

    __slots__ = ("_text", "item", "size")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.size = item_size(item)
        self._text: bytes | None = None

    @property
    def text(self) -> bytes:
        """The item's JSON."""
        if self._text is None:
            self._text = json.dumps(self.item, separators=(",", ":"), ensure_ascii=False).encode()
        return self._text


def item_of(row: Row | None) -> Item | None:
    """The item of a row that there may be."""
    return None if row is None else row.item


class Rows:
    """The rows of a table or an index."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._rows: dict[Position, Row] = {}
        self._sorted: list[Position] = []
        self._waiting: list[Position] = []

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return (self._rows[position] for position in self.positions)

    def get(self, position: Position) -> Row | None:
        """The row at a position."""
        return self._rows.get(position)

    def put(self, position: Position, row: Row) -> None:
        """Add or replace a row."""
        old = self._rows.get(position)
        if old is None:
            self._waiting.append(position)
        else:
            self.size_bytes -= old.size
        self._rows[position] = row
        self.size_bytes += row.size

    def remove(self, position: Position) -> None:
        """Take a row away."""
        positions = self.positions
        del positions[bisect.bisect_left(positions, position)]
        self.size_bytes -= self._rows.pop(position).size

    @property
    def positions(self) -> list[Position]:
        """Every position in order; the list itself, not a copy."""
        if len(self._waiting) > MANY:
            self._sorted += self._waiting
            self._sorted.sort()
        else:
            for position in self._waiting:
                bisect.insort(self._sorted, position)
        self._waiting.clear()
        return self._sorted

    def span(self, low: Position | None, high: Position | None, after: Position | None) -> tuple[int, int]:
        """Indexes into ``positions`` of those from ``low`` to before ``high``, and behind ``after``."""
        positions = self.positions
        first = 0 if low is None else bisect.bisect_left(positions, low)
        end = len(positions) if high is None else bisect.bisect_left(positions, high)
        if after is not None:
            first = max(first, bisect.bisect_right(positions, after))
        return first, max(first, end)
