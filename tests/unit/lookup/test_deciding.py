from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryWriter
from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.errors import LookupRefused, ServiceTrouble, Stopped
from airflow_dynamo_pipeline.lookup import deciding as module
from airflow_dynamo_pipeline.lookup.deciding import Deciding, Decision
from airflow_dynamo_pipeline.lookup.digest_files import DigestSide
from airflow_dynamo_pipeline.lookup.generations import Generation
from airflow_dynamo_pipeline.lookup.partition import ROWS_PER_BUCKET, Partition
from airflow_dynamo_pipeline.lookup.progress import LookupReports
from airflow_dynamo_pipeline.lookup.source import QueryFacts
from tests.unit.lookup.load_world import (
    LoadTable,
    LoadWorld,
    Rows,
    lines_of,
    overwrite,
    prints_of,
    product,
    products,
    work,
)

BEFORE = [product("b", "x"), product("c", "x"), product("d", "x")]
AFTER = [("a", "x"), ("b", "y"), ("c", "x")]
GENERATIONS: dict[str, Any] = {"generation_days": 1.0, "ttl_attribute": "gone_at"}


def world(**described: Any) -> LoadWorld:
    return LoadWorld(table=LoadTable(BEFORE, **described))


def decided(here: LoadWorld, source: Rows, **settings: Any) -> Decision:
    plan = here.plan(source, **settings)
    return Deciding(
        plan,
        here.ports,
        LookupReports(here.reports.append),
        attempt="k3x9",
        lease=None,
        generation=Generation.begun(plan, here.ports, "k3x9"),
        check=lambda: None,
    ).decide(source)


def refused(here: LoadWorld, source: Rows, **settings: Any) -> dict[str, str]:
    with pytest.raises(LookupRefused) as caught:
        decided(here, source, **settings)
    assert [] == here.table.calls
    return {problem.where: problem.message for problem in caught.value.problems}


def test_a_decision_is_a_change_set_that_is_not_yet_applied() -> None:
    here = world()
    found = decided(here, products(*AFTER)).change_set

    counts = found.counts
    assert (3, 1, 1, 1, 1, 3) == (
        counts.rows,
        counts.unchanged,
        counts.inserted,
        counts.updated,
        counts.deleted,
        counts.table_items,
    )
    assert ("table", here.table.describe().identity) == (found.compared_with, found.table_identity)
    assert [2] == [file.lines for file in found.puts]
    assert [1] == [file.lines for file in found.deletes]
    assert (BEFORE, []) == (here.table.held, here.table.calls)


def test_only_the_change_set_stays_in_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Partition", functools.partial(Partition, spill_bytes=1))
    here = world()
    found = decided(here, products(*AFTER)).change_set

    files = sorted(file.key for file in (*found.puts, *found.deletes))
    assert files == here.keys("")


def test_a_comparison_in_pieces_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, pieces = world(), world()
    first = decided(whole, products(*AFTER)).change_set.counts
    monkeypatch.setattr(module, "Partition", functools.partial(Partition, spill_bytes=1))

    assert first == decided(pieces, products(*AFTER)).change_set.counts
    assert sorted(map(str, whole.changes())) == sorted(map(str, pieces.changes()))


def test_the_database_is_asked_before_a_row_is_fetched() -> None:
    here = world()
    empty, twice = products(), products(("a", "x"), ("a", "y"))

    assert {"sql"} == refused(here, empty).keys()
    assert "a (2 rows)" in refused(here, twice)["key_columns"]
    assert (0, 0, []) == (empty.fetched, twice.fetched, here.table.scans)


def test_rows_that_become_one_key_are_refused_although_the_database_found_none() -> None:
    here = LoadWorld(table=LoadTable(schema=(KeyAttribute("n", "N"),)))
    source = Rows("n v", [("1", "x"), ("1.0", "y"), ("2", "z")])
    source.told = QueryFacts(rows=3, repeated_keys=0)

    assert (
        "1 keys (n) stand in more than one row: 1" == refused(here, source, key_columns=("n",))["key_columns"]
    )


def test_rows_that_are_alike_in_every_column_are_refused_too() -> None:
    here = LoadWorld()
    source = products(("a", "x"), ("a", "x"))
    source.told = QueryFacts(rows=2, repeated_keys=0)

    assert "1 keys (id)" in refused(here, source)["key_columns"]


def test_a_query_that_has_fewer_rows_than_it_said_meets_the_guards() -> None:
    here = world()
    source = products()
    source.told = QueryFacts(rows=3, repeated_keys=0)

    assert {"sql"} == refused(here, source).keys()


def test_every_guard_that_refuses_is_told_and_what_differs_can_be_looked_at() -> None:
    here = world()
    found = refused(here, products(("a", "x")), max_deletes=2, max_changes=3)

    assert {"max_shrink", "max_deletes", "max_changes"} == found.keys()
    assert ["delete", "delete", "delete", "put"] == sorted(line["change"] for line in here.changes())
    assert any("what differs stands in s3://lake/loads/_lookups/products/runs/" in line for line in here.said)


def test_rejected_rows_beyond_those_allowed_are_refused_and_stand_on_s3() -> None:
    here = world()
    found = refused(here, products(*AFTER, (None, "x"), ("z", float("nan"))), max_rejected=1)

    assert found["max_rejected"].startswith("2 of 5 rows cannot become items, max_rejected is 1; ")
    (key,) = here.keys("/rejects/")
    assert [4, 5] == [line["rejected"]["line"] for line in lines_of(here.store, key)]
    assert [key] == here.keys("")


def test_a_rejected_row_within_those_allowed_keeps_its_item() -> None:
    here = world()
    found = decided(here, products(*AFTER, ("d", float("nan"))), max_rejected=1).change_set

    assert (4, 1, 0) == (found.counts.rows, found.counts.rejected, found.counts.deleted)
    assert list(found.rejects) == here.keys("/rejects/")


def test_a_new_generation_is_compared_with_nothing() -> None:
    here = LoadWorld(table=LoadTable(BEFORE, ttl="gone_at"))
    found = decided(here, products(*AFTER), **GENERATIONS).change_set

    assert ("nothing", 3, 0, 0, []) == (
        found.compared_with,
        found.counts.inserted,
        found.counts.deleted,
        found.counts.table_items,
        here.table.scans,
    )
    keys = sorted(line["item"]["id"]["S"] for line in here.changes())
    assert [f"{found.generation}#{key}" for key in "abc"] == keys
    assert {str(found.expires_at)} == {line["item"]["gone_at"]["N"] for line in here.changes()}


def test_digests_are_of_the_table_once_the_change_set_is_in_it() -> None:
    here = world()
    found = decided(here, products(*AFTER), compare="digests").change_set

    assert found.digests is not None
    side = DigestSide(here.store, found.digests)
    wanted = prints_of(product("a", "x"), product("b", "y"), product("c", "x"))
    assert set(wanted) == {line for bucket in range(side.buckets) for line in side.prints(bucket)}
    assert here.clock.now() >= (found.full_compared_at or here.clock.now())


@pytest.mark.parametrize("settings", [{}, {"compare": "digests", "dry_run": True}])
def test_no_digests_are_left_where_nobody_wants_them(settings: dict[str, Any]) -> None:
    here = world()

    assert decided(here, products(*AFTER), **settings).change_set.digests is None
    assert [] == here.keys("/digests/")


def broken_after_the_sample(here: LoadWorld) -> Callable[[int], None]:
    def before(_row: int) -> None:
        (key,) = here.keys("/digests/")
        overwrite(here.store, key, b"x" * here.store.size(key))

    return before


def test_a_digest_file_that_breaks_while_it_is_read_is_replaced_by_the_table() -> None:
    here = LoadWorld()
    here.load(products(*AFTER), work("dag|task|-1|earlier"), compare="digests")
    source = products(("a", "x"), ("b", "z"), ("c", "x"))
    source.before = broken_after_the_sample(here)

    found = decided(here, source, compare="digests").change_set

    assert ("table", 2, 1) == (found.compared_with, found.counts.unchanged, found.counts.updated)
    assert any("comparing with the whole table: digest file" in line for line in here.warned)
    assert {file.key for file in (*found.puts, *found.deletes)} >= set(here.keys("k3x9.jsonl"))


@pytest.mark.parametrize("step", ["fetching", "comparing"])
def test_a_stop_leaves_nothing(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Partition", functools.partial(Partition, spill_bytes=1))
    here = LoadWorld()
    source = products(*((f"P{n}", "x") for n in range(50)))
    if step == "fetching":
        source.before = lambda row: here.stop.set() if row == 40 else None
    else:
        count = iter(range(100))
        inner = Partition.pieces

        def pieces(self: Partition, bucket: int) -> Any:
            if next(count) == 8:
                here.stop.set()
            return inner(self, bucket)

        monkeypatch.setattr(Partition, "pieces", pieces)

    with pytest.raises(Stopped, match=step):
        decided(here, source, compare="digests")
    assert ([], 0) == (here.keys(""), len(here.store.uploads))


def test_trouble_with_what_was_spilled_does_not_hide_why_the_work_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "Partition", functools.partial(Partition, spill_bytes=1))
    here = world()

    def away(_keys: object) -> None:
        raise ServiceTrouble("s3 is away")

    monkeypatch.setattr(here.store, "delete", away)

    assert {"max_changes"} == refused(here, products(*AFTER), max_changes=1).keys()
    assert "work files could not be removed: s3 is away" in here.warned


def test_why_a_load_was_refused_is_not_hidden_by_digests_that_cannot_be_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = world()
    tried: list[str] = []

    def away(writer: MemoryWriter) -> None:
        tried.append(writer.key)
        raise ServiceTrouble("s3 is away")

    monkeypatch.setattr(MemoryWriter, "abort", away)

    assert {"max_changes"} == refused(here, products(*AFTER), max_changes=1, compare="digests").keys()
    assert ["digests"] == [key.split("/")[-2] for key in tried]


@pytest.mark.parametrize(("rows", "items"), [(33, 3), (3, 33)])
def test_digests_of_a_far_smaller_table_are_not_believed(rows: int, items: int) -> None:
    """Neither where the query has many more rows, nor where the table has many more items."""
    here = world()
    here.load(products(*AFTER), work("last night"), compare="digests")
    here.table.describe_as(item_count=items * ROWS_PER_BUCKET)
    source = products(*AFTER)
    source.told = QueryFacts(rows=rows * ROWS_PER_BUCKET, repeated_keys=0)

    found = decided(here, source, compare="digests").change_set

    assert ("table", 64) == (found.compared_with, found.digests and len(found.digests.buckets))
    assert any("too many rows for the buckets of the last load" in line for line in here.said)


def test_rejected_rows_without_a_key_do_not_empty_a_table() -> None:
    here = LoadWorld(table=LoadTable([product(f"P{n}", "x") for n in range(50)]))
    rows = products(*[(None, "x")] * 50)

    found = refused(here, rows, max_rejected=50)

    assert {"sql"} == found.keys()
    assert "none of the 50 rows of the query can become an item" in found["sql"]


def test_rejected_rows_whose_keys_are_known_leave_their_items_and_are_no_reason_to_refuse() -> None:
    here = LoadWorld(table=LoadTable([product(f"P{n}", "x") for n in range(50)]))
    rows = products(*((f"P{n}", float("nan")) for n in range(50)))

    counts = decided(here, rows, max_rejected=50, max_shrink=0.0).change_set.counts

    assert (50, 0, 50) == (counts.rejected, counts.deleted, counts.table_items)


def test_a_first_generation_without_a_row_that_can_be_an_item_is_refused() -> None:
    here = LoadWorld(table=LoadTable(ttl="gone_at"))
    rows = products(*((f"P{n}", float("nan")) for n in range(5)))

    assert {"sql"} == refused(here, rows, max_rejected=5, max_shrink=1.0, **GENERATIONS).keys()
