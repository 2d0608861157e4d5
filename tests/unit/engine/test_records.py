from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.records import (
    VERSION,
    LeaseRecord,
    Part,
    SegmentState,
    StoredPlan,
    decode,
    encode,
)
from airflow_dynamo_pipeline.errors import PreflightFailed, Stopped, UnexpectedReply, UnknownVersion
from tests.unit.engine.world import NO_WAITING, World, request

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
PART = Part(key="k", item_count=3, bytes=30, stored_bytes=20, md5="bWQ1", etag='"e"')
STATE = SegmentState(
    attempt="a1",
    segment=4,
    last_evaluated_key=msgspec.Raw(b'{"pk":{"S":"\\u00e9 \\/"}}'),
    parts=(PART,),
    parts_made=2,
    pages=7,
    scanned_count=70,
    units=3.5,
    first_page_at=AT,
    last_page_at=AT,
)
PLAN = StoredPlan(fingerprint="f", generation="0", segments=4, table_identity="i", started_at=AT)
LEASE = LeaseRecord(attempt="a1", beats=3, beat_at=AT, released=True)


@dataclass
class Case:
    record: Any
    kind: Any


CASES = [Case(STATE, SegmentState), Case(PLAN, StoredPlan), Case(LEASE, LeaseRecord)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind.__name__)
def test_a_record_read_back_is_the_record_written(case: Case) -> None:
    body = encode(case.record)

    assert body == encode(decode(body, case.kind, "key"))


def test_the_key_to_go_on_after_keeps_its_bytes() -> None:
    assert b'{"pk":{"S":"\\u00e9 \\/"}}' == decode(encode(STATE), SegmentState, "key").start_key


def test_a_new_segment_begins_without_a_key() -> None:
    fresh = SegmentState(attempt="a", segment=0)

    assert decode(encode(fresh), SegmentState, "key").start_key is None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind.__name__)
def test_a_newer_version_is_refused_whatever_else_it_holds(case: Case) -> None:
    body = json.dumps({"version": VERSION + 1, "segment": "renamed", "beats": []}).encode()

    with pytest.raises(UnknownVersion) as caught:
        decode(body, case.kind, "some/key.json")

    assert "some/key.json has version 2" in str(caught.value)
    assert (VERSION + 1, VERSION) == (caught.value.found, caught.value.known)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"version":1}', b'{"version":"1"}', b"\xff\xfe"])
def test_what_is_no_record_names_the_key(body: bytes) -> None:
    with pytest.raises(UnexpectedReply, match=r"some/key\.json is not a LeaseRecord"):
        decode(body, LeaseRecord, "some/key.json")


def test_an_unknown_key_of_the_same_version_is_passed_over() -> None:
    body = encode(LEASE)[:-1] + b',"later":1}'

    assert LEASE == decode(body, LeaseRecord, "key")


@pytest.mark.parametrize("name", ["plan.json", "lease.json"])
def test_an_export_left_by_a_newer_package_is_refused_and_nothing_is_written(name: str) -> None:
    world = World()
    store = world.store
    assert isinstance(store, MemoryStore)
    first = World(store=store)
    first.stop_at_the_first_page()
    with pytest.raises(Stopped):
        first.export(request(units_per_second=NO_WAITING, segments=1))
    key = next(key for key in store.objects if key.endswith(name))
    newer = {**json.loads(store.objects[key].body), "version": 9}
    store.put(key, json.dumps(newer).encode())
    before = dict(store.objects)

    with pytest.raises(PreflightFailed, match="has version 9; this package reads up to 1"):
        world.export()

    assert before == store.objects
