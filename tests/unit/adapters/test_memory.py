from __future__ import annotations

import json

import pytest

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryStore, MemoryTable
from airflow_dynamo_pipeline.engine.ports import ABSENT, ScanCall, VersionConflict
from airflow_dynamo_pipeline.errors import NotFound
from tests.unit.engine.world import items


def call(
    start_key: bytes | None = None, *, limit: int | None = None, segment: int = 0, total: int = 1
) -> ScanCall:
    return ScanCall(segment=segment, total_segments=total, limit=limit, start_key=start_key)


def test_an_object_is_read_as_it_was_written() -> None:
    store = MemoryStore()
    version = store.put("a/b", b"x")
    found = store.get("a/b")

    assert found is not None
    assert (b"x", version) == (found.body, found.version)
    assert b"x" == b"".join(store.read("a/b"))
    assert store.get("a") is None
    with pytest.raises(NotFound):
        list(store.read("a"))


def test_each_write_has_a_version_of_its_own() -> None:
    store = MemoryStore()

    assert 3 == len({store.put("a", b"x"), store.put("a", b"x"), store.put("b", b"x")})


def test_a_conditional_write_finds_another_version() -> None:
    store = MemoryStore()
    first = store.put("a", b"1", expect=ABSENT)
    second = store.put("a", b"2", expect=first)
    for expect in (ABSENT, first):
        with pytest.raises(VersionConflict):
            store.put("a", b"3", expect=expect)
    with pytest.raises(VersionConflict):
        store.put("gone", b"3", expect=second)

    assert b"2" == store.objects["a"].body
    assert "gone" not in store.objects


def test_keys_come_in_order_below_a_prefix() -> None:
    store = MemoryStore()
    for key in ("p/c", "p/a/x", "p/a/y", "q"):
        store.put(key, b"")

    assert ["p/a/x", "p/a/y", "p/c"] == list(store.keys("p/"))
    assert ["a"] == list(store.folders("p/"))


def test_deleting_passes_over_what_is_not_there() -> None:
    store = MemoryStore()
    store.put("a", b"")
    store.delete(["b", "a"])

    assert {} == store.objects


def test_a_streamed_object_is_visible_only_when_it_is_closed() -> None:
    store = MemoryStore()
    writer = store.create("a")
    writer.write(b"x")
    writer.write(b"y")
    assert store.get("a") is None
    version = writer.close()

    assert (b"xy", version) == (store.objects["a"].body, store.objects["a"].version)


def test_an_upload_that_was_aborted_cannot_be_closed() -> None:
    store = MemoryStore()
    kept, dropped = store.create("kept/a"), store.create("drop/a")
    assert 1 == store.abort_uploads("drop/")

    with pytest.raises(NotFound):
        dropped.close()
    kept.close()
    assert ["kept/a"] == list(store.objects)


def test_segments_of_a_memory_table_are_disjoint_and_whole() -> None:
    table = MemoryTable(items(50))
    found = [
        item["pk"]["S"]
        for segment in range(7)
        for item in json.loads(table.scan(call(segment=segment, total=7)))["Items"]
    ]

    assert 50 == len(found) == len(set(found))


def test_pages_of_a_memory_table_end_at_the_limit_and_go_on_after_the_key() -> None:
    table = MemoryTable(items(5))
    seen, key = [], None
    for _ in range(3):
        page = json.loads(table.scan(call(key, limit=2)))
        seen += page["Items"]
        key = json.dumps(page["LastEvaluatedKey"]).encode() if "LastEvaluatedKey" in page else None

    assert key is None
    assert sorted(item["pk"]["S"] for item in seen) == [item["pk"]["S"] for item in items(5)]


def test_pages_of_a_memory_table_end_after_a_mebibyte_and_cost_half_units() -> None:
    table = MemoryTable(items(30, size=100_000))
    page = json.loads(table.scan(call()))

    assert 11 == page["Count"]
    assert 134.5 == page["ConsumedCapacity"]["CapacityUnits"]
    assert 0.5 == json.loads(MemoryTable([]).scan(call()))["ConsumedCapacity"]["CapacityUnits"]


def test_a_memory_table_is_described_as_told() -> None:
    described = MemoryTable(items(3), status="UPDATING").describe()

    assert ("UPDATING", 3, "orders") == (described.status, described.item_count, described.name)


def test_fixed_capacity_is_what_was_chosen() -> None:
    source = FixedCapacity(quota=5.0, consumed=2.0)

    assert (5.0, 2.0) == (source.table_read_quota(), source.consumed_read_units_per_second("t", None))
