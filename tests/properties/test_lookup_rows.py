"""Whatever a query's rows hold, each comes out as an item that DynamoDB takes, or as a bad row."""

from __future__ import annotations

import json
from datetime import UTC, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dynamo_pipeline.items.canonical import number_parts
from airflow_dynamo_pipeline.items.check import MAX_DIGITS
from airflow_dynamo_pipeline.lookup.mapping import MOMENTS, NOT_FINITE, NULLS, RowMapping
from airflow_dynamo_pipeline.lookup.source import KINDS, Column
from tests.unit.lookup.converting import ID, converted

zones = (
    st.none() | st.just(UTC) | st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))
)
OF_ONE_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers() | st.integers(-(10**40), 10**40),
    "Decimal": st.decimals() | st.decimals(-100, 100, places=3),
    "float": st.floats() | st.integers(-9, 9).map(float),
    "str": st.text(),
    "bool": st.booleans(),
    "datetime": st.datetimes(timezones=zones),
    "date": st.dates(),
    "bytes": st.binary(),
    "uuid": st.uuids(),
}  # fmt: skip
anything = st.recursive(
    st.none() | st.times() | st.timedeltas() | st.one_of(*OF_ONE_TYPE.values()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
mappings = st.builds(
    RowMapping,
    moments=st.sampled_from(MOMENTS),
    nulls=st.sampled_from(NULLS),
    not_finite=st.sampled_from(NOT_FINITE),
    trim_text=st.booleans(),
)


@pytest.mark.parametrize("kind", OF_ONE_TYPE)
@given(data=st.data(), mapping=mappings)
def test_a_column_converted_at_once_is_what_its_values_are_one_by_one(
    kind: str, data: st.DataObject, mapping: RowMapping
) -> None:
    values = data.draw(st.lists(st.none() | OF_ONE_TYPE[kind], min_size=1, max_size=5))
    columns = [ID, Column("v", data.draw(st.sampled_from(KINDS)))]
    rows = [("a", value) for value in values]

    at_once = converted(columns, rows, mapping)
    singly = converted(columns, [*rows, ("a", object())], mapping)

    assert (singly.items, singly.rows) == (at_once.items, at_once.rows)
    assert singly.bad[:-1] == at_once.bad


@given(st.lists(st.tuples(anything, anything, st.sampled_from(KINDS)), max_size=4), mappings)
def test_every_row_is_an_item_that_dynamodb_takes_or_a_bad_row(
    rows: list[tuple[Any, Any, str]], mapping: RowMapping
) -> None:
    for kind in {kind for _, _, kind in rows} or {"other"}:
        found = converted([ID, Column("v", kind)], [row[:2] for row in rows], mapping)

        assert all(isinstance(json.loads(bad.text), dict) for bad in found.bad)


@given(st.decimals(allow_nan=False, allow_infinity=False) | st.integers(-(10**38), 10**38).map(Decimal))
def test_a_number_in_an_item_is_the_number_of_the_row(value: Decimal) -> None:
    found = converted([ID, Column("v", "number")], [("a", value)])

    assert all(value == Decimal(json.loads(item)["v"]["N"]) for item in found.items)
    parts = number_parts(str(value))
    assert parts is not None
    fits = len(parts.digits) <= MAX_DIGITS and (not parts.digits or -130 <= parts.magnitude <= 125)
    assert fits == bool(found.items)
