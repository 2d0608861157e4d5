from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.errors import (
    ImportFailed,
    LookupRefused,
    ServiceTrouble,
    StaleAttempt,
    UnexpectedReply,
)
from airflow_dynamo_pipeline.lookup.generations import Generation, current_pointer, flip
from airflow_dynamo_pipeline.lookup.mapping import ColumnMapping, RowMapping
from airflow_dynamo_pipeline.lookup.plan import LookupPlan
from airflow_dynamo_pipeline.lookup.pointer import Pointer
from airflow_dynamo_pipeline.lookup.records import ChangeSet, Counts
from tests.clock import EPOCH, ManualClock
from tests.unit.lookup.load_world import KEY, Item, LoadTable, LoadWorld, Rows

SETTINGS: dict[str, Any] = {"generation_days": 1.5, "ttl_attribute": "gone_at"}
EXPIRES = int(EPOCH.timestamp()) + 129_600


def world(*items: Item) -> LoadWorld:
    return LoadWorld(table=LoadTable(items, ttl="gone_at"), clock=ManualClock())


def pointer(generation: str, rows: int = 5) -> Item:
    return Pointer(generation, rows, EPOCH, EPOCH + timedelta(days=1)).to_item(KEY)


def planned(here: LoadWorld) -> LookupPlan:
    return here.plan(**SETTINGS)


def change_set(generation: str | None = "g2") -> ChangeSet:
    return ChangeSet(
        counts=Counts(rows=7, inserted=7),
        table_identity="id/at",
        compared_with="nothing",
        generation=generation,
        expires_at=None if generation is None else EXPIRES,
    )


def test_a_load_in_place_has_no_generation() -> None:
    here = world()

    assert Generation.begun(here.plan(), here.ports, "k3x9") is None
    (asked,) = here.table.gets
    assert [{"id": {"S": "#current"}}] == asked["RequestItems"]["products"]["Keys"]


def test_a_mirror_in_place_of_a_table_of_generations_is_refused() -> None:
    here = world(pointer("g1"))

    with pytest.raises(LookupRefused, match="table products has generations, and g1 counts"):
        Generation.begun(here.plan(), here.ports, "k3x9")


@pytest.mark.parametrize("mode", ["upsert", "insert_only", "update_existing"])
def test_a_load_that_deletes_nothing_does_not_look_for_a_pointer(mode: str) -> None:
    here = world(pointer("g1"))

    assert Generation.begun(here.plan(mode=mode), here.ports, "k3x9") is None
    assert [] == here.table.gets


@pytest.mark.parametrize("tag", ["N", "B"])
def test_a_key_that_can_hold_no_pointer_is_not_asked_for_one(tag: str) -> None:
    here = LoadWorld(table=LoadTable(schema=(KeyAttribute("n", tag),)), clock=ManualClock())
    kind = {"N": "number", "B": "binary"}[tag]
    plan = here.plan(Rows("n name", [], kinds=[kind, "text"]), key_columns=("n",))

    assert Generation.begun(plan, here.ports, "k3x9") is None
    assert [] == here.table.gets


def test_a_generation_is_named_by_its_instant_and_the_attempt() -> None:
    here = world()
    found = Generation.begun(planned(here), here.ports, "k3x9")

    wanted = Generation(
        name="20260102T030405-k3x9", expires_at=EXPIRES, ttl_attribute="gone_at", rows_before=0
    )
    assert wanted == found
    assert "20260102T030405-k3x9#" == wanted.prefix


def test_a_generation_knows_how_many_rows_the_one_before_has() -> None:
    here = world(pointer("g1", rows=1234))
    found = Generation.begun(planned(here), here.ports, "k3x9")

    assert 1234 == (found and found.rows_before)


def test_every_item_of_a_generation_expires_with_it() -> None:
    mapping = RowMapping(columns={"x": ColumnMapping(type="N")}, constants={"source": {"S": "redshift"}})
    found = Generation(name="g", expires_at=12, ttl_attribute="gone_at", rows_before=0).mapped(mapping)

    assert {"source": {"S": "redshift"}, "gone_at": {"N": "12"}} == found.constants
    assert mapping.columns == found.columns


def test_before_the_first_generation_there_is_no_pointer() -> None:
    here = world()

    assert current_pointer(planned(here), here.ports) is None


def test_the_pointer_is_read_consistently() -> None:
    here = world(pointer("g1"))
    found = current_pointer(planned(here), here.ports)

    assert ("g1", 5) == (found and found.generation, found and found.rows)
    assert here.table.gets[0]["RequestItems"]["products"]["ConsistentRead"]


def test_a_pointer_that_somebody_broke_is_told() -> None:
    here = world({"id": {"S": "#current"}, "generation": {"N": "1"}})

    with pytest.raises(UnexpectedReply, match="#current has no generation"):
        current_pointer(planned(here), here.ports)


def test_a_flip_lets_a_generation_count() -> None:
    here = world(pointer("g1"))
    flip(planned(here), here.ports, change_set(), rows=7, check=lambda: None)

    found = current_pointer(planned(here), here.ports)
    expires_at = datetime.fromtimestamp(EXPIRES, UTC)
    assert Pointer("g2", 7, EPOCH, expires_at, earlier="g1") == found
    assert ["generation g2 counts now; before: g1"] == here.said


def test_the_first_flip_has_no_generation_before_it() -> None:
    here = world()
    flip(planned(here), here.ports, change_set(), rows=7, check=lambda: None)

    found = current_pointer(planned(here), here.ports)
    assert ("g2", None) == (found and found.generation, found and found.earlier)
    assert ["generation g2 counts now; before: none"] == here.said


def test_a_load_in_place_flips_nothing() -> None:
    here = world()
    flip(planned(here), here.ports, change_set(None), rows=7, check=lambda: None)

    assert ([], []) == (here.table.calls, here.table.gets)


def test_a_flip_that_was_made_already_is_not_made_again() -> None:
    here = world(pointer("g2"))
    flip(planned(here), here.ports, change_set(), rows=7, check=lambda: None)

    assert [] == here.table.calls


@pytest.mark.parametrize("before", [None, "g1"])
def test_a_flip_whose_reply_was_lost_is_success(before: str | None) -> None:
    here = world(*([pointer(before)] if before else []))
    lost = [ServiceTrouble("the reply was lost")]

    def lose(_operation: str, _body: Item) -> None:
        if lost:
            raise lost.pop()

    here.table.after = lose
    flip(planned(here), here.ports, change_set(), rows=7, check=lambda: None)

    found = current_pointer(planned(here), here.ports)
    assert ("g2", before) == (found and found.generation, found and found.earlier)
    assert ["PutItem"] == [operation for operation, _ in here.table.calls][:1]
    assert ["the reply was lost; trying again"] == here.warned


@pytest.mark.parametrize("before", [None, "g1"])
def test_a_flip_to_another_generation_meanwhile_is_not_overwritten(before: str | None) -> None:
    here = world(*([pointer(before)] if before else []))

    def other(operation: str, _body: Item) -> None:
        if operation == "PutItem":
            here.table.before = lambda _operation, _body: None
            here.table.items[json.dumps([{"S": "#current"}])] = pointer("g9")

    here.table.before = other
    with pytest.raises(StaleAttempt, match="to generation g9 meanwhile; g2 does not count"):
        flip(planned(here), here.ports, change_set(), rows=7, check=lambda: None)

    found = current_pointer(planned(here), here.ports)
    assert "g9" == (found and found.generation)


def test_a_lease_that_was_lost_is_found_before_the_pointer_is_written() -> None:
    here = world(pointer("g1"))

    def lost() -> None:
        assert 1 == len(here.table.gets)
        raise StaleAttempt("taken over")

    with pytest.raises(StaleAttempt, match="taken over"):
        flip(planned(here), here.ports, change_set(), rows=7, check=lost)
    assert [] == here.table.calls


@pytest.mark.parametrize(("after", "counts"), [(-1, True), (0, False), (3600, False)])
def test_a_generation_that_expired_while_it_was_loaded_does_not_count(after: int, counts: bool) -> None:
    here = world(pointer("g1"))
    plan = planned(here)
    assert isinstance(here.clock, ManualClock)
    here.clock.advance(EXPIRES - EPOCH.timestamp() + after)

    if counts:
        flip(plan, here.ports, change_set(), rows=7, check=lambda: None)
    else:
        with pytest.raises(
            ImportFailed, match="generation g2 expired before it was loaded: it does not count"
        ):
            flip(plan, here.ports, change_set(), rows=7, check=lambda: None)
        assert [] == here.table.calls
    found = current_pointer(plan, here.ports)
    assert ("g2" if counts else "g1") == (found and found.generation)
