"""A lookup load that sleeps at one of its calls until a test wakes it."""

from __future__ import annotations

from typing import Any

from tests.clock import VirtualClock
from tests.faults.attempts import QUIET_SECONDS
from tests.faults.lookup_world import LookupAttempt, LookupWorld
from tests.faults.script import Fault, Kind
from tests.faults.sleeping import Asleep


class LookupSleeper(Asleep[LookupAttempt]):
    """It begins at the time of the services, of which its leases and states are."""

    def __init__(self, world: LookupWorld, at: int, *, after: bool, **settings: Any) -> None:
        began_at = world.aws.clock.monotonic() - VirtualClock().monotonic()
        clock = VirtualClock(QUIET_SECONDS, began_at=began_at)
        attempt = world.attempt(**settings)
        super().__init__(attempt, world.aws.door(Fault(Kind.FREEZE, at, after=after), clock=clock), clock)
