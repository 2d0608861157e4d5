"""Rows of a query as items of a table: keys, names, constants; what becomes of bad rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.errors import InvalidSetting
from airflow_dynamo_pipeline.formats.reading import KEPT_BYTES
from airflow_dynamo_pipeline.items.canonical import canonical_number
from airflow_dynamo_pipeline.items.key_texts import key_texts
from airflow_dynamo_pipeline.items.keys import KeyReader
from airflow_dynamo_pipeline.items.sizes import MAX_ITEM_BYTES
from airflow_dynamo_pipeline.lookup.columns import RowConverter
from airflow_dynamo_pipeline.lookup.mapping import ColumnMapping, RowMapping
from airflow_dynamo_pipeline.lookup.source import Column, RowBatch
from tests.unit.lookup.converting import ID, KEY, converted

NUMBER_KEY = (KeyAttribute("id", "N"),)
BINARY_KEY = (KeyAttribute("id", "B"),)
PAIR = (KeyAttribute("id", "S"), KeyAttribute("at", "N"))
UNSORTED = object()  # beside another value: the column is then converted value by value


def test_a_row_becomes_an_item_with_its_attributes_in_order() -> None:
    columns = [Column("price", "number"), ID, Column("Live", "boolean"), Column("é", "text")]

    found = converted(columns, [(Decimal("1.50"), "a", True, "x"), (Decimal(2), "b", False, None)])

    assert [
        '{"Live":{"BOOL":true},"id":{"S":"a"},"price":{"N":"1.5"},"é":{"S":"x"}}'.encode(),
        b'{"Live":{"BOOL":false},"id":{"S":"b"},"price":{"N":"2"}}',
    ] == found.items
    assert [0, 1] == found.rows
    assert [] == found.bad


def test_names_that_json_escapes_are_attributes_like_others() -> None:
    found = converted([ID, Column('a"\\\n', "text"), Column("", "text")], [("a", "x", None)])

    assert [{"id": {"S": "a"}, 'a"\\\n': {"S": "x"}}] == list(map(json.loads, found.items))


def test_columns_are_renamed_and_dropped_and_constants_stand_in_every_item() -> None:
    mapping = RowMapping(
        columns={"id": ColumnMapping(name="pk"), "x": ColumnMapping(drop=True)},
        constants={"source": {"S": "redshift"}, "a": {"NS": ["10", "1E1", "2.0"]}},
    )

    found = converted([ID, Column("x")], [("a", 1j)], mapping, [KeyAttribute("pk", "S")], key_columns=["id"])

    assert [b'{"a":{"NS":["10","2"]},"pk":{"S":"a"},"source":{"S":"redshift"}}'] == found.items


def test_a_batch_without_rows_becomes_no_items() -> None:
    found = converted([ID, Column("v")], [])

    assert ([], [], []) == (found.items, found.rows, found.bad)


def test_bad_rows_are_told_of_and_the_others_keep_their_place() -> None:
    rows = [("a", 1), (None, 2), ("c", float("nan")), ("d", 4)]

    found = converted([ID, Column("v", "number")], rows)

    assert [b'{"id":{"S":"a"},"v":{"N":"1"}}', b'{"id":{"S":"d"},"v":{"N":"4"}}'] == found.items
    assert [0, 3] == found.rows
    assert [
        (1, "column 'id': 'None': it is NULL, and the table's partition key", b'{"id":null,"v":2}', None),
        (
            2,
            "column 'v': 'nan': neither NaN nor infinity is a number in DynamoDB",
            b'{"id":"c","v":"nan"}',
            '["c"]',
        ),
    ] == [(bad.row, bad.reason, bad.text, bad.key) for bad in found.bad]


def test_a_row_with_two_faults_is_one_bad_row_that_names_both() -> None:
    (bad,) = converted([ID, Column("v")], [("", 1j)]).bad

    assert bad.reason == (
        "column 'id': '': it is empty, and the table's partition key; "
        "column 'v': '1j': the type complex has no counterpart in DynamoDB"
    )
    assert bad.key is None


KEYS: list[tuple[Sequence[KeyAttribute], str, object, object]] = [
    (KEY, "number", 12, "12"),
    (KEY, "number", Decimal("12.50"), "12.5"),
    (KEY, "date", date(2026, 11, 21), "2026-11-21"),
    (KEY, "json", '{"a"}', '{"a"}'),
    (KEY, "text", "x" * 2048, "x" * 2048),
    (KEY, "text", "é" * 1024, "é" * 1024),
    (KEY, "text", '"' * 2048, '"' * 2048),
    (NUMBER_KEY, "text", "012.50", "12.5"),
    (NUMBER_KEY, "number", Decimal("1E+125"), "1" + "0" * 125),
    (NUMBER_KEY, "timestamp", datetime(1970, 1, 2, tzinfo=UTC), "86400"),
    (BINARY_KEY, "binary", b"\x00", "AA=="),
    (BINARY_KEY, "binary", b"\x00" * 2048, "A" * 2730 + "A="),
]


@pytest.mark.parametrize("beside", [(), (UNSORTED,)], ids=["alone", "mixed"])
@pytest.mark.parametrize(("key", "kind", "value", "expected"), KEYS, ids=range(len(KEYS)))
def test_a_key_column_gets_the_type_of_the_tables_key(
    key: Sequence[KeyAttribute], kind: str, value: object, expected: object, beside: Sequence[object]
) -> None:
    found = converted([Column("id", kind)], [(value,), *((other,) for other in beside)], None, key)

    assert {"id": {key[0].tag: expected}} == json.loads(found.items[0])


BAD_KEYS: list[tuple[Sequence[KeyAttribute], str, object, str]] = [
    (KEY, "text", None, "it is NULL, and the table's partition key"),
    (KEY, "text", "", "it is empty"),
    (KEY, "text", "x" * 2049, "it has 2,049 bytes; a partition key has at most 2,048"),
    (KEY, "text", "é" * 1025, "it has 2,050 bytes"),
    (KEY, "text", "\udfff", "a lone surrogate"),
    (KEY, "json", [1], "a value of type L cannot become one"),
    (NUMBER_KEY, "text", "x", "not of type N: no number"),
    (NUMBER_KEY, "text", "", "not of type N: no number"),
    (NUMBER_KEY, "float", float("nan"), "neither NaN nor infinity"),
    (NUMBER_KEY, "boolean", True, "a value of type BOOL cannot become one"),
    (NUMBER_KEY, "number", 10**38 + 1, "39 significant digits"),
    (BINARY_KEY, "binary", b"", "it is empty"),
    (BINARY_KEY, "binary", b"\x00" * 2049, "it has 2,049 bytes"),
]


@pytest.mark.parametrize("beside", [(), (UNSORTED,)], ids=["alone", "mixed"])
@pytest.mark.parametrize(("key", "kind", "value", "reason"), BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_a_key_that_dynamodb_would_refuse_makes_its_row_a_bad_one(
    key: Sequence[KeyAttribute], kind: str, value: object, reason: str, beside: Sequence[object]
) -> None:
    found = converted([Column("id", kind)], [(value,), *((other,) for other in beside)], None, key)

    assert [] == found.items
    assert reason in found.bad[0].reason
    assert found.bad[0].key is None


@pytest.mark.parametrize(("size", "good"), [(1024, 1), (1025, 0)])
def test_a_sort_key_is_half_as_long_as_a_partition_key(size: int, good: int) -> None:
    key = (KeyAttribute("id", "S"), KeyAttribute("at", "S"))

    found = converted([ID, Column("at", "text")], [("x" * 2048, "y" * size)], None, key)

    assert good == len(found.items)


def test_a_key_where_not_finite_numbers_count_as_null_is_a_bad_one() -> None:
    mapping = RowMapping(not_finite="null")

    found = converted([Column("id", "float")], [(float("inf"),)], mapping, NUMBER_KEY)

    assert "it is NULL, and the table's partition key" in found.bad[0].reason


@pytest.mark.parametrize("beside", [(), (UNSORTED,)], ids=["alone", "mixed"])
def test_a_prefix_stands_before_the_partition_key_and_counts_to_its_length(beside: Sequence[object]) -> None:
    rows = [("a", 1.0), ("x" * 2045, 2.0), ("x" * 2046, 3.0), ("", 4.0), *((other, 5.0) for other in beside)]

    found = converted([ID, Column("at", "float")], rows, None, PAIR, key_prefix='g"#')

    assert b'{"at":{"N":"1"},"id":{"S":"g\\"#a"}}' == found.items[0]
    assert [0, 1] == found.rows
    assert "it has 2,049 bytes" in found.bad[0].reason
    assert "it is empty" in found.bad[1].reason


def test_a_prefix_counts_in_bytes() -> None:
    found = converted([ID], [("😀" * 511,)], key_prefix="12345")

    assert "it has 2,049 bytes" in found.bad[0].reason


def test_the_key_of_a_bad_row_is_spelled_as_its_item_would_have_it() -> None:
    rows = [("a", Decimal("12.50"), 1j)]

    found = converted([ID, Column("at"), Column("v")], rows, None, PAIR, key_prefix="g#")

    assert '["g#a","12.5"]' == found.bad[0].key


def test_a_prefix_before_a_number_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="the partition key is N, not S"):
        RowConverter([ID], RowMapping(), NUMBER_KEY, ["id"], key_prefix="g#")


@pytest.mark.parametrize("beside", [(), (UNSORTED,)], ids=["alone", "mixed"])
def test_trailing_blanks_of_text_are_dropped_where_asked_also_in_keys(beside: Sequence[object]) -> None:
    mapping = RowMapping(trim_text=True, columns={"x": ColumnMapping(type="S")})
    columns = [ID, Column("v", "text"), Column("w", "json"), Column("x", "json")]
    rows = [("a  ", " b\t ", '"c "', '"d" '), *((other, other, other, other) for other in beside)]

    found = converted(columns, rows, mapping)

    assert b'{"id":{"S":"a"},"v":{"S":" b\\t"},"w":{"S":"c "},"x":{"S":"\\"d\\" "}}' == found.items[0]


def test_a_key_of_nothing_but_blanks_is_empty_when_blanks_are_dropped() -> None:
    found = converted([ID], [("  ",)], RowMapping(trim_text=True))

    assert "it is empty" in found.bad[0].reason


def test_an_item_may_be_as_large_as_dynamodb_counts_it_and_no_larger() -> None:
    room = MAX_ITEM_BYTES - len("id") - len("a") - len("v")
    rows = [("a", '"' * room), ("a", "x" * room), ("a", "x" * (room + 1)), ("a", "small")]

    found = converted([ID, Column("v", "text")], rows)

    assert [0, 1, 3] == found.rows
    assert [(2, "it has 409,601 bytes; at most 409,600 are allowed", '["a"]')] == [
        (bad.row, bad.reason, bad.key) for bad in found.bad
    ]
    assert KEPT_BYTES == len(found.bad[0].text)


def test_the_text_of_a_bad_row_is_json_for_whatever_the_row_holds() -> None:
    recursive: list[object] = []
    recursive.append(recursive)
    columns = [Column(name) for name in ("id", "a", "b", "c", "d", "e", "f", "g", "h")]
    rows = [
        ("", Decimal("1.50"), Decimal("NaN"), 10**30, 10**5000, b"\x00", "\ud800", recursive, {1: {2}}),
    ]

    (bad,) = converted(columns, rows).bad

    expected = {
        "id": "",
        "a": 1.5,
        "b": "NaN",
        "c": 10**30,
        "d": "a whole number of 16,610 bits",
        "e": "AA==",
        "f": "\\ud800",
        "g": "a value of type list",
        "h": {"1": [2]},
    }
    assert expected == json.loads(bad.text)
    assert b'"a":1.50,' in bad.text


def test_the_text_of_a_bad_row_is_cut_between_characters() -> None:
    (bad,) = converted([ID, Column("v", "text")], [("x", "é" * KEPT_BYTES)], None, NUMBER_KEY).bad

    assert KEPT_BYTES - 1 == len(bad.text)
    assert bad.text.decode().endswith("é")


@pytest.mark.parametrize(
    "texts",
    [
        ["0", "0.00", "12.50", "100", "-3.10", "0.000001", "1.0"],
        ["-0", "1.50"],
        ["-0.00", "-0.50"],
        ["1E+3", "2.50"],
        ["1E-7", "0.0000010"],
        ["1" * 38, "1." + "1" * 37, "1.5" + "0" * 40],
    ],
)
def test_decimals_of_a_column_are_spelled_in_full_as_each_by_itself(texts: list[str]) -> None:
    numbers = [Decimal(text) for text in texts]

    found = converted([ID, Column("v", "number")], [(str(row), one) for row, one in enumerate(numbers)])

    assert [canonical_number(str(one)) for one in numbers] == [
        json.loads(item)["v"]["N"] for item in found.items
    ]


@pytest.mark.parametrize(
    ("tags", "values"),
    [
        (["S"], [["P1", 'a "quoted" one', "é\n"]]),
        (["N"], [[1, 250, 10**30]]),
        (["N"], [[Decimal("1.50"), 2, "3E2"]]),
        (["S", "N"], [["a", "b", "c"], [0, -1, 2]]),
        (["B", "S"], [[b"\x00", b"abc", b"\xff"], ["x", "y", "z"]]),
    ],
)
def test_keys_are_spelled_as_those_of_the_items(tags: list[str], values: list[list[object]]) -> None:
    key = [KeyAttribute(f'k"{number}', tag) for number, tag in enumerate(tags)]
    names = [attribute.name for attribute in key]
    converter = RowConverter([Column(name) for name in names], RowMapping(), key, names)

    found = converter.convert(RowBatch(values, 3))

    assert 3 == len(found.items)
    assert key_texts(KeyReader(key).of_all(found.items), tags) == found.keys
