"""What a lookup load refuses to write, although it could."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_dynamo_pipeline.errors import Problem
from airflow_dynamo_pipeline.lookup.records import Counts
from airflow_dynamo_pipeline.lookup.request import LookupRequest
from airflow_dynamo_pipeline.lookup.source import QueryFacts


def facts_problems(load: LookupRequest, facts: QueryFacts) -> Iterator[Problem]:
    """What the database's own count is reason enough for, before any row is fetched."""
    if facts.rows == 0:
        yield from _empty(load, 0)
    if facts.repeated_keys:
        some = [f"{', '.join(map(str, one.values))} ({one.rows:,} rows)" for one in facts.repeated]
        yield repeated_keys(load, facts.repeated_keys, some)


def repeated_keys(load: LookupRequest, count: int, some: Sequence[str]) -> Problem:
    """Several rows would become one item, and nobody can say which."""
    columns = ", ".join(load.key_columns)
    rest = ", ..." if count > len(some) else ""
    return Problem(
        "key_columns",
        f"{count:,} keys ({columns}) stand in more than one row: {'; '.join(some)}{rest}",
        "make the query say which row counts, as by GROUP BY, or row_number() over (partition by the key)",
    )


def count_problems(load: LookupRequest, counts: Counts) -> Iterator[Problem]:
    """What the comparison found that is too much."""
    if load.mode == "mirror":
        left = _left(load, counts)
        yield from _empty(load, counts.rows) if left == 0 else _shrunken(load, counts, left)
    if load.max_deletes is not None and counts.deleted > load.max_deletes:
        yield Problem(
            "max_deletes",
            f"{counts.deleted:,} items would be deleted, max_deletes is {load.max_deletes:,}",
            "look at the query, and at the change set; raise max_deletes if they shall go",
        )
    if load.max_changes is not None and counts.changes > load.max_changes:
        yield Problem(
            "max_changes",
            f"{counts.changes:,} items differ ({counts.inserted:,} to insert, {counts.updated:,} to update, "
            f"{counts.deleted:,} to delete), max_changes is {load.max_changes:,}",
        )


def _left(load: LookupRequest, counts: Counts) -> int:
    """How many items there will be: rows that were rejected are none, unless their key was known."""
    if load.generation_days is not None:
        return counts.inserted
    return counts.table_items - counts.deleted + counts.inserted


def _empty(load: LookupRequest, rows: int) -> Iterator[Problem]:
    if load.mode != "mirror" or load.allow_empty:
        return
    found = f"none of the {rows:,} rows of the query can become an item" if rows else "the query has no rows"
    yield Problem(
        "sql",
        f"{found}: a mirror of it would be an empty table",
        "look at the query's source; set allow_empty=True if nothing is right",
    )


def _shrunken(load: LookupRequest, counts: Counts, left: int) -> Iterator[Problem]:
    if counts.table_items - left <= round(load.max_shrink * counts.table_items, 6):  # 0.7 of 10 is 7
        return
    share = 1 - left / counts.table_items
    before = "the generation that counts" if load.generation_days is not None else "the table"
    rejected = f", {counts.rejected:,} of them rejected" if counts.rejected else ""
    yield Problem(
        "max_shrink",
        f"the query has {counts.rows:,} rows{rejected}, {before} {counts.table_items:,} items: there "
        f"would be {left:,}, {share:.1%} fewer, max_shrink is {load.max_shrink:.1%}",
        "look at the query's source; raise max_shrink if so many shall vanish",
    )
