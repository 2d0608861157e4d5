"""What a table held after the last load, as one object on S3: prints in buckets, read by ranges."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress

from airflow_dynamo_pipeline.engine.ports import ObjectStore
from airflow_dynamo_pipeline.errors import NotFound, PipelineError, UnexpectedReply
from airflow_dynamo_pipeline.lookup.partition import packed, unpacked
from airflow_dynamo_pipeline.lookup.records import DigestFile

SAMPLED_BUCKETS = 8


class DigestsUnreadable(UnexpectedReply):
    """A digest file is lost or damaged: the table itself has to be looked at."""


class DigestWriter:
    """Writes the buckets of one table in their order."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._key = key
        self._out = store.create(key)
        self._buckets: list[tuple[int, int]] = []
        self._offset = 0
        self._items = 0

    def bucket(self, prints: Sequence[bytes]) -> None:
        """Append the next bucket."""
        data = packed(b"\n".join([*prints, b""]) if prints else b"")
        self._out.write(data)
        self._buckets.append((self._offset, len(data)))
        self._offset += len(data)
        self._items += len(prints)

    def close(self) -> DigestFile:
        """Make the object visible."""
        self._out.close()
        return DigestFile(key=self._key, items=self._items, buckets=tuple(self._buckets))

    def abort(self) -> None:
        """Drop it; trouble with that hides nothing."""
        with suppress(PipelineError):
            self._out.abort()


class DigestSide:
    """A table's prints as the last load left them."""

    def __init__(self, store: ObjectStore, file: DigestFile) -> None:
        self._store = store
        self._file = file

    @property
    def buckets(self) -> int:
        """Into how many buckets they are cut."""
        return len(self._file.buckets)

    @property
    def count(self) -> int:
        """How many items there were."""
        return self._file.items

    def prints(self, bucket: int) -> list[bytes]:
        """Those of one bucket; raises DigestsUnreadable."""
        offset, length = self._file.buckets[bucket]
        if not length:
            return []
        try:
            found = unpacked(self._store.read_range(self._file.key, offset, length))
        except (NotFound, UnexpectedReply, ValueError) as problem:
            raise DigestsUnreadable(f"digest file {self._file.key}: {problem}") from problem
        if not found:
            raise DigestsUnreadable(f"digest file {self._file.key} ends before bucket {bucket}")
        return found

    def sample(self, most: int, seed: str) -> list[bytes]:
        """Some prints from all over the table, others for each ``seed``; all of them if there are no more."""
        chance = random.Random(seed)  # noqa: S311  a sample, not a secret
        filled = [number for number, (_, length) in enumerate(self._file.buckets) if length]
        if most >= self.count:
            return [line for bucket in filled for line in self.prints(bucket)]
        chosen = chance.sample(filled, min(SAMPLED_BUCKETS, len(filled)))
        found: list[bytes] = []
        for left, bucket in zip(range(len(chosen), 0, -1), chosen, strict=True):
            prints = self.prints(bucket)
            found += chance.sample(prints, min(len(prints), -(-(most - len(found)) // left)))
        return found
