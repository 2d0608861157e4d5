from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from airflow_dynamo_pipeline.lookup.digest_files import DigestSide, DigestWriter
from airflow_dynamo_pipeline.lookup.digest_trust import believed_digests
from airflow_dynamo_pipeline.lookup.partition import FEWEST_BUCKETS, ROWS_PER_BUCKET
from airflow_dynamo_pipeline.lookup.plan import LookupPlan
from airflow_dynamo_pipeline.lookup.records import TableState
from tests.clock import EPOCH, ManualClock
from tests.unit.lookup.load_world import LoadTable, LoadWorld, asked, overwrite, prints_of, product

ITEMS = [product(f"P{n}", "x") for n in range(20)]
FILE = "loads/_lookups/products/digests/r0-k3x9"


def world() -> LoadWorld:
    """A table as the last load left it, and its digests."""
    return LoadWorld(table=LoadTable(ITEMS), clock=ManualClock())


def planned(here: LoadWorld, *, settings: dict[str, Any] | None = None, **state: Any) -> LookupPlan:
    """A plan whose state is as it should be but for what is given."""
    settings = {"compare": "digests", **(settings or {})}
    writer = DigestWriter(here.store, FILE)
    writer.bucket(prints_of(*ITEMS[:12]))
    writer.bucket(prints_of(*ITEMS[12:]))
    for _ in range(FEWEST_BUCKETS - 2):
        writer.bucket([])
    given = {
        "run_id": "r0",
        "table_identity": here.table.describe().identity,
        "shape": asked(**settings).shape(),
        "is_applied": True,
        "changed_at": EPOCH,
        "digests": writer.close(),
        "full_compared_at": EPOCH,
        **state,
    }
    return with_state(here.plan(**settings), TableState(**given))


def with_state(plan: LookupPlan, state: TableState | None) -> LookupPlan:
    return replace(plan, known=replace(plan.known, state=state))


def believed(here: LoadWorld, plan: LookupPlan) -> DigestSide | None:
    return believed_digests(plan, here.ports, here.read_back(), len(ITEMS), "seed")


def test_digests_that_nothing_speaks_against_are_believed() -> None:
    here = world()
    side = believed(here, planned(here))

    assert side is not None
    assert set(prints_of(*ITEMS)) == {*side.prints(0), *side.prints(1)}
    assert ["20 items read back are as the digest file says"] == here.said
    assert [] == here.warned


def test_digests_are_believed_only_where_they_are_asked_for() -> None:
    here = world()

    assert believed(here, planned(here, settings={"compare": "table"})) is None
    assert ([], []) == (here.said, here.table.gets)


def test_without_an_earlier_load_there_is_nothing_to_believe() -> None:
    here = world()

    assert believed(here, with_state(planned(here), None)) is None
    assert ["comparing with the whole table: no load has left digests yet"] == here.said


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"table_identity": "other/2025"}, "the table was deleted and made anew since the last load"),
        ({"is_applied": False}, "run r0 did not come to its end"),
        ({"digests": None}, "run r0 left no digests"),
        ({"shape": "other"}, "rows become other items than at the last load"),
        ({"full_compared_at": None}, "the last full comparison is 7 days ago, or longer"),
        (
            {"full_compared_at": EPOCH - timedelta(days=7)},
            "the last full comparison is 7 days ago, or longer",
        ),
    ],
)
def test_each_doubt_is_told_and_leads_to_a_full_comparison(state: dict[str, Any], said: str) -> None:
    here = world()

    assert believed(here, planned(here, **state)) is None
    assert [f"comparing with the whole table: {said}"] == here.said
    assert [] == here.table.gets


def test_digests_younger_than_the_full_comparison_asked_for_are_believed() -> None:
    here = world()

    assert believed(here, planned(here, full_compared_at=EPOCH - timedelta(days=6.9))) is not None


def test_no_days_are_a_full_comparison_every_time() -> None:
    here = world()

    assert believed(here, planned(here, settings={"full_compare_days": 0.0})) is None


def test_rows_that_become_other_items_are_compared_with_the_table() -> None:
    here = world()
    plan = planned(here)
    plan = replace(plan, load=asked(compare="digests", constants={"source": {"S": "x"}}))

    assert believed(here, plan) is None
    assert "rows become other items" in here.said[0]


@pytest.mark.parametrize("change", ["changed", "gone"])
def test_an_item_that_others_wrote_is_found_and_the_table_looked_at(change: str) -> None:
    here = world()
    plan = planned(here)
    if change == "changed":
        here.table.write("PutItem", msgspec.json.encode({"Item": product("P3", "by others")}))
    else:
        here.table.write("DeleteItem", msgspec.json.encode({"Key": product("P3")}))

    assert believed(here, plan) is None
    assert [
        "comparing with the whole table: 1 of 20 items read back are not as the digest file says"
    ] == here.warned


def test_no_more_items_are_read_back_than_asked() -> None:
    here = world()

    assert believed(here, planned(here, settings={"sample_items": 7})) is not None
    assert ["7 items read back are as the digest file says"] == here.said


def test_no_sample_is_believing_without_a_look() -> None:
    here = world()

    assert believed(here, planned(here, settings={"sample_items": 0})) is not None
    assert ([], []) == (here.table.gets, here.warned)


@pytest.mark.parametrize("change", ["gone", "damaged", "empty"])
def test_a_digest_file_that_cannot_be_read_leads_to_a_full_comparison(change: str) -> None:
    here = world()
    plan = planned(here)
    if change == "gone":
        here.store.delete([FILE])
    else:
        overwrite(here.store, FILE, b"" if change == "empty" else b"x" * here.store.size(FILE))

    assert believed(here, plan) is None
    assert ["comparing with the whole table: digest file loads/_lookups"] == [
        line[:58] for line in here.warned
    ]


@pytest.mark.parametrize(("expected", "is_believed"), [(32, True), (33, False)])
def test_many_more_rows_than_the_digests_have_buckets_for_are_compared_with_the_table(
    expected: int, is_believed: bool
) -> None:
    here = world()
    found = believed_digests(planned(here), here.ports, here.read_back(), expected * ROWS_PER_BUCKET, "seed")

    assert is_believed == (found is not None)
    assert is_believed != any("too many rows for the buckets" in line for line in here.said)
