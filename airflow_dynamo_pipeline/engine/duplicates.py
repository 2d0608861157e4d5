"""Keys that come twice in a backup, found in bounded memory."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence

from airflow_dynamo_pipeline.items.canonical import canonical_number, number_parts
from airflow_dynamo_pipeline.items.keys import Key

BUCKETS = 256
MOST_HASHES = 1_000_000  # 8 MB


class SeenKeys:
    """Remembers a hash of every key, or beyond a million keys of every second, fourth, ... of them.

    A hash has 64 bits: that two keys of a million share one has a chance of one in forty million.
    """

    def __init__(self) -> None:
        self._buckets = [array("q") for _ in range(BUCKETS)]
        self._count = 0
        self._mask = 0
        self._earlier = 0  # duplicates in the stages before this one

    def begin_stage(self) -> None:
        """Count what was seen and forget it: a key may come again in the changes that follow."""
        self._earlier = self.duplicates()
        self._buckets = [array("q") for _ in range(BUCKETS)]
        self._count = 0

    def add(self, keys: Iterable[Key]) -> bool:
        """Remember keys; returns whether two of them may be the same."""
        hashes = list(map(hash, keys))
        alike = len(set(hashes)) < len(hashes)
        buckets, mask = self._buckets, self._mask
        if mask:
            hashes = [one for one in hashes if not one & mask]
        for one in hashes:
            buckets[one >> 56].append(one)  # from -128 to 127: a negative index counts from the end
        self._count += len(hashes)
        while self._count > MOST_HASHES:
            self._thin_out()
        return alike

    def _thin_out(self) -> None:
        """Forget half of the keys: those whose hash has the next bit set."""
        self._mask = self._mask * 2 + 1
        mask = self._mask
        self._buckets = [array("q", [one for one in bucket if not one & mask]) for bucket in self._buckets]
        self._count = sum(map(len, self._buckets))

    @property
    def share(self) -> float:
        """Which share of the keys was looked at: 1 up to a million."""
        return 1.0 / (self._mask + 1)

    def duplicates(self) -> int:
        """How many keys, of those looked at, came after one like it."""
        return self._earlier + sum(len(bucket) - len(set(bucket)) for bucket in self._buckets)


def meanings_of(tags: Sequence[str]) -> Callable[[Sequence[Key]], Sequence[Key]]:
    """A function that spells equal keys alike; ``tags`` are the types of the keys' attributes.

    >>> spelled = meanings_of(["N", "S"])
    >>> spelled([("1.0", "1.0"), ("1E1", "a"), ("10", "a")])
    [('1', '1.0'), ('10', 'a'), ('10', 'a')]
    """
    if "N" not in tags:
        return lambda keys: keys
    return lambda keys: [
        tuple(_plain(text) if tag == "N" else text for tag, text in zip(tags, key, strict=True))
        for key in keys
    ]


def _plain(text: str) -> str:
    """In full, as most are written."""
    if text.isdecimal() and text.isascii() and text[0] != "0":
        return text
    return text if number_parts(text) is None else canonical_number(text)
