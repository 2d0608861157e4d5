"""Where writers take their batches: whoever finds few of them left reads the next window.

There is no thread that only reads: a batch is written by the thread that took it, without waking another.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from airflow_dynamo_pipeline.engine.batches import mixed
from airflow_dynamo_pipeline.engine.ledger import Entry

FEW = 16  # batches: while so many are being written the next window is read


class BatchSource:
    """The batches of one stage, handed out to several threads."""

    def __init__(self, windows: Iterator[Sequence[Entry]], is_enough: Callable[[], bool]) -> None:
        """``is_enough`` is asked after each window; True: no more of them, even if there are."""
        self._windows = windows
        self._is_enough = is_enough
        self._batches: deque[Sequence[Entry]] = deque()
        self._is_read = False
        self._reading = threading.Lock()

    def get(self) -> Sequence[Entry] | None:
        """The next batch, None when there will be none; raises what reading raises."""
        while True:
            batch = self.take()
            if batch is not None:
                self._read_ahead()
                return batch
            with self._reading:  # somebody else may be reading just now
                if not self._batches:
                    if self._is_read:
                        return None
                    self._read()

    def take(self) -> Sequence[Entry] | None:
        """A batch that was read already, None when there is none just now."""
        try:
            return self._batches.popleft()
        except IndexError:
            return None

    def _read_ahead(self) -> None:
        """Read if few are left and nobody else does."""
        if len(self._batches) < FEW and not self._is_read and self._reading.acquire(blocking=False):
            try:
                self._read()
            finally:
                self._reading.release()

    def _read(self) -> None:
        """Read one window; whoever calls holds the lock."""
        if self._is_read:
            return
        window = next(self._windows, None)
        if window is None:
            self._is_read = True
            return
        self._batches.extend(mixed(window))
        self._is_read = self._is_enough()
