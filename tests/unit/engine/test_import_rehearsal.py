from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryStore
from airflow_dynamo_pipeline.engine.deadline import DeadlineClock
from airflow_dynamo_pipeline.engine.import_plan import ImportPorts, make_import_plan
from airflow_dynamo_pipeline.engine.import_rehearsal import SHOWN_REJECTS, rehearse
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.ports import Clock, Throughput
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.formats import lines
from tests.clock import ManualClock
from tests.unit.engine.import_parts import Item, some
from tests.unit.engine.test_import_plan import Table
from tests.unit.engine.world import index, work


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many windows in a small backup."""
    monkeypatch.setattr(lines, "BLOCK_BYTES", 200)
    monkeypatch.setattr(lines, "PIECE_BYTES", 200)


def rehearsed(
    items: list[Item],
    table: Table | None = None,
    *,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    **settings: Any,
) -> tuple[ImportResult, list[str]]:
    """Rehearse an import; neither bucket nor table has changed."""
    store = MemoryStore()
    said: list[str] = []
    store.put("daily/part-1", b"".join(json.dumps({"Item": item}).encode() + b"\n" for item in items))
    given = {"table_name": "orders", "s3_uri": "s3://backups/daily", "dry_run": True, **settings}
    table = table or Table()
    ports = ImportPorts(
        table=table,
        source=store,
        records=store,
        capacity=FixedCapacity(),
        clock=clock or ManualClock(),
        stop=stop or threading.Event(),
        say=said.append,
        warn=said.append,
    )
    before = dict(store.objects)
    try:
        return rehearse(make_import_plan(ImportRequest.from_settings(given), work(), ports), ports), said
    finally:
        assert before == store.objects
        assert [] == table.calls


class TickingClock(ManualClock):
    """A second passes with every look."""

    looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        self.advance(1)
        return super().monotonic()


def test_told_to_stop_it_stops_and_says_that_the_next_begins_anew() -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(Stopped, match="a retry begins anew"):
        rehearsed(some(4), stop=stop)


@pytest.mark.usefixtures("small_blocks")
def test_a_deadline_is_seen_at_the_next_window() -> None:
    unhurried, inner, stop = TickingClock(), TickingClock(), threading.Event()
    rehearsed(some(200), clock=unhurried)
    clock = DeadlineClock(inner, stop, 20)

    with pytest.raises(Stopped, match="during the dry run"):
        rehearsed(some(200), clock=clock, stop=stop)

    assert clock.reached
    assert inner.looks < 25 < unhurried.looks


def test_everything_is_read_and_counted_and_nothing_written() -> None:
    result, said = rehearsed([*some(4), *some(1), {"pk": {"S": "large"}, "v": {"S": "x" * 2000}}])

    assert (True, 6, 6, 1, 7.0) == (
        result.dry_run,
        result.read,
        result.written,
        result.duplicates,
        result.consumed_units,
    )
    assert "7 write units for the table and up to 0 for 0 global indexes" in said[-1]


def test_what_dynamodb_would_refuse_is_counted_and_a_few_of_them_shown() -> None:
    bad = [{"pk": {"S": f"bad {n}"}, "v": {"N": "x"}} for n in range(SHOWN_REJECTS + 5)]

    result, said = rehearsed([*some(3), *bad])

    assert (len(bad) + 3, 3, len(bad), None) == (
        result.read,
        result.written,
        result.rejected,
        result.rejects_uri,
    )
    shown = [line for line in said if line.startswith("would reject daily/part-1 line ")]
    assert SHOWN_REJECTS == len(shown)
    assert "line 4: attribute 'v': 'x' is not a number" in shown[0]


def test_the_bill_counts_the_indexes_and_the_hours_the_scarcest_of_them() -> None:
    half = {"a": index("a", write_throughput=Throughput(provisioned=1.0))}
    table = Table(write_throughput=Throughput(provisioned=2.0), indexes=half)

    _, said = rehearsed(some(3600), table, ratio=1)

    assert "3,600 write units for the table and up to 3,600 for 1 global indexes" in said[-1]
    assert "1.00 hours at 2.0 units per second" in said[-1]


def test_an_on_demand_table_is_priced_by_its_units() -> None:
    table = Table(on_demand=True, write_throughput=Throughput(warm=4000.0))

    result, said = rehearsed(some(16_000), table)

    assert (16_000, 16_000, 0.01) == (
        result.plan["write_units"],
        result.plan["write_units_at_most"],
        result.plan["dollars_at_most"],
    )
    assert "about 0.01 dollars at most, on-demand (list prices of us-east-1, " in said[-1]


def test_expired_items_that_would_be_dropped_are_counted() -> None:
    result, _ = rehearsed(some(3, ttl={"N": "1767322000"}), Table(ttl="ttl"), expired_items="drop")

    assert (3, 0, 3, 3) == (result.read, result.written, result.skipped, result.expired)
