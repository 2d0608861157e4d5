"""Runs the segments on a few threads while the calling thread keeps house."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable

from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.errors import Stopped

TICK_SECONDS = 0.5


class Workers:
    """A fixed number of threads that take tasks from a list until it is empty or something fails."""

    def __init__(self, tasks: Iterable[int], run: Callable[[int], None], *, threads: int) -> None:
        """``run`` is called with each task. ``threads`` bounds memory and calls in flight."""
        self._queue: queue.SimpleQueue[int] = queue.SimpleQueue()
        for task in tasks:
            self._queue.put(task)
        self._run = run
        self._errors: list[BaseException] = []
        self._failed = threading.Event()
        self._ended = threading.Event()
        self._running = threads
        self._stop_all: Callable[[], None] = self._failed.set
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, name=f"segment-{n}") for n in range(threads)]

    def run(self, clock: Clock, *, tick: Callable[[], None], stop_all: Callable[[], None]) -> None:
        """Run all tasks; call ``tick`` from this thread all the while.

        On the first failure, or when ``tick`` raises (a signal does), ``stop_all`` is called and all
        threads are waited for; then the failure is raised.
        """
        self._stop_all = stop_all
        try:
            for thread in self._threads:
                thread.start()
            while not self._ended.is_set():
                if self._failed.is_set():
                    stop_all()
                self._tick(tick)
                clock.wait(self._ended, TICK_SECONDS)
        finally:
            if not self._ended.is_set():
                stop_all()
            for thread in self._threads:
                if thread.ident is not None:  # a signal may come between two starts
                    thread.join()
        self._raise_first()

    def _tick(self, tick: Callable[[], None]) -> None:
        try:
            tick()
        except Stopped:  # a failed segment told everyone to stop: its error is the cause
            if not self._failed.is_set():
                raise

    def _work(self) -> None:
        try:
            while not self._failed.is_set():
                self._run(self._queue.get_nowait())
        except queue.Empty:
            pass
        except BaseException as error:  # noqa: BLE001  handed to the calling thread, which raises it
            self._errors.append(error)
            self._failed.set()
            self._stop_all()  # from here: the calling thread may be busy in a call of its own for minutes
        with self._lock:
            self._running -= 1
            if not self._running:
                self._ended.set()

    def _raise_first(self) -> None:
        """The cause first: threads that were merely told to stop say less than the one that failed."""
        for error in self._errors:
            if not isinstance(error, Stopped):
                raise error
        if self._errors:
            raise self._errors[0]
