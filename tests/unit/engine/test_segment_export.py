from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from airflow_dynamo_pipeline.adapters.memory import Item, MemoryStore, MemoryTable, MemoryWriter
from airflow_dynamo_pipeline.adapters.retrying import RetryingStore
from airflow_dynamo_pipeline.engine import requests
from airflow_dynamo_pipeline.engine.checkpoint import Checkpoint
from airflow_dynamo_pipeline.engine.lease import Lease
from airflow_dynamo_pipeline.engine.ports import Absent, ObjectStore, ScanCall, TableDescription, TableReader
from airflow_dynamo_pipeline.engine.progress import Totals
from airflow_dynamo_pipeline.engine.records import SegmentState
from airflow_dynamo_pipeline.engine.scan import Scanner
from airflow_dynamo_pipeline.engine.segment_export import PART_SECONDS, SegmentExporter
from airflow_dynamo_pipeline.engine.sizing import PageSizer
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.errors import AccessDenied, ServiceTrouble, StaleAttempt, Stopped
from tests.clock import ManualClock
from tests.unit.engine.world import (
    NO_WAITING,
    SmallPages,
    checkpoint_of,
    data_keys,
    items,
    layout,
    lines_of,
    request,
)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MIN_PART_BYTES", 1)


UNITS = 1 / 1024  # so little that what is read never closes a part by itself


class ListedTable:
    """Pages as they are written down: each a list of items; ``before`` may act ahead of each one."""

    def __init__(self, *pages: list[Item], units: float = UNITS) -> None:
        self.pages = pages
        self.units = units
        self.read: list[int] = []
        self.before: Callable[[int], None] = lambda _page: None

    def describe(self) -> TableDescription:
        return MemoryTable([]).describe()

    def scan(self, call: ScanCall) -> bytes:
        number = json.loads(call.start_key)["page"]["N"] if call.start_key else 0
        self.before(int(number))
        self.read.append(int(number))
        found = self.pages[int(number)]
        reply: dict[str, Any] = {
            "Items": found,
            "Count": len(found),
            "ScannedCount": 10,
            "ConsumedCapacity": {"CapacityUnits": self.units},
        }
        if int(number) + 1 < len(self.pages):
            reply["LastEvaluatedKey"] = {"page": {"N": str(int(number) + 1)}}
        return json.dumps(reply).encode()


class Rig:
    """One attempt at one segment."""

    def __init__(
        self,
        table: TableReader,
        store: ObjectStore | None = None,
        attempt: str = "one",
        *,
        clock: ManualClock | None = None,
        stop: threading.Event | None = None,
        **settings: Any,
    ) -> None:
        self.clock = clock or ManualClock()
        self.stop = stop or threading.Event()
        self.store = store if store is not None else MemoryStore()
        self.said: list[str] = []
        self.totals = Totals(1)
        self.lease = Lease(self.store, layout().lease_key, attempt, self.clock)
        throttle = Throttle(NO_WAITING, self.clock, self.stop)
        self.checkpoint: Checkpoint = checkpoint_of(self.store, attempt)
        self.exporter = SegmentExporter(
            request=request(**{"part_bytes": 100, **settings}),
            layout=layout(),
            store=self.store,
            scanner=Scanner(
                reader=table,
                throttle=throttle,
                sizer=PageSizer(consistent_read=False, size_bytes=0, item_count=0),
                clock=self.clock,
                stop=self.stop,
                total_segments=1,
                before_page=lambda: False,
                warn=self.said.append,
            ),
            checkpoint=self.checkpoint,
            lease=self.lease,
            totals=self.totals,
            clock=self.clock,
            say=self.said.append,
        )
        self.checkpoint.create_missing(lambda: None)

    def export(self) -> SegmentState:
        self.exporter.export(0)
        return self.state

    @property
    def state(self) -> SegmentState:
        return self.checkpoint.read(0)[0]


def exported_of(state: SegmentState, store: ObjectStore) -> Counter[str]:
    lines = [line for part in state.parts for line in lines_of(store, part.key)]
    return Counter(json.loads(line)["Item"]["pk"]["S"] for line in lines)


def expected(count: int) -> Counter[str]:
    return Counter(item["pk"]["S"] for item in items(count))


def pages_of(count: int, each: int) -> list[list[Item]]:
    found = items(count)
    return [found[at : at + each] for at in range(0, count, each)]


def test_a_segment_is_exported_part_by_part() -> None:
    rig = Rig(ListedTable(*pages_of(12, 3)))
    state = rig.export()

    assert state.done
    assert state.start_key is None
    assert expected(12) == exported_of(state, rig.store)
    assert [3, 3, 3, 3] == [part.item_count for part in state.parts]
    assert (4, 4, 40, 4 * UNITS) == (state.parts_made, state.pages, state.scanned_count, state.units)
    assert sorted(part.key for part in state.parts) == data_keys(rig.store)


def test_pages_share_a_part_until_it_is_full() -> None:
    state = Rig(ListedTable(*pages_of(12, 3)), part_bytes=250).export()

    assert [6, 6] == [part.item_count for part in state.parts]


def test_parts_are_numbered_and_carry_the_attempt() -> None:
    state = Rig(ListedTable(*pages_of(6, 3)), attempt="k3x9").export()

    assert ["0000-00000-k3x9.json.gz", "0000-00001-k3x9.json.gz"] == [
        part.key.rpartition("/")[2] for part in state.parts
    ]


def test_empty_pages_make_no_parts_and_do_not_end_a_segment() -> None:
    rig = Rig(ListedTable([], items(2), [], []))
    state = rig.export()

    assert state.done
    assert expected(2) == exported_of(state, rig.store)
    assert (1, 4, 40) == (len(state.parts), state.pages, state.scanned_count)


def test_a_segment_without_items_has_no_parts() -> None:
    rig = Rig(ListedTable([]))
    state = rig.export()

    assert (True, (), []) == (state.done, state.parts, data_keys(rig.store))


def test_pages_that_a_filter_empties_are_checkpointed_after_eight_part_sizes_read() -> None:
    units_a_page = 100 / 8192
    table = ListedTable(*[[] for _ in range(20)], units=units_a_page)
    rig = Rig(table)
    seen: dict[int, int] = {}
    table.before = lambda page: seen.__setitem__(page, rig.state.pages)
    rig.export()

    assert (0, 8, 16) == (seen[7], seen[8], seen[16])


def test_a_consistent_read_reads_half_as_much_for_its_units() -> None:
    table = ListedTable(*[[] for _ in range(20)], units=100 / 8192)
    rig = Rig(table, consistent_read=True)
    seen: dict[int, int] = {}
    table.before = lambda page: seen.__setitem__(page, rig.state.pages)
    rig.export()

    assert (0, 16) == (seen[15], seen[16])


def test_a_part_is_closed_after_fifteen_minutes() -> None:
    table = ListedTable(*pages_of(4, 1))
    rig = Rig(table, part_bytes=1_000_000)
    table.before = lambda _page: rig.clock.advance(PART_SECONDS / 2)
    state = rig.export()

    assert [2, 2] == [part.item_count for part in state.parts]


def test_pages_that_a_filter_empties_are_checkpointed_after_fifteen_minutes_too() -> None:
    table = ListedTable(*[[] for _ in range(6)])
    rig = Rig(table, part_bytes=1_000_000)
    pages: list[int] = []

    def before(_page: int) -> None:
        pages.append(rig.state.pages)
        rig.clock.advance(PART_SECONDS)

    table.before = before
    rig.export()

    assert max(pages) > 0


def test_a_part_exists_before_the_checkpoint_names_it() -> None:
    class Checking(MemoryStore):
        def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
            if "/_checkpoint/0" in key:
                named = msgspec.json.decode(body, type=SegmentState).parts
                assert {part.key for part in named} <= set(self.objects)
            return super().put(key, body, expect=expect)

    assert Rig(ListedTable(*pages_of(12, 3)), Checking()).export().done


def test_a_stop_closes_the_open_part_and_the_next_attempt_reads_nothing_again() -> None:
    table = ListedTable(*pages_of(12, 3))
    rig = Rig(table, part_bytes=1_000_000)
    table.before = lambda page: rig.stop.set() if page == 1 else None
    with pytest.raises(Stopped):
        rig.export()
    assert [6] == [part.item_count for part in rig.state.parts]
    assert not rig.state.done

    later = Rig(table, rig.store, "two", part_bytes=1_000_000)
    state = later.export()

    assert [0, 1, 2, 3] == table.read
    assert expected(12) == exported_of(state, rig.store)
    assert (True, 2, 4) == (state.done, state.parts_made, state.pages)


def test_a_stop_right_after_a_part_writes_no_further_checkpoint() -> None:
    table = ListedTable(*pages_of(6, 3))
    rig = Rig(table)
    table.before = lambda page: rig.stop.set() if page == 0 else None
    with pytest.raises(Stopped):
        rig.export()

    assert [3] == [part.item_count for part in rig.state.parts]


def test_a_stop_before_the_first_page_leaves_nothing_in_data() -> None:
    rig = Rig(ListedTable(*pages_of(6, 3)))
    rig.stop.set()
    with pytest.raises(Stopped):
        rig.export()

    assert [] == data_keys(rig.store)
    assert (0, None) == (rig.state.pages, rig.state.start_key)


def test_an_error_drops_the_open_part_and_the_next_attempt_reads_it_again() -> None:
    table = ListedTable(*pages_of(12, 3))
    rig = Rig(table, part_bytes=250)

    def before(page: int) -> None:
        if page == 3 and len(table.read) == 3:
            raise AccessDenied("dynamodb:Scan", "orders")

    table.before = before
    with pytest.raises(AccessDenied):
        rig.export()
    assert isinstance(rig.store, MemoryStore)
    assert set() == rig.store.uploads
    assert [6] == [part.item_count for part in rig.state.parts]

    state = Rig(table, rig.store, "two").export()
    assert [0, 1, 2, 2, 3] == table.read
    assert expected(12) == exported_of(state, rig.store)


def test_an_export_goes_on_from_what_a_superseded_attempt_wrote() -> None:
    """A stale attempt advances a segment that its successor has just claimed: one chain, no loss."""
    table = ListedTable(*pages_of(12, 3))
    rig = Rig(table)
    rig.lease.acquire(rig.stop, rig.said.append)

    def interfere(page: int) -> None:
        if page == 2 and len(table.read) == 2:
            stale = checkpoint_of(rig.store, "stale").claim(0)
            stale.advance(msgspec.structs.replace(stale.state, units=stale.state.units))

    table.before = interfere
    state = rig.export()

    assert state.done
    assert expected(12) == exported_of(state, rig.store)
    assert sorted(part.key for part in state.parts) == data_keys(rig.store)
    assert "a superseded attempt wrote its checkpoint" in rig.said[-1]


def test_an_attempt_that_lost_its_lease_stops_at_its_next_checkpoint_and_removes_its_part() -> None:
    table = ListedTable(*pages_of(12, 3))
    rig = Rig(table)
    rig.lease.acquire(rig.stop, rig.said.append)
    other = Rig(table, rig.store, "two")

    def take_over(page: int) -> None:
        if page == 2 and len(table.read) == 2:
            other.lease.acquire(other.stop, other.said.append)
            other.checkpoint.claim(0)

    table.before = take_over
    with pytest.raises(StaleAttempt):
        rig.export()

    assert 2 == len(data_keys(rig.store))
    assert expected(12) == exported_of(other.export(), rig.store)


def test_a_segment_that_is_done_is_not_read_again() -> None:
    table = ListedTable(*pages_of(3, 3))
    Rig(table, store := MemoryStore()).export()
    before = dict(store.objects)

    Rig(table, store, "two").export()

    assert [0] == table.read
    assert before == store.objects


def test_times_of_the_first_and_last_page_span_all_attempts() -> None:
    table = ListedTable(*pages_of(6, 3))
    rig = Rig(table)
    began = rig.clock.now()
    table.before = lambda page: rig.stop.set() if page == 0 else None
    with pytest.raises(Stopped):
        rig.export()
    later = Rig(table, rig.store, "two")
    later.clock.advance(500.0)
    table.before = lambda _page: None
    state = later.export()

    assert (began, later.clock.now()) == (state.first_page_at, state.last_page_at)


def test_totals_count_items_bytes_parts_and_the_segment() -> None:
    rig = Rig(ListedTable(*pages_of(12, 3)))
    state = rig.export()

    assert (12, 40, 4, 1) == (
        rig.totals.items,
        rig.totals.scanned,
        rig.totals.parts,
        rig.totals.segments_done,
    )
    assert sum(part.bytes for part in state.parts) == rig.totals.bytes
    assert sum(part.stored_bytes for part in state.parts) == rig.totals.stored_bytes


def test_a_memory_table_comes_out_whole() -> None:
    rig = Rig(SmallPages(MemoryTable(items(31)), most=4), part_bytes=300)

    assert expected(31) == exported_of(rig.export(), rig.store)


class Flaky(MemoryStore):
    """Fails the calls it is told to, before or after their effect."""

    def __init__(self) -> None:
        super().__init__()
        self.fail: Callable[[str, str, bool], bool] = lambda _call, _key, _after: False

    def trouble(self, call: str, key: str, *, after: bool) -> None:
        if self.fail(call, key, after):
            raise ServiceTrouble(f"{call}: reply lost" if after else f"{call}: 503")

    def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
        self.trouble("put", key, after=False)
        version = super().put(key, body, expect=expect)
        self.trouble("put", key, after=True)
        return version

    def create(self, key: str) -> MemoryWriter:
        return FlakyWriter(self, key, super().create(key))


class FlakyWriter(MemoryWriter):
    """Keeps what it was given when a call fails, as the port asks."""

    def __init__(self, store: Flaky, key: str, inner: MemoryWriter) -> None:
        super().__init__(store, key)
        self._flaky = store
        self._inner = inner

    def write(self, data: bytes) -> None:
        self._inner.write(data)
        self._flaky.trouble("write", self.key, after=False)

    def close(self) -> str:
        self._flaky.trouble("close", self.key, after=False)
        return self._inner.close()

    def abort(self) -> None:
        self._flaky.trouble("abort", self.key, after=False)
        self._inner.abort()


def flaky_rig(table: TableReader, **settings: Any) -> tuple[Rig, Flaky]:
    """A rig whose store fails now and then behind RetryingStore, and is stopped in the first pause."""
    flaky, clock, stop = Flaky(), ManualClock(), threading.Event()
    clock.on_wait = lambda _seconds: stop.set()
    store = RetryingStore(flaky, clock, stop, lambda _line: None)
    return Rig(table, store, clock=clock, stop=stop, **settings), flaky


def once(call: str, key: str, number: int, *, after: bool = False) -> Callable[[str, str, bool], bool]:
    """Fail the n-th such call on such a key; a write twice, as its first new try comes without a pause."""
    count = 0

    def fail(this: str, where: str, is_after: bool) -> bool:
        nonlocal count
        if (this, is_after) == (call, after) and key in where:
            count += 1
            return number <= count <= number + (call == "write")
        return False

    return fail


STOPPED_WHILE: dict[str, tuple[str, str, int, bool]] = {
    # A stop is kept only between two pages. One that comes out of RetryingStore in the middle of a page (a
    # store that fails, then a stop during the pause) finds part and state apart:
    "the first page is half written": ("write", "/data/", 1, False),  # the part holds what its count does not
    "a page is half written": ("write", "/data/", 2, False),
    "a part is being closed": ("close", "/data/", 1, False),  # closed twice: the compressor fails
    "the last part is being closed": ("close", "/data/", 4, False),  # its segment starts from the beginning
    "a checkpoint is written": ("put", "_checkpoint/0", 3, False),
    "the last checkpoint is written": ("put", "_checkpoint/0", 5, False),
    # the checkpoint was written and names the part, which is then deleted as a superseded attempt's
    "a checkpoint's reply was lost": ("put", "_checkpoint/0", 3, True),
    "the last checkpoint's reply was lost": ("put", "_checkpoint/0", 5, True),
}


@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("when", STOPPED_WHILE)
def test_e1_e4_a_stop_while_the_store_is_in_trouble_loses_and_doubles_nothing(
    when: str, compression: str
) -> None:
    call, key, number, after = STOPPED_WHILE[when]
    table = ListedTable(*pages_of(12, 3))
    rig, flaky = flaky_rig(table, compression=compression)
    flaky.fail = once(call, key, number, after=after)
    with pytest.raises(Stopped):
        rig.export()
    assert {part.key for part in rig.state.parts} <= set(flaky.objects)

    flaky.fail = lambda _call, _key, _after: False
    state = Rig(table, flaky, "two", compression=compression).export()

    assert expected(12) == exported_of(state, flaky)
    assert 12 == sum(part.item_count for part in state.parts)


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_e1_a_stop_while_an_empty_last_page_is_checkpointed_does_not_start_the_segment_anew(
    compression: str,
) -> None:
    """A key of null and done=False would make the next attempt read the segment from its beginning."""
    table = ListedTable(*pages_of(6, 3), [])
    rig, flaky = flaky_rig(table, compression=compression)
    flaky.fail = once("put", "_checkpoint/0", 4)
    with pytest.raises(Stopped):
        rig.export()

    flaky.fail = lambda _call, _key, _after: False
    state = Rig(table, flaky, "two", compression=compression).export()

    assert expected(6) == exported_of(state, flaky)


def test_e4_e5_a_part_is_kept_when_its_checkpoint_was_written_and_the_reply_lost() -> None:
    """Another attempt claims the segment before the second try, which then finds a conflict."""
    table = ListedTable(*pages_of(12, 3))
    flaky = Flaky()
    rig = Rig(table, flaky)
    rig.lease.acquire(rig.stop, rig.said.append)
    wrapped = RetryingStore(flaky, rig.clock, rig.stop, rig.said.append)
    stale = Rig(table, wrapped, "stale")
    stale.lease.acquire(stale.stop, stale.said.append)
    flaky.fail = once("put", "_checkpoint/0", 2, after=True)

    def claim_meanwhile(_seconds: float) -> None:
        if not any("meanwhile" in line for line in rig.said):
            rig.said.append("meanwhile")
            checkpoint_of(flaky, "successor").claim(0)

    rig.clock.on_wait = claim_meanwhile
    stale.exporter.export(0)
    state = stale.state

    assert {part.key for part in state.parts} <= set(flaky.objects)
    assert expected(12) == exported_of(state, flaky)


def test_a_part_that_cannot_be_dropped_does_not_hide_why_the_segment_failed() -> None:
    table = ListedTable(*pages_of(12, 3))
    flaky = Flaky()
    rig = Rig(table, flaky, part_bytes=1_000_000)

    def before(page: int) -> None:
        if page == 1:
            flaky.fail = lambda call, _key, _after: call == "abort"
            raise AccessDenied("dynamodb:Scan", "orders")

    table.before = before

    with pytest.raises(AccessDenied):
        rig.export()
