"""An attempt that sleeps at one of its calls until a test wakes it."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import Generic, Protocol, TypeVar

from tests.clock import VirtualClock
from tests.faults.endpoint import Door

PATIENCE_SECONDS = 120.0


class Goes(Protocol):
    """An attempt of any kind."""

    def through(self, door: Door) -> object:
        """Run against the services behind a door."""
        ...


AttemptT = TypeVar("AttemptT", bound=Goes)


class Asleep(Generic[AttemptT]):
    """An attempt in a thread of its own, on a clock of its own, that freezes at a call of its door."""

    def __init__(self, attempt: AttemptT, opening: AbstractContextManager[Door], clock: VirtualClock) -> None:
        """``opening`` is of a door whose script freezes one call."""
        self.clock = clock
        self.attempt = attempt
        self._opening = opening
        self.door: Door = opening.__enter__()  # closed in wake
        self._thread = threading.Thread(target=attempt.through, args=(self.door,), daemon=True)
        self._thread.start()
        assert self.door.frozen.wait(PATIENCE_SECONDS), "neither frozen nor over"

    def wake(self, *, asleep: float = 0.0) -> AttemptT:
        """Let it go on, after so many seconds of its own clock, and wait for its end."""
        self.clock.advance(asleep)
        self.door.thaw.set()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "it hangs"
        self._opening.__exit__(None, None, None)
        return self.attempt
