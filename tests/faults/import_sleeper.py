"""An import that sleeps at one of its calls until a test wakes it."""

from __future__ import annotations

from typing import Any

from tests.clock import VirtualClock
from tests.faults.attempts import QUIET_SECONDS
from tests.faults.import_world import ImportAttempt, ImportWorld, importing
from tests.faults.script import Fault, Kind
from tests.faults.sleeping import Asleep


class Sleeper(Asleep[ImportAttempt]):
    """It begins so many minutes after the services did."""

    def __init__(self, world: ImportWorld, at: int, *, after: bool, minute: int = 0, **settings: Any) -> None:
        clock = VirtualClock(QUIET_SECONDS, began_at=60.0 * minute)
        attempt = ImportAttempt(world, importing(world.laid, **settings), clock=clock)
        super().__init__(attempt, world.aws.door(Fault(Kind.FREEZE, at, after=after), clock=clock), clock)
