from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore, MemoryTable, MemoryWriter
from airflow_dynamo_pipeline.engine import requests
from airflow_dynamo_pipeline.engine.manifest import read_summary
from airflow_dynamo_pipeline.engine.ports import Absent, ScanCall, TableDescription, Throughput
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.verify import layout_of, verify_files
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    LeaseHeld,
    PipelineError,
    PreflightFailed,
    ServiceTrouble,
    Stopped,
    TableChanged,
    UnexpectedReply,
)
from tests.clock import ManualClock
from tests.unit.engine.world import (
    NO_WAITING,
    HookedTable,
    SmallPages,
    World,
    data_keys,
    exported,
    items,
    listed_keys,
    manifests,
    request,
    work,
)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MIN_PART_BYTES", 1)


def asked(**changes: Any) -> ExportRequest:
    return request(**{"units_per_second": NO_WAITING, "segments": 2, "part_bytes": 150, **changes})


def keys(count: int) -> Counter[str]:
    return Counter(item["pk"]["S"] for item in items(count))


@pytest.mark.parametrize("segments", [1, 2, 7])
@pytest.mark.parametrize("file_format", ["dynamodb_json", "data_pipeline", "plain_json"])
def test_a_table_is_exported_whole(segments: int, file_format: str) -> None:
    world = World(table=SmallPages(MemoryTable(items(30))))
    result = world.export(asked(segments=segments, file_format=file_format))

    found = verify_files(result.manifest_uri, world.store)
    assert (30, result.parts) == (found.item_count, found.files)
    assert ("new", 30, segments) == (result.start, result.item_count, result.segments)


def test_the_result_is_json_and_agrees_with_the_manifest() -> None:
    world = World(table=SmallPages(MemoryTable(items(30))))
    result = world.export(asked())
    summary = read_summary(world.store, layout_of(result.manifest_uri))

    assert summary is not None
    assert json.loads(json.dumps(result.to_json()))["item_count"] == 30 == summary.item_count
    assert (result.parts, result.bytes, result.consumed_units) == (
        summary.ours.parts,
        summary.ours.bytes,
        summary.ours.consumed_units,
    )
    assert 15 <= len(data_keys(world.store)) + result.segments


def test_an_empty_table_makes_an_export_without_parts() -> None:
    world = World(table=MemoryTable([]))
    result = world.export(asked())

    assert (0, 0) == (result.item_count, result.parts)
    assert 0 == verify_files(result.manifest_uri, world.store).item_count


def test_e5_after_the_commit_only_the_export_is_left() -> None:
    world = World(table=SmallPages(MemoryTable(items(30))))
    result = world.export(asked())
    place = layout_of(result.manifest_uri)

    known = {
        place.started_key,
        place.files_key,
        place.files_checksum_key,
        place.summary_key,
        place.summary_checksum_key,
    }
    assert known == set(world.store.keys("")) - set(data_keys(world.store))
    assert sorted(listed_keys(world.store, place)) == data_keys(world.store)


def test_the_checkpoint_is_kept_when_asked_and_its_lease_released() -> None:
    world = World()
    result = world.export(asked(keep_checkpoint=True))
    place = layout_of(result.manifest_uri)
    lease = world.store.get(place.lease_key)

    assert lease is not None
    assert json.loads(lease.body)["released"]
    assert world.store.get(place.plan_key) is not None
    assert world.store.get(place.segment_key(1)) is not None


def test_a_data_pipeline_export_has_the_manifest_an_emr_import_looks_for() -> None:
    world = World(table=SmallPages(MemoryTable(items(30))))
    place = layout_of(world.export(asked(file_format="data_pipeline")).manifest_uri)
    stored = world.store.get(place.data_pipeline_manifest_key)

    assert stored is not None
    assert [f"s3://backups/{key}" for key in listed_keys(world.store, place)] == [
        entry["url"] for entry in json.loads(stored.body)["entries"]
    ]


def test_a_lossy_format_warns_of_what_is_lost() -> None:
    world = World()
    world.export(asked(file_format="plain_json"))

    assert "file_format plain_json is lossy: sets become arrays" in world.warned[0]


def test_the_summary_tells_rates_window_format_and_generation() -> None:
    world = World(table=SmallPages(MemoryTable(items(30), throughput=Throughput(provisioned=40.0))))
    result = world.export(asked(units_per_second=None, s3_sse_kms_key_id="alias/k"), work(generation="7"))
    summary = read_summary(world.store, layout_of(result.manifest_uri))
    assert summary is not None
    ours = summary.ours

    assert (10.0, "7", "gzip", 2) == (
        ours.units_per_second_asked,
        ours.generation,
        ours.compression,
        ours.segments,
    )
    assert pytest.approx(10.0, rel=0.2) == ours.units_per_second_held
    assert ours.first_page_at is not None
    assert ours.last_page_at is not None
    assert summary.start_time <= ours.first_page_at < ours.last_page_at <= summary.end_time
    assert pytest.approx((ours.last_page_at - ours.first_page_at).total_seconds()) == result.seconds
    assert ("KMS", "alias/k") == (summary.s3_sse_algorithm, summary.s3_sse_kms_key_id)


def test_e5_a_stop_leaves_a_checkpoint_that_the_retry_resumes_at_once() -> None:
    table = HookedTable(MemoryTable(items(30)))
    world = World(table=table)
    table.before = lambda call: world.stop.set() if call.start_key and call.segment == 1 else None
    with pytest.raises(Stopped):
        world.export(asked(part_bytes=10_000))
    first = len(table.inner.scans) if isinstance(table.inner, MemoryTable) else 0
    assert [] == manifests(world.store)

    later = World(table=table, store=world.store)
    table.before = lambda _call: None
    began = later.clock.monotonic()
    result = later.export(asked())

    assert "resume" == result.start
    assert keys(30) == exported(world.store, layout_of(result.manifest_uri))
    assert isinstance(table.inner, MemoryTable)
    starts = [(call.segment, call.start_key) for call in table.inner.scans]
    assert len(starts) == len(set(starts)) > first  # no page was read twice
    assert later.clock.monotonic() - began < 20.0  # and the lease, released, was not watched


@pytest.mark.parametrize("error", [AccessDenied("dynamodb:Scan", "orders"), KeyboardInterrupt()])
def test_an_error_of_one_segment_ends_all_and_a_retry_resumes(error: BaseException) -> None:
    table = HookedTable(MemoryTable(items(30)))
    world = World(table=table)

    def fail(call: ScanCall) -> None:
        if call.segment == 1 and call.start_key:
            raise error

    table.before = fail
    with pytest.raises(type(error)):
        world.export(asked())
    assert [] == manifests(world.store)

    table.before = lambda _call: None
    result = World(table=table, store=world.store).export(asked())
    assert keys(30) == exported(world.store, layout_of(result.manifest_uri))


def test_a_retry_after_the_commit_adopts_and_reads_nothing() -> None:
    world = World()
    first = world.export(asked())
    table = MemoryTable(items(10))
    again = World(table=table, store=world.store).export(asked())

    assert "adopt" == again.start
    assert replace(again, start="new") == first
    assert [] == table.scans


def test_a_clear_of_a_complete_export_makes_a_second_one() -> None:
    world = World()
    first = world.export(asked(), work(generation="0"))
    before = {key: stored for key, stored in _objects(world).items() if first.export_id in key}
    second = World(store=world.store).export(asked(), work(generation="1"))

    assert ("new", 2) == (second.start, len(manifests(world.store)))
    assert before == {key: stored for key, stored in _objects(world).items() if first.export_id in key}


def _objects(world: World) -> dict[str, Any]:
    assert isinstance(world.store, MemoryStore)
    return dict(world.store.objects)


def test_a_resumed_export_keeps_going_with_the_segments_it_was_begun_with() -> None:
    world = World()
    world.stop_at_the_first_page()
    with pytest.raises(Stopped):
        world.export(asked(segments=5))
    result = World(store=world.store).export(asked(segments=2))

    assert ("resume", 5) == (result.start, result.segments)


def test_a_second_live_run_is_refused_while_the_first_goes_on() -> None:
    table = HookedTable(MemoryTable(items(30)))
    world = World(table=table)
    refused: list[PipelineError] = []

    def run_another(call: ScanCall) -> None:
        if not refused and call.start_key:
            refused.append(LeaseHeld("placeholder"))
            refused[0] = _another_run(world)

    table.before = run_another
    result = world.export(asked())

    assert [LeaseHeld] == [type(error) for error in refused]
    assert keys(30) == exported(world.store, layout_of(result.manifest_uri))


def _another_run(world: World) -> PipelineError:
    """A second run that watches the lease until the first one's beat has changed it, or in vain."""
    (lease_key,) = [key for key in world.store.keys("") if key.endswith("lease.json")]
    never = threading.Event()

    def watch(_seconds: float) -> None:
        before = world.store.get(lease_key)
        for _ in range(5_000):
            if world.store.get(lease_key) != before:
                return
            never.wait(0.001)

    rival = World(store=world.store, clock=ManualClock(on_wait=watch))
    with pytest.raises(LeaseHeld) as caught:
        rival.export(asked())
    return caught.value


def test_two_runs_that_begin_in_the_same_moment_do_not_both_begin() -> None:
    class Racing(MemoryStore):
        def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
            if key.endswith("plan.json"):
                super().put(key, b'{"version":1}')
            return super().put(key, body, expect=expect)

    with pytest.raises(LeaseHeld, match="began this export a moment ago"):
        World(store=Racing()).export(asked())


def test_a_table_made_anew_during_the_export_is_not_committed() -> None:
    inner = MemoryTable(items(30))
    table = HookedTable(inner)

    def replace_table(_call: ScanCall) -> None:
        inner._described["table_id"] = "another"

    table.before = replace_table
    world = World(table=table)
    with pytest.raises(TableChanged, match="nothing was committed"):
        world.export(asked())
    assert [] == manifests(world.store)


def test_told_to_stop_before_it_begins_it_leaves_nothing_and_the_next_is_new() -> None:
    world = World()
    world.stop.set()

    with pytest.raises(Stopped, match="before the export began") as caught:
        world.export(asked())

    assert "nothing was written" in str(caught.value)
    assert {} == _objects(world)
    world.stop.clear()
    assert "new" == world.export(asked()).start


def test_told_to_stop_before_it_goes_on_it_does_not_say_that_it_is_new() -> None:
    world = World(table=SmallPages(MemoryTable(items(30))))
    world.stop_at_the_first_page()
    with pytest.raises(Stopped):
        world.export(asked())
    left = _objects(world)

    with pytest.raises(Stopped, match=r"before the export went on$"):
        world.export(asked())

    assert left == _objects(world)


def test_a_refused_plan_writes_nothing() -> None:
    world = World(table=MemoryTable([], status="DELETING"))
    with pytest.raises(PreflightFailed):
        world.export(asked())

    assert {} == _objects(world)


def test_trouble_with_releasing_the_lease_does_not_hide_why_the_run_ended() -> None:
    class Failing(MemoryStore):
        def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
            if b'"released":true' in body:
                raise ServiceTrouble("503")
            return super().put(key, body, expect=expect)

    table = HookedTable(MemoryTable(items(30)))

    def fail(_call: ScanCall) -> None:
        raise AccessDenied("dynamodb:Scan", "orders")

    table.before = fail
    world = World(table=table, store=Failing())
    with pytest.raises(AccessDenied):
        world.export(asked())
    assert "could not release the lease: 503" in world.warned[-1]


def test_progress_is_reported_while_the_table_is_read_and_at_the_end() -> None:
    world = World(table=SmallPages(MemoryTable(items(60))))
    world.export(asked(units_per_second=1.0), report_seconds=5.0)

    assert len(world.reports) >= 3
    shares = [report.share_done for report in world.reports]
    assert sorted(shares) == shares
    last = world.reports[-1]
    assert (1.0, 60, 2, 0.0) == (last.share_done, last.items, last.segments_done, last.eta_seconds)


def test_e8_a_resumed_export_waits_for_a_page_before_its_first() -> None:
    table = HookedTable(MemoryTable(items(30)))
    world = World(table=table)
    table.before = lambda _call: world.stop.set()
    with pytest.raises(Stopped):
        world.export(asked(segments=1, units_per_second=1.0))
    later = World(table=table, store=world.store)
    began: list[float] = []
    table.before = lambda _call: began.append(later.clock.monotonic())
    start = later.clock.monotonic()
    later.export(asked(segments=1, units_per_second=1.0))

    assert began[0] - start > 100.0  # a page of these items could cost 128.5 units


def test_a_table_description_tells_a_table_from_one_made_anew() -> None:
    def identity(**changes: Any) -> str:
        described: TableDescription = MemoryTable([], **changes).describe()
        return described.identity

    assert identity() == identity(size_bytes=9)
    assert 3 == len({identity(), identity(table_id="other"), identity(created_at="later")})


class Overtaken(MemoryStore):
    """While the first attempt writes this key, another commits the export, and the write fails."""

    def __init__(self, ending: str, overtake: Callable[[MemoryStore], None]) -> None:
        super().__init__()
        self._ending = ending
        self._overtake: Callable[[MemoryStore], None] | None = overtake

    def create(self, key: str) -> MemoryWriter:
        overtake = self._overtake
        if self._ending not in key or overtake is None:
            return super().create(key)
        self._overtake = None
        overtake(self)
        raise UnexpectedReply("NoSuchUpload")


def test_an_attempt_whose_upload_its_successor_aborted_adopts_what_that_one_committed() -> None:
    store = Overtaken("/data/", lambda inner: _finish(inner, "0"))

    assert "adopt" == World(store=store).export(asked()).start
    assert 1 == len(manifests(store))


def test_an_attempt_overtaken_by_another_generation_may_try_again_for_an_export_of_its_own() -> None:
    store = Overtaken("/data/", lambda inner: _finish(inner, "1"))

    with pytest.raises(LeaseHeld):
        World(store=store).export(asked(), work(generation="0"))
    again = World(store=store).export(asked(), work(generation="0"))

    assert "new" == again.start
    assert 2 == len(manifests(store))
    assert not [key for key in store.objects if "_checkpoint" in key]


def _finish(store: MemoryStore, generation: str) -> None:
    World(store=store).export(asked(), work(generation=generation))
