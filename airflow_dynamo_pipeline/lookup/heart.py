"""The lease kept alive while the calling thread waits for a database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_dynamo_pipeline.engine.lease import BEAT_SECONDS, Lease
from airflow_dynamo_pipeline.engine.ports import Clock


@contextmanager
def beating(lease: Lease, clock: Clock, stop: threading.Event) -> Iterator[Callable[[], None]]:
    """Beat from a thread of its own; yields a function that raises what the beats met.

    When a beat fails the stop event is set, so that waits end; then the calling thread raises the cause.
    """
    ended = threading.Event()
    met: list[BaseException] = []

    def beat() -> None:
        try:
            while not clock.wait(ended, BEAT_SECONDS):
                lease.beat()
        except BaseException as error:  # noqa: BLE001  raised by the calling thread
            met.append(error)
            stop.set()

    def check() -> None:
        if met:
            raise met[0]

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield check
    finally:
        ended.set()
        thread.join()
        check()
