"""The table's items under the keys of the rows: cheaper than a scan where the rows are few."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.lookup.change_files import typed_key
from airflow_dynamo_pipeline.lookup.partition import Partition, key_of
from airflow_dynamo_pipeline.lookup.sampling import MOST_KEYS, ReadBack, prints_of

UNIT_BYTES = 4096  # by one unit, consistently; twice as many eventually


def units_per_key(items: int, table_bytes: int) -> float:
    """What reading one item consistently takes, by the mean of the table; 1 where nothing is known.

    >>> units_per_key(10, 50_000), units_per_key(0, 0)
    (2.0, 1.0)
    """
    return float(max(1, -(-table_bytes // (items * UNIT_BYTES)))) if items else 1.0


def is_cheaper(rows: int, items: int, table_bytes: int, *, consistent_read: bool = False) -> bool:
    """Whether reading so many items by their keys takes fewer units than a scan of the whole table.

    >>> is_cheaper(100, 80_000, 8_192_000), is_cheaper(2_000, 80_000, 8_192_000), is_cheaper(1, 0, 0)
    (True, False, False)
    """
    scan = table_bytes / UNIT_BYTES * (1.0 if consistent_read else 0.5)
    return rows * units_per_key(items, table_bytes) < scan


class KeySide:
    """Reads a bucket's items when it is asked for their prints."""

    def __init__(
        self, rows: Partition, reading: ReadBack, key: Sequence[KeyAttribute], check: Callable[[], None]
    ) -> None:
        """``check`` is called before each call and raises what ends the work."""
        self._rows = rows
        self._reading = reading
        self._key = key
        self._check = check
        self.count = 0  # so far

    def prints(self, bucket: int) -> list[bytes]:
        """Prints of the items that are there."""
        keys = sorted(set(map(key_of, self._rows.prints(bucket))))
        found: list[bytes] = []
        for start in range(0, len(keys), MOST_KEYS):
            self._check()
            items = self._reading.items(
                [typed_key(key, self._key) for key in keys[start : start + MOST_KEYS]]
            )
            found += prints_of(items, self._key)
        self.count += len(found)
        return found
