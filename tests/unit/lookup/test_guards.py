from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.lookup.guards import count_problems, facts_problems
from airflow_dynamo_pipeline.lookup.records import Counts
from airflow_dynamo_pipeline.lookup.source import QueryFacts, RepeatedKey
from tests.unit.lookup.load_world import asked

GENERATIONS: dict[str, Any] = {"generation_days": 1.0, "ttl_attribute": "gone_at"}


def of_counts(counts: Counts, **settings: Any) -> dict[str, str]:
    return {found.where: found.message for found in count_problems(asked(**settings), counts)}


def of_facts(facts: QueryFacts, **settings: Any) -> dict[str, str]:
    return {found.where: found.message for found in facts_problems(asked(**settings), facts)}


def test_a_load_as_usual_is_not_refused() -> None:
    assert {} == of_counts(Counts(rows=100, unchanged=95, updated=5, deleted=5, table_items=105))
    assert {} == of_facts(QueryFacts(rows=100, repeated_keys=0))


@pytest.mark.parametrize(
    "rows", [QueryFacts(rows=0, repeated_keys=0), Counts(rows=0, deleted=5, table_items=5)]
)
def test_a_mirror_of_an_empty_query_is_refused_unless_it_is_allowed(rows: QueryFacts | Counts) -> None:
    def problems(**settings: Any) -> dict[str, str]:
        return of_facts(rows, **settings) if isinstance(rows, QueryFacts) else of_counts(rows, **settings)

    assert {"sql": "the query has no rows: a mirror of it would be an empty table"} == problems()
    assert {"sql"} == problems(**GENERATIONS).keys()
    assert {} == problems(allow_empty=True, max_shrink=0.0)


@pytest.mark.parametrize("mode", ["upsert", "insert_only", "update_existing"])
def test_other_modes_take_an_empty_query_for_no_change(mode: str) -> None:
    assert {} == of_facts(QueryFacts(rows=0, repeated_keys=0), mode=mode)
    assert {} == of_counts(Counts(rows=0, table_items=100), mode=mode)


@pytest.mark.parametrize(
    ("rows", "items", "most", "is_refused"),
    [
        (80, 100, 0.2, False),
        (79, 100, 0.2, True),
        (3, 10, 0.7, False),
        (2, 10, 0.7, True),
        (71, 100, 0.29, False),
        (70, 100, 0.29, True),
        (1, 3, 2 / 3, False),
        (100, 100, 0.0, False),
        (99, 100, 0.0, True),
        (1, 1_000_000, 1.0, False),
        (5, 0, 0.0, False),
        (500, 100, 0.2, False),
    ],
)
def test_a_mirror_may_shrink_by_its_share_and_no_more(
    rows: int, items: int, most: float, is_refused: bool
) -> None:
    deleted, inserted = max(0, items - rows), max(0, rows - items)
    in_place = Counts(
        rows=rows, unchanged=min(rows, items), inserted=inserted, deleted=deleted, table_items=items
    )
    generation = Counts(rows=rows, inserted=rows, table_items=items)

    assert is_refused == ("max_shrink" in of_counts(in_place, max_shrink=most))
    assert is_refused == ("max_shrink" in of_counts(generation, max_shrink=most, **GENERATIONS))


def test_rows_that_come_for_those_that_vanish_are_no_shrinking() -> None:
    counts = Counts(rows=100, inserted=100, deleted=100, table_items=100)

    assert {} == of_counts(counts, max_shrink=0.0)


def test_a_query_of_rejected_rows_without_keys_would_empty_the_table() -> None:
    counts = Counts(rows=50, rejected=50, deleted=50, table_items=50)

    wanted = "none of the 50 rows of the query can become an item: a mirror of it would be an empty table"
    assert {"sql": wanted} == of_counts(counts, max_rejected=50)
    assert {"sql": wanted} == of_counts(counts, max_rejected=50, max_shrink=1.0)


def test_items_whose_rejected_rows_have_keys_stay_and_so_nothing_shrinks() -> None:
    counts = Counts(rows=50, rejected=50, table_items=50)

    assert {} == of_counts(counts, max_rejected=50, max_shrink=0.0)


def test_rejected_rows_are_told_where_they_are_why_a_table_would_shrink() -> None:
    counts = Counts(rows=50, rejected=20, unchanged=30, deleted=20, table_items=50)

    (said,) = of_counts(counts, max_rejected=20).values()

    assert "the query has 50 rows, 20 of them rejected, the table 50 items: there would be 30, 40.0%" in said


@pytest.mark.parametrize("before", [0, 50])
def test_a_generation_of_rejected_rows_only_is_refused(before: int) -> None:
    counts = Counts(rows=50, rejected=50, table_items=before)

    assert {"sql"} == of_counts(counts, max_rejected=50, max_shrink=1.0, **GENERATIONS).keys()


def test_what_shrank_is_told_in_numbers() -> None:
    in_place = Counts(rows=700, unchanged=700, deleted=300, table_items=1000)
    (said,) = of_counts(in_place).values()
    (of_generation,) = of_counts(Counts(rows=700, inserted=700, table_items=1000), **GENERATIONS).values()

    told = "1,000 items: there would be 700, 30.0% fewer, max_shrink is 20.0%"
    assert f"the query has 700 rows, the table {told}" == said
    assert f"the query has 700 rows, the generation that counts {told}" == of_generation


def test_a_mode_that_deletes_nothing_may_have_fewer_rows() -> None:
    assert {} == of_counts(Counts(rows=1, table_items=1000), mode="upsert")


@pytest.mark.parametrize(("most", "is_refused"), [(None, False), (5, False), (4, True), (0, True)])
def test_deletes_beyond_those_allowed_are_refused(most: int | None, is_refused: bool) -> None:
    counts = Counts(rows=100, unchanged=100, deleted=5, table_items=105)

    assert is_refused == ("max_deletes" in of_counts(counts, max_deletes=most))


@pytest.mark.parametrize(("most", "is_refused"), [(None, False), (6, False), (5, True), (0, True)])
def test_changes_beyond_those_allowed_are_refused(most: int | None, is_refused: bool) -> None:
    counts = Counts(rows=100, unchanged=97, inserted=2, updated=1, deleted=3, table_items=101)
    found = of_counts(counts, max_changes=most)

    assert is_refused == ("max_changes" in found)
    if is_refused:
        assert "6 items differ (2 to insert, 1 to update, 3 to delete)" in found["max_changes"]


def test_no_change_passes_a_load_that_allows_none() -> None:
    assert {} == of_counts(Counts(rows=5, unchanged=5, table_items=5), max_changes=0, max_deletes=0)


def test_all_that_is_too_much_is_told_at_once() -> None:
    counts = Counts(rows=10, unchanged=10, deleted=90, table_items=100)

    assert {"max_shrink", "max_deletes", "max_changes"} == of_counts(
        counts, max_deletes=1, max_changes=1
    ).keys()


def test_keys_that_repeat_are_named_with_their_rows() -> None:
    some = (RepeatedKey(values=("P1", 7), rows=1200), RepeatedKey(values=("P2", None), rows=2))
    load = {"key_columns": ("id", "day")}

    (said,) = of_facts(QueryFacts(rows=5000, repeated_keys=2, repeated=some), **load).values()
    (more,) = of_facts(QueryFacts(rows=5000, repeated_keys=3, repeated=some), **load).values()

    assert "2 keys (id, day) stand in more than one row: P1, 7 (1,200 rows); P2, None (2 rows)" == said
    assert more.endswith("P2, None (2 rows), ...")


def test_keys_that_repeat_are_refused_in_every_mode() -> None:
    facts = QueryFacts(rows=3, repeated_keys=1, repeated=(RepeatedKey(values=("P1",), rows=2),))

    assert [{"key_columns"}] * 3 == [
        of_facts(facts, mode=mode).keys() for mode in ("mirror", "upsert", "insert_only")
    ]
