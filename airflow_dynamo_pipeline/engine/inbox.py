"""Batches on their way from the reader to the writers: a queue bounded by bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from airflow_dynamo_pipeline.engine.ledger import Entry
from airflow_dynamo_pipeline.errors import Stopped

MOST_WAITING_BYTES = 4 * 1024 * 1024
MOST_WAITING = 64


class Inbox:
    """Holds a few batches; ended by its reader, or for everybody by a stop."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, Sequence[Entry]]] = deque()
        self._bytes = 0
        self._ended = False
        self._stopped = False
        self._changed = threading.Condition()

    def put(self, batch: Sequence[Entry]) -> None:
        """Add a batch, waiting for room; raises Stopped."""
        size = sum([len(entry.item) for entry in batch])
        with self._changed:
            while self._batches and not self._stopped and self._is_full(size):
                self._changed.wait()
            self._refuse_if_stopped()
            self._batches.append((size, batch))
            self._bytes += size
            self._changed.notify_all()

    def get(self) -> Sequence[Entry] | None:
        """The next batch, None when there will be none; raises Stopped."""
        with self._changed:
            while not self._batches and not self._ended and not self._stopped:
                self._changed.wait()
            self._refuse_if_stopped()
            if not self._batches:
                return None
            size, batch = self._batches.popleft()
            self._bytes -= size
            self._changed.notify_all()
            return batch

    def end(self) -> None:
        """There will be no more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Let everybody go who waits."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _is_full(self, size: int) -> bool:
        return self._bytes + size > MOST_WAITING_BYTES or len(self._batches) >= MOST_WAITING

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise Stopped("told to stop")
