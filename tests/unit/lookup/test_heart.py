from __future__ import annotations

import threading

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.lease import BEAT_SECONDS, SILENCE_SECONDS, Lease
from airflow_dynamo_pipeline.engine.records import LeaseRecord, decode
from airflow_dynamo_pipeline.errors import ServiceTrouble, StaleAttempt, Stopped
from airflow_dynamo_pipeline.lookup.heart import beating
from tests.clock import VirtualClock

KEY = "lease.json"


class Held:
    """A lease that is held, on a clock that jumps."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = VirtualClock()
        self.stop = threading.Event()
        self.lease = Lease(self.store, KEY, "mine", self.clock)
        self.lease.acquire(self.stop, lambda _line: None)

    @property
    def beats(self) -> int:
        return decode(self.store.objects[KEY].body, LeaseRecord, KEY).beats

    def wait(self, seconds: float) -> None:
        """What a query takes."""
        self.clock.wait(threading.Event(), seconds)

    def taken_over(self) -> None:
        """As by somebody who found the lease silent."""
        found = self.store.objects[KEY]
        self.store.put(KEY, found.body, expect=found.version)


def heart_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lease"]


def test_a_lease_beats_while_the_calling_thread_waits_for_a_database() -> None:
    held = Held()
    before = held.beats

    with beating(held.lease, held.clock, held.stop) as check:
        held.wait(4 * BEAT_SECONDS + 1)
        check()

    assert 4 == held.beats - before
    assert not held.stop.is_set()


def test_whoever_watches_it_sees_that_it_lives() -> None:
    held = Held()
    version = held.store.objects[KEY].version

    with beating(held.lease, held.clock, held.stop):
        held.wait(SILENCE_SECONDS)

    assert version != held.store.objects[KEY].version


def test_nothing_beats_once_the_work_is_done() -> None:
    held = Held()
    with beating(held.lease, held.clock, held.stop):
        pass
    before = held.beats

    held.wait(5 * BEAT_SECONDS)

    assert before == held.beats
    assert [] == heart_threads()


def test_a_lease_that_was_taken_over_ends_waits_and_tells_why() -> None:
    held = Held()

    def work() -> None:
        with beating(held.lease, held.clock, held.stop) as check:
            held.taken_over()
            ended.append(held.clock.wait(held.stop, 1000 * BEAT_SECONDS))
            check()
            ended.append(False)

    ended: list[bool] = []
    with pytest.raises(StaleAttempt, match="taken over"):
        work()
    assert ([True], []) == (ended, heart_threads())


def test_why_a_beat_failed_is_told_in_place_of_the_stop_that_followed() -> None:
    held = Held()

    def work() -> None:
        held.taken_over()
        held.clock.wait(held.stop, 1000 * BEAT_SECONDS)
        raise Stopped("told to stop while fetching rows")

    with pytest.raises(StaleAttempt, match="taken over"), beating(held.lease, held.clock, held.stop):
        work()


def test_a_beat_that_failed_at_the_very_end_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held()

    def away(*_args: object, **_more: object) -> str:
        raise ServiceTrouble("s3 is away")

    monkeypatch.setattr(held.store, "put", away)
    with pytest.raises(ServiceTrouble, match="away"), beating(held.lease, held.clock, held.stop):
        held.clock.wait(held.stop, 1000 * BEAT_SECONDS)


def test_an_error_of_the_work_itself_passes_through() -> None:
    held = Held()

    with pytest.raises(KeyError, match="own"), beating(held.lease, held.clock, held.stop):
        raise KeyError("own")

    assert [] == heart_threads()
