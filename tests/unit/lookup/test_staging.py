from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import StaleAttempt, Stopped
from airflow_dynamo_pipeline.lookup import staging as module
from airflow_dynamo_pipeline.lookup.columns import RowConverter
from airflow_dynamo_pipeline.lookup.partition import Partition
from airflow_dynamo_pipeline.lookup.progress import LookupReports, Meter
from airflow_dynamo_pipeline.lookup.rejects import Rejects
from airflow_dynamo_pipeline.lookup.staging import Staging
from tests.clock import ManualClock
from tests.unit.lookup.load_world import LoadWorld, Rows, lines_of, prints_of, product, products


class Staged:
    """The parts of one staging."""

    def __init__(self, source: Rows, **settings: Any) -> None:
        self.here = LoadWorld(clock=ManualClock())
        self.source = source
        plan = self.here.plan(source, **settings)
        self.meter = Meter(self.here.clock, LookupReports(self.here.reports.append, every_seconds=0.0))
        self.rejects = Rejects(self.here.store, "rejects/", "k3x9")
        self.partition = Partition(store=self.here.store, prefix="scratch/", buckets=16)
        self.checked = 0
        self.staging = Staging(
            plan=plan,
            converter=RowConverter(plan.columns, plan.load.mapping, plan.key, plan.load.key_columns),
            partition=self.partition,
            rejects=self.rejects,
            meter=self.meter,
            check=self.check,
        )

    def check(self) -> None:
        self.checked += 1

    def run(self) -> bool:
        return self.staging.run(self.source, self.here.stop.is_set)

    @property
    def prints(self) -> set[bytes]:
        return {line for bucket in range(16) for line in self.partition.prints(bucket)}


def test_every_row_becomes_a_print() -> None:
    staged = Staged(products(("a", "x"), ("b", None), ("c", "y")))

    assert staged.run()
    assert set(prints_of(product("a", "x"), product("b"), product("c", "y"))) == staged.prints
    assert (3, 0, 3) == (staged.meter.rows, staged.meter.rejected, staged.partition.count)


def test_a_row_that_is_no_item_is_rejected_with_its_number_in_the_query() -> None:
    staged = Staged(
        products(("a", "x"), ("b", "x"), ("c", float("nan")), (None, "x"), ("e", "x")), max_rejected=2
    )

    assert staged.run()
    lines = lines_of(staged.here.store, staged.rejects.keys[0])
    assert [3, 4] == [line["rejected"]["line"] for line in lines]
    assert (5, 2, 3) == (staged.meter.rows, staged.meter.rejected, staged.partition.count)
    assert {b'["c"]'} == staged.rejects.kept


def test_more_rejected_rows_than_allowed_are_all_written_and_then_refused() -> None:
    staged = Staged(products(*[(None, "x")] * 5), max_rejected=4)

    assert not staged.run()
    assert 5 == len(lines_of(staged.here.store, staged.rejects.keys[0]))


def test_what_is_wrong_throughout_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BEYOND", 3)
    staged = Staged(products(*[(None, "x")] * 100), max_rejected=1)

    assert not staged.run()
    assert (6, 6) == (staged.source.fetched, len(lines_of(staged.here.store, staged.rejects.keys[0])))


def test_a_stop_ends_the_fetching() -> None:
    staged = Staged(products(*[(f"P{n}", "x") for n in range(10)]))
    staged.source.before = lambda row: staged.here.stop.set() if row == 4 else None

    with pytest.raises(Stopped, match="fetching rows"):
        staged.run()
    assert 6 == staged.source.fetched


def test_a_lease_that_was_lost_ends_it_too() -> None:
    staged = Staged(products(*[(f"P{n}", "x") for n in range(10)]))

    def lost() -> None:
        raise StaleAttempt("taken over")

    staged.staging.check = lost
    with pytest.raises(StaleAttempt):
        staged.run()
    assert 2 == staged.source.fetched


def test_progress_is_told_batch_by_batch() -> None:
    staged = Staged(products(*[(f"P{n}", "x") for n in range(5)]))
    staged.run()

    assert [2, 4, 5] == [report.to_json()["rows"] for report in staged.here.reports]
    assert 3 == staged.checked


def test_a_query_without_rows_is_no_item() -> None:
    staged = Staged(products())

    assert staged.run()
    assert (0, set(), {}) == (staged.meter.rows, staged.prints, staged.here.store.objects)
