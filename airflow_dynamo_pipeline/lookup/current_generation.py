"""The generation that counts, as a reader knows it: read from the pointer item, believed for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable

from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.errors import NotFound
from airflow_dynamo_pipeline.lookup.pointer import POINTER, Pointer

NO_POINTER = "load the table with generation_days first, or read it without generations"


class CurrentGeneration:
    """Threads may share it; while one reads the pointer, the others wait for it."""

    def __init__(
        self,
        table_name: str,
        read: Callable[[], Pointer | None],
        *,
        clock: Clock,
        believed_seconds: float,
        changed: Callable[[], None],
    ) -> None:
        """``read`` reads the pointer consistently; ``changed`` hears that another generation counts."""
        self._table_name = table_name
        self._read = read
        self._clock = clock
        self._believed_seconds = believed_seconds
        self._changed = changed
        self._lock = threading.Lock()
        self._pointer: Pointer | None = None
        self._believed_until = 0.0

    def pointer(self) -> Pointer:
        """The pointer; raises NotFound where there is none, and GenerationExpired."""
        with self._lock:
            if self._pointer is None or self._is_doubtful(self._pointer):
                self._pointer = self._newest()
            self._pointer.refuse_if_expired(self._clock.now(), self._table_name)
            return self._pointer

    def _is_doubtful(self, pointer: Pointer) -> bool:
        return self._clock.monotonic() >= self._believed_until or self._clock.now() >= pointer.expires_at

    def _newest(self) -> Pointer:
        asked_at = self._clock.monotonic()
        found = self._read()
        if found is None:
            raise NotFound("pointer item", f"{POINTER} in table {self._table_name}", NO_POINTER)
        if self._pointer is not None and found.generation != self._pointer.generation:
            self._changed()
        self._believed_until = asked_at + self._believed_seconds
        return found
