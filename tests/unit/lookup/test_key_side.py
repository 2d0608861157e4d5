from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.lookup.key_side import KeySide, is_cheaper, units_per_key
from tests.clock import ManualClock
from tests.unit.lookup.load_world import (
    KEY,
    LoadTable,
    LoadWorld,
    partition_of,
    prints_of,
    product,
    products,
)


def test_only_items_under_the_keys_of_the_rows_are_read() -> None:
    here = LoadWorld(table=LoadTable([product("a", "x"), product("b", "x"), product("c", "x")]))
    rows = partition_of(here.store, product("a", "y"), product("c", "x"), product("new"), buckets=1)
    side = KeySide(rows, here.read_back(), KEY, lambda: None)

    assert sorted(prints_of(product("a", "x"), product("c", "x"))) == sorted(side.prints(0))
    assert 2 == side.count
    assert 1 == len(here.table.gets)


def test_a_key_that_repeats_is_asked_for_once_and_many_in_several_calls() -> None:
    here = LoadWorld(clock=ManualClock())
    rows = partition_of(
        here.store, *(product(f"P{n}", str(m)) for n in range(150) for m in range(2)), buckets=1
    )
    checked: list[int] = []
    KeySide(rows, here.read_back(), KEY, lambda: checked.append(1)).prints(0)

    assert [100, 50] == [len(asked["RequestItems"]["products"]["Keys"]) for asked in here.table.gets]
    assert 2 == len(checked)


def test_what_ends_the_work_is_asked_before_each_call() -> None:
    here = LoadWorld()
    rows = partition_of(here.store, product("a"), buckets=1)

    def stop() -> None:
        raise Stopped("told to stop")

    with pytest.raises(Stopped):
        KeySide(rows, here.read_back(), KEY, stop).prints(0)
    assert [] == here.table.gets


@pytest.mark.parametrize(
    ("settings", "compared_with", "asked"),
    [
        ({"mode": "upsert"}, "keys", ["P1"]),
        ({"mode": "insert_only"}, "keys", ["P1"]),
        ({"mode": "update_existing"}, "keys", ["P1"]),
        ({"mode": "mirror", "max_shrink": 1.0}, "table", ["#current"]),
        ({"mode": "upsert", "compare": "digests"}, "table", []),
    ],
)
def test_few_rows_are_compared_by_their_keys_where_no_other_item_matters(
    settings: dict[str, Any], compared_with: str, asked: list[str]
) -> None:
    items = [product(f"P{n}", "x") for n in range(40)]
    here = LoadWorld(table=LoadTable(items, size_bytes=8192 * 1000))

    result = here.load(products(("P1", "y")), dry_run=True, **settings)

    keys = [key["id"]["S"] for get in here.table.gets for key in get["RequestItems"]["products"]["Keys"]]
    assert (compared_with, asked) == (result.compared_with, keys)


def test_a_comparison_by_keys_is_the_comparison_of_the_table() -> None:
    items = [product(f"P{n}", "x") for n in range(40)]
    rows = [("P1", "x"), ("P2", "y"), ("new", "x")]
    of_keys, of_table = (
        LoadWorld(table=LoadTable(items, size_bytes=size)).load(products(*rows), mode="upsert")
        for size in (8192 * 1000, 0)
    )

    assert ("keys", "table") == (of_keys.compared_with, of_table.compared_with)
    names = ("unchanged", "inserted", "updated", "deleted", "written")
    assert [1, 1, 1, 0, 2] == [getattr(of_keys, name) for name in names]
    assert [1, 1, 1, 0, 2] == [getattr(of_table, name) for name in names]


@pytest.mark.parametrize(
    ("items", "table_bytes", "units"),
    [(0, 0, 1.0), (0, 5, 1.0), (1000, 10, 1.0), (10, 40_960, 1.0), (10, 40_961, 2.0), (1, 409_600, 100.0)],
)
def test_an_item_costs_a_unit_for_each_four_kilobytes_of_the_mean(
    items: int, table_bytes: int, units: float
) -> None:
    assert units == units_per_key(items, table_bytes)


@pytest.mark.parametrize(
    ("items", "table_bytes", "consistent_read", "most"),
    [
        (100, 100 * 4096, False, 49),
        (100, 100 * 4096, True, 99),
        (100, 100 * 40_960, False, 49),  # items of ten units each
        (100, 100 * 40_960, True, 99),
        (80_000, 8_192_000, False, 999),  # items of a hundred bytes: each costs a whole unit
        (0, 0, False, 0),
    ],
)
def test_keys_are_cheaper_as_long_as_all_their_items_cost_less_than_a_scan(
    items: int, table_bytes: int, consistent_read: bool, most: int
) -> None:
    cheaper = [
        rows
        for rows in range(1, 1200)
        if is_cheaper(rows, items, table_bytes, consistent_read=consistent_read)
    ]

    assert list(range(1, most + 1)) == cheaper


def test_reading_by_keys_books_what_an_item_of_the_mean_size_costs() -> None:
    class SilentTable(LoadTable):
        """Its replies say nothing of what they consumed, so that what was booked counts."""

        def get(self, body: bytes) -> bytes:
            reply = json.loads(super().get(body))
            del reply["ConsumedCapacity"]
            return json.dumps(reply).encode()

    items = [product(f"P{n}", "x") for n in range(40)]
    here = LoadWorld(table=SilentTable(items, size_bytes=40 * 4096 * 7))

    result = here.load(products(("P1", "y"), ("P2", "y"), ("P3", "y")), dry_run=True, mode="upsert")

    assert ("keys", 3 * 7.0) == (result.compared_with, result.read_units)
