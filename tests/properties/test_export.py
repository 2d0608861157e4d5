"""Small exports killed and frozen at every call: what is left is resumed, and nothing is lost or doubled."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_dynamo_pipeline.adapters.memory import MemoryStore, MemoryTable
from airflow_dynamo_pipeline.engine import requests
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.manifest import read_summary
from airflow_dynamo_pipeline.engine.ports import (
    Absent,
    ObjectStore,
    ObjectWriter,
    ScanCall,
    StoredObject,
    TableDescription,
    TableReader,
)
from airflow_dynamo_pipeline.engine.requests import ExportRequest, S3Location
from airflow_dynamo_pipeline.engine.verify import verify_files
from airflow_dynamo_pipeline.errors import NotFound, PipelineError
from airflow_dynamo_pipeline.items.page import ReplyText
from tests.clock import VirtualClock
from tests.unit.engine.world import (
    NO_WAITING,
    SmallPages,
    World,
    data_keys,
    exported,
    items,
    listed_keys,
    manifests,
    request,
)

ITEMS = items(14, size=30)
KEYS = Counter(item["pk"]["S"] for item in ITEMS)
QUIET_SECONDS = 0.004  # longer than any computing here, so that calls come in the same order every time
Result = TypeVar("Result")


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    """Let a part be closed after a few items."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests, "MIN_PART_BYTES", 1)
        yield


def asked(segments: int) -> ExportRequest:
    return request(units_per_second=NO_WAITING, segments=segments, part_bytes=200)


class Killed(BaseException):
    """The process is gone: nothing it would still do happens."""


@dataclass
class Fate:
    """Counts the calls of one attempt and strikes at one of them, before or after its effect."""

    at: int = 0  # 0: never
    after: bool = False
    calls: int = 0
    dead: bool = False
    frozen: threading.Event = field(default_factory=threading.Event)
    thaw: threading.Event | None = None  # None: strike by killing, else by freezing until it is set
    lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, effect: Callable[[], Result]) -> Result:
        struck = self._strikes()
        if struck and not self.after:
            self._strike()
        self._stay()
        result = effect()
        if struck and self.after:
            self._strike()
        self._stay()
        return result

    def _strikes(self) -> bool:
        self._stay()
        with self.lock:
            self.calls += 1
            return self.calls == self.at

    def _strike(self) -> None:
        if self.thaw is None:
            self.dead = True
        self.frozen.set()

    def _stay(self) -> None:
        """Go no further once killed; wait while frozen."""
        if self.dead:
            raise Killed
        if self.thaw is not None and self.frozen.is_set():
            self.thaw.wait()


class MortalStore:
    """A store as an attempt sees it that may die at any call."""

    def __init__(self, inner: ObjectStore, fate: Fate) -> None:
        self.inner = inner
        self.fate = fate

    def region(self) -> str | None:
        return self.fate.call(self.inner.region)

    def probe(self, key: str) -> None:
        self.fate.call(lambda: self.inner.probe(key))

    def get(self, key: str) -> StoredObject | None:
        return self.fate.call(lambda: self.inner.get(key))

    def read(self, key: str) -> Iterator[bytes]:
        return self.fate.call(lambda: self.inner.read(key))

    def size(self, key: str) -> int:
        return self.fate.call(lambda: self.inner.size(key))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        return self.fate.call(lambda: self.inner.read_range(key, start, length))

    def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
        return self.fate.call(lambda: self.inner.put(key, body, expect=expect))

    def create(self, key: str) -> ObjectWriter:
        return MortalWriter(self.fate.call(lambda: self.inner.create(key)), self.fate)

    def keys(self, prefix: str) -> Iterator[str]:
        return self.fate.call(lambda: self.inner.keys(prefix))

    def folders(self, prefix: str) -> Iterator[str]:
        return self.fate.call(lambda: self.inner.folders(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        for key in list(keys):  # one call each: a kill may come between two of them
            self.fate.call(lambda key=key: self.inner.delete([key]))  # type: ignore[misc]

    def abort_uploads(self, prefix: str) -> int:
        return self.fate.call(lambda: self.inner.abort_uploads(prefix))


class MortalWriter:
    def __init__(self, inner: ObjectWriter, fate: Fate) -> None:
        self.inner = inner
        self.fate = fate

    def write(self, data: bytes) -> None:
        self.fate.call(lambda: self.inner.write(data))

    def close(self) -> str:
        return self.fate.call(self.inner.close)

    def abort(self) -> None:
        self.fate.call(self.inner.abort)


class MortalTable:
    def __init__(self, inner: TableReader, fate: Fate) -> None:
        self.inner = inner
        self.fate = fate

    def describe(self) -> TableDescription:
        return self.fate.call(self.inner.describe)

    def scan(self, call: ScanCall) -> ReplyText:
        return self.fate.call(lambda: self.inner.scan(call))


@dataclass
class Attempt:
    """One process working on the export, with a clock of its own."""

    bucket: MemoryStore
    segments: int
    fate: Fate = field(default_factory=Fate)
    outcome: object = None
    minute: int = 0  # when it begins: what it writes of times is its own
    thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self.clock = VirtualClock(QUIET_SECONDS, began_at=60.0 * self.minute)

    def run(self) -> Attempt:
        world = World(
            table=MortalTable(SmallPages(MemoryTable(ITEMS), most=2), self.fate),
            store=MortalStore(self.bucket, self.fate),
            clock=self.clock,
        )
        try:
            self.outcome = world.export(asked(self.segments))
        except (PipelineError, Killed) as error:
            self.outcome = error
        self.fate.frozen.set()  # whoever waits for a strike that never came goes on
        return self

    def begin(self) -> Attempt:
        """Run in a thread until it is frozen or has ended."""
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.fate.frozen.wait()
        return self

    def end(self) -> Attempt:
        assert self.thread is not None
        assert self.fate.thaw is not None
        self.fate.thaw.set()
        self.thread.join()
        return self


def places(bucket: MemoryStore) -> list[ExportLayout]:
    folders = bucket.folders("daily/AWSDynamoDB/")
    return [ExportLayout(S3Location("backups", "daily"), name) for name in folders]


def assert_nothing_reads_as_complete(bucket: MemoryStore) -> None:
    assert [] == manifests(bucket)
    for place in places(bucket):
        assert read_summary(bucket, place) is None
        with pytest.raises(NotFound, match="was not committed"):
            verify_files(place.manifest_uri, bucket)


def assert_checkpoints_name_only_what_is_there(bucket: MemoryStore) -> None:
    for key, stored in bucket.objects.items():
        if "_checkpoint/0" in key:
            named = json.loads(stored.body)["parts"]
            assert {part["key"] for part in named} <= set(bucket.objects), key


def assert_whole(bucket: MemoryStore) -> None:
    """One manifest; data/ holds what it lists and nothing else; every item stands in it once."""
    (place,) = places(bucket)
    assert [place.summary_key] == manifests(bucket)
    assert KEYS == exported(bucket, place)
    assert sorted(listed_keys(bucket, place)) == data_keys(bucket)
    assert len(KEYS) == verify_files(place.manifest_uri, bucket).item_count


def calls_of_a_whole_export(segments: int) -> int:
    fate = Fate()
    Attempt(MemoryStore(), segments, fate).run()
    return fate.calls


CALLS = 130  # above what either export makes; a strike that never comes ends the enumeration early


def test_an_export_makes_fewer_calls_than_are_tried_and_more_than_a_few_parts() -> None:
    for segments in (1, 2):
        bucket = MemoryStore()
        fate = Fate()
        Attempt(bucket, segments, fate).run()

        assert_whole(bucket)
        assert 30 < fate.calls < CALLS
        assert 4 <= len(data_keys(bucket))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("segments", [1, 2])
def test_e1_e3_e4_e5_killed_at_any_call_and_resumed_every_item_is_there_once(
    segments: int, after: bool
) -> None:
    for at in range(1, calls_of_a_whole_export(segments) + 1):
        bucket = MemoryStore()
        Attempt(bucket, segments, Fate(at, after)).run()
        if not manifests(bucket):
            assert_nothing_reads_as_complete(bucket)
        assert_checkpoints_name_only_what_is_there(bucket)

        Attempt(bucket, segments, minute=1).run()

        assert_whole(bucket)
        assert set() == bucket.uploads, at
        assert not [key for key in bucket.objects if "/_checkpoint/" in key], at


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    kills=st.lists(st.tuples(st.integers(1, 70), st.booleans()), min_size=2, max_size=4),
    segments=st.integers(1, 3),
)
def test_e1_e5_killed_again_and_again_every_item_is_there_once(
    kills: list[tuple[int, bool]], segments: int
) -> None:
    bucket = MemoryStore()
    for at, after in kills:
        Attempt(bucket, segments, Fate(at, after)).run()
        assert_checkpoints_name_only_what_is_there(bucket)

    Attempt(bucket, segments, minute=9).run()

    assert_whole(bucket)


def test_e3_the_summary_is_the_last_object_an_export_writes() -> None:
    class Watching(MemoryStore):
        written: list[str]

        def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
            version = super().put(key, body, expect=expect)
            self.written.append(key)
            return version

    bucket = Watching()
    bucket.written = []
    Attempt(bucket, 1).run()

    of_the_export = [key for key in bucket.written if "/_checkpoint/" not in key]

    assert [of_the_export[-1]] == manifests(bucket)
    assert 1 == of_the_export.count(of_the_export[-1])


@pytest.mark.parametrize("asleep", [0.0, 30.0], ids=["its clock stood still", "its clock went on"])
@pytest.mark.parametrize("segments", [1, 2])
def test_e5_a_stale_attempt_that_goes_on_after_a_takeover_changes_nothing(
    segments: int, asleep: float
) -> None:
    wrong = []
    for at in range(1, calls_of_a_whole_export(segments) + 1):
        bucket = MemoryStore()
        stale = Attempt(bucket, segments, Fate(at, thaw=threading.Event())).begin()
        Attempt(bucket, segments, minute=1).run()
        assert_whole(bucket)
        committed = dict(bucket.objects)
        stale.clock.advance(asleep)
        stale.end()
        wrong += [f"frozen at call {at}: {found}" for found in _changes(committed, bucket.objects)]
        wrong += [f"frozen at call {at}: {found}" for found in _damage(bucket)]

    assert [] == wrong


def _changes(before: dict[str, StoredObject], now: dict[str, StoredObject]) -> list[str]:
    """What was committed and is now gone or other."""
    found = {key: stored.body for key, stored in now.items()}
    return [f"{key} changed" for key, stored in before.items() if stored.body != found.get(key)]


def _damage(bucket: MemoryStore) -> list[str]:
    try:
        assert_whole(bucket)
    except (AssertionError, PipelineError) as error:
        return [f"{error!r:.120}"]
    return []


@settings(max_examples=60, deadline=None, derandomize=True)
@given(first=st.integers(1, 75), second=st.integers(1, 75), segments=st.integers(1, 2))
def test_e1_e5_two_attempts_taking_turns_leave_one_whole_export(
    first: int, second: int, segments: int
) -> None:
    bucket = MemoryStore()
    one = Attempt(bucket, segments, Fate(first, thaw=threading.Event())).begin()
    two = Attempt(bucket, segments, Fate(second, thaw=threading.Event()), minute=1).begin()
    one.end()
    assert_checkpoints_name_only_what_is_there(bucket)
    two.end()
    assert_checkpoints_name_only_what_is_there(bucket)

    Attempt(bucket, segments).run()

    assert_whole(bucket)
