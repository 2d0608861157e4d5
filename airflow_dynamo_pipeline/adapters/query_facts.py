"""Facts about a query, asked in SQL: the same for every way of sending it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

from airflow_dynamo_pipeline.adapters.sql_text import SHOWN_KEYS, QueryText
from airflow_dynamo_pipeline.adapters.sql_values import SourceColumn, tidy
from airflow_dynamo_pipeline.errors import ImportRefused, Problem, UnexpectedReply
from airflow_dynamo_pipeline.lookup.source import QueryFacts, RepeatedKey

Select = Callable[[str, int], Sequence[Sequence[Any]]]  # a query and how many of its rows are wanted


def facts_of(
    query: QueryText, keys: Sequence[str], columns: Sequence[SourceColumn], select: Select
) -> QueryFacts:
    """Count rows and find keys that repeat; raises ImportRefused for a key that is no column."""
    by_name = {column.name: column for column in columns}
    missing = [_missing(key, list(by_name)) for key in keys if key not in by_name]
    if missing:
        raise ImportRefused(missing)
    rows = _number(select(query.count, 1))
    repeated = _number(select(query.repeated_count(keys), 1))
    first = select(query.repeated(keys), SHOWN_KEYS) if repeated else ()
    return QueryFacts(
        rows=rows,
        repeated_keys=repeated,
        repeated=[_repeated_key(row, [by_name[key] for key in keys]) for row in first],
    )


def checked_columns(columns: Sequence[SourceColumn]) -> Sequence[SourceColumn]:
    """The columns; raises ImportRefused where two have one name."""
    names = [column.name for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        hint = "give each a name of its own with AS"
        raise ImportRefused([Problem("sql", f"two columns are called {name!r}", hint) for name in twice])
    return columns


def _missing(key: str, columns: Sequence[str]) -> Problem:
    near = difflib.get_close_matches(key.lower(), columns, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"its columns are {', '.join(columns)}"
    return Problem("key_columns", f"the query has no column {key!r}", hint)


def _number(rows: Sequence[Sequence[Any]]) -> int:
    if len(rows) != 1 or len(rows[0]) != 1:
        raise UnexpectedReply(f"a count is one number, and {len(rows)} rows came")
    return int(rows[0][0])


def _repeated_key(row: Sequence[Any], columns: Sequence[SourceColumn]) -> RepeatedKey:
    *values, rows = row
    found = (tidy(column, [value])[0] for column, value in zip(columns, values, strict=True))
    return RepeatedKey(values=tuple(found), rows=int(rows))
