"""The fake's DynamoDB keeps and gives single items as DynamoDB Local does: every type, every size, refusals.

Where Local is known to differ from the service, the fake follows the service and the test says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.faults.dynamodb.pair import Pair, paired_with
from tests.services import Services

Item = dict[str, Any]

KEY = {"pk": {"S": "k"}}
EVERY_TYPE: Item = {
    **KEY,
    "s": {"S": "é😀"},
    "n": {"N": "-12.5"},
    "b": {"B": b"\0\xff"},
    "ss": {"SS": ["b", "a"]},
    "ns": {"NS": ["3", "-1", "2.5"]},
    "bs": {"BS": [b"b", b"a"]},
    "m": {"M": {"x": {"L": [{"M": {}}]}}},
    "l": {"L": [{"S": "x"}, {"NULL": True}, {"L": []}]},
    "t": {"BOOL": True},
    "z": {"NULL": True},
}
VALIDATION = "ValidationException"


@pytest.fixture(scope="module")
def pair(services: Services) -> Iterator[Pair]:
    with paired_with(services.dynamodb_url) as found:
        yield found


# --- single items ---------------------------------------------------------------------------------


def test_an_item_of_every_type_comes_back(pair: Pair) -> None:
    name = pair.table()

    pair.call("put_item", TableName=name, Item=EVERY_TYPE)

    assert EVERY_TYPE.keys() == pair.call("get_item", TableName=name, Key=KEY)["Item"].keys()
    pair.call("put_item", TableName=name, Item=KEY, ReturnValues="ALL_OLD")
    assert {} == pair.call(
        "delete_item", TableName=name, Key={"pk": {"S": "nobody"}}, without=["ConsumedCapacity"]
    )
    pair.call("delete_item", TableName=name, Key=KEY, ReturnValues="ALL_OLD")
    assert {} == pair.call("get_item", TableName=name, Key=KEY)


NUMBERS = [
    "0",
    "-0",
    "1.0",
    "007",
    "1E+2",
    "1e5",
    "-1E-130",
    "9.99E+125",
    "0.1e1",
    "+5",
    ".5",
    "5.",
    "1" * 38,
]


@pytest.mark.parametrize("number", [*NUMBERS, "1" * 38 + "00"])
def test_a_number_comes_back_in_the_same_notation(pair: Pair, number: str) -> None:
    name = pair.table()
    pair.raw("put_item", TableName=name, Item={**KEY, "n": {"N": number}})

    ours, theirs = pair.raw("get_item", TableName=name, Key=KEY)

    assert theirs["Item"]["n"]["N"] == ours["Item"]["n"]["N"]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("38 significant digits", {"N": "1" * 39}),
        ("overflow", {"N": "1E126"}),
        ("underflow", {"N": "1E-131"}),
        ("numeric value", {"N": "abc"}),
        ("numeric value", {"N": " 5"}),
        ("numeric value", {"N": "NaN"}),
        ("converted into a number", {"N": ""}),
        ("string set", {"SS": []}),
        ("number set", {"NS": []}),
        ("duplicates", {"SS": ["a", "a"]}),
        ("duplicates", {"NS": ["1", "1.0"]}),
        ("must have the value of true", {"NULL": False}),
        ("maximum allowed size", {"S": "x" * 400 * 1024}),
    ],
)
def test_a_bad_value_is_refused(pair: Pair, words: str, value: Item) -> None:
    pair.refused(VALIDATION, words, "put_item", TableName=pair.table(), Item={**KEY, "v": value})


@pytest.mark.parametrize("value", [{"S": ""}, {"B": b""}])
def test_empty_values_are_taken_where_they_are_not_keys(pair: Pair, value: Item) -> None:
    """The service takes them since May 2020; Local, which is older, does not."""
    ours, theirs = pair.raw("put_item", TableName=pair.table(), Item={**KEY, "v": value})

    assert "Error" not in ours
    assert VALIDATION == theirs["Error"]["Code"]


def nested(levels: int) -> Item:
    """A string so many levels below its attribute."""
    value: Item = {"S": "x"}
    for number in range(levels):
        value = {"M": {"a": value}} if number % 2 else {"L": [value]}
    return value


def test_values_nest_32_levels_deep(pair: Pair) -> None:
    name = pair.table()

    pair.call("put_item", TableName=name, Item={**KEY, "v": nested(31)})

    pair.call("get_item", TableName=name, Key=KEY)
    pair.refused(VALIDATION, "nested levels", "put_item", TableName=name, Item={**KEY, "v": nested(32)})


@pytest.mark.parametrize(
    ("words", "item"),
    [
        ("Missing the key pk", {"other": {"S": "x"}}),
        ("Type mismatch for key pk", {"pk": {"N": "1"}}),
        ("empty string value. Key: pk", {"pk": {"S": ""}}),
        ("Size of hashkey", {"pk": {"S": "x" * 2049}}),
    ],
)
def test_an_item_without_a_good_key_is_refused(pair: Pair, words: str, item: Item) -> None:
    pair.refused(VALIDATION, words, "put_item", TableName=pair.table(), Item=item)


@pytest.mark.parametrize("key", [{}, {"other": {"S": "x"}}, {"pk": {"N": "1"}}, {**KEY, "other": {"S": "x"}}])
def test_a_key_that_is_none_of_the_table_finds_nothing(pair: Pair, key: Item) -> None:
    name = pair.table()

    for operation in ("get_item", "delete_item", "update_item"):
        pair.refused(VALIDATION, "does not match the schema", operation, TableName=name, Key=key)


def test_an_empty_key_finds_nothing(pair: Pair) -> None:
    name = pair.table()

    for operation in ("get_item", "delete_item", "update_item"):
        pair.refused(VALIDATION, "empty string", operation, TableName=name, Key={"pk": {"S": ""}})


def test_what_an_attribute_of_an_index_may_not_be_is_refused(pair: Pair) -> None:
    index = {
        "IndexName": "by-g",
        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    name = pair.table(attributes=[("g", "S")], GlobalSecondaryIndexes=[index])

    for value in ({"N": "1"}, {"S": ""}):
        pair.refused(VALIDATION, "by-g", "put_item", TableName=name, Item={**KEY, "g": value})


# --- sizes ----------------------------------------------------------------------------------------

TEXTS = some.text(some.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
BINARIES = some.binary(min_size=1, max_size=8)
NUMBER_TEXTS = some.one_of(
    some.integers(-(10**38) + 1, 10**38 - 1).map(str),
    some.decimals(-(10**6), 10**6, places=4).map(lambda number: f"{number.normalize():f}"),
).filter(lambda text: text != "-0")
SCALARS = some.one_of(
    some.fixed_dictionaries({"S": TEXTS}),
    some.fixed_dictionaries({"N": NUMBER_TEXTS}),
    some.fixed_dictionaries({"B": BINARIES}),
    some.fixed_dictionaries({"BOOL": some.booleans()}),
    some.just({"NULL": True}),
    some.fixed_dictionaries({"SS": some.lists(TEXTS, min_size=1, max_size=3, unique=True)}),
    some.fixed_dictionaries({"NS": some.lists(NUMBER_TEXTS, min_size=1, max_size=3, unique=True)}),
    some.fixed_dictionaries({"BS": some.lists(BINARIES, min_size=1, max_size=3, unique=True)}),
)
VALUES = some.recursive(
    SCALARS,
    lambda inner: some.one_of(
        some.fixed_dictionaries({"L": some.lists(inner, max_size=3)}),
        some.fixed_dictionaries({"M": some.dictionaries(TEXTS, inner, max_size=3)}),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(attributes=some.dictionaries(TEXTS.filter(lambda name: name != "pk"), VALUES, max_size=3))
def test_every_item_has_the_same_size_and_comes_back_the_same(pair: Pair, attributes: Item) -> None:
    name = pair.table()

    pair.call("put_item", TableName=name, Item={**KEY, **attributes})

    assert pair.call("describe_table", TableName=name)["Table"]["TableSizeBytes"] >= 3
    pair.call("get_item", TableName=name, Key=KEY)
    pair.raw("delete_table", TableName=name)
