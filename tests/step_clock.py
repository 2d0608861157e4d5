"""Threads on a virtual clock, one at a time: exact, repeatable, and fast enough for simulated hours.

The threads are real, but only the holder of a baton runs. Who waits, for time, an event, a lock or the end
of a thread, hands the baton to whoever can go on, in the order in which they became able to; when nobody
can, time jumps to the next deadline. A step costs some microseconds, and the same seed gives the same run.

``VirtualClock`` cannot see that a thread hangs on an ordinary lock (the throttle's turnstile, which is held
while its holder waits for the time), so it needs two milliseconds of quiet before each step: days of them
for one simulated hour at a high rate. Here the locks, events and threads are the clock's own, and
``in_place_of_threads`` puts them where the modules under test say ``threading``. The code under test stays as
it is; a module whose locks are never held while waiting needs no replacing.

What it cannot find: races. No thread is interrupted between two waits.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from types import ModuleType, SimpleNamespace, TracebackType
from typing import Any
from unittest.mock import patch

from tests.clock import EPOCH

START = 1000.0  # not 0: nothing may rely on where a monotonic clock starts


class Stuck(Exception):
    """Every thread waits for another: nothing can happen any more."""


class _Runner:
    """One thread as the clock sees it: it runs when its gate opens."""

    __slots__ = ("alarm", "gate")

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.alarm: int | None = None  # the number of its entry among the sleepers while it waits


class StepClock:
    """The clock and the order of all threads. The thread that makes it has the baton first."""

    def __init__(self, late: Callable[[float], float] = lambda now: 0.0) -> None:
        """``late`` says by how many seconds a wait that begins now ends after its deadline."""
        self._time = START
        self._late = late
        self._main = self._running = _Runner()
        self._ready: deque[_Runner] = deque()
        self._sleepers: list[tuple[float, int, _Runner]] = []
        self._numbers = itertools.count()
        self._stuck = False

    def monotonic(self) -> float:
        return self._time

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._time - START)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event of this clock's."""
        assert isinstance(event, StepEvent), "nobody would hear of an ordinary event"
        if event.is_set():
            return True
        me = self._running
        me.alarm = next(self._numbers)
        heapq.heappush(
            self._sleepers, (self._time + max(0.0, seconds) + self._late(self._time), me.alarm, me)
        )
        event.waiters.append(me)
        self.let_others_run()
        with contextlib.suppress(ValueError):
            event.waiters.remove(me)
        return event.is_set()

    def wake_everyone(self) -> None:
        """End every wait now, as if its time had come: for the sudden death of a process."""
        for _, number, runner in sorted(self._sleepers):
            if runner.alarm == number:
                self.wake(runner)

    @contextlib.contextmanager
    def in_place_of_threads(self, *modules: ModuleType) -> Iterator[None]:
        """While it lasts, locks, events and threads that these modules make are this clock's."""
        with contextlib.ExitStack() as stack:
            for module in modules:
                stack.enter_context(patch.object(module, "threading", self.threading))
            yield

    @property
    def threading(self) -> Any:
        """What stands for the module ``threading``."""
        kinds = {"Lock": StepLock, "Event": StepEvent, "Thread": StepThread}
        return SimpleNamespace(**{name: partial(kind, self) for name, kind in kinds.items()})

    # Below: for this module's locks, events and threads.

    @property
    def running(self) -> _Runner:
        """The holder of the baton."""
        return self._running

    def wake(self, runner: _Runner) -> None:
        """Let a thread go on when its turn comes; once, however many want to wake it."""
        runner.alarm = None
        self._ready.append(runner)

    def let_others_run(self) -> None:
        """Hand the baton on, and return when it comes back."""
        me = self._running
        if self.hand_over() is not me:
            me.gate.acquire()
        if self._stuck:
            raise Stuck

    def hand_over(self) -> _Runner:
        """Give the baton to the thread that is next."""
        before, self._running = self._running, self._next()
        after = self._running  # from the release on, the attribute is the other thread's to change
        if after is not before:
            after.gate.release()
        return after

    def _next(self) -> _Runner:
        if self._ready:
            return self._ready.popleft()
        while self._sleepers:
            deadline, number, runner = heapq.heappop(self._sleepers)
            if runner.alarm == number:
                runner.alarm = None
                self._time = deadline
                return runner
        self._stuck = True
        return self._main


class StepEvent(threading.Event):
    """An event whose waiters the clock knows."""

    def __init__(self, clock: StepClock) -> None:
        super().__init__()
        self._clock = clock
        self.waiters: list[_Runner] = []

    def set(self) -> None:
        super().set()
        waiters, self.waiters = self.waiters, []
        for runner in waiters:
            if runner.alarm is not None:
                self._clock.wake(runner)

    def wait(self, timeout: float | None = None) -> bool:
        raise AssertionError("time passes on the clock only: use its wait")


class StepLock:
    """A lock that is handed to whoever has waited longest for it."""

    def __init__(self, clock: StepClock) -> None:
        self._clock = clock
        self._held = False
        self._queue: deque[_Runner] = deque()

    def acquire(self) -> bool:
        if self._held:
            self._queue.append(self._clock.running)
            self._clock.let_others_run()
        self._held = True
        return True

    def release(self) -> None:
        self._held = bool(self._queue)
        if self._queue:
            self._clock.wake(self._queue.popleft())

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.release()


class StepThread(threading.Thread):
    """A thread that runs when the clock says so."""

    def __init__(self, clock: StepClock, **options: Any) -> None:
        """``options`` are those of ``threading.Thread``."""
        super().__init__(daemon=True, **options)
        self._clock = clock
        self._runner = _Runner()
        self._joiners: list[_Runner] = []
        self._is_over = False

    def start(self) -> None:
        super().start()
        self._clock.wake(self._runner)

    def run(self) -> None:
        self._runner.gate.acquire()
        try:
            super().run()
        finally:
            self._is_over = True
            for runner in self._joiners:
                self._clock.wake(runner)
            self._clock.hand_over()

    def join(self, timeout: float | None = None) -> None:
        if not self._is_over:
            self._joiners.append(self._clock.running)
            self._clock.let_others_run()
        super().join()
