"""Which items differ: the export's are held as prints, the table's are held against them.

Items are grouped by a hash of their canonical key. Every group is counted and summed on both sides; what is
held of a group is given up when all that is held needs too much memory. A group without anything held is
still known to be equal or not, but its items are not named.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from airflow_dynamo_pipeline.errors import Problem
from airflow_dynamo_pipeline.items.prints import Print, differing_names, shown_key
from airflow_dynamo_pipeline.items.typed_text import ItemText

GROUPS = 1024
HELD_BYTES = 32 * 1024 * 1024
EACH_BYTES = 200  # of an item held, besides its key and pairs: two objects and an entry of a dictionary
NAMES_CHARACTERS = 1024 * 1024  # of attribute names remembered, to name those that the table's item lacks


class Differences:
    """The items of an export against those of a table, by meaning.

    First all of the export's are added, then all of the table's; any thread may add.
    """

    def __init__(self, key: Sequence[str], *, limit: int, held_bytes: int) -> None:
        """``key``: the names of the key attributes. ``limit``: how many items are named.

        ``held_bytes``: about how much memory what is held of the export may need.
        """
        self._key = key
        self._limit = limit
        self._most_bytes = held_bytes
        self._lock = threading.Lock()
        self._held: list[dict[bytes, bytes] | None] = [{} for _ in range(GROUPS)]
        self._bytes = [0] * GROUPS
        self._all_bytes = 0
        self._export = [0] * GROUPS  # sums of hashes
        self._table = [0] * GROUPS
        self._names: dict[int, str] = {}
        self._names_left = NAMES_CHARACTERS
        self.named: list[Problem] = []
        self.only_in_export = self.only_in_table = self.different = 0

    def add_exported(self, items: Sequence[ItemText]) -> None:
        """Hold what is needed of items of the export."""
        for found in [Print(item, self._key) for item in items]:
            with self._lock:
                self._hold(found)

    def add_stored(self, items: Sequence[ItemText]) -> None:
        """Compare items of the table with what is held."""
        for found in [Print(item, self._key) for item in items]:
            with self._lock:
                self._compare(found)

    def finish(self) -> bool:
        """Name what only the export has; True when there was no difference at all."""
        for held in self._held:
            for key in held or ():
                self.only_in_export += 1
                self._name(key, "is only in the export")
        return not self._differing_groups() and not self.named and self.counts == (0, 0, 0)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Items found only in the export, only in the table, and different."""
        return self.only_in_export, self.only_in_table, self.different

    @property
    def rest(self) -> str:
        """What is not named, in words; empty when all is."""
        unnamed = sum(self.counts) - len(self.named)
        unseen = sum(self._held[group] is None for group in self._differing_groups())
        said = [f"{unnamed:,} more are not named"] if unnamed > 0 else []
        if unseen:
            said.append(
                f"{unseen:,} of {GROUPS:,} groups of keys differ, too; they were too large to be held, "
                "and their items are not counted"
            )
        return "; ".join(said)

    def _differing_groups(self) -> Sequence[int]:
        return [group for group in range(GROUPS) if self._export[group] != self._table[group]]

    def _hold(self, found: Print) -> None:
        group = hash(found.key) % GROUPS
        self._export[group] += _sum_of(found)
        self._remember(found.names)
        held = self._held[group]
        if held is None:
            return
        if found.key in held:
            self.different += 1
            self._name(found.key, "is in the export more than once")
            return
        held[found.key] = found.pairs
        size = len(found.key) + len(found.pairs) + EACH_BYTES
        self._bytes[group] += size
        self._all_bytes += size
        if self._all_bytes > self._most_bytes:
            self._give_up_largest()

    def _give_up_largest(self) -> None:
        largest = max(range(GROUPS), key=self._bytes.__getitem__)
        self._held[largest] = None
        self._all_bytes -= self._bytes[largest]
        self._bytes[largest] = 0

    def _compare(self, found: Print) -> None:
        group = hash(found.key) % GROUPS
        self._table[group] += _sum_of(found)
        held = self._held[group]
        if held is None:
            return
        pairs = held.pop(found.key, None)
        if pairs is None:
            self.only_in_table += 1
            self._name(found.key, "is only in the table")
        elif pairs != found.pairs:
            self.different += 1
            if len(self.named) < self._limit:
                names = differing_names(pairs, found.pairs, {**self._names, **found.names})
                self._name(found.key, f"differs in {', '.join(names) or 'attributes not named'}")

    def _remember(self, names: Mapping[int, str]) -> None:
        for known, name in names.items():
            if known not in self._names and len(name) <= self._names_left:
                self._names[known] = name
                self._names_left -= len(name)

    def _name(self, key: bytes, how: str) -> None:
        if len(self.named) < self._limit:
            self.named.append(Problem(shown_key(key), how))


def _sum_of(found: Print) -> int:
    """What an item adds to its group's sum: another number for another item."""
    return hash((found.key, found.pairs))
