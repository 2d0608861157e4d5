"""What a worker must hold while it works on a range: the range, and one of the places at the table.

There are as many places as shares of the rate. A worker that was given up but still lives keeps its place,
so that no replacement can make the workers together faster than the whole rate.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.lease import SILENCE_SECONDS, Lease
from airflow_dynamo_pipeline.engine.ports import Clock, ObjectStore
from airflow_dynamo_pipeline.engine.records import LeaseRecord
from airflow_dynamo_pipeline.errors import LeaseHeld, PipelineError, Stopped, with_hint

LOOK_EVERY_SECONDS = 5.0
PATIENCE_SECONDS = 600.0  # Airflow starts no more tasks than there are places: one is free soon


class Place(Lease):
    """A share of the rate. Who lost it alone still has its range, and what the checkpoint has of it.

    The thread that finds the loss drops the part it was writing; a retry, at any place, reads that again.
    """

    def _taken_over(self) -> PipelineError:
        what = f"another worker has taken this one's share of the rate ({self._key})"
        return LeaseHeld(with_hint(what, "nothing: the range goes on in a retry"))


@dataclass(kw_only=True)
class RangeLease:
    """Both leases of one attempt, used as one; without ``place_keys`` there is only the first."""

    store: ObjectStore
    range_key: str
    place_keys: list[str]  # in the order in which they are tried
    attempt: str
    clock: Clock
    _held: list[Lease] = field(default_factory=list)

    def acquire(self, stop: threading.Event, say: Callable[[str], None]) -> None:
        """Take both.

        Raises LeaseHeld where the range, or every place for as long as PATIENCE_SECONDS, is held by others
        who live, and Stopped when told to.
        """
        mine = Lease(self.store, self.range_key, self.attempt, self.clock)
        mine.acquire(stop, say)
        self._held = [mine]
        if self.place_keys:
            self._held.append(self._place(stop, say))

    def beat(self) -> bool:
        """Show life if it is due. True: it was due.

        Raises StaleAttempt when the range was taken over, LeaseHeld when the place was.
        """
        beats = [lease.beat() for lease in self._held]  # every one, due or not
        return any(beats)

    def check(self) -> None:
        """Show life now; raises StaleAttempt when the range was taken over, LeaseHeld when the place was."""
        for lease in self._held:
            lease.check()

    def release(self) -> None:
        """Let others begin without watching: the place first, for more workers wait for that."""
        with contextlib.ExitStack() as every_one:
            for lease in self._held:
                every_one.callback(lease.release)

    def _place(self, stop: threading.Event, say: Callable[[str], None]) -> Lease:
        seen: dict[str, tuple[str, float]] = {}
        until = self.clock.monotonic() + PATIENCE_SECONDS
        place = self._look(stop, seen)
        if place is None:
            say(f"all {len(self.place_keys)} places are taken: waiting for one")
        while place is None:
            if self.clock.monotonic() >= until:
                raise self._no_place()
            if self.clock.wait(stop, LOOK_EVERY_SECONDS):
                raise Stopped("told to stop while waiting for a place")
            place = self._look(stop, seen)
        return place

    def _no_place(self) -> LeaseHeld:
        places = len(self.place_keys)
        limit = f"max_active_tis_per_dagrun={places} of mapped tasks, or fewer executors"
        what = f"all {places} places of this work are held by others who live"
        return LeaseHeld(with_hint(what, f"let no more run at once: {limit}"))

    def _look(self, stop: threading.Event, seen: dict[str, tuple[str, float]]) -> Lease | None:
        """The first place that can be taken."""
        for key in self.place_keys:
            if stop.is_set():
                raise Stopped("told to stop while looking for a place")
            self.beat()  # there may be a thousand places to look at
            place = self._taken(key, seen)
            if place is not None:
                return place
        return None

    def _taken(self, key: str, seen: dict[str, tuple[str, float]]) -> Lease | None:
        """A place that is free, or whose holder was silent for long; None: somebody lives there."""
        found = self.store.get(key)
        if found is not None and not records.decode(found.body, LeaseRecord, key).released:
            version, since = seen.get(key, ("", 0.0))
            now = self.clock.monotonic()
            if version != found.version:
                seen[key] = (found.version, now)
                return None
            if now - since < SILENCE_SECONDS:
                return None
        place = Place(self.store, key, self.attempt, self.clock)
        try:
            place.take(found.version if found else None)
        except LeaseHeld:
            return None  # another worker was faster
        return place
