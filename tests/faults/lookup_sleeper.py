"""A lookup load that sleeps at one of its calls until a test wakes it."""

from __future__ import annotations

import threading
from typing import Any

from tests.clock import VirtualClock
from tests.faults.attempts import QUIET_SECONDS
from tests.faults.endpoint import Door
from tests.faults.lookup_world import LookupAttempt, LookupWorld
from tests.faults.script import Fault, Kind

PATIENCE_SECONDS = 120.0


class LookupSleeper:
    """An attempt in a thread of its own that sleeps at one of its calls until it is woken."""

    def __init__(self, world: LookupWorld, at: int, *, after: bool, **settings: Any) -> None:
        began_at = world.aws.clock.monotonic() - VirtualClock().monotonic()
        self.clock = VirtualClock(QUIET_SECONDS, began_at=began_at)
        self.attempt: LookupAttempt = world.attempt(**settings)
        self._opening = world.aws.door(Fault(Kind.FREEZE, at, after=after), clock=self.clock)
        self.door: Door = self._opening.__enter__()  # closed in wake
        self._thread = threading.Thread(target=self.attempt.through, args=(self.door,), daemon=True)
        self._thread.start()
        assert self.door.frozen.wait(PATIENCE_SECONDS), "neither frozen nor over"

    def wake(self, *, asleep: float = 0.0) -> LookupAttempt:
        """Let it go on, after so many seconds of its own clock, and wait for its end."""
        self.clock.advance(asleep)
        self.door.thaw.set()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "it hangs"
        self._opening.__exit__(None, None, None)
        return self.attempt
