from __future__ import annotations

from airflow_dynamo_pipeline.lookup.progress import AnyProgress, LookupProgress, LookupReports, Meter
from tests.clock import ManualClock


def test_progress_is_reported_when_it_is_due_and_not_before() -> None:
    clock, seen = ManualClock(), list[AnyProgress]()
    meter = Meter(clock, LookupReports(seen.append, every_seconds=10.0))
    meter.tick()
    clock.advance(9.9)
    meter.tick()
    assert [] == seen

    clock.advance(0.1)
    meter.rows, meter.rejected = 1500, 2
    meter.tick()
    meter.tick()
    clock.advance(10.0)
    meter.step = "compare"
    meter.tick()

    assert [("query", 1500, 2, 10.0), ("compare", 1500, 2, 20.0)] == [
        (one.step, one.rows, one.rejected, round(one.elapsed_seconds, 6))
        for one in seen
        if isinstance(one, LookupProgress)
    ]


def test_a_record_is_small_json_with_rounded_figures() -> None:
    record = LookupProgress(step="query", rows=1, rejected=0, elapsed_seconds=1.23456789)

    assert {"step": "query", "rows": 1, "rejected": 0, "elapsed_seconds": 1.2346} == record.to_json()


def test_a_record_is_a_line_of_a_log() -> None:
    record = LookupProgress(step="query", rows=12_000, rejected=3, elapsed_seconds=1500.4)

    assert "query: 12,000 rows, 3 rejected, 1,500 s" == record.line()


def test_reads_and_writes_report_to_the_same_place_as_often() -> None:
    seen: list[object] = []
    at_stop: list[object] = []
    reports = LookupReports(seen.append, every_seconds=3.0, at_stop=at_stop.append)

    assert (3.0, 3.0) == (reports.of_writes.every_seconds, reports.of_reads.every_seconds)
    assert [reports.to] * 2 == [reports.of_writes.to, reports.of_reads.to]
    assert reports.at_stop == reports.of_writes.at_stop
