"""One live run for one export: a lease with a heartbeat.

No two clocks are compared. Whoever finds a lease watches it on its own clock: if it changes,
its holder lives; if it does not change for as long as a live holder could be silent, it is
taken over. A holder that slept meanwhile finds another version at its next beat and stops.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Protocol

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.ports import ABSENT, Absent, Clock, ObjectStore, VersionConflict
from airflow_dynamo_pipeline.engine.records import LeaseRecord
from airflow_dynamo_pipeline.errors import LeaseHeld, PipelineError, StaleAttempt, Stopped, with_hint

BEAT_SECONDS = 5.0
SILENCE_SECONDS = 20.0


class Held(Protocol):
    """What gives an attempt the right to work: a lease, or several."""

    def beat(self) -> bool:
        """Show life if it is due; raises StaleAttempt when it was taken over."""
        ...

    def check(self) -> None:
        """Show life now; raises StaleAttempt when it was taken over."""
        ...

    def release(self) -> None:
        """Let the next attempt begin without watching."""
        ...


class Lease:
    """The right to work on one export, held by one attempt."""

    def __init__(self, store: ObjectStore, key: str, attempt: str, clock: Clock) -> None:
        self._store = store
        self._key = key
        self._attempt = attempt
        self._clock = clock
        self._lock = threading.Lock()  # several threads beat: one write at a time, on the version of the last
        self._version: str | None = None
        self._beats = 0
        self._beat_at = float("-inf")
        self._lost: BaseException | None = None  # why it could not be renewed: nobody tries again

    def acquire(self, stop: threading.Event, say: Callable[[str], None]) -> None:
        """Take the lease; raises LeaseHeld when another run shows signs of life, Stopped when told to."""
        found = self._store.get(self._key)
        if found is None:
            self._take(ABSENT)
            return
        record = records.decode(found.body, LeaseRecord, self._key)
        if not record.released:
            say(
                f"attempt {record.attempt} left a lease on this export; "
                f"watching it for {SILENCE_SECONDS:g} s to see whether it lives"
            )
            if self._clock.wait(stop, SILENCE_SECONDS):
                raise Stopped("told to stop while watching another attempt's lease")
        self._take(found.version)

    def take(self, version: str | None) -> None:
        """Take it as it was last seen, None: where nothing was; raises LeaseHeld if another was faster."""
        self._take(version or ABSENT)

    def beat(self) -> bool:
        """Show life if it is due; raises StaleAttempt when the lease was taken over.

        Every thread calls it before it reads or writes, so that an attempt which was silent for long
        does nothing more before it knows that the lease is still its own. True: it was due, and whoever
        asked has waited for a call to the store, its own or another thread's.
        """
        if not self._is_due():
            return False
        with self._lock:
            if self._is_due():
                self._renew()
        return True

    def check(self) -> None:
        """Show life now; raises StaleAttempt when the lease was taken over."""
        with self._lock:
            self._renew()

    def release(self) -> None:
        """Let the next attempt begin without watching. Never raises for a lease that is no longer ours."""
        with self._lock, contextlib.suppress(VersionConflict):
            if self._version is not None:
                self._put(self._version, released=True)

    def _is_due(self) -> bool:
        return self._clock.monotonic() - self._beat_at >= BEAT_SECONDS

    def _renew(self) -> None:
        if self._lost is not None:
            raise self._lost
        try:
            self._put(self._version or ABSENT, released=False)
        except VersionConflict:
            self._lost = self._taken_over()
            raise self._lost from None
        except PipelineError as error:
            self._lost = error
            raise

    def _taken_over(self) -> PipelineError:
        """What ends an attempt that is not the holder any more."""
        return StaleAttempt(
            f"another attempt has taken over this export ({self._key}); attempt {self._attempt} stops"
        )

    def _take(self, expect: str | Absent) -> None:
        try:
            self._put(expect, released=False)
        except VersionConflict:
            raise LeaseHeld(
                with_hint(
                    f"another live run is working on this export ({self._key})",
                    "wait for it to end, or stop it",
                )
            ) from None

    def _put(self, expect: str | Absent, *, released: bool) -> None:
        self._beats += 1
        record = LeaseRecord(
            attempt=self._attempt, beats=self._beats, beat_at=self._clock.now(), released=released
        )
        self._version = self._store.put(self._key, records.encode(record), expect=expect)
        self._beat_at = self._clock.monotonic()
