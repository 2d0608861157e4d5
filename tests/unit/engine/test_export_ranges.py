from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryStore, MemoryTable
from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.export_ranges import (
    RangeResult,
    commit_export,
    export_range,
    plan_export,
)
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.lease import SILENCE_SECONDS
from airflow_dynamo_pipeline.engine.ports import Absent, StoredObject, Throughput
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.engine.records import LeaseRecord, SegmentState, StoredPlan
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import InvalidRequest, LeaseHeld, PreflightFailed, Stopped
from tests.clock import EPOCH
from tests.unit.engine.world import NO_WAITING, World, data_keys, items, layout, manifests, request, work

MEGABYTE = 1024 * 1024


class Counted(MemoryStore):
    """Counts calls; a listing counts for each thousand keys it returns."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.looked_at: list[str] = []

    def get(self, key: str) -> StoredObject | None:
        self.calls["get"] += 1
        self.looked_at.append(key)
        return super().get(key)

    def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
        self.calls["put"] += 1
        return super().put(key, body, expect=expect)

    def keys(self, prefix: str) -> Iterator[str]:
        found = list(super().keys(prefix))
        self.calls["list"] += len(found) // 1000 + 1
        return iter(found)

    def delete(self, keys: Iterable[str]) -> None:
        found = list(keys)
        self.calls["delete"] += len(found) // 1000 + bool(found)
        super().delete(found)


class Shared(World):
    """A world in which an export is shared out."""

    def asked(self, **changes: Any) -> ExportRequest:
        return request(**{"units_per_second": NO_WAITING, "segments": None, **changes})

    def plan(
        self, ranges: int, at_once: int | None = None, generation: str = "0", **changes: Any
    ) -> tuple[RangeWork, ...]:
        job = work(generation=generation)
        return plan_export(self.asked(**changes), job, self.ports, ranges=ranges, at_once=at_once)

    def range(self, part: RangeWork, **changes: Any) -> RangeResult:
        return export_range(self.asked(**changes), self.ports, Reports(self.reports.append), part)

    def commit(self, part: RangeWork, **changes: Any) -> Any:
        return commit_export(self.asked(**changes), self.ports, part)

    def stored(self) -> StoredPlan:
        (key,) = [key for key in self.store.keys("") if key.endswith("/plan.json")]
        found = self.store.get(key)
        assert found is not None
        return records.decode(found.body, StoredPlan, key)

    def set_plan(self, **changes: Any) -> None:
        (key,) = [key for key in self.store.keys("") if key.endswith("/plan.json")]
        self.store.put(key, records.encode(msgspec.structs.replace(self.stored(), **changes)))


def a_table(
    *, count: int = 10, gigabytes: float = 0.0, read: float = 1000.0, **described: Any
) -> MemoryTable:
    size = int(gigabytes * 1024 * MEGABYTE)
    known = {"size_bytes": size, "item_count": size // 1000} if size else {}
    return MemoryTable(items(count), **{"throughput": Throughput(provisioned=read), **known, **described})


def wheres(error: PreflightFailed | InvalidRequest) -> list[str]:
    return [problem.where for problem in error.problems]


# --- the plan -----------------------------------------------------------------------------------


def test_a_plan_divides_the_rate_and_gives_every_worker_segments_to_be_busy_with() -> None:
    world = Shared(table=a_table(gigabytes=100.0, read=16_000.0))
    parts = world.plan(8, 4, units_per_second=None, ratio=0.5)

    assert list(range(8)) == [part.number for part in parts]
    assert {(8, 4, "dag|task|-1|run", "0", False)} == {
        (part.ranges, part.at_once, part.run, part.generation, part.finished) for part in parts
    }
    assert 8 * 8 == world.stored().segments
    assert (8, 4, parts[0].slack) == (world.stored().ranges, world.stored().at_once, world.stored().slack)
    assert 0.0 < parts[0].slack <= 0.05
    assert not data_keys(world.store)


def test_a_segment_has_a_page_at_least() -> None:
    world = Shared(table=a_table(gigabytes=0.1))  # 103 pages

    world.plan(16)

    assert 16 * 7 == world.stored().segments


def test_every_problem_with_what_was_asked_is_found_before_anything_is_looked_at() -> None:
    world = Shared()

    with pytest.raises(InvalidRequest) as caught:
        world.plan(1025, 1026, method="auto")

    assert ["ranges", "at_once", "method"] == wheres(caught.value)
    assert not isinstance(world.store, MemoryStore) or {} == world.store.objects


def test_too_many_workers_and_too_few_segments_are_refused_together_and_nothing_is_written() -> None:
    world = Shared(store=(store := MemoryStore()))

    with pytest.raises(PreflightFailed) as caught:
        world.plan(8, units_per_second=7.0, segments=4)

    assert ["at_once", "segments"] == wheres(caught.value)
    assert "at most 7" == caught.value.problems[0].hint
    assert {} == store.objects


def test_an_export_that_one_worker_began_is_not_shared_out_nor_the_other_way_round() -> None:
    """Neither would see the other's lease, and each would hold the whole rate."""
    world = Shared()
    world.stop_at_the_first_page()
    with pytest.raises(Stopped):
        world.export(world.asked(segments=1))
    world.stop.clear()
    with pytest.raises(PreflightFailed, match="was begun by one worker"):
        world.plan(2)

    other = Shared()
    other.plan(2)
    with pytest.raises(PreflightFailed, match="is shared out to several workers"):
        other.export(other.asked())


def test_a_plan_says_the_segments_that_are_stored_and_who_reads_them() -> None:
    world = Shared(table=a_table(gigabytes=0.1))
    for _ in range(2):
        world.said.clear()

        world.plan(16, 4)

        (line,) = [line for line in world.said if "orders, about" in line]
        assert f"{world.stored().segments} segments in 16 ranges, 4 at once; " in line


def test_a_plan_warns_of_a_lossy_format_once_and_its_ranges_do_not() -> None:
    world = Shared()

    parts = world.plan(2, file_format="plain_json")
    for part in parts:
        world.range(part, file_format="plain_json")
    world.commit(parts[0], file_format="plain_json")

    (warning,) = world.warned
    assert warning.startswith("file_format plain_json is lossy: ")


@pytest.mark.parametrize(("at_once", "said"), [(2, 1), (4, 0)])
def test_only_a_rate_that_all_workers_together_hardly_reach_is_said_and_only_by_the_plan(
    at_once: int, said: int
) -> None:
    world = Shared()
    parts = world.plan(4, at_once, units_per_second=20_000)
    for part in parts:
        world.range(part, units_per_second=20_000)
    world.commit(parts[0], units_per_second=20_000)

    found = [line for line in world.said if "may not be reached" in line]
    what = "20,000 units per second may not be reached: 2 tasks read 8 segments each at a time"
    assert [what] * said == found


def test_a_rate_that_became_too_low_for_all_workers_is_warned_of_and_the_export_goes_on() -> None:
    world = Shared(table=a_table(read=400.0))
    parts = world.plan(8, units_per_second=None, ratio=0.5)
    assert [] == world.warned
    world.table = a_table(read=8.0)

    assert parts == world.plan(8, units_per_second=None, ratio=0.5)

    (warning,) = world.warned
    assert "8 workers, each a page of 1.0 units or more ahead, cannot share 4.0 units per second" in warning
    assert warning.endswith("; together they may be further ahead of the rate than a page")


def test_a_plan_is_not_made_when_told_to_stop() -> None:
    world = Shared(store=(store := MemoryStore()))
    world.stop.set()

    with pytest.raises(Stopped):
        world.plan(2)

    assert {} == store.objects


def test_records_of_an_older_package_say_that_there_is_one_worker() -> None:
    old = {
        "version": 1,
        "fingerprint": "f",
        "generation": "0",
        "segments": 3,
        "tableIdentity": "t",
        "startedAt": "2026-01-02T03:04:05Z",
    }
    found = records.decode(json.dumps(old).encode(), StoredPlan, "plan.json")

    assert (1, 1, 0.0, 0.0) == (found.ranges, found.at_once, found.slack, found.units_per_second)


@pytest.mark.parametrize("at_once", [2, 3])
def test_an_export_is_as_fresh_as_the_last_sign_of_life_of_any_worker(at_once: int) -> None:
    world = Shared()
    parts = world.plan(3, at_once)
    day = timedelta(days=1)
    world.set_plan(started_at=EPOCH - 3 * day)
    place = layout(parts[0].id)
    alive = place.place_key(1) if at_once < 3 else place.range_key(1)
    body = records.encode(LeaseRecord(attempt="x", beats=1, beat_at=EPOCH - day / 2, released=True))
    world.store.put(alive, body)

    assert parts == world.plan(3, at_once)

    world.store.put(alive, body.replace(b"2026-01-01", b"2025-12-30"))
    again = world.plan(3, at_once)
    assert parts[0].id != again[0].id
    assert any("longer ago than resume_within_seconds" in line for line in world.said)


# --- ranges that are not of this export ---------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{"ranges": 4}, {"at_once": 3}, {"slack": 0.01}, {"number": 3}, {"number": -1}], ids=str
)
def test_a_range_that_was_not_planned_is_refused(changes: dict[str, Any]) -> None:
    world = Shared()
    part = dataclasses.replace(world.plan(3, 2)[0], **changes)

    for step in (world.range, world.commit):
        with pytest.raises(PreflightFailed, match="was planned with 3 ranges, 2 at once") as caught:
            step(part)
        assert ["work"] == wheres(caught.value)


def test_a_range_of_an_export_that_is_gone_is_refused() -> None:
    world = Shared()
    part = world.plan(2)[0]
    world.store.delete(list(world.store.keys("")))

    for step in (world.range, world.commit):
        with pytest.raises(PreflightFailed, match="there is no export"):
            step(part)


def test_a_range_with_other_settings_than_the_plan_is_refused() -> None:
    world = Shared()
    part = world.plan(2)[0]

    with pytest.raises(PreflightFailed, match="planned with other settings"):
        world.range(part, file_format="plain_json")


def test_pages_of_a_table_made_anew_since_the_plan_are_not_mixed_with_others() -> None:
    world = Shared(table=a_table())
    parts = world.plan(2)
    world.range(parts[0])
    world.table = a_table(table_id="another")

    for step in (world.range, world.commit):
        with pytest.raises(PreflightFailed, match="was deleted and made anew since") as caught:
            step(parts[1])
        assert ["table_name"] == wheres(caught.value)


# --- a range ------------------------------------------------------------------------------------


def test_a_range_holds_its_share_and_says_so() -> None:
    world = Shared(table=a_table(read=400.0))
    parts = world.plan(4, 2, units_per_second=None, ratio=0.5)

    result = world.range(parts[3], units_per_second=None, ratio=0.5)

    assert 100.0 == result.units_per_second_asked
    assert any("range 3 of 4 of orders" in line and "at 100.0 read units" in line for line in world.said)
    assert ("new", 3, 4) == (result.start, result.number, result.ranges)
    assert result == RangeResult(**json.loads(json.dumps(result.to_json())))


def test_a_share_may_be_less_than_a_unit_per_second() -> None:
    """The table lost capacity since the plan: all together must not be faster for that."""
    world = Shared(table=a_table(read=400.0))
    parts = world.plan(4, units_per_second=None, ratio=0.5)
    world.table = a_table(read=4.0)

    assert 0.5 == world.range(parts[0], units_per_second=None, ratio=0.5).units_per_second_asked


@pytest.mark.parametrize("consumed", [0.0, 500.0])
def test_what_others_use_of_an_on_demand_table_is_taken_from_all_workers_together(consumed: float) -> None:
    table = a_table(on_demand=True, throughput=Throughput(on_demand_max=800.0))
    world = Shared(table=table, capacity=FixedCapacity(consumed=consumed))
    parts = world.plan(4, units_per_second=None, ratio=0.5)

    result = world.range(parts[0], units_per_second=None, ratio=0.5)

    assert min(400.0, 800.0 - consumed) / 4 == result.units_per_second_asked


def test_a_range_is_not_begun_when_told_to_stop() -> None:
    world = Shared(store=(store := Counted()))
    parts = world.plan(2)
    world.stop.set()

    with pytest.raises(Stopped):
        world.range(parts[0])
    with pytest.raises(Stopped):
        world.commit(parts[0])

    assert {"_started", "plan.json"} == {key.rpartition("/")[2] for key in store.keys("")}


def test_a_place_is_taken_only_where_there_are_fewer_than_ranges() -> None:
    for at_once, places in ((2, 0), (1, 1)):
        world = Shared(store=MemoryStore())
        world.range(world.plan(2, at_once)[1])
        assert places == sum("/places/" in key for key in world.store.keys(""))


# --- the commit ---------------------------------------------------------------------------------


def test_a_commit_names_every_range_that_is_not_at_its_end_and_writes_nothing() -> None:
    world = Shared()
    parts = world.plan(5, segments=15)
    for number in (0, 3):
        world.range(parts[number], segments=15)
    before = data_keys(world.store)

    with pytest.raises(PreflightFailed) as caught:
        world.commit(parts[0], segments=15)

    assert ["range 1", "range 2", "range 4"] == wheres(caught.value)
    assert "3 of its 3 segments are not at their end" == caught.value.problems[0].message
    assert "the export was not committed: 3 problems" == str(caught.value).splitlines()[0]
    assert (before, []) == (data_keys(world.store), manifests(world.store))


def test_a_manifest_has_the_rate_that_was_planned_whatever_the_table_allows_at_the_end() -> None:
    table = a_table(on_demand=True, throughput=Throughput(on_demand_max=800.0))
    world = Shared(table=table, capacity=FixedCapacity(consumed=500.0))
    parts = world.plan(2, units_per_second=None, ratio=0.5)
    for part in parts:
        world.range(part, units_per_second=None, ratio=0.5)
    world.capacity = FixedCapacity(consumed=780.0)

    result = world.commit(parts[0], units_per_second=None, ratio=0.5)

    assert 300.0 == result.units_per_second_asked == result.plan["units_per_second"]


def rate_in_the_manifest(table: MemoryTable, planned: dict[str, Any], again: dict[str, Any]) -> float:
    """Of an export whose group was cleared and given another rate before a range was read."""
    world = Shared(table=table)
    world.plan(2, **{"units_per_second": None, **planned})
    now = {"units_per_second": None, **again}
    parts = world.plan(2, generation="1", **now)
    for part in parts:
        world.range(part, **now)
    found: float = world.commit(parts[0], **now).units_per_second_asked
    return found


@pytest.mark.parametrize(
    ("planned", "again", "asked"),
    [
        ({"units_per_second": 10.0}, {"units_per_second": 100.0}, 100.0),
        ({"units_per_second": 100.0}, {"units_per_second": 10.0}, 10.0),
        ({"units_per_second": 10.0}, {"ratio": 0.5}, 400.0),
        ({"ratio": 0.25}, {"ratio": 0.5}, 400.0),
        ({"ratio": 0.5}, {"ratio": 0.25}, 200.0),
    ],
    ids=str,
)
@pytest.mark.parametrize("on_demand", [False, True])
def test_a_manifest_has_the_rate_that_was_asked_after_clear(
    on_demand: bool, planned: dict[str, Any], again: dict[str, Any], asked: float
) -> None:
    throughput = Throughput(on_demand_max=800.0) if on_demand else Throughput(provisioned=800.0)

    assert asked == rate_in_the_manifest(a_table(on_demand=on_demand, throughput=throughput), planned, again)


def test_a_manifest_has_what_a_provisioned_table_allowed_at_the_end() -> None:
    world = Shared(table=a_table(read=400.0))
    asked: dict[str, Any] = {"units_per_second": None, "ratio": 0.5}
    parts = world.plan(2, **asked)
    world.table = a_table(read=1000.0)
    for part in parts:
        world.range(part, **asked)

    assert 500.0 == world.commit(parts[0], **asked).units_per_second_asked


@pytest.mark.parametrize(
    "changes",
    [
        {"table_name": "customers"},
        {"index_name": "by_date"},
        {"file_format": "plain_json"},
        {"compression": "none"},
        {"s3_sse_kms_key_id": "alias/backups"},
    ],
    ids=str,
)
def test_a_committed_export_of_something_else_is_not_adopted(changes: dict[str, Any]) -> None:
    world = Shared()
    parts = world.plan(2)
    for part in parts:
        world.range(part)
    world.commit(parts[0])
    (where,) = changes

    for step in (world.range, world.commit):
        with pytest.raises(PreflightFailed, match="was committed with") as caught:
            step(parts[0], **changes)
        assert [where] == wheres(caught.value)
    by_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
    assert "adopt" == world.commit(parts[0], table_name=by_arn).start == world.commit(parts[0]).start


EXPRESSIONS = "filter_expression, projection_expression"


@pytest.mark.parametrize(
    ("committed", "asked", "where", "words"),
    [
        ({}, {"filter_expression": "pk > body"}, EXPRESSIONS, "without one"),
        ({"projection_expression": "pk"}, {}, EXPRESSIONS, "with one"),
        ({"filter_expression": "pk > body"}, {"filter_expression": "pk < body"}, EXPRESSIONS, "with another"),
        (
            {"filter_expression": "pk > :k", "expression_attribute_values": {":k": {"S": "1"}}},
            {"filter_expression": "pk > :k", "expression_attribute_values": {":k": {"S": "2"}}},
            EXPRESSIONS,
            "with another filter or projection",
        ),
        ({}, {"consistent_read": True}, "consistent_read", "with False, not True"),
        ({"consistent_read": True}, {}, "consistent_read", "with True, not False"),
        ({"s3_sse_kms_key_id": "a"}, {"s3_sse_kms_key_id": "b"}, "s3_sse_kms_key_id", "with 'a', not 'b'"),
    ],
    ids=str,
)
@pytest.mark.parametrize("earlier", [0, 2])
def test_a_commit_adopts_no_export_that_holds_something_else_and_says_which_setting_differs(
    earlier: int, committed: dict[str, Any], asked: dict[str, Any], where: str, words: str
) -> None:
    world = Shared()
    for generation in range(earlier + 1):
        parts = world.plan(2, generation=str(generation), **committed)
        for part in parts:
            world.range(part, **committed)
        world.commit(parts[0], **committed)

    with pytest.raises(PreflightFailed, match=f"was committed {words}") as caught:
        world.commit(parts[0], **asked)

    assert [where] == wheres(caught.value)
    assert "adopt" == world.commit(parts[0], **committed).start


def test_the_commit_of_a_plan_without_a_run_is_adopted_with_the_same_settings_only() -> None:
    world = Shared()
    parts = plan_export(world.asked(), work(run=None), world.ports, ranges=2)
    for part in parts:
        world.range(part)
    world.commit(parts[0])

    assert "adopt" == world.commit(parts[0]).start
    with pytest.raises(PreflightFailed, match="was committed with False, not True"):
        world.commit(parts[0], consistent_read=True)


def test_a_commit_beside_a_live_one_waits_and_is_refused() -> None:
    world = Shared()
    parts = world.plan(2)
    for part in parts:
        world.range(part)
    key = layout(parts[0].id).lease_key
    living = LeaseRecord(attempt="other", beats=1, beat_at=EPOCH)
    world.store.put(key, records.encode(living))
    wait = world.clock.wait

    def beating(event: Any, seconds: float) -> bool:
        if seconds == SILENCE_SECONDS:
            world.store.put(key, records.encode(msgspec.structs.replace(living, beats=2)))
        return wait(event, seconds)

    world.clock.wait = beating  # type: ignore[method-assign]
    with pytest.raises(LeaseHeld):
        world.commit(parts[0])

    assert [] == manifests(world.store)


# --- calls --------------------------------------------------------------------------------------


def shared_out(ranges: int, at_once: int) -> tuple[Shared, Counted, tuple[RangeWork, ...]]:
    store = Counted()
    world = Shared(store=store, table=a_table(count=0, gigabytes=1.0))  # each range the same: no items
    parts = world.plan(ranges, at_once, segments=2 * ranges)
    return world, store, parts


def calls(store: Counted) -> dict[str, int]:
    """The calls since the last time."""
    found = dict(store.calls)
    store.calls.clear()
    return found


@pytest.mark.parametrize("at_once", [2, 1024])
def test_a_plan_and_a_range_make_as_many_calls_with_a_thousand_ranges_as_with_three(at_once: int) -> None:
    found = []
    for ranges in (3, 1024):
        world, store, parts = shared_out(ranges, min(at_once, ranges))
        planned = calls(store)
        world.plan(ranges, segments=2 * ranges)
        again = calls(store)
        world.range(parts[-1], segments=2 * ranges)
        first = calls(store)
        store.looked_at.clear()
        world.range(parts[-1], segments=2 * ranges)
        found.append((planned, again, first, calls(store)))
        others = [key for key in store.looked_at if key.endswith("/0000.json") and "/places/" not in key]
        assert [] == others

    assert found[0] == found[1]
    planned, again, first, second = found[1]
    assert sum(planned.values()) <= 6
    assert sum(again.values()) <= 4
    assert sum(first.values()) <= 30
    assert sum(second.values()) <= 20


def test_a_commit_reads_each_segment_once_and_writes_as_much_with_hundreds_of_ranges() -> None:
    writes = []
    for ranges in (2, 600):
        world, store, parts = shared_out(ranges, ranges)
        place = layout(parts[0].id)
        for segment in range(2 * ranges):
            state = SegmentState(attempt="x", segment=segment, done=True)
            store.put(place.segment_key(segment), records.encode(state))
        calls(store)
        store.looked_at.clear()

        world.commit(parts[0], segments=2 * ranges)

        read = Counter(key for key in store.looked_at if key.rpartition("/")[2][:4].isdecimal())
        assert ({1}, 2 * ranges) == (set(read.values()), len(read))
        made = calls(store)
        writes.append(made["put"])
        assert made["get"] - 2 * ranges <= 12
        assert made["list"] <= 2 * (2 * ranges // 1000 + 1) + 2
        assert made["delete"] <= 2 * ranges // 1000 + 2
    assert writes[0] == writes[1]
