"""Rows that cannot become items: each is told of with its reason, none is lost, and its item stays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import ImportFailed, LookupRefused
from airflow_dynamo_pipeline.lookup.source import Column, QueryFacts
from tests.faults.lookup_promises import assert_digests_are_true, assert_nothing_left_over, assert_table
from tests.faults.lookup_world import LookupWorld, Row, RowsSource, in_small_buckets, items_of, product

COLUMNS = (Column("pk", "text"), Column("name", "text"), Column("price", "number"), Column("more", "json"))
GOOD = [(*product(number), None) for number in range(4)]
KNOWN, UNKNOWN = "known", "unknown"  # whether the row has a key that an item can have
DEEP = json.dumps([]).join(["[" * 32, "]" * 32])
BAD: dict[str, tuple[Row, str, str]] = {
    "not a number": (("P900", "x", float("nan"), None), "price", KNOWN),
    "infinite": (("P900", "x", float("-inf"), None), "price", KNOWN),
    "a decimal that is not a number": (("P900", "x", Decimal("NaN"), None), "price", KNOWN),
    "39 digits": (("P900", "x", Decimal("1." + "3" * 38), None), "38", KNOWN),
    "40 digits of a whole number": (("P900", "x", 10**39 + 1, None), "38", KNOWN),
    "too large an exponent": (("P900", "x", Decimal("1E126"), None), "price", KNOWN),
    "too small an exponent": (("P900", "x", Decimal("1E-131"), None), "price", KNOWN),
    "too large": (("P900", "x" * 409_601, 1, None), "at most 409,600", KNOWN),
    "too deep": (("P900", "x", 1, DEEP), "more", KNOWN),
    "no JSON": (("P900", "x", 1, '{"a":'), "more", KNOWN),
    "not a number in JSON": (("P900", "x", 1, '{"a": [NaN]}'), "more", KNOWN),
    "a lone surrogate": (("P900", "\ud800", 1, None), "name", KNOWN),
    "no number at all": (("P900", "x", "many", None), "price", KNOWN),
    "an empty key": (("", "x", 1, None), "pk", UNKNOWN),
    "a key that is NULL": ((None, "x", 1, None), "pk", UNKNOWN),
    "a key that is too long": (("P" * 2049, "x", 1, None), "pk", UNKNOWN),
    "a key that is a lone surrogate": (("\udfff", "x", 1, None), "pk", UNKNOWN),
}
WAYS: dict[str, dict[str, Any]] = {"table": {}, "digests": {"compare": "digests"}}


def wanted(rows: Sequence[Row]) -> list[Any]:
    """The items of good rows."""
    return items_of([row[:3] for row in rows])


@pytest.fixture(scope="module", params=WAYS)
def loaded(request: pytest.FixtureRequest) -> Iterator[LookupWorld]:
    """A table in which each row that will be bad has been good."""
    with in_small_buckets():
        rows = [*GOOD, ("P900", "was good", 5, None)]
        world = LookupWorld(rows, columns=COLUMNS, settings=WAYS[request.param])
        world.load(run="last night")
        yield world


def load(loaded: LookupWorld, rows: Sequence[Row], **settings: Any) -> LookupWorld:
    world = loaded.copy()
    world.rows = rows
    source = RowsSource(rows, COLUMNS, facts_said=QueryFacts(rows=len(rows), repeated_keys=0))
    attempt = world.load(source=source, **settings)
    result = attempt.result
    became = result.unchanged + result.inserted + result.updated + result.skipped + result.rejected
    assert len(rows) == result.rows == became
    assert len(world.rejects) == result.rejected
    return world


@pytest.mark.parametrize("name", BAD)
def test_r4_a_bad_row_is_told_of_with_its_reason_and_its_item_stays(loaded: LookupWorld, name: str) -> None:
    bad, reason, key = BAD[name]
    rows = [*GOOD[:2], bad, *GOOD[2:], (*product(50), None)]

    world = load(loaded, rows, max_rejected=1)

    assert [3] == list(world.rejects)
    assert reason in world.rejects[3]
    stays: list[Row] = [("P900", "was good", 5)] if key == KNOWN else []
    assert_table(world, wanted([row for row in rows if row != bad] + stays))
    assert_digests_are_true(world)
    assert_nothing_left_over(world)


@pytest.mark.parametrize("name", ["not a number", "too large", "too deep", "an empty key"])
def test_r4_a_bad_row_fails_the_load_where_none_is_allowed(loaded: LookupWorld, name: str) -> None:
    bad, reason, _ = BAD[name]
    world = loaded.copy()
    world.rows = [*GOOD, bad]

    attempt = world.load()

    message = attempt.failed(LookupRefused, "1 of 5 rows cannot become items", "the first: row 5: ")
    assert reason in message
    assert [] == attempt.writes
    assert [5] == list(world.rejects)


def test_r4_every_kind_of_bad_row_at_once_adds_up(loaded: LookupWorld) -> None:
    bad = [(f"K{n:03}", *row[1:]) if key == KNOWN else row for n, (row, _, key) in enumerate(BAD.values())]
    rows = [
        row for pair in zip(bad, [(*product(n), None) for n in range(len(bad))], strict=True) for row in pair
    ]

    world = load(loaded, rows, max_rejected=len(bad))

    assert list(range(1, 2 * len(bad), 2)) == sorted(world.rejects)
    assert_table(world, wanted(rows[1::2]))
    assert_digests_are_true(world)


def test_r4_a_rejected_row_is_written_down_as_a_person_can_mend_it(loaded: LookupWorld) -> None:
    world = load(loaded, [*GOOD, ("P900", "x", float("nan"), '{"a": 1}')], max_rejected=1)

    (body,) = [body for key, body in world.objects.items() if "/rejects/" in key]
    told = json.loads(body)
    assert ("query", 5) == (told["rejected"]["file"], told["rejected"]["line"])
    assert {"pk": "P900", "name": "x", "price": "nan", "more": '{"a": 1}'} == json.loads(told["text"])


def test_r4_a_mended_row_comes_into_the_table_the_next_night(loaded: LookupWorld) -> None:
    world = load(loaded, [*GOOD, ("P900", "x", float("nan"), None)], max_rejected=1)
    world.rows = [*GOOD, ("P900", "mended", 6, None)]

    mended = world.load(run="tomorrow night")

    assert (1, 1) == (mended.result.updated, mended.result.written)
    assert_table(world, wanted(world.rows))
    assert_digests_are_true(world)


def test_r4_a_row_that_is_rejected_and_then_gone_is_deleted(loaded: LookupWorld) -> None:
    world = load(loaded, [*GOOD, ("P900", "x", float("nan"), None)], max_rejected=1)
    world.rows = GOOD

    after = world.load(run="tomorrow night")

    assert 1 == after.result.deleted
    assert_table(world, wanted(GOOD))


def test_r4_a_rejected_row_and_a_good_one_of_the_same_key_leave_the_good_one(loaded: LookupWorld) -> None:
    """Not a repeated key: one of the two is no item."""
    rows = [*GOOD, ("P900", "x", float("nan"), None), ("P900", "good", 7, None)]

    world = load(loaded, rows, max_rejected=1)

    assert_table(world, wanted([*GOOD, rows[-1]]))
    assert_digests_are_true(world)


@pytest.mark.parametrize("mode", ["upsert", "insert_only", "update_existing"])
def test_r4_in_every_mode_rejects_are_counted_and_their_items_stay(mode: str) -> None:
    with in_small_buckets():
        held = wanted([*GOOD[:2], ("P900", "was good", 5, None)])
        world = LookupWorld([], held=held, columns=COLUMNS, settings={"mode": mode})
        rows = [(*product(0, "other"), None), BAD["infinite"][0], (*product(3), None)]

        world = load(world, rows, max_rejected=1)

        first = rows[0] if mode != "insert_only" else GOOD[0]
        third = [rows[2]] if mode != "update_existing" else []
        assert_table(world, wanted([first, GOOD[1], ("P900", "was good", 5, None), *third]))


def test_r4_what_dynamodb_itself_refuses_is_counted_and_its_digest_not_kept() -> None:
    """An index whose key has another type in the item: nothing here can know that, but DynamoDB."""
    world = LookupWorld([], settings={"compare": "digests"})
    world.aws.dynamodb.create_table(
        "other",
        AttributeDefinitions=[{"AttributeName": "price", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-price",
                "KeySchema": [{"AttributeName": "price", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    world.rows = [product(0, price=None), product(1, price=1), product(2, price=None)]

    failed = world.load(table_name="other")

    failed.failed(ImportFailed, "1 items were rejected")
    kept = {item["pk"]["S"] for item in world.aws.dynamodb.items("other")}
    assert {"P000", "P002"} == kept

    allowed = world.load(table_name="other", run="tomorrow night", max_rejected=1)

    assert (3, 1, 0) == (allowed.result.rows, allowed.result.refused, allowed.result.written)
    state = json.loads(world.objects["lookups/_lookups/other/state.json"])
    assert (True, None) == (state["isApplied"], state["digests"])
