"""Clocks for tests: time passes when nobody has anything left to do, and nobody sleeps."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

EPOCH = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
QUIET_SECONDS = 0.002
THREADS = Path("/proc/self/task")
ASLEEP = "S"


class ManualClock:
    """The clock of single-threaded tests: a wait is over at once, and time has passed by as much.

    ``on_wait`` is called with the seconds of each wait before time passes, so that a test can act
    in the middle of a pause; a wait whose event is set by then ends without time passing.
    """

    def __init__(self, on_wait: Callable[[float], None] | None = None) -> None:
        self.time = 1000.0  # not 0: nothing may rely on where a monotonic clock starts
        self.waits: list[float] = []
        self.on_wait = on_wait

    def monotonic(self) -> float:
        return self.time

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.time - 1000.0)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if event.is_set():
            return True
        self.waits.append(seconds)
        if self.on_wait is not None:
            self.on_wait(seconds)
        if event.is_set():
            return True
        self.time += max(0.0, seconds)
        return False

    def advance(self, seconds: float) -> None:
        """Let time pass outside of any wait."""
        self.time += seconds


class VirtualClock:
    """The clock of multi-threaded tests: when all is quiet, time jumps to the next deadline.

    A thread in ``wait`` ends when its event is set, or when virtual time has reached its deadline.
    Nobody can tell from outside whether the other threads still have something to do: a thread may
    be computing, or hang on an ordinary lock (the throttle's turnstile) that a waiting thread holds.
    So the rule is quiescence: once no thread has called into the clock for ``quiet_seconds`` of real
    time, and every other thread sleeps, the thread with the earliest deadline moves the time there and
    goes on. As it is the earliest, nobody else's deadline is ever jumped over, and threads whose deadline
    has come wake before time can move again. Where the system cannot say who sleeps (only Linux does), the
    quiet time alone decides.

    A thread that waits for something outside the process, as a call over a socket, sleeps too; it says so
    with ``busy``. Tests whose figures must not depend on the machine use ManualClock, or a longer quiet time.
    """

    def __init__(self, quiet_seconds: float = QUIET_SECONDS, *, began_at: float = 0.0) -> None:
        self._quiet = quiet_seconds
        self._lock = threading.Lock()
        self._time = 1000.0 + began_at
        self._touched = time.monotonic()
        self._deadlines: dict[int, float] = {}
        self._count = 0
        self._busy = 0

    def monotonic(self) -> float:
        with self._lock:
            self._touched = time.monotonic()
            return self._time

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.monotonic() - 1000.0)

    def advance(self, seconds: float) -> None:
        """Let time pass that nobody waited for: the process slept."""
        with self._lock:
            self._time += seconds
            self._touched = time.monotonic()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Hold time still: somebody works without asking for it."""
        with self._count_busy(1):
            yield

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Let time pass although somebody is busy: the work is to wait here."""
        with self._count_busy(-1):
            yield

    @contextlib.contextmanager
    def _count_busy(self, more: int) -> Iterator[None]:
        with self._lock:
            self._busy += more
            self._touched = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._busy -= more
                self._touched = time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        with self._lock:
            self._touched = time.monotonic()
            self._count += 1
            me = self._count
            self._deadlines[me] = self._time + max(0.0, seconds)
        try:
            while not event.wait(self._quiet):
                if self._is_over(me):
                    return event.is_set()
            return True
        finally:
            with self._lock:
                self._touched = time.monotonic()
                del self._deadlines[me]

    def _is_over(self, me: int) -> bool:
        """Whether this deadline has come; moves the time there if all is quiet and it is the earliest."""
        looked_at = time.monotonic()  # a thread may wake while the others are still looked at
        # Twice: one may have run while another was looked at. Without the lock: somebody might sleep for it.
        idle = all_others_sleep() and all_others_sleep()
        with self._lock:
            mine = self._deadlines[me]
            quiet = idle and self._busy <= 0 and looked_at - self._touched >= self._quiet
            if mine > self._time and quiet and mine == min(self._deadlines.values()):
                self._time = mine
                self._touched = time.monotonic()
            return mine <= self._time


def all_others_sleep() -> bool:
    """Whether no other thread of this process runs, or would if it had a processor."""
    me = str(threading.get_native_id())
    try:
        return all(_state(thread) == ASLEEP for thread in THREADS.iterdir() if thread.name != me)
    except FileNotFoundError:  # no Linux
        return True


def _state(thread: Path) -> str:
    """The state of a thread, as Linux says it; that of one that has ended meanwhile is as good as asleep."""
    try:
        stat = (thread / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ASLEEP
    return stat.rpartition(")")[2].split()[0]
