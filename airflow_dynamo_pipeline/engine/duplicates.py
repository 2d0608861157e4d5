"""Keys that come twice in a backup, found in bounded memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from airflow_dynamo_pipeline.items.keys import Key

BUCKETS = 256
MOST_HASHES = 2_000_000  # 16 MB


class SeenKeys:
    """Remembers a hash of every key, or beyond two million keys of every second, fourth, ... of them.

    A hash has 64 bits: that two keys of two million share one has a chance of one in ten million.
    """

    def __init__(self) -> None:
        self._buckets = [array("q") for _ in range(BUCKETS)]
        self._count = 0
        self._mask = 0

    def add(self, keys: Iterable[Key]) -> None:
        """Remember keys."""
        buckets, mask = self._buckets, self._mask
        hashes = [one for one in map(hash, keys) if not one & mask] if mask else list(map(hash, keys))
        for one in hashes:
            buckets[(one >> 40) & 255].append(one)
        self._count += len(hashes)
        while self._count > MOST_HASHES:
            self._thin_out()

    def _thin_out(self) -> None:
        """Forget half of the keys: those whose hash has the next bit set."""
        self._mask = self._mask * 2 + 1
        mask = self._mask
        self._buckets = [array("q", [one for one in bucket if not one & mask]) for bucket in self._buckets]
        self._count = sum(map(len, self._buckets))

    @property
    def share(self) -> float:
        """Which share of the keys was looked at: 1 up to two million."""
        return 1.0 / (self._mask + 1)

    def duplicates(self) -> int:
        """How many keys, of those looked at, came after one like it."""
        return sum(len(bucket) - len(set(bucket)) for bucket in self._buckets)
