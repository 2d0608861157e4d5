from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.lookup.change_files import ChangeFiles
from airflow_dynamo_pipeline.lookup.comparing import Comparison, Found
from airflow_dynamo_pipeline.lookup.digest_files import DigestSide, DigestWriter
from airflow_dynamo_pipeline.lookup.records import Counts, DigestFile
from tests.unit.lookup.load_world import (
    KEY,
    Item,
    asked,
    digest_texts,
    lines_of,
    partition_of,
    prints_of,
    product,
)

A, B, C, D = (product(key, f"name of {key}") for key in "ABCD")
OTHER_B = product("B", "changed")
BEFORE = [B, C, D]  # what the table holds
AFTER = [A, OTHER_B, C]  # what the query says


@dataclass
class Compared:
    """A comparison of some rows with some items."""

    rows: Sequence[Item]
    table: Sequence[Item]
    kept: Sequence[Item] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    spill_bytes: int = 1 << 20
    with_digests: bool = False
    store: MemoryStore = field(default_factory=MemoryStore)
    bucket_calls: int = 0
    digests: DigestFile | None = None

    def run(self) -> Found:
        writer = DigestWriter(self.store, "digests/1") if self.with_digests else None
        self.puts, self.deletes = (
            ChangeFiles(self.store, f"{name}/", "k3x9") for name in ("puts", "deletes")
        )
        rows = partition_of(self.store, *self.rows, spill_bytes=self.spill_bytes)
        table = partition_of(self.store, *self.table, prefix="table-", spill_bytes=self.spill_bytes)
        found = Comparison(
            load=asked(**self.settings),
            key=KEY,
            rows=rows,
            table=table,
            kept=frozenset(line.rpartition(b"\t")[0] for line in prints_of(*self.kept))
            if self.kept
            else frozenset(),
            puts=self.puts,
            deletes=self.deletes,
            digests=writer,
        ).run(self._called)
        self.digests = writer.close() if writer else None
        return found

    def _called(self) -> None:
        self.bucket_calls += 1

    def lines(self, kind: str) -> list[Item]:
        found = [line for file in getattr(self, kind).done for line in lines_of(self.store, file.key)]
        return sorted(found, key=lambda line: str(line["key"]))

    def after(self) -> set[bytes]:
        """What the digest file says the table will hold."""
        assert self.digests is not None
        side = DigestSide(self.store, self.digests)
        found = [line for bucket in range(side.buckets) for line in side.prints(bucket)]
        assert len(set(found)) == len(found) == side.count
        return set(found)


def tally(found: Found) -> dict[str, int]:
    return {name: count for name, count in found.tally.items() if count and name != "write_units"}


def test_a_mirror_puts_what_differs_and_deletes_what_vanished() -> None:
    compared = Compared(AFTER, BEFORE)
    found = compared.run()

    assert {"unchanged": 1, "inserted": 1, "updated": 1, "deleted": 1} == tally(found)
    assert [
        {"change": "put", "key": ["A"], "old": None, "new": digest_texts(A)[0], "item": A},
        {
            "change": "put",
            "key": ["B"],
            "old": digest_texts(B)[0],
            "new": digest_texts(OTHER_B)[0],
            "item": OTHER_B,
        },
    ] == compared.lines("puts")
    assert [
        {"change": "delete", "key": ["D"], "old": digest_texts(D)[0], "keys": {"id": {"S": "D"}}}
    ] == compared.lines("deletes")


@pytest.mark.parametrize(
    ("mode", "wanted", "keys"),
    [
        ("upsert", {"unchanged": 1, "inserted": 1, "updated": 1}, ["A", "B"]),
        ("insert_only", {"unchanged": 1, "inserted": 1, "skipped": 1}, ["A"]),
        ("update_existing", {"unchanged": 1, "updated": 1, "skipped": 1}, ["B"]),
    ],
)
def test_other_modes_leave_alone_what_they_say(mode: str, wanted: dict[str, int], keys: list[str]) -> None:
    compared = Compared(AFTER, BEFORE, settings={"mode": mode})
    found = compared.run()

    assert wanted == tally(found)
    assert keys == [line["key"][0] for line in compared.lines("puts")]
    assert [] == compared.lines("deletes")


def test_a_generation_deletes_nothing() -> None:
    settings = {"generation_days": 1.0, "ttl_attribute": "gone_at"}
    compared = Compared(AFTER, BEFORE, settings=settings)
    compared.run()

    assert [] == compared.lines("deletes")


def test_an_item_whose_row_was_rejected_stays_as_it_is() -> None:
    compared = Compared([A], [A, B, C], kept=[B], with_digests=True)
    found = compared.run()

    assert {"unchanged": 1, "deleted": 1} == tally(found)
    assert [["C"]] == [line["key"] for line in compared.lines("deletes")]
    assert set(prints_of(A, B)) == compared.after()


@pytest.mark.parametrize(("mode", "wanted"), [("mirror", [A, OTHER_B, C]), ("upsert", [A, OTHER_B, C, D])])
def test_the_digests_are_of_the_table_once_the_changes_are_in_it(mode: str, wanted: list[Item]) -> None:
    compared = Compared(AFTER, BEFORE, settings={"mode": mode}, with_digests=True)
    compared.run()

    assert set(prints_of(*wanted)) == compared.after()


@pytest.mark.parametrize("spill_bytes", [1, 1 << 20])
def test_all_buckets_are_compared_spilled_or_not(spill_bytes: int) -> None:
    before = [product(f"P{n}", "x") for n in range(300)]
    after = [product(f"P{n}", "y" if n % 3 == 0 else "x") for n in range(30, 330)]
    compared = Compared(after, before, spill_bytes=spill_bytes)
    found = compared.run()

    assert {"unchanged": 180, "inserted": 30, "updated": 90, "deleted": 30} == tally(found)
    assert [item for item in after if item not in before] == sorted(
        (line["item"] for line in compared.lines("puts")), key=lambda item: int(item["id"]["S"][1:])
    )
    assert 16 == compared.bucket_calls


def test_keys_that_repeat_are_counted_and_the_first_few_named() -> None:
    rows = [product(f"P{n}", str(again)) for n in range(7) for again in range(2)]
    found = Compared([*rows, product("same"), product("same")], []).run()

    assert (8, 5) == (found.repeated_keys, len(found.repeated))
    assert set(found.repeated) <= {*(f"P{n}" for n in range(7)), "same"}


def test_the_first_changes_are_named_for_a_person() -> None:
    named = Compared(AFTER, BEFORE).run().named

    assert {"insert A", "update B", "delete D"} == set(named)


@pytest.mark.parametrize(("most", "wanted"), [(0, 0), (2, 2), (3, 3), (20, 3)])
def test_no_more_changes_are_named_than_asked(most: int, wanted: int) -> None:
    assert wanted == len(Compared(AFTER, BEFORE, settings={"max_differences": most}).run().named)


def test_write_units_are_of_whole_kilobytes_and_one_for_a_delete() -> None:
    big = product("big", "x" * 2500)
    found = Compared([A, big], [D]).run()

    assert 1 + 3 + 1 == found.tally["write_units"]


def test_nothing_on_either_side_is_no_change() -> None:
    compared = Compared([], [])
    found = compared.run()

    assert ({}, [], []) == (tally(found), compared.lines("puts"), compared.lines("deletes"))


def test_what_stops_the_work_is_asked_before_each_bucket() -> None:
    compared = Compared(AFTER, BEFORE)
    asked_for: list[int] = []

    def stop() -> None:
        asked_for.append(1)
        if len(asked_for) == 3:
            raise Stopped("told to stop")

    compared._called = stop  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        compared.run()
    assert 3 == len(asked_for)


def test_the_counts_have_what_was_found_beside_what_is_told() -> None:
    counts = Compared(AFTER, BEFORE).run().counts(rows=4, rejected=1, table_items=3)

    units = 3
    wanted = Counts(
        rows=4, unchanged=1, inserted=1, updated=1, rejected=1, deleted=1, table_items=3, write_units=units
    )
    assert wanted == counts
    assert (3, True) == (counts.changes, counts.balanced)


@pytest.mark.parametrize(
    "item",
    [
        {**product("many"), **{f"a{n:02}": {"S": "x"} for n in range(90)}},
        product("escaped", '\n"' * 400),
    ],
    ids=["names of types", "escapes"],
)
def test_write_units_are_of_the_item_and_not_of_its_json(item: Item) -> None:
    found = Compared([item], []).run()

    assert len(json.dumps(item)) > 1200
    assert 1 == found.tally["write_units"]


def test_write_units_count_bytes_and_not_characters() -> None:
    found = Compared([product("a", "\u00e9" * 600)], []).run()

    assert 2 == found.tally["write_units"]
