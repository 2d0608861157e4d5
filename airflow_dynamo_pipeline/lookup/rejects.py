"""Rows that cannot become items, put where they can be read and mended."""

from __future__ import annotations

from airflow_dynamo_pipeline.engine.ports import ObjectStore
from airflow_dynamo_pipeline.formats.rejects import encode_rejects
from airflow_dynamo_pipeline.lookup.columns import BadRow

SOME_BYTES = 2 * 1024 * 1024  # in memory before they are written
FILE = "query"  # what the rows are of, in the file's ``rejected.file``
READER = "plain_json"  # how the text of a mended row is read


class Rejects:
    """The rejected rows of one attempt. Those whose key is known keep their item in the table."""

    def __init__(self, store: ObjectStore, prefix: str, attempt: str) -> None:
        """``prefix`` ends in a slash."""
        self._store = store
        self._prefix = prefix
        self._attempt = attempt
        self._waiting: list[tuple[str, int, str, str, bytes]] = []
        self._size = 0
        self.keys: list[str] = []
        self.count = 0
        self.first = ""
        self.kept: set[bytes] = set()

    def add(self, row: int, bad: BadRow) -> None:
        """Keep one; ``row`` counts the query's rows from 1."""
        self.count += 1
        self.first = self.first or f"row {row}: {bad.reason}"
        if bad.key is not None:
            self.kept.add(bad.key.encode())
        self._waiting.append((FILE, row, bad.reason, READER, bad.text))
        self._size += len(bad.text) + len(bad.reason)
        if self._size >= SOME_BYTES:
            self.write()

    def write(self) -> None:
        """Put what waits into an object."""
        if not self._waiting:
            return
        key = f"{self._prefix}{len(self.keys):05}-{self._attempt}.jsonl"
        self._store.put(key, encode_rejects(self._waiting))
        self.keys.append(key)
        self._waiting, self._size = [], 0
