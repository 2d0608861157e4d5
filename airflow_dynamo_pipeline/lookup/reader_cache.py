"""Answers that are kept for a while, the least recently used going first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final

from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.lookup.reader_keys import SentKey


class Presence(Enum):
    """What is known of a key where no item is at hand."""

    ABSENT = "absent"
    PRESENT = "present"  # its item was not read


ABSENT: Final = Presence.ABSENT
PRESENT: Final = Presence.PRESENT

Answer = Mapping[str, Any] | Presence
"""What the table said of a key: its item as boto3 reads it, that there is one, or that there is none."""


class AnswerCache:
    """At most ``max_entries`` answers, each for its time; threads may share it."""

    def __init__(
        self, clock: Clock, *, max_entries: int, ttl_seconds: float, negative_ttl_seconds: float
    ) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._ttl_seconds = ttl_seconds
        self._negative_ttl_seconds = negative_ttl_seconds
        self._lock = threading.Lock()
        self._entries: OrderedDict[SentKey, tuple[float, Answer]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, keys: Iterable[SentKey], *, whole: bool) -> dict[SentKey, Answer]:
        """What is known, and not too old, of these keys; with ``whole`` a mere PRESENT is not enough."""
        now = self._clock.monotonic()
        found: dict[SentKey, Answer] = {}
        with self._lock:
            for key in keys:
                until, answer = self._entries.get(key, (now, ABSENT))
                if now < until and not (whole and answer is PRESENT):
                    self._entries.move_to_end(key)
                    found[key] = answer
        return found

    def put(self, answers: Mapping[SentKey, Answer], asked_at: float) -> None:
        """Keep answers; their time began when they were asked for, at ``asked_at`` of the monotonic clock."""
        with self._lock:
            for key, answer in answers.items():
                seconds = self._negative_ttl_seconds if answer is ABSENT else self._ttl_seconds
                self._entries[key] = (asked_at + seconds, answer)
                self._entries.move_to_end(key)
            while len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._entries.clear()
