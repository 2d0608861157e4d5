"""Progress of others' work, told by their checkpoints, each read once for each change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.import_place import ImportPlace
from airflow_dynamo_pipeline.engine.import_records import Accounts, FileState, ImportRecord, ImportState
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.range_progress import Look, Records, export_progress, import_progress
from airflow_dynamo_pipeline.engine.records import Part, SegmentState, StoredPlan
from airflow_dynamo_pipeline.engine.requests import S3Location
from tests.clock import ManualClock

NOW = datetime(2026, 3, 4, tzinfo=UTC)
LAYOUT = ExportLayout(S3Location("b", "out"), "e1")
PLACE = ImportPlace(S3Location("b", "in"), "i1")


@dataclass
class Bucket:
    """Bodies by key; remembers what was read."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    def put(self, key: str, record: msgspec.Struct) -> None:
        self.bodies[key] = records.encode(record)

    def versions(self, prefix: str) -> Mapping[str, str]:
        return {key: str(hash(body)) for key, body in self.bodies.items() if key.startswith(prefix)}

    def get(self, key: str) -> bytes | None:
        self.read.append(key)
        return self.bodies.get(key)

    @property
    def records(self) -> Records:
        return Records(self.versions, self.get)


def segment(number: int, *, done: bool = False, items: int = 0, units: float = 0.0) -> SegmentState:
    part = Part(key="k", item_count=items, bytes=items * 10, stored_bytes=items, md5="m", etag="e")
    state = SegmentState(attempt="a", segment=number, done=done, units=units, scanned_count=items)
    return msgspec.structs.replace(state, parts=(part,) if items else ())


def planned(bucket: Bucket, segments: int = 4, ranges: int = 2) -> None:
    plan = StoredPlan(
        fingerprint="f", generation="0", segments=segments, table_identity="t", started_at=NOW, ranges=ranges
    )
    bucket.put(LAYOUT.plan_key, plan)


def look_at(bucket: Bucket, clock: ManualClock | None = None, item_count: int = 100) -> Look:
    rates: dict[str, Any] = {"item_count": item_count, "units_per_second": 50.0}
    return export_progress(bucket.records, LAYOUT, clock or ManualClock(), **rates)


def test_before_the_plan_and_after_the_commit_there_is_nothing_to_see() -> None:
    assert None is look_at(Bucket())(None)


def test_items_units_and_ranges_are_summed_over_all_segments() -> None:
    bucket = Bucket()
    planned(bucket)
    bucket.put(LAYOUT.segment_key(0), segment(0, done=True, items=10, units=5.0))
    bucket.put(LAYOUT.segment_key(2), segment(2, done=True, items=20, units=6.0))
    bucket.put(LAYOUT.segment_key(1), segment(1, items=20, units=1.5))
    bucket.bodies[LAYOUT.range_key(0)] = bucket.bodies[LAYOUT.place_key(0)] = b"a lease"

    found = look_at(bucket)(None)

    assert found is not None
    assert (50, 500, 12.5, 1, (1,)) == (
        found.items,
        found.bytes,
        found.consumed_units,
        found.ranges_done,
        found.unfinished,
    )
    assert 0.5 == found.share_done
    assert "50%: 50 items" in found.line()
    assert "1/2 ranges; rate asked 50.0" in found.line()
    assert "1 of 2 ranges are not finished: 1" == found.left()


def test_a_segment_that_nobody_has_begun_is_not_finished() -> None:
    bucket = Bucket()
    planned(bucket)

    found = look_at(bucket, item_count=0)(None)

    assert found is not None
    assert ((0, 1), 0.0, None) == (found.unfinished, found.share_done, found.eta_seconds)


def test_only_what_changed_since_the_last_look_is_read_again() -> None:
    bucket = Bucket()
    planned(bucket)
    for number in range(4):
        bucket.put(LAYOUT.segment_key(number), segment(number))
    look = look_at(bucket)
    look(None)
    assert 5 == len(bucket.read)
    bucket.read.clear()
    bucket.put(LAYOUT.segment_key(2), segment(2, items=7))

    found = look(None)

    assert [LAYOUT.segment_key(2)] == bucket.read
    assert found is not None
    assert 7 == found.items


def test_a_look_reads_no_more_than_it_may_and_the_next_goes_on() -> None:
    bucket = Bucket()
    planned(bucket)
    for number in range(4):
        bucket.put(LAYOUT.segment_key(number), segment(number, items=1))
    look = look_at(bucket)

    counts = [found.items for found in (look(3), look(3)) if found is not None]

    assert counts[0] < counts[1] == 4


def test_checkpoints_that_change_all_the_time_are_read_in_turn() -> None:
    bucket = Bucket()
    planned(bucket)
    look = look_at(bucket)
    seen: list[set[str]] = []
    for items in range(1, 4):
        for number in range(4):
            bucket.put(LAYOUT.segment_key(number), segment(number, items=items))
        bucket.read.clear()
        look(2)
        seen.append(set(bucket.read) - {LAYOUT.plan_key})

    assert {LAYOUT.segment_key(number) for number in range(4)} == set().union(*seen)


def test_the_rate_and_the_time_left_follow_from_two_looks() -> None:
    bucket, clock = Bucket(), ManualClock()
    planned(bucket)
    look = look_at(bucket, clock)
    look(None)
    bucket.put(LAYOUT.segment_key(0), segment(0, items=25, units=600.0))
    clock.time += 60

    found = look(None)

    assert found is not None
    assert (10.0, 60.0, 180.0) == (found.units_per_second_held, found.elapsed_seconds, found.eta_seconds)


def test_all_segments_at_their_end_are_all_of_it_whatever_the_table_said() -> None:
    bucket = Bucket()
    planned(bucket)
    for number in range(4):
        bucket.put(LAYOUT.segment_key(number), segment(number, done=True, items=1))

    found = look_at(bucket, item_count=1_000)(None)

    assert found is not None
    assert (1.0, 0.0, "") == (found.share_done, found.eta_seconds, found.left())


def imported(read: int, *, finished: bool) -> ImportRecord:
    counts = dict.fromkeys(Accounts.__struct_fields__, 0) | {"read": read, "written": read}
    result = ImportResult(
        import_id="i1",
        table_name="t",
        table_arn="arn",
        start="new",
        dry_run=False,
        **counts,
        duplicates=0,
        duplicates_share=1.0,
        rejects_uri=None,
        consumed_units=float(read),
        seconds=1.0,
        units_per_second_asked=1.0,
        units_per_second_held=1.0,
        backup_id="b",
        plan={},
    )
    return ImportRecord(
        fingerprint="f",
        run="r",
        generation="0",
        backup_identity="b",
        backup_uri="s3://b/in",
        table_identity="t",
        started_at=NOW,
        finished_at=NOW if finished else None,
        result=msgspec.Raw(msgspec.json.encode(result.to_json())),
    )


def test_an_import_is_told_by_the_records_of_its_ranges_and_by_checkpoints_where_they_still_run() -> None:
    bucket = Bucket()
    look = import_progress(bucket.records, PLACE, ManualClock(), ranges=3, units_per_second=9.0)
    assert None is look(None)
    done, running = PLACE.range_place(0), PLACE.range_place(1)
    bucket.put(done.record_key, imported(30, finished=True))
    bucket.put(running.record_key, imported(0, finished=False))
    file = FileState(key="f", accounts=Accounts(read=12, written=10, rejected=2))
    bucket.put(running.state_key, ImportState(attempt="a", files=(file,), units=11.0))

    found = look(None)

    assert found is not None
    assert (42, 2, 41.0, (1, 2)) == (found.items, found.rejected, found.consumed_units, found.unfinished)
    assert "2 rejected, 1/3 ranges" in found.line()
