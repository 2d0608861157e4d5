"""A simulated worker, its threads, and the clock that tells them how long they would wait."""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime

from airflow_dynamo_pipeline.engine.sizing import PageSizer
from airflow_dynamo_pipeline.engine.throttle import Throttle
from tests.benchmarks.scale_table import Piece
from tests.clock import EPOCH

START = 1000.0  # of the clock


class NotYet(Exception):
    """The throttle would wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class EventClock:
    """The time of the event that happens now. Nobody waits on it: who would is told how long."""

    def __init__(self) -> None:
        self.time = START

    def monotonic(self) -> float:
        """Seconds."""
        return self.time

    def now(self) -> datetime:
        """Any instant: nothing simulated here looks at dates."""
        return EPOCH

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Raise NotYet."""
        raise NotYet(seconds)


class Reader:
    """One thread of a worker, and where it is in its segment."""

    def __init__(self, worker: Worker, life: int) -> None:
        self.worker = worker
        self.life = life  # of the worker; replies to a life that is over come to nothing
        self.segment = -1
        self.pieces: deque[Piece] = deque()
        self.pause = 0.0  # at most, before the page is tried again
        self.since_part = 0.0

    def begin(self, segment: int, pieces: deque[Piece]) -> None:
        """Read this segment next."""
        self.segment, self.pieces, self.since_part = segment, pieces, 0.0


class Worker:
    """One of those that read at the same time, with its range, its throttle and its sizer."""

    throttle: Throttle
    sizer: PageSizer

    def __init__(self, number: int, rate: float) -> None:
        self.number = number
        self.rate = rate
        self.range = -1
        self.life = 0
        self.waiting: deque[Reader] = deque()
        self.segments: deque[tuple[int, deque[Piece]]] = deque()
        self.readers: list[Reader] = []
        self.wakes_at = float("inf")
