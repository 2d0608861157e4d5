"""Two collections of items compared without holding them: counts and sums of hashes, by shares of the keys.

A sum does not depend on the order of what was added, so two readers that meet the same items in any order
come to the same figures. The hashes are Python's own of bytes: 64 bits, good within one process only,
and never stored. Whether Python was told to make them predictable changes nothing but who could aim at them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_dynamo_pipeline.items.shapes import Shapes, attributes, key_hash
from airflow_dynamo_pipeline.items.typed_text import ItemText

SHARES = 4096  # a power of two; two sums and two counts for each are a few hundred kilobytes
_MASK = SHARES - 1
_SUM_MASK = (1 << 64) - 1


class Digest:
    """How many items each share of the keys has, and the sum of their hashes. For one thread at a time.

    The order of attributes does not count; every other difference in an item's text does, even where it
    means the same.

    >>> one, other = Digest(["id"]), Digest(["id"])
    >>> one.add([b'{"id":{"N":"1"},"a":{"S":"x"}}', b'{"id":{"N":"2"}}'])
    >>> other.add([b'{"id":{"N":"2"}}', b'{"a":{"S":"x"},"id":{"N":"1"}}'])
    >>> other.count, len(one.differing(other))
    (2, 0)
    """

    __slots__ = ("_counts", "_shapes", "_sums")

    def __init__(self, key: Sequence[str]) -> None:
        """``key``: the names of the key attributes."""
        self._shapes = Shapes(key)
        self._counts = [0] * SHARES
        self._sums = [0] * SHARES

    def add(self, items: Sequence[ItemText]) -> None:
        """Count whole items, the JSON text of each; raises msgspec's errors for what is not an object."""
        counts, sums = self._counts, self._sums
        for key, item in self._shapes.hashed(items):
            share = key & _MASK
            counts[share] += 1
            sums[share] += item

    def merge(self, other: Digest) -> None:
        """Count everything that another digest has counted."""
        self._counts = [one + more for one, more in zip(self._counts, other._counts, strict=True)]
        self._sums = [(one + more) & _SUM_MASK for one, more in zip(self._sums, other._sums, strict=True)]

    @property
    def count(self) -> int:
        """All items."""
        return sum(self._counts)

    def differing(self, other: Digest) -> frozenset[int]:
        """The shares in which the other has another number of items, or other ones."""
        return frozenset(
            share
            for share in range(SHARES)
            if self._counts[share] != other._counts[share]
            or (self._sums[share] - other._sums[share]) & _SUM_MASK
        )


class Sieve:
    """Picks out the items of some shares."""

    __slots__ = ("_key", "_shares")

    def __init__(self, key: Sequence[str], shares: frozenset[int]) -> None:
        self._key = tuple(key)
        self._shares = shares

    def sift(self, items: Iterable[ItemText]) -> list[ItemText]:
        """The items whose keys belong to the shares."""
        shares, key = self._shares, self._key
        return [item for item in items if key_hash(attributes(item), key) & _MASK in shares]
