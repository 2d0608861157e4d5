from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore, MemoryTable, MemoryWriter
from airflow_dynamo_pipeline.adapters.retrying import RetryingStore, RetryingTable, RetryingWriter
from airflow_dynamo_pipeline.engine.backoff import PATIENCE_SECONDS
from airflow_dynamo_pipeline.engine.ports import ABSENT, Absent, ScanCall, TableDescription, VersionConflict
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    NotFound,
    PipelineError,
    ServiceTrouble,
    Stopped,
    Throttled,
)
from tests.clock import ManualClock
from tests.unit.engine.world import items


class Troubled(MemoryStore):
    """Fails as told: each entry of ``before`` and ``after`` is one call's error, None lets it pass."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Exception | None] = []
        self.after: list[Exception | None] = []
        self.calls = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def _enter(self) -> None:
        self.calls += 1
        error = self.before.pop(0) if self.before else None
        if error is not None:
            raise error

    def _leave(self) -> None:
        error = self.after.pop(0) if self.after else None
        if error is not None:
            self.meanwhile()
            raise error

    def region(self) -> str | None:
        self._enter()
        return super().region()

    def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
        self._enter()
        version = super().put(key, body, expect=expect)
        self._leave()
        return version

    def keys(self, prefix: str) -> Iterator[str]:
        yield from super().keys(prefix)
        self._enter()

    def folders(self, prefix: str) -> Iterator[str]:
        yield from super().folders(prefix)
        self._enter()


class Rig:
    def __init__(self) -> None:
        self.inner = Troubled()
        self.clock = ManualClock()
        self.stop = threading.Event()
        self.warned: list[str] = []
        self.store = RetryingStore(self.inner, self.clock, self.stop, self.warned.append)


TROUBLE = ServiceTrouble("503")


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_trouble_is_warned_of_and_tried_again(rig: Rig) -> None:
    rig.inner.before = [TROUBLE, TROUBLE]

    assert "us-east-1" == rig.store.region()
    assert ["503; trying again", "503; trying again"] == rig.warned


def test_what_no_retry_can_help_is_raised_at_once(rig: Rig) -> None:
    rig.inner.before = [AccessDenied("s3:ListBucket", "b")]

    with pytest.raises(AccessDenied):
        rig.store.region()
    assert [] == rig.clock.waits


def test_a_write_whose_reply_was_lost_has_succeeded(rig: Rig) -> None:
    rig.inner.after = [TROUBLE]
    version = rig.store.put("a", b"mine", expect=ABSENT)

    assert (version, b"mine") == (rig.inner.objects["a"].version, rig.inner.objects["a"].body)
    assert 2 == rig.inner.calls


def test_a_replacement_whose_reply_was_lost_has_succeeded(rig: Rig) -> None:
    first = rig.inner.put("a", b"old")
    rig.inner.after = [TROUBLE]
    version = rig.store.put("a", b"mine", expect=first)

    assert version == rig.inner.objects["a"].version


def test_a_write_that_never_arrived_is_written(rig: Rig) -> None:
    rig.inner.before = [TROUBLE]
    rig.store.put("a", b"mine", expect=ABSENT)

    assert b"mine" == rig.inner.objects["a"].body


def test_a_conflict_of_the_first_try_is_a_conflict_even_with_the_same_bytes(rig: Rig) -> None:
    rig.inner.put("a", b"same")

    with pytest.raises(VersionConflict):
        rig.store.put("a", b"same", expect=ABSENT)
    assert [] == rig.clock.waits


def test_a_conflict_with_others_bytes_is_a_conflict_after_a_lost_reply_too(rig: Rig) -> None:
    rig.inner.after = [TROUBLE]
    rig.inner.meanwhile = lambda: rig.inner.objects.update(
        a=type(rig.inner.objects["a"])(b"theirs", '"other"')
    )

    with pytest.raises(VersionConflict):
        rig.store.put("a", b"mine", expect=ABSENT)
    assert b"theirs" == rig.inner.objects["a"].body


def test_a_listing_that_breaks_off_is_made_again_and_names_nothing_twice(rig: Rig) -> None:
    for key in ("p/a/1", "p/b/2"):
        rig.inner.put(key, b"")
    rig.inner.before = [TROUBLE]
    assert ["p/a/1", "p/b/2"] == list(rig.store.keys("p/"))

    rig.inner.before = [TROUBLE]
    assert ["a", "b"] == list(rig.store.folders("p/"))


def test_deleting_again_deletes_what_an_iterator_gave_the_first_time(rig: Rig) -> None:
    deleted: list[list[str]] = []

    class Deleting(Troubled):
        def delete(self, keys: object) -> None:
            assert isinstance(keys, list)
            deleted.append(list(keys))
            self._enter()

    inner = Deleting()
    inner.before = [TROUBLE]
    RetryingStore(inner, rig.clock, rig.stop, rig.warned.append).delete(iter(["a", "b"]))

    assert [["a", "b"], ["a", "b"]] == deleted


def test_a_stop_ends_the_pause(rig: Rig) -> None:
    rig.inner.before = [TROUBLE]
    rig.clock.on_wait = lambda _seconds: rig.stop.set()

    with pytest.raises(Stopped):
        rig.store.region()


def test_trouble_for_ten_minutes_is_raised(rig: Rig) -> None:
    rig.inner.before = [TROUBLE] * 10_000

    with pytest.raises(ServiceTrouble):
        rig.store.region()
    assert sum(rig.clock.waits) >= PATIENCE_SECONDS


class CutStore(MemoryStore):
    """Its streams break off after so many bytes, one after the other; then they are whole."""

    def __init__(self, *cuts: int, piece: int = 3) -> None:
        super().__init__()
        self.cuts = list(cuts)
        self.piece = piece
        self.opened = 0

    def read(self, key: str) -> Iterator[bytes]:
        self.opened += 1
        assert self.opened < 1000, "opened again and again without a pause"
        cut = self.cuts.pop(0) if self.cuts else None
        body, piece = b"".join(super().read(key)), self.piece
        for at in range(0, len(body), piece):
            if cut is not None and at >= cut:
                raise ServiceTrouble("cut")
            yield body[at : at + piece]


def reading(inner: CutStore, clock: ManualClock | None = None) -> RetryingStore:
    inner.put("a", bytes(range(100)))
    return RetryingStore(inner, clock or ManualClock(), threading.Event(), lambda _line: None)


@pytest.mark.parametrize("cuts", [(0,), (1,), (50,), (99,), (0, 0, 0), (30, 60), (60, 30), (99, 0, 50)])
def test_a_read_goes_on_after_a_cut_without_losing_or_doubling_a_byte(cuts: tuple[int, ...]) -> None:
    assert bytes(range(100)) == b"".join(reading(CutStore(*cuts)).read("a"))


def test_a_read_goes_on_though_the_pieces_are_cut_otherwise() -> None:
    inner = CutStore(50)
    chunks = reading(inner).read("a")
    first = next(chunks)
    inner.piece = 7

    assert bytes(range(100)) == first + b"".join(chunks)


def test_a_read_that_is_always_cut_at_once_fails_when_the_patience_is_over() -> None:
    """Opening is lazy and always succeeds; it is the first chunk that fails."""
    clock = ManualClock()
    with pytest.raises(ServiceTrouble):
        list(reading(CutStore(*[0] * 100_000), clock).read("a"))

    assert sum(clock.waits) >= PATIENCE_SECONDS


def test_each_cut_is_followed_by_a_pause() -> None:
    clock = ManualClock()
    list(reading(CutStore(0, 30, 60), clock).read("a"))

    assert 3 == len(clock.waits)


def test_an_object_that_became_shorter_is_no_silent_end() -> None:
    inner = CutStore(60)
    chunks = reading(inner).read("a")
    got = [next(chunks) for _ in range(20)]
    inner.put("a", b"short")

    with pytest.raises(PipelineError):
        list(chunks)
    assert 60 == sum(map(len, got))


def test_a_missing_object_is_not_tried_again() -> None:
    with pytest.raises(NotFound):
        list(reading(CutStore()).read("b"))


class KeepingWriter(MemoryWriter):
    """Keeps what a failed call was given, as the port asks."""

    def __init__(self, store: MemoryStore, key: str, errors: list[PipelineError]) -> None:
        super().__init__(store, key)
        store.uploads.add(self)
        self.errors = errors

    def write(self, data: bytes) -> None:
        super().write(data)
        self._fail()

    def close(self) -> str:
        self._fail()
        return super().close()

    def abort(self) -> None:
        self._fail()
        super().abort()

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


def writing(rig: Rig, *errors: PipelineError) -> RetryingWriter:
    return RetryingWriter(KeepingWriter(rig.inner, "a", list(errors)), rig.store._retries)


def test_a_writer_keeps_its_bytes_when_a_piece_fails(rig: Rig) -> None:
    writer = writing(rig, TROUBLE, TROUBLE, Throttled("slow"))
    writer.write(b"one ")
    writer.write(b"two")
    writer.close()

    assert b"one two" == rig.inner.objects["a"].body


def test_closing_is_tried_again(rig: Rig) -> None:
    writer = writing(rig)
    writer.write(b"x")
    inner = writer._inner
    assert isinstance(inner, KeepingWriter)
    inner.errors = [TROUBLE, TROUBLE]

    assert rig.inner.objects.get("a") is None
    assert writer.close() == rig.inner.objects["a"].version


def test_aborting_is_tried_again(rig: Rig) -> None:
    writer = writing(rig, TROUBLE)
    writer.abort()

    assert set() == rig.inner.uploads


def test_a_piece_that_can_never_be_sent_is_raised(rig: Rig) -> None:
    with pytest.raises(AccessDenied):
        writing(rig, AccessDenied("s3:PutObject", "b")).write(b"x")


def test_a_tables_description_is_tried_again_and_its_pages_are_not() -> None:
    """The engine pays for every page it tries, so it must know of every try."""

    class TroubledTable(MemoryTable):
        errors: ClassVar = [TROUBLE]

        def describe(self) -> TableDescription:
            if self.errors:
                raise self.errors.pop()
            return super().describe()

        def scan(self, call: ScanCall) -> bytes:
            raise TROUBLE

    table = RetryingTable(TroubledTable(items(1)), ManualClock(), threading.Event(), lambda _line: None)

    assert "orders" == table.describe().name
    with pytest.raises(ServiceTrouble):
        table.scan(ScanCall(segment=0, total_segments=1, limit=None, start_key=None))
