"""Whether a query's columns, the mapping and the table's key go together: found before a row is read."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from airflow_dynamo_pipeline.errors import Problem
from airflow_dynamo_pipeline.items.keys import KeyAttribute
from airflow_dynamo_pipeline.lookup.json_values import normal
from airflow_dynamo_pipeline.lookup.mapping import RowMapping
from airflow_dynamo_pipeline.lookup.source import Column
from airflow_dynamo_pipeline.lookup.values import UNFIT

MOST_LISTED = 12  # columns in a hint
CONSTANT = "a constant"


def mapping_fits(
    columns: Sequence[Column],
    mapping: RowMapping,
    key: Sequence[KeyAttribute],
    key_columns: Sequence[str],
) -> Iterator[Problem]:
    """Everything that keeps this query's rows from being items of this table, each with a hint.

    ``mapping_problems`` has found nothing wrong with the mapping by itself.
    """
    names = [column.name for column in columns]
    yield from _columns(names)
    yield from _named(names, mapping, key_columns)
    yield from _key(names, mapping, key, key_columns)
    yield from _attributes(names, mapping, key)
    yield from _constants(mapping)


def _columns(names: Sequence[str]) -> Iterator[Problem]:
    if not names:
        yield Problem("sql", "the query has no columns", "select the key and what belongs to it")
    for name in (name for name, times in Counter(names).items() if times > 1):
        hint = "give each column a name of its own with AS"
        yield Problem("sql", f"the query has {names.count(name)} columns named {name!r}", hint)
    if "" in names:
        yield Problem("sql", "the query has a column without a name", "name it with AS")


def _named(names: Sequence[str], mapping: RowMapping, key_columns: Sequence[str]) -> Iterator[Problem]:
    """Columns that settings name and the query does not have."""
    named = [("columns", name) for name in mapping.columns]
    named += [("key_columns", name) for name in key_columns]
    named += [("ttl_column", mapping.ttl_column)] if mapping.ttl_column is not None else []
    for setting, name in named:
        if name not in names:
            yield Problem(setting, f"the query has no column {name!r}", _meant(name, names))


def _meant(name: str, names: Sequence[str]) -> str:
    folded = {one.casefold(): one for one in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    more = ", ..." if len(names) > MOST_LISTED else ""
    return f"its columns are {', '.join(names[:MOST_LISTED])}{more}"


def _key(
    names: Sequence[str],
    mapping: RowMapping,
    key: Sequence[KeyAttribute],
    key_columns: Sequence[str],
) -> Iterator[Problem]:
    """A column that the query does not have is told of elsewhere: what it would become is no finding."""
    schema = [attribute.name for attribute in key]
    found = [mapping.attribute(column) for column in key_columns]
    if len(found) != len(schema):
        hint = "name the column of the partition key, then that of the sort key if the table has one"
        message = f"{len(found)} given; the table's key has {len(schema)}: {', '.join(schema)}"
        yield Problem("key_columns", message, hint)
    for column, attribute, wanted in zip(key_columns, found, key, strict=False):
        if column not in names:
            continue
        if attribute != wanted.name:
            message = f"column {column!r} becomes {attribute!r}; the table's key attribute is {wanted.name!r}"
            yield Problem("key_columns", message, f'use columns={{"{column}": {{"name": "{wanted.name}"}}}}')
        declared = mapping.columns[column].type if column in mapping.columns else None
        if declared not in (None, wanted.tag):
            message = f"column {column!r} is declared {declared}; the table's key attribute is {wanted.tag}"
            yield Problem("columns", message, "leave the type of a key column out: the table says it")


def _attributes(names: Sequence[str], mapping: RowMapping, key: Sequence[KeyAttribute]) -> Iterator[Problem]:
    """Attributes that two would write, and key attributes that are not from a column."""
    writers = _writers(names, mapping)
    for attribute, several in writers.items():
        if len(several) > 1:
            hint = "rename or drop a column"
            yield Problem("columns", f"attribute {attribute!r} is written by {' and '.join(several)}", hint)
    for attribute in (one.name for one in key):
        if writers.get(attribute) == [CONSTANT]:
            hint = "a key is a column's: select the constant in the query"
            yield Problem("constants", f"{attribute!r} is a key attribute of the table", hint)


def _writers(names: Sequence[str], mapping: RowMapping) -> dict[str, list[str]]:
    """For each attribute what would write it, in words."""
    writers: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        if name not in mapping.columns or not mapping.columns[name].drop:
            writers[mapping.attribute(name)].append(f"column {name!r}")
    for name in mapping.constants:
        writers[name].append(CONSTANT)
    if mapping.ttl_attribute is not None:
        writers[mapping.ttl_attribute].append("ttl_attribute")
    return writers


def _constants(mapping: RowMapping) -> Iterator[Problem]:
    if "" in mapping.constants:
        yield Problem("constants", "an attribute's name is empty", "name the attribute")
    for attribute, value in mapping.constants.items():
        try:
            normal(value)
        except UNFIT as exc:
            yield Problem("constants", f"{attribute}: {exc}", "give a value that DynamoDB takes")
