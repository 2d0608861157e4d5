from __future__ import annotations

import threading
from collections import Counter

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.lease import BEAT_SECONDS, SILENCE_SECONDS
from airflow_dynamo_pipeline.engine.ports import Absent, StoredObject
from airflow_dynamo_pipeline.engine.range_lease import LOOK_EVERY_SECONDS, PATIENCE_SECONDS, RangeLease
from airflow_dynamo_pipeline.engine.records import LeaseRecord, decode
from airflow_dynamo_pipeline.errors import (
    LeaseHeld,
    PipelineError,
    ServiceTrouble,
    StaleAttempt,
    Stopped,
)
from airflow_dynamo_pipeline.operators.messages import told
from tests.clock import ManualClock


class Counting(MemoryStore):
    """Counts what is read and written; cannot write ``broken`` keys; ``beside`` acts ahead of each read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        self.broken: set[str] = set()
        self.takes_seconds = 0.0
        self.clock: ManualClock | None = None

    def get(self, key: str) -> StoredObject | None:
        self.reads[key] += 1
        if self.clock is not None:
            self.clock.advance(self.takes_seconds)
        return super().get(key)

    def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
        self.writes[key] += 1
        if key in self.broken:
            raise ServiceTrouble("503")
        return super().put(key, body, expect=expect)


class Side:
    """One attempt's view of a range and of some places."""

    def __init__(self, store: MemoryStore, attempt: str, number: int = 0, places: int = 2) -> None:
        self.clock = ManualClock()
        self.lease = RangeLease(
            store=store,
            range_key=f"ranges/{number}",
            place_keys=[f"places/{(number + step) % places}" for step in range(places)],
            attempt=attempt,
            clock=self.clock,
        )
        self.stop = threading.Event()
        self.said: list[str] = []

    def acquire(self) -> Side:
        self.lease.acquire(self.stop, self.said.append)
        return self

    def lives(self, *others: Side) -> None:
        """Whenever this one waits, the others do for as long, and show life."""

        def beat(seconds: float) -> None:
            for other in others:
                other.clock.advance(seconds)
                other.lease.beat()

        self.clock.on_wait = beat


def holder(store: MemoryStore, key: str) -> tuple[str, bool]:
    """Who has a lease, and whether it was released."""
    record = decode(store.objects[key].body, LeaseRecord, key)
    return record.attempt, record.released


def test_a_free_range_and_the_place_of_its_number_are_taken_without_waiting() -> None:
    store = MemoryStore()
    side = Side(store, "one", 1).acquire()

    assert {"ranges/1": ("one", False), "places/1": ("one", False)} == {
        key: holder(store, key) for key in store.objects
    }
    assert ([], []) == (side.clock.waits, side.said)


def test_where_the_place_of_its_number_is_taken_the_next_one_is() -> None:
    store = MemoryStore()
    Side(store, "one", 0).acquire()
    side = Side(store, "two", 2).acquire()

    assert ("two", False) == holder(store, "places/1")
    assert [] == side.clock.waits


def test_without_places_there_is_only_the_range() -> None:
    store = MemoryStore()
    side = Side(store, "one", places=0).acquire()

    assert ["ranges/0"] == list(store.objects)
    side.lease.check()
    side.lease.release()
    assert ("one", True) == holder(store, "ranges/0")


def test_a_silent_place_is_taken_over_after_twenty_seconds() -> None:
    store = MemoryStore()
    Side(store, "gone", 0, places=1).acquire()
    side = Side(store, "two", 1, places=1).acquire()

    assert 20.0 == SILENCE_SECONDS == sum(side.clock.waits)
    assert ("two", False) == holder(store, "places/0")
    assert ["all 1 places are taken: waiting for one"] == side.said


def test_a_live_place_is_never_taken_over_and_the_patience_ends() -> None:
    store = MemoryStore()
    living = [Side(store, f"living {number}", number).acquire() for number in range(2)]
    side = Side(store, "third", 2)
    side.lives(*living)

    with pytest.raises(LeaseHeld, match="all 2 places of this work are held by others who live") as caught:
        side.acquire()

    assert (
        "let no more run at once: max_active_tis_per_dagrun=2 of mapped tasks, or fewer executors"
        in told(caught.value).splitlines()[0]
    )
    assert "stop it" not in told(caught.value)
    assert PATIENCE_SECONDS == sum(side.clock.waits)
    assert ["living 0", "living 1"] == [holder(store, f"places/{number}")[0] for number in range(2)]
    assert ["all 2 places are taken: waiting for one"] == side.said


def test_of_a_live_and_a_silent_place_the_silent_one_is_taken() -> None:
    store = MemoryStore()
    living = Side(store, "living", 0).acquire()
    Side(store, "gone", 1).acquire()
    side = Side(store, "third", 2)
    side.lives(living)
    side.acquire()

    assert SILENCE_SECONDS == sum(side.clock.waits)
    assert ("living", "third") == (holder(store, "places/0")[0], holder(store, "places/1")[0])


def test_a_released_place_is_taken_at_the_next_look() -> None:
    store = MemoryStore()
    first = Side(store, "one", 0, places=1).acquire()
    side = Side(store, "two", 1, places=1)
    side.clock.on_wait = lambda _seconds: first.lease.release()
    side.acquire()

    assert [LOOK_EVERY_SECONDS] == side.clock.waits
    assert ("one", True) == holder(store, "ranges/0")
    assert ("two", False) == holder(store, "places/0")


def test_of_two_that_see_a_place_become_free_one_waits_on() -> None:
    store = MemoryStore()
    first = Side(store, "one", 0, places=1).acquire()
    faster, slower = Side(store, "faster", 1, places=1), Side(store, "slower", 2, places=1)

    def hand_over(_: float) -> None:
        first.lease.release()
        faster.acquire()
        slower.lives(faster)

    slower.clock.on_wait = hand_over
    with pytest.raises(LeaseHeld):
        slower.acquire()

    assert ("faster", False) == holder(store, "places/0")


def test_the_range_is_kept_while_a_place_is_waited_for_and_let_go_with_the_rest() -> None:
    store = MemoryStore()
    living = Side(store, "living", 0, places=1).acquire()
    side = Side(store, "two", 1, places=1)
    side.lives(living)
    with pytest.raises(LeaseHeld):
        side.acquire()
    beats = decode(store.objects["ranges/1"].body, LeaseRecord, "ranges/1").beats
    assert beats >= PATIENCE_SECONDS / BEAT_SECONDS

    side.lease.release()

    assert ("two", True) == holder(store, "ranges/1")
    assert ("living", False) == holder(store, "places/0")


def test_a_range_of_others_takes_no_place() -> None:
    store = MemoryStore()
    living = Side(store, "living", 0).acquire()
    side = Side(store, "two", 0)
    side.lives(living)

    with pytest.raises(LeaseHeld, match="another live run"):
        side.acquire()

    side.lease.release()
    assert "places/1" not in store.objects
    assert ("living", False) == holder(store, "ranges/0")


@pytest.mark.parametrize(
    ("lost", "error"),
    [(["ranges/0"], StaleAttempt), (["places/0"], LeaseHeld), (["ranges/0", "places/0"], StaleAttempt)],
)
def test_who_lost_the_range_is_stale_at_the_next_beat_and_who_lost_its_place_tries_again(
    lost: list[str], error: type[PipelineError]
) -> None:
    store = MemoryStore()
    side = Side(store, "one").acquire()
    for key in lost:
        store.put(key, store.objects[key].body)  # somebody else's write
    side.clock.advance(BEAT_SECONDS)

    for look in (side.lease.beat, side.lease.check, side.lease.check):
        with pytest.raises(PipelineError) as caught:
            look()
        assert error is type(caught.value)


def test_who_lost_its_place_gives_the_range_back_and_is_told_that_a_retry_goes_on() -> None:
    store = MemoryStore()
    side = Side(store, "one", places=1).acquire()
    store.put("places/0", store.objects["places/0"].body)

    with pytest.raises(LeaseHeld, match="this one's share of the rate") as caught:
        side.lease.check()
    assert "HINT: nothing: the range goes on in a retry" == str(caught.value).splitlines()[1]
    side.lease.release()

    assert ("one", True) == holder(store, "ranges/0")
    assert not holder(store, "places/0")[1]


def test_a_beat_renews_both_and_says_whether_it_was_due() -> None:
    store = Counting()
    side = Side(store, "one").acquire()
    assert not side.lease.beat()

    side.clock.advance(BEAT_SECONDS)

    assert side.lease.beat()
    assert {"ranges/0": 2, "places/0": 2} == store.writes


@pytest.mark.parametrize("broken", ["ranges/0", "places/0"])
def test_trouble_with_the_release_of_one_does_not_keep_the_other(broken: str) -> None:
    store = Counting()
    side = Side(store, "one").acquire()
    store.broken.add(broken)

    with pytest.raises(ServiceTrouble):
        side.lease.release()

    (other,) = {"ranges/0", "places/0"} - {broken}
    assert ("one", True) == holder(store, other)


def test_a_stop_ends_the_waiting_for_a_place() -> None:
    store = MemoryStore()
    Side(store, "gone", 0, places=1).acquire()
    side = Side(store, "two", 1, places=1)
    side.clock.on_wait = lambda _seconds: side.stop.set()

    with pytest.raises(Stopped):
        side.acquire()

    assert "gone" == holder(store, "places/0")[0]


def test_a_stop_ends_the_looking_at_a_thousand_places() -> None:
    store = Counting()
    side = Side(store, "two", 0, places=1000)
    side.stop.set()

    with pytest.raises(Stopped):
        side.acquire()

    assert {"ranges/0": 1} == store.reads


def test_the_range_stays_ours_while_a_thousand_places_are_looked_at() -> None:
    """Each look takes a tenth of a second: a hundred seconds, in which the range would be thought silent."""
    store = Counting()
    places = 1000
    for number in range(places - 1):
        store.put(
            f"places/{number}", b'{"version":1,"attempt":"x","beats":1,"beatAt":"2026-01-01T00:00:00Z"}'
        )
    side = Side(store, "two", 0, places=places)
    store.clock, store.takes_seconds = side.clock, 0.1
    side.acquire()

    assert ("two", False) == holder(store, "places/999")
    assert 99 / BEAT_SECONDS <= store.writes["ranges/0"] <= 2 + 100 / BEAT_SECONDS
