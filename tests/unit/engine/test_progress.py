from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.progress import Progress, Totals
from airflow_dynamo_pipeline.engine.records import Part, SegmentState


def progress(**changes: Any) -> Progress:
    fields: dict[str, Any] = {
        "items": 1_234_567,
        "bytes": 9_876_543_210,
        "stored_bytes": 1_000,
        "parts": 7,
        "segments": 4,
        "segments_done": 1,
        "share_done": 0.5,
        "consumed_units": 1234.56789,
        "units_per_second_asked": 1000.0,
        "units_per_second_held": 997.123456,
        "elapsed_seconds": 10.0,
        "eta_seconds": 1234.5,
        **changes,
    }
    return Progress(**fields)


def state(segment: int, *, done: bool, scanned: int, counts: tuple[int, ...] = ()) -> SegmentState:
    parts = tuple(
        Part(
            key=f"{segment}-{number}", item_count=count, bytes=count * 10, stored_bytes=count, md5="", etag=""
        )
        for number, count in enumerate(counts)
    )
    return SegmentState(
        attempt="a", segment=segment, done=done, scanned_count=scanned, parts=parts, units=2.5
    )


def test_the_line_is_for_people() -> None:
    assert progress().line() == (
        "50%: 1,234,567 items, 9,876.5 MB, 7 parts, 1/4 segments; rate asked 1,000.0 held 997.1 units/s, "
        "1,234.6 units; ETA 1,234 s"
    )


def test_an_unknown_eta_is_called_unknown() -> None:
    assert progress(eta_seconds=None).line().endswith("ETA unknown")


def test_the_record_is_json_with_rounded_figures() -> None:
    found = json.loads(json.dumps(progress().to_json()))

    assert (1234.5679, 997.1235, 7) == (
        found["consumed_units"],
        found["units_per_second_held"],
        found["parts"],
    )


def test_what_earlier_attempts_finished_is_counted() -> None:
    totals = Totals(3)
    totals.add(state(0, done=True, scanned=100, counts=(5, 6)))
    totals.add(state(1, done=False, scanned=50, counts=(7,)))

    assert (1, 150, 3, 18, 180, 18) == (
        totals.segments_done,
        totals.scanned,
        totals.parts,
        totals.items,
        totals.bytes,
        totals.stored_bytes,
    )
    assert 5.0 == totals.units


def test_pages_parts_and_segments_add_up() -> None:
    totals = Totals(2)
    totals.page(items=3, scanned=10, written=30)
    totals.page(items=0, scanned=10, written=0)
    totals.part(12)
    totals.segment()

    assert (2, 3, 20, 30, 1, 12, 1) == (
        totals.pages,
        totals.items,
        totals.scanned,
        totals.bytes,
        totals.parts,
        totals.stored_bytes,
        totals.segments_done,
    )


@pytest.mark.parametrize(
    ("scanned", "expected_items", "share"),
    [(0, 100, 0.0), (50, 100, 0.5), (100, 100, 0.99), (900, 100, 0.99), (50, 0, 0.5)],
)
def test_the_share_is_an_estimate_below_one_until_all_segments_are_done(
    scanned: int, expected_items: int, share: float
) -> None:
    totals = Totals(2)
    totals.segment()
    totals.page(items=0, scanned=scanned, written=0)

    assert share == totals.share(expected_items)


def test_when_all_segments_are_done_the_share_is_one_whatever_was_expected() -> None:
    totals = Totals(1)
    totals.segment()

    assert 1.0 == totals.share(10**9)
