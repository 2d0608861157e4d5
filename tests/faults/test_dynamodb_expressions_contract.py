"""The fake's filters and projections decide as DynamoDB Local's do, type by type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.dynamodb.pair import Pair, paired_with
from tests.services import Services

Item = dict[str, Any]

VALIDATION = "ValidationException"
ITEM: Item = {
    "pk": {"S": "1"},
    "n": {"N": "10"},
    "n2": {"N": "9"},
    "s": {"S": "a😀c"},
    "b": {"B": b"\x01\x02\x03"},
    "nu": {"NULL": True},
    "bo": {"BOOL": True},
    "ss": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "2"]},
    "bs": {"BS": [b"\x01"]},
    "l": {"L": [{"S": "x"}, {"N": "1"}, {"M": {"k": {"S": "v"}}}]},
    "m": {"M": {"k": {"S": "v"}, "n": {"N": "1"}}},
    "e": {"L": []},
}


@pytest.fixture(scope="module")
def pair(services: Services) -> Iterator[Pair]:
    with paired_with(services.dynamodb_url) as found:
        yield found


@pytest.fixture(scope="module")
def table(pair: Pair) -> str:
    name = pair.table()
    pair.call("put_item", TableName=name, Item=ITEM)
    return name


def s(text: str) -> Item:
    return {"S": text}


def n(number: str) -> Item:
    return {"N": number}


def b(data: bytes) -> Item:
    return {"B": data}


TRUE: list[tuple[str, Item]] = [
    ("n = :a", {":a": n("10.0")}),
    ("n <> :a", {":a": s("10")}),
    ("nothing <> :a", {":a": s("10")}),
    ("NOT nothing < :a", {":a": n("1")}),
    ("nu = :a", {":a": {"NULL": True}}),
    ("bo = :a", {":a": {"BOOL": True}}),
    ("b < :a", {":a": b(b"\x01\x03")}),
    ("s > :a", {":a": s("aé")}),
    ("begins_with(b, :a)", {":a": b(b"\x01\x02")}),
    ("begins_with(s, :a)", {":a": s("a😀")}),
    ("begins_with(:a, s)", {":a": s("a😀cd")}),
    ("contains(s, :a)", {":a": s("😀")}),
    ("contains(ss, :a)", {":a": s("a")}),
    ("contains(ns, :a)", {":a": n("1.0")}),
    ("contains(bs, :a)", {":a": b(b"\x01")}),
    ("contains(l, :a)", {":a": n("1.00")}),
    ("contains(l, :a)", {":a": {"M": {"k": s("v")}}}),
    ("contains(b, :a)", {":a": b(b"\x02")}),
    ("size(b) = :a", {":a": n("3")}),
    ("size(ss) = :a", {":a": n("2")}),
    ("size(l) = :a", {":a": n("3")}),
    ("size(m) = :a", {":a": n("2")}),
    ("size(nothing) <> :a", {":a": n("2")}),
    ("size(e) < :a", {":a": n("1")}),
    ("size(l) >= size(b)", {}),
    ("attribute_exists(m.k)", {}),
    ("attribute_exists(l[2].k)", {}),
    ("attribute_not_exists(nothing)", {}),
    ("attribute_type(s, :a)", {":a": s("S")}),
    ("attribute_type(nu, :a)", {":a": s("NULL")}),
    ("n BETWEEN :a AND :b", {":a": n("9"), ":b": n("11")}),
    ("n BETWEEN n2 AND :b", {":b": n("10")}),
    ("n IN (:a, :b)", {":a": n("9"), ":b": n("10")}),
    (":a IN (n, n2)", {":a": n("10")}),
    ("n > n2", {}),
    ("nothing <> never", {}),
    ("m.n = :a", {":a": n("1.0")}),
    ("l[0] = :a", {":a": s("x")}),
    ("ss = :a", {":a": {"SS": ["b", "a"]}}),
    ("ns = :a", {":a": {"NS": ["2.0", "1"]}}),
    ("l = :a", {":a": ITEM["l"]}),
    ("m = :a", {":a": ITEM["m"]}),
    (":a = :b", {":a": s("1"), ":b": s("1")}),
    ("n = :a OR s = :b AND n2 = :b", {":a": n("10"), ":b": s("q")}),
    ("NOT n = :a AND n2 = :b", {":a": n("1"), ":b": n("9")}),
    ("NOT (n = :a AND n2 = :b)", {":a": n("1"), ":b": n("9")}),
    ("n = :a\n\tAND pk = :b", {":a": n("10"), ":b": s("1")}),
]
FALSE: list[tuple[str, Item]] = [
    ("n = :a", {":a": s("10")}),
    ("n < :a", {":a": s("99")}),
    ("n < :a", {":a": n("9")}),
    ("nothing = :a", {":a": {"NULL": True}}),
    ("nothing < :a", {":a": n("1")}),
    ("nothing = never", {}),
    ("bo = :a", {":a": n("1")}),
    ("b = :a", {":a": s("AQID")}),
    ("b > :a", {":a": b(b"\xff")}),
    ("begins_with(n, :a)", {":a": s("1")}),
    ("contains(n, :a)", {":a": s("1")}),
    ("contains(ss, :a)", {":a": n("1")}),
    ("contains(m, :a)", {":a": s("k")}),
    ("size(n) = :a", {":a": n("2")}),
    ("size(bo) = :a", {":a": n("1")}),
    ("attribute_exists(l[3])", {}),
    ("attribute_exists(l[12])", {}),
    ("attribute_exists(m.q)", {}),
    ("attribute_exists(s.q)", {}),
    ("attribute_type(s, :a)", {":a": s("N")}),
    ("n BETWEEN :a AND :b", {":a": s("1"), ":b": s("99")}),
    ("n IN (:a)", {":a": s("10")}),
    ("nothing IN (:a)", {":a": s("10")}),
    ("n2 > n", {}),
    ("s > n", {}),
    ("m < l", {}),
    ("n = :a AND s = :b OR n2 = :b", {":a": n("10"), ":b": s("q")}),
    ("(n = :a OR s = :b) AND n2 = :b", {":a": n("10"), ":b": s("q")}),
]
REFUSED: list[tuple[str, Item, str]] = [
    ("bo < :a", {":a": {"BOOL": True}}, "Incorrect operand type"),
    ("pk = pk2 AND (n = n2 OR bo < :a)", {":a": {"BOOL": True}}, "Incorrect operand type"),
    ("(bo < :a OR n = n2) AND pk = pk2", {":a": {"BOOL": True}}, "Incorrect operand type"),
    ("n < :a", {":a": {"NULL": True}}, "Incorrect operand type"),
    ("n < :a", {":a": {"L": []}}, "Incorrect operand type"),
    ("begins_with(s, :a)", {":a": n("1")}, "Incorrect operand type"),
    ("attribute_type(s, :a)", {":a": s("Q")}, "Invalid attribute type name"),
    ("n BETWEEN :b AND :a", {":a": n("9"), ":b": n("11")}, "upper bound"),
    ("n BETWEEN :b AND :a", {":a": n("9"), ":b": s("9")}, "same data type"),
    ("attribute_exists(:a)", {":a": s("x")}, "Invalid FilterExpression"),
    ("((n = :a))", {":a": n("1")}, "redundant parentheses"),
    ("name = :a", {":a": n("1")}, "reserved keyword: name"),
    ("n = :a", {":b": n("1")}, "Expression"),
    ("n = :a", {":a": n("1"), ":b": n("1")}, "unused in expressions: keys: {:b}"),
    ("#n = :a", {":a": n("1")}, "not defined; attribute name: #n"),
    ("n == :a", {":a": n("1")}, "Syntax error"),
    ("n = :a garbage", {":a": n("1")}, "Syntax error"),
    ("n =", {":a": n("1")}, "Expression"),
    ("n = n", {}, "must be distinct"),
    ("nothing < nothing", {}, "must be distinct"),
    ("foo(s)", {}, "Invalid FilterExpression"),
    ("", {}, "can not be empty"),
]


def filtered(table: str, text: str, values: Item) -> Item:
    given = {"ExpressionAttributeValues": values} if values else {}
    return {"TableName": table, "FilterExpression": text, **given}


@pytest.mark.parametrize(("text", "values"), TRUE, ids=str)
def test_a_filter_lets_the_item_pass(pair: Pair, table: str, text: str, values: Item) -> None:
    answer = pair.call("scan", **filtered(table, text, values))

    assert [1, 1] == [answer["Count"], answer["ScannedCount"]]


@pytest.mark.parametrize(("text", "values"), FALSE, ids=str)
def test_a_filter_keeps_the_item_back(pair: Pair, table: str, text: str, values: Item) -> None:
    answer = pair.call("scan", **filtered(table, text, values))

    assert [0, 1] == [answer["Count"], answer["ScannedCount"]]


@pytest.mark.parametrize(("text", "values", "words"), REFUSED, ids=str)
def test_a_filter_that_is_none_is_refused(
    pair: Pair, table: str, text: str, values: Item, words: str
) -> None:
    pair.refused(VALIDATION, words, "scan", **filtered(table, text, values))


def test_names_stand_for_attributes_in_filters_and_projections(pair: Pair, table: str) -> None:
    answer = pair.call(
        "scan",
        TableName=table,
        FilterExpression="#map.#key = :a",
        ProjectionExpression="#map.n, #l[2].#key",
        ExpressionAttributeNames={"#map": "m", "#key": "k", "#l": "l"},
        ExpressionAttributeValues={":a": s("v")},
    )

    assert [{"m": {"M": {"n": n("1")}}, "l": {"L": [{"M": {"k": s("v")}}]}}] == answer["Items"]


def test_a_name_nobody_uses_is_refused(pair: Pair, table: str) -> None:
    names = {"ExpressionAttributeNames": {"#m": "m", "#q": "q"}}

    pair.refused(
        VALIDATION,
        "unused in expressions: keys: {#q}",
        "scan",
        TableName=table,
        ProjectionExpression="#m",
        **names,
    )


PROJECTIONS = ["s", "s, n", "m.k", "m.k, m.n", "l[0]", "l[2].k, l[0]", "l[2],l[0],nothing", "nothing"]
PROJECTIONS += ["m.nothing", "l[9]", "s.k", "l[1], l[2].nothing", "b,bs,nu,bo", "pk"]


@pytest.mark.parametrize("text", PROJECTIONS)
def test_a_projection_leaves_the_same(pair: Pair, table: str, text: str) -> None:
    pair.call("scan", TableName=table, ProjectionExpression=text)
    pair.call("get_item", TableName=table, Key={"pk": s("1")}, ProjectionExpression=text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("s, s", "overlap"),
        ("m, m.k", "overlap"),
        ("s,,n", "Syntax error"),
        ("", "Syntax error"),
        ("name", "reserved keyword: name"),
        ("#q", "not defined; attribute name: #q"),
    ],
)
def test_a_projection_that_is_none_is_refused(pair: Pair, table: str, text: str, words: str) -> None:
    pair.refused(VALIDATION, words, "scan", TableName=table, ProjectionExpression=text)
