"""The virtual clock waits for whoever computes, however long that takes on a busy machine."""

from __future__ import annotations

import threading
import time

from tests.clock import VirtualClock

QUIET_SECONDS = 0.001


def spin(seconds: float) -> None:
    """Compute for so much processor time, without a word to any clock."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_no_time_passes_while_another_thread_computes() -> None:
    clock, never, computing = VirtualClock(QUIET_SECONDS), threading.Event(), threading.Event()
    began = clock.monotonic()
    seen: list[float] = []

    def compute() -> None:
        computing.set()
        spin(20 * QUIET_SECONDS)
        seen.append(clock.monotonic())

    thread = threading.Thread(target=compute)
    thread.start()
    computing.wait()
    clock.wait(never, 5.0)
    thread.join()

    assert [began] == seen
    assert began + 5.0 == clock.monotonic()


def test_time_passes_while_another_thread_hangs_on_a_lock() -> None:
    clock, never, lock = VirtualClock(QUIET_SECONDS), threading.Event(), threading.Lock()
    began = clock.monotonic()
    lock.acquire()
    thread = threading.Thread(target=lock.acquire)
    thread.start()
    clock.wait(never, 5.0)

    assert began + 5.0 == clock.monotonic()
    lock.release()
    thread.join()
