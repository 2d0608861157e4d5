"""What rows become on DynamoDB Local, and that nothing of it changes at the next load."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import LookupRefused
from tests.integration.lookup_world import SQL, LookupWorld
from tests.integration.world import Item, World

NAMED = {"id": {"name": "pk"}}


def lookup(world: World, *key: tuple[str, str]) -> LookupWorld:
    """A lookup table of this key."""
    return LookupWorld(world, key=key or (("pk", "S"),))


def loaded(here: LookupWorld, sql: str, **settings: Any) -> list[Item]:
    """What one load makes of a query; another one has nothing to change."""
    first = here.load(sql=sql, **settings)
    again = here.load(sql=sql, compare="digests", **settings)
    once_more = here.load(sql=sql, compare="digests", **settings)

    assert (first.rows - first.rejected, 0) == (again.unchanged, again.written)
    assert ("table", "digests") == (again.compared_with, once_more.compared_with)
    assert (again.unchanged, 0) == (once_more.unchanged, once_more.written)
    return here.all_items()


def one(here: LookupWorld, sql: str, **settings: Any) -> Item:
    (found,) = loaded(here, sql, **settings)
    return found


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        (
            ["0", "-1", "1.50", "1e2", "12345678901234567890123456789012345678"],
            {"0", "-1", "1.5", "100", "12345678901234567890123456789012345678"},
        ),
        (["1E-130", "9.9E+125"], {"1E-130", "9.9E+125"}),
    ],
)
def test_a_key_may_be_a_number(world: World, keys: Sequence[str], wanted: set[str]) -> None:
    here = lookup(world, ("pk", "N"))
    rows = " UNION ALL ".join(f"SELECT '{key}' AS pk, 'x' AS name" for key in keys)

    found = loaded(here, rows, key_columns="pk", columns={})

    assert {float(key) for key in wanted} == {float(held["pk"]["N"]) for held in found}
    assert len(keys) == len(found)


def test_numbers_that_are_one_key_are_refused(world: World) -> None:
    here = lookup(world, ("pk", "N"))

    with pytest.raises(LookupRefused, match=r"1 keys \(pk\) stand in more than one row: 1\n"):
        here.load(sql="SELECT '1' AS pk UNION ALL SELECT '1.0'", key_columns="pk", columns={})


def test_a_key_may_be_binary(world: World) -> None:
    here = lookup(world, ("pk", "B"))
    found = loaded(
        here, "SELECT X'00FF' AS pk, 'a' AS name UNION ALL SELECT X'01', 'b'", key_columns="pk", columns={}
    )

    assert {b"\x00\xff": "a", b"\x01": "b"} == {held["pk"]["B"]: held["name"]["S"] for held in found}


def test_what_vanished_is_deleted_by_its_binary_key(world: World) -> None:
    here = lookup(world, ("pk", "B"))
    here.load(sql="SELECT X'00FF' AS pk UNION ALL SELECT X'01'", key_columns="pk", columns={})

    result = here.load(sql="SELECT X'01' AS pk", key_columns="pk", columns={}, max_shrink=1)

    assert (1, [b"\x01"]) == (result.deleted, [held["pk"]["B"] for held in here.all_items()])


ODD_KEYS = ["é\u2028", 'a"b\\c', "tab\tline\n", "\u0001", "😀", "a/b", " ", "['x', null]"]


def test_a_key_may_hold_any_text(world: World) -> None:
    here = lookup(world)
    here.fill([(key, "x", 1) for key in ODD_KEYS])
    found = loaded(here, SQL, columns=NAMED)
    here.fill([(key, "x", 1) for key in ODD_KEYS[::2]])

    result = here.load(max_shrink=1)

    assert set(ODD_KEYS) == {held["pk"]["S"] for held in found}
    assert (len(ODD_KEYS) // 2, set(ODD_KEYS[::2])) == (result.deleted, set(here.items()))


def test_a_key_may_have_two_columns(world: World) -> None:
    here = lookup(world, ("pk", "S"), ("day", "N"))
    rows = "SELECT 'a' AS id, 1 AS day, 'x' AS v UNION ALL SELECT 'a', 2, 'y' UNION ALL SELECT 'b', 1, 'z'"

    found = loaded(here, rows, key_columns="id,day", columns=NAMED)
    result = here.load(sql=f"{rows} LIMIT 2", key_columns="id,day", columns=NAMED, max_shrink=1)

    wanted = {("a", "1"): "x", ("a", "2"): "y", ("b", "1"): "z"}
    assert wanted == {(held["pk"]["S"], held["day"]["N"]): held["v"]["S"] for held in found}
    assert 1 == result.deleted
    assert {("a", "1"), ("a", "2")} == {(held["pk"]["S"], held["day"]["N"]) for held in here.all_items()}


def test_columns_are_renamed_and_dropped_and_constants_put_beside_them(world: World) -> None:
    found = one(
        lookup(world),
        "SELECT 'a' AS id, 'x' AS name, 'secret' AS inner_note",
        columns={**NAMED, "name": {"name": "title"}, "inner_note": {"drop": True}},
        constants={"source": {"S": "redshift"}, "tags": {"SS": ["b", "a"]}, "n": {"N": "1.50"}},
    )

    assert {"pk", "title", "source", "tags", "n"} == found.keys()
    assert ({"S": "x"}, {"S": "redshift"}, {"N": "1.5"}) == (found["title"], found["source"], found["n"])
    assert ["a", "b"] == sorted(found["tags"]["SS"])


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1767225600", "1767225600"),
        ("'2026-01-01'", "1767225600"),
        ("'2026-01-01 00:00:00'", "1767225600"),
        ("'2026-01-01T01:00:00+01:00'", "1767225600"),
    ],
)
def test_an_item_expires_by_a_column(world: World, value: str, seconds: str) -> None:
    found = one(
        lookup(world),
        f"SELECT 'a' AS id, {value} AS until",
        columns={**NAMED, "until": {"drop": True}},
        ttl_attribute="gone_at",
        ttl_column="until",
    )

    assert {"pk": {"S": "a"}, "gone_at": {"N": seconds}} == found


@pytest.mark.parametrize(
    ("value", "how", "wanted"),
    [
        ("1.10", {"type": "S"}, {"S": "1.1"}),
        ("'0012.50'", {"type": "N"}, {"N": "12.5"}),
        ("'12345678901234567890.123456789'", {"type": "N"}, {"N": "12345678901234567890.123456789"}),
        ("'[\"b\",\"a\"]'", {"type": "SS"}, {"SS": ["a", "b"]}),
        ("'[2, 1.0]'", {"type": "NS"}, {"NS": ["1", "2"]}),
        ("'{\"a\": [1, null, {\"b\": true}]}'", {"type": "json"},
         {"M": {"a": {"L": [{"N": "1"}, {"NULL": True}, {"M": {"b": {"BOOL": True}}}]}}}),
        ("1", {"type": "BOOL"}, {"BOOL": True}),
        ("X'00FF'", {}, {"B": b"\x00\xff"}),
        ("'é\u2028 \"x\"'", {}, {"S": 'é\u2028 "x"'}),
    ],
)  # fmt: skip
def test_a_column_has_the_type_that_is_asked(world: World, value: str, how: Item, wanted: Item) -> None:
    found = one(lookup(world), f"SELECT 'a' AS id, {value} AS v", columns={**NAMED, "v": how})

    ((tag, held),) = found["v"].items()
    assert wanted == {tag: sorted(held) if tag in ("SS", "NS") else held}


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, {}),
        ({"nulls": "null"}, {"v": {"NULL": True}}),
        ({"nulls": "null", "columns": {**NAMED, "v": {"nulls": "omit"}}}, {}),
        ({"columns": {**NAMED, "v": {"nulls": "null"}}}, {"v": {"NULL": True}}),
    ],
)
def test_null_is_left_out_or_written_as_asked(world: World, settings: Item, wanted: Item) -> None:
    found = one(lookup(world), "SELECT 'a' AS id, NULL AS v", **{"columns": NAMED, **settings})

    assert {"pk": {"S": "a"}, **wanted} == found


def test_a_value_that_became_null_goes_from_the_item(world: World) -> None:
    here = lookup(world)
    here.load(sql="SELECT 'a' AS id, 'x' AS v", columns=NAMED)

    result = here.load(sql="SELECT 'a' AS id, NULL AS v", columns=NAMED)

    assert (1, [{"pk": {"S": "a"}}]) == (result.updated, here.all_items())


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"not_finite": "null"}, {}),
        ({"not_finite": "null", "nulls": "null"}, {"v": {"NULL": True}}),
        ({"not_finite": "text"}, {"v": {"S": "Infinity"}}),
    ],
)
def test_infinity_is_null_or_text_as_asked(world: World, settings: Item, wanted: Item) -> None:
    found = one(lookup(world), "SELECT 'a' AS id, 9e999 AS v", columns=NAMED, **settings)

    assert {"pk": {"S": "a"}, **wanted} == found


def test_infinity_is_rejected_where_nothing_is_asked(world: World) -> None:
    here = lookup(world)
    sql = "SELECT 'a' AS id, 9e999 AS v UNION ALL SELECT 'b', 1"
    result = here.load(sql=sql, columns=NAMED, max_rejected=1)

    (key,) = here.keys("/rejects/")
    assert (1, 1) == (result.rejected, result.written)
    assert [{"pk": {"S": "b"}, "v": {"N": "1"}}] == here.all_items()
    assert "v" in json.loads(here.world.get(key))["rejected"]["reason"]


def test_other_items_of_the_same_rows_are_found_by_the_digests_to_be_other(world: World) -> None:
    here = lookup(world)
    sql = "SELECT 'a' AS id, 1 AS v"
    here.load(sql=sql, columns=NAMED, compare="digests")

    result = here.load(sql=sql, columns={**NAMED, "v": "S"}, compare="digests")

    assert ("table", 1) == (result.compared_with, result.updated)
    assert [{"pk": {"S": "a"}, "v": {"S": "1"}}] == here.all_items()
