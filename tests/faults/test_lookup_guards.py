"""A query that has gone wrong is refused before the first write, with everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import LookupRefused
from airflow_dynamo_pipeline.lookup.source import Column, QueryFacts
from tests.faults.dynamodb.pair import texts
from tests.faults.lookup_promises import assert_table
from tests.faults.lookup_world import (
    GENERATIONS,
    LookupAttempt,
    LookupWorld,
    Row,
    RowsSource,
    in_small_buckets,
    items_of,
    product,
)

OLD = [product(number, "old") for number in range(10)]
CHANGED = [product(number) for number in range(10)]
WAYS: dict[str, dict[str, Any]] = {
    "table": {},
    "digests": {"compare": "digests"},
    "generations": GENERATIONS,
}


@pytest.fixture(scope="module", params=WAYS)
def loaded(request: pytest.FixtureRequest) -> Iterator[LookupWorld]:
    """A table that last night's load filled."""
    with in_small_buckets():
        world = LookupWorld(OLD, settings=WAYS[request.param])
        world.load(run="last night")
        yield world


def refused(loaded: LookupWorld, rows: Sequence[Row], *words: str, **settings: Any) -> LookupAttempt:
    """An attempt at loading these rows that wrote nothing, and left nothing but what it rejected."""
    world = loaded.copy()
    before, state = texts(world.items), world.state
    world.rows = rows

    attempt = world.load(**settings)

    attempt.failed(LookupRefused, *words)
    assert [] == attempt.writes
    assert before == texts(world.items)
    assert state == world.state
    assert ["last night"] == [record["run"] for record in world.records]
    assert [] == [key for key in world.objects if "/scratch/" in key]
    return attempt


def test_r3_a_refusal_is_not_in_the_way_of_the_next_run(loaded: LookupWorld) -> None:
    world = loaded.copy()
    world.rows = []
    world.load().failed(LookupRefused)
    world.rows = CHANGED

    assert 10 == world.load(run="another night").result.written
    assert_table(world, items_of(CHANGED))


def test_r3_an_empty_source_does_not_wipe_the_table(loaded: LookupWorld) -> None:
    attempt = refused(loaded, [], "the query has no rows", "allow_empty=True")

    assert 0 == attempt.source.queries, "rows were fetched although the database said that there are none"


def test_r3_a_source_that_is_empty_although_its_database_counted_rows_does_not_wipe_the_table(
    loaded: LookupWorld,
) -> None:
    source = RowsSource([], facts_said=QueryFacts(rows=10, repeated_keys=0))

    refused(loaded, [], "the query has no rows", source=source)


def test_r3_an_empty_source_empties_the_table_where_that_was_said(loaded: LookupWorld) -> None:
    world = loaded.copy()
    world.rows = []

    world.load(allow_empty=True, max_shrink=1)

    assert_table(world, [])


def test_r3_allow_empty_alone_lets_no_table_shrink(loaded: LookupWorld) -> None:
    refused(loaded, OLD[:7], "the query has 7 rows", "30.0% fewer", allow_empty=True, max_shrink=0.2)


@pytest.mark.parametrize(("rows", "is_refused"), [(8, False), (7, True), (1, True)])
def test_r3_a_source_that_shrank_by_more_than_its_share_is_refused(
    loaded: LookupWorld, rows: int, is_refused: bool
) -> None:
    if is_refused:
        refused(loaded, OLD[:rows], f"the query has {rows} rows", "max_shrink is 20.0%", max_shrink=0.2)
        return
    world = loaded.copy()
    world.rows = OLD[:rows]
    world.load(max_shrink=0.2)
    assert_table(world, items_of(OLD[:rows]))


@pytest.mark.parametrize("most", [0, 1, 2])
def test_r3_more_deletes_than_allowed_are_refused(loaded: LookupWorld, most: int) -> None:
    rows = [*OLD[2:], product(50)]  # as many rows less one, and two keys vanished
    is_beside = "generation_days" in loaded.settings  # a new generation deletes nothing
    if most < 2 and not is_beside:
        refused(loaded, rows, f"2 items would be deleted, max_deletes is {most}", max_deletes=most)
        return
    world = loaded.copy()
    world.rows = rows
    assert (0 if is_beside else 2) == world.load(max_deletes=most).result.deleted
    assert_table(world, items_of(rows))


def test_r3_more_changes_than_allowed_are_refused(loaded: LookupWorld) -> None:
    refused(loaded, CHANGED, "10 items differ", "max_changes is 9", max_changes=9)


def test_r3_keys_that_repeat_are_refused_by_the_databases_own_count(loaded: LookupWorld) -> None:
    rows = [*OLD, product(3, "twice"), product(3, "thrice"), product(4, "twice")]

    attempt = refused(loaded, rows, "2 keys (pk) stand in more than one row", "P003 (3 rows); P004 (2 rows)")

    assert 0 == attempt.source.queries


def test_r3_keys_that_only_become_the_same_are_refused_by_the_rows(loaded: LookupWorld) -> None:
    """Different in SQL, where blanks at the end count, and one key in the table."""
    rows = [*OLD, ("P003  ", "twice", 1), ("P004 ", "twice", 1), ("P004", "twice", 1)]
    source = RowsSource(rows, facts_said=QueryFacts(rows=len(rows), repeated_keys=0))

    refused(
        loaded, rows, "2 keys (pk) stand in more than one row", "P003", "P004", source=source, trim_text=True
    )


def test_r3_equal_rows_are_repeated_keys_too() -> None:
    """Which of them counts can be said, but a query that doubles rows is not the one that was meant."""
    with in_small_buckets():
        rows = [*OLD, OLD[3]]
        source = RowsSource(rows, facts_said=QueryFacts(rows=len(rows), repeated_keys=0))
        world = LookupWorld(rows)

        attempt = world.load(source=source)

        attempt.failed(LookupRefused, "1 keys (pk) stand in more than one row: P003")
        assert [] == world.items


@pytest.mark.parametrize("batch_rows", [1, 100])
def test_r3_more_rejected_rows_than_allowed_are_refused_and_stand_in_a_file(
    loaded: LookupWorld, batch_rows: int
) -> None:
    rows = [*OLD, product(20, price=float("nan")), product(21, price=float("inf"))]
    source = RowsSource(rows, batch_rows=batch_rows)

    words = "2 of 12 rows cannot become items, max_rejected is 1"
    attempt = refused(loaded, rows, words, source=source, max_rejected=1)

    assert [11, 12] == sorted(attempt.world.rejects)


def test_r3_everything_that_is_too_much_is_named_at_once() -> None:
    with in_small_buckets():
        world = LookupWorld(OLD)
        world.load(run="last night")
        rows = [product(3), product(4), product(30)]
        source = RowsSource([*rows, ("P004 ", "twice", 1)], facts_said=QueryFacts(rows=4, repeated_keys=0))

        attempt = world.load(source=source, trim_text=True, max_shrink=0.2, max_deletes=2, max_changes=1)

        attempt.failed(
            LookupRefused, "max_shrink", "8 items would be deleted", "max_changes is 1", "P004", "4 problems"
        )
        assert [] == attempt.writes
        assert_table(world, items_of(OLD))


def test_r3_a_database_that_knows_of_no_rows_and_of_repeated_keys_says_both() -> None:
    world = LookupWorld(OLD)
    said = QueryFacts(rows=0, repeated_keys=2)

    attempt = world.load(source=RowsSource(OLD, facts_said=said))

    attempt.failed(LookupRefused, "the query has no rows", "2 keys (pk) stand in more than one row")


@pytest.mark.parametrize("mode", ["upsert", "insert_only", "update_existing"])
def test_r3_what_deletes_nothing_is_not_afraid_of_few_rows(mode: str) -> None:
    with in_small_buckets():
        world = LookupWorld(OLD[:1], held=items_of(OLD))

        attempt = world.load(mode=mode, max_shrink=0.0, max_deletes=0)

        assert 0 == attempt.result.written
        assert_table(world, items_of(OLD))


def test_r3_a_refused_load_finds_columns_that_are_not_there_before_it_asks_for_rows() -> None:
    world = LookupWorld(OLD, columns=(Column("id", "text"), Column("name", "text"), Column("name", "text")))

    attempt = world.load(columns={"colour": "S"})

    attempt.failed(LookupRefused, "no column 'pk'", "no column 'colour'", "2 columns named 'name'")
    assert 0 == attempt.source.queries
    assert [] == [call for call in attempt.calls if call.operation in ("Scan", "BatchGetItem")]
