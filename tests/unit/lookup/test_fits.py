"""What is found wrong between a query's columns, a mapping and a table's key, before a row is read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.lookup.columns import mapping_fits
from airflow_dynamo_pipeline.lookup.mapping import ColumnMapping, RowMapping
from airflow_dynamo_pipeline.lookup.source import Column

KEY = (KeyAttribute("id", "S"),)
DROPPED = ColumnMapping(drop=True)
SWAPPED = {"v": ColumnMapping(name="w"), "w": ColumnMapping(name="v")}
PAIR = (KeyAttribute("id", "S"), KeyAttribute("at", "N"))


def nested(levels: int) -> object:
    """A number within as many maps."""
    value: dict[str, object] = {"N": "1"}
    for _ in range(levels):
        value = {"M": {"a": value}}
    return value


def found(
    names: Sequence[str],
    mapping: RowMapping,
    key: Sequence[KeyAttribute] = KEY,
    key_columns: Sequence[str] = ("id",),
) -> list[tuple[str, str, str | None]]:
    """The problems as (where, message, hint)."""
    problems = mapping_fits([Column(name) for name in names], mapping, key, key_columns)
    return [(problem.where, problem.message, problem.hint) for problem in problems]


@pytest.mark.parametrize(
    ("names", "mapping", "key", "key_columns"),
    [
        (["id", "v"], RowMapping(), KEY, ["id"]),
        (["t", "id"], RowMapping(columns={"t": ColumnMapping(name="at", type="N")}), PAIR, ["id", "t"]),
        (["id", "v"], RowMapping(columns={"v": DROPPED}, constants={"v": {"S": "x"}}), KEY, ["id"]),
        (
            ["id", "ttl"],
            RowMapping(columns={"ttl": DROPPED}, ttl_attribute="ttl", ttl_column="ttl"),
            KEY,
            ["id"],
        ),
        (["id", "v", "w"], RowMapping(columns=SWAPPED), KEY, ["id"]),
    ],
)  # fmt: skip
def test_what_goes_together_has_no_problems(
    names: list[str], mapping: RowMapping, key: Sequence[KeyAttribute], key_columns: list[str]
) -> None:
    assert [] == found(names, mapping, key, key_columns)


def test_columns_of_the_query_have_names_of_their_own() -> None:
    assert [
        ("sql", "the query has 2 columns named 'v'", "give each column a name of its own with AS"),
        ("sql", "the query has a column without a name", "name it with AS"),
    ] == found(["id", "v", "v", ""], RowMapping())


def test_settings_name_columns_that_the_query_has() -> None:
    mapping = RowMapping(columns={"Price": ColumnMapping(type="N")}, ttl_attribute="ttl", ttl_column="until")

    assert [
        ("columns", "the query has no column 'Price'", "did you mean 'price'?"),
        ("key_columns", "the query has no column 'id'", "its columns are product, price"),
        ("ttl_column", "the query has no column 'until'", "its columns are product, price"),
    ] == found(["product", "price"], mapping)


def test_a_hint_lists_the_first_columns_of_many() -> None:
    names = ["id", *(f"column{n}" for n in range(50))]

    ((_, _, hint),) = found(names, RowMapping(columns={"zzz": ColumnMapping()}))

    assert hint is not None
    assert hint.endswith("column10, ...")


def test_key_columns_become_the_tables_key() -> None:
    assert [
        (
            "key_columns",
            "column 'product' becomes 'product'; the table's key attribute is 'id'",
            'use columns={"product": {"name": "id"}}',
        )
    ] == found(["product"], RowMapping(), KEY, ["product"])


def test_a_key_column_that_is_not_there_is_one_problem_with_the_column_that_was_meant() -> None:
    key = (KeyAttribute("product_id", "S"),)

    assert [("key_columns", "the query has no column 'Product_ID'", "did you mean 'product_id'?")] == found(
        ["product_id", "price"], RowMapping(), key, ["Product_ID"]
    )


@pytest.mark.parametrize(
    ("key", "key_columns", "message"),
    [
        (PAIR, ["id"], "1 given; the table's key has 2: id, at"),
        (KEY, ["id", "at"], "2 given; the table's key has 1: id"),
    ],
)
def test_there_are_as_many_key_columns_as_key_attributes(
    key: Sequence[KeyAttribute], key_columns: list[str], message: str
) -> None:
    hint = "name the column of the partition key, then that of the sort key if the table has one"

    assert [("key_columns", message, hint)] == found(["id", "at"], RowMapping(), key, key_columns)


def test_key_columns_in_the_wrong_order_are_two_problems() -> None:
    problems = found(["id", "at"], RowMapping(), PAIR, ["at", "id"])

    assert ["key_columns", "key_columns"] == [where for where, _, _ in problems]


@pytest.mark.parametrize("declared", ["N", "B", "json", "SS"])
def test_a_key_column_has_the_type_of_the_tables_key(declared: str) -> None:
    mapping = RowMapping(columns={"id": ColumnMapping(type=declared)})

    assert [
        (
            "columns",
            f"column 'id' is declared {declared}; the table's key attribute is S",
            "leave the type of a key column out: the table says it",
        )
    ] == found(["id"], mapping)


@pytest.mark.parametrize(
    ("mapping", "writers"),
    [
        (RowMapping(columns={"v": ColumnMapping(name="w")}), "'w' is written by column 'v' and column 'w'"),
        (RowMapping(constants={"v": {"S": "x"}}), "'v' is written by column 'v' and a constant"),
        (RowMapping(constants={"id": {"S": "x"}}), "'id' is written by column 'id' and a constant"),
        (
            RowMapping(ttl_attribute="v", ttl_column="v"),
            "'v' is written by column 'v' and ttl_attribute",
        ),
        (
            RowMapping(constants={"ttl": {"N": "1"}}, ttl_attribute="ttl", ttl_column="v"),
            "'ttl' is written by a constant and ttl_attribute",
        ),
    ],
)
def test_an_attribute_is_written_once(mapping: RowMapping, writers: str) -> None:
    assert [("columns", f"attribute {writers}", "rename or drop a column")] == found(
        ["id", "v", "w"], mapping
    )


def test_a_key_attribute_is_no_constant() -> None:
    problems = found(["id"], RowMapping(constants={"at": {"N": "1"}}), PAIR)

    hint = "a key is a column's: select the constant in the query"
    assert ("constants", "'at' is a key attribute of the table", hint) in problems


@pytest.mark.parametrize(
    ("value", "finding"),
    [
        ({"N": "x"}, "it is no number"),
        ({"N": "1E126"}, "it is out of the range 1E-130 to 9.99E+125"),
        ({"SS": []}, "a set is empty"),
        ({"NULL": False}, "a value of type NULL is false"),
        ({"M": {"": {"S": "x"}}}, "a name in it is empty"),
        ({"L": [{"S": "\ud800"}]}, "it holds a lone surrogate, U+D800"),
        (nested(32), "nested deeper than 32 levels"),
    ],
    ids=str,
)
def test_a_constant_is_a_value_that_dynamodb_takes(value: object, finding: str) -> None:
    assert [("constants", f"c: {finding}", "give a value that DynamoDB takes")] == found(
        ["id"], RowMapping(constants={"c": value})
    )


def test_a_constant_may_be_as_deep_as_dynamodb_takes_it() -> None:
    assert [] == found(["id"], RowMapping(constants={"c": nested(31)}))


def test_all_problems_are_told_at_once_each_with_a_hint() -> None:
    mapping = RowMapping(columns={"x": ColumnMapping()}, constants={"c": {"SS": []}, "": {"S": "x"}})

    problems = found(["v", "v"], mapping)

    assert ["sql", "columns", "key_columns", "constants", "constants"] == [where for where, _, _ in problems]
    assert all(hint for _, _, hint in problems)


def test_a_query_without_columns_is_told_of() -> None:
    assert ("sql", "the query has no columns", "select the key and what belongs to it") in found(
        [], RowMapping()
    )
