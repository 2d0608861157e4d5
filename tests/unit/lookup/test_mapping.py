from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import InvalidSetting
from airflow_dynamo_pipeline.lookup.mapping import (
    ColumnMapping,
    RowMapping,
    column_mappings,
    mapping_problems,
)


def problems(mapping: RowMapping, *key_columns: str) -> list[tuple[str, str]]:
    return [(found.where, found.message) for found in mapping_problems(mapping, key_columns or ("id",))]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"price": "N"}, ColumnMapping(type="N")),
        ('{"price": "N"}', ColumnMapping(type="N")),
        ({"price": {"name": "cost", "type": "json"}}, ColumnMapping(name="cost", type="json")),
        ({"price": {"drop": "yes"}}, ColumnMapping(drop=True)),
        ({"price": {"drop": False, "nulls": "null"}}, ColumnMapping(nulls="null")),
        (
            {"price": {"moments": "iso", "not_finite": "text"}},
            ColumnMapping(moments="iso", not_finite="text"),
        ),
        ({"price": ColumnMapping(name="x")}, ColumnMapping(name="x")),
        ({"price": {}}, ColumnMapping()),
    ],
)
def test_a_column_is_a_type_or_some_fields(given: Any, found: ColumnMapping) -> None:
    assert {"price": found} == column_mappings("columns", given)


@pytest.mark.parametrize(
    "given", [{"price": 5}, {"price": {"kind": "N"}}, {"price": None}, "[]", {"price": {"drop": "perhaps"}}]
)
def test_anything_else_is_refused(given: Any) -> None:
    with pytest.raises(InvalidSetting):
        column_mappings("columns", given)


def test_a_column_becomes_the_attribute_of_its_name_unless_it_is_renamed() -> None:
    mapping = RowMapping(columns={"id": ColumnMapping(name="pk"), "price": ColumnMapping(type="N")})

    assert ["pk", "price", "other"] == [mapping.attribute(name) for name in ("id", "price", "other")]


def test_a_mapping_without_faults_has_no_problems() -> None:
    mapping = RowMapping(
        columns={"id": ColumnMapping(name="pk"), "x": ColumnMapping(drop=True, type="SS")},
        constants={"source": {"S": "redshift"}, "tags": {"SS": ["a"]}},
        ttl_attribute="gone_at",
        ttl_column="until",
    )

    assert [] == problems(mapping)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (ColumnMapping(type="string"), "'string' is not one of"),
        (ColumnMapping(name=""), "the attribute's name is empty"),
        (ColumnMapping(moments="unix"), "moments 'unix' is not one of iso"),
        (ColumnMapping(nulls="keep"), "nulls 'keep' is not one of omit"),
        (ColumnMapping(not_finite="zero"), "not_finite 'zero' is not one of reject"),
    ],
)
def test_each_fault_of_a_column_names_the_column(column: ColumnMapping, said: str) -> None:
    ((path, message),) = problems(RowMapping(columns={"price": column}))

    assert "columns" == path
    assert message.startswith("column 'price': ")
    assert said in message


def test_every_fault_is_told_at_once() -> None:
    mapping = RowMapping(
        columns={"id": ColumnMapping(drop=True), "x": ColumnMapping(type="?", nulls="?")},
        constants={"source": 5},
        ttl_attribute="gone_at",
        moments="?",
        nulls="?",
        not_finite="?",
    )

    paths = ["columns", "columns", "columns", "moments", "nulls", "not_finite", "constants", "ttl_column"]
    assert paths == [path for path, _ in problems(mapping)]


@pytest.mark.parametrize(
    "value", ["x", {"S": 5}, {"S": "a", "N": "1"}, {"X": "a"}, {}, {"BOOL": "yes"}, {"SS": "a"}]
)
def test_a_constant_that_is_no_typed_value_is_refused(value: Any) -> None:
    ((path, message),) = problems(RowMapping(constants={"source": value}))

    assert ("constants", True) == (path, message.startswith("source is "))
