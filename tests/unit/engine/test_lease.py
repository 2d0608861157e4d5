from __future__ import annotations

import threading

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.lease import BEAT_SECONDS, SILENCE_SECONDS, Lease
from airflow_dynamo_pipeline.engine.ports import Absent
from airflow_dynamo_pipeline.engine.records import LeaseRecord, decode
from airflow_dynamo_pipeline.errors import LeaseHeld, ServiceTrouble, StaleAttempt, Stopped, Temporary
from tests.clock import ManualClock

KEY = "_checkpoint/lease.json"


class Side:
    """One attempt's view: its lease, its clock, and what it said."""

    def __init__(self, store: MemoryStore, attempt: str) -> None:
        self.clock = ManualClock()
        self.lease = Lease(store, KEY, attempt, self.clock)
        self.stop = threading.Event()
        self.said: list[str] = []

    def acquire(self) -> None:
        self.lease.acquire(self.stop, self.said.append)


def record(store: MemoryStore) -> LeaseRecord:
    return decode(store.objects[KEY].body, LeaseRecord, KEY)


def test_a_free_lease_is_taken_without_waiting() -> None:
    store = MemoryStore()
    one = Side(store, "one")
    one.acquire()

    assert ("one", False) == (record(store).attempt, record(store).released)
    assert [] == one.clock.waits + [len(line) for line in one.said]


def test_a_lease_is_watched_and_taken_over_after_silence() -> None:
    store = MemoryStore()
    Side(store, "one").acquire()
    two = Side(store, "two")
    two.acquire()

    assert [SILENCE_SECONDS] == two.clock.waits
    assert "attempt one left a lease" in two.said[0]
    assert "two" == record(store).attempt


def test_a_lease_that_beats_while_it_is_watched_is_held() -> None:
    store = MemoryStore()
    one, two = Side(store, "one"), Side(store, "two")
    one.acquire()
    two.clock.on_wait = lambda _seconds: one.lease.check()

    with pytest.raises(LeaseHeld, match="another live run") as caught:
        two.acquire()

    assert isinstance(caught.value, Temporary)
    assert "one" == record(store).attempt


def test_a_holder_is_heard_more_than_once_in_the_time_it_is_watched() -> None:
    assert 2 * BEAT_SECONDS < SILENCE_SECONDS


def test_a_superseded_holder_is_stale_at_its_next_beat() -> None:
    store = MemoryStore()
    one, two = Side(store, "one"), Side(store, "two")
    one.acquire()
    two.acquire()
    one.clock.advance(BEAT_SECONDS)

    with pytest.raises(StaleAttempt, match="attempt one stops"):
        one.lease.beat()

    assert "two" == record(store).attempt


def test_a_check_does_not_wait_for_the_next_beat() -> None:
    store = MemoryStore()
    one, two = Side(store, "one"), Side(store, "two")
    one.acquire()
    two.acquire()

    with pytest.raises(StaleAttempt):
        one.lease.check()


def test_a_beat_is_written_only_when_it_is_due() -> None:
    store = MemoryStore()
    one = Side(store, "one")
    one.acquire()
    one.clock.advance(BEAT_SECONDS - 0.1)
    one.lease.beat()
    assert 1 == record(store).beats

    one.clock.advance(0.1)
    one.lease.beat()
    one.lease.beat()
    assert 2 == record(store).beats


def test_each_beat_shows_the_time() -> None:
    store = MemoryStore()
    one = Side(store, "one")
    one.acquire()
    one.clock.advance(BEAT_SECONDS)
    one.lease.beat()

    assert one.clock.now() == record(store).beat_at


def test_after_a_release_the_next_begins_at_once() -> None:
    store = MemoryStore()
    one, two = Side(store, "one"), Side(store, "two")
    one.acquire()
    one.lease.release()
    two.acquire()

    assert [] == two.clock.waits
    assert ("two", False) == (record(store).attempt, record(store).released)


def test_a_lease_that_is_no_longer_ours_is_not_released() -> None:
    store = MemoryStore()
    one, two = Side(store, "one"), Side(store, "two")
    one.acquire()
    two.acquire()
    one.lease.release()

    assert ("two", False) == (record(store).attempt, record(store).released)


def test_a_lease_removed_at_the_commit_is_not_written_again() -> None:
    store = MemoryStore()
    one = Side(store, "one")
    one.acquire()
    store.delete([KEY])
    one.lease.release()

    assert {} == store.objects


def test_a_lease_that_is_gone_makes_its_holder_stale() -> None:
    store = MemoryStore()
    one = Side(store, "one")
    one.acquire()
    store.delete([KEY])

    with pytest.raises(StaleAttempt):
        one.lease.check()
    assert {} == store.objects


def test_of_two_that_watched_a_silent_lease_one_takes_it() -> None:
    store = MemoryStore()
    Side(store, "one").acquire()
    two, three = Side(store, "two"), Side(store, "three")
    two.clock.on_wait = lambda _seconds: three.acquire()

    with pytest.raises(LeaseHeld):
        two.acquire()

    assert "three" == record(store).attempt


def test_a_stop_ends_the_watching_and_takes_nothing() -> None:
    store = MemoryStore()
    Side(store, "one").acquire()
    two = Side(store, "two")
    two.clock.on_wait = lambda _seconds: two.stop.set()

    with pytest.raises(Stopped):
        two.acquire()

    assert "one" == record(store).attempt


def test_a_check_beside_a_beat_does_not_make_the_holder_stale() -> None:
    """The calling thread beats while a segment's thread checks: both write on the version of the last."""

    class Overlapping(MemoryStore):
        """Holds the first write until a second one has come or is plainly kept out."""

        def __init__(self) -> None:
            super().__init__()
            self.second = threading.Event()
            self.armed = False

        def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
            if self.armed:
                self.armed = False
                self.second.wait(0.05)
            else:
                self.second.set()
            return super().put(key, body, expect=expect)

    store = Overlapping()
    one = Side(store, "one")
    one.acquire()
    store.second.clear()
    store.armed = True
    failures: list[Exception] = []

    def check() -> None:
        try:
            one.lease.check()
        except StaleAttempt as error:
            failures.append(error)

    threads = [threading.Thread(target=check) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failures


def test_a_lease_that_could_not_be_renewed_fails_once_for_everyone() -> None:
    """Each thread would else begin ten minutes of its own, one after the other behind the lock."""

    class Down(MemoryStore):
        calls = 0
        down = False

        def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
            if self.down:
                self.calls += 1
                raise ServiceTrouble("503")
            return super().put(key, body, expect=expect)

    store = Down()
    one = Side(store, "one")
    one.acquire()
    store.down = True
    one.clock.advance(BEAT_SECONDS)

    for _ in range(3):
        with pytest.raises(ServiceTrouble):
            one.lease.beat()
    assert 1 == store.calls
