from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.existing import Start
from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.errors import LookupRefused, ServiceTrouble, UnknownVersion
from airflow_dynamo_pipeline.lookup.mapping import ColumnMapping
from airflow_dynamo_pipeline.lookup.plan import is_outdated, make_lookup_plan
from airflow_dynamo_pipeline.lookup.records import ChangeSet, Counts, LookupPlace, RunRecord, TableState
from tests.clock import EPOCH, ManualClock
from tests.unit.lookup.load_world import LoadTable, LoadWorld, Rows, asked, product, products, work

PLACE = LookupPlace.of(asked(), work())
GENERATIONS: dict[str, Any] = {"generation_days": 1.0, "ttl_attribute": "gone_at"}


def world(**table: Any) -> LoadWorld:
    return LoadWorld(table=LoadTable([product("a")], **table), clock=ManualClock())


def refused(here: LoadWorld, source: Rows | None = None, **settings: Any) -> dict[str, str]:
    with pytest.raises(LookupRefused) as caught:
        here.plan(source, **settings)
    return {problem.where: problem.message for problem in caught.value.problems}


def state(here: LoadWorld, run_id: str = "r0", **changes: Any) -> TableState:
    given = {
        "run_id": run_id,
        "table_identity": here.table.describe().identity,
        "shape": asked().shape(),
        "is_applied": True,
        "changed_at": EPOCH,
        **changes,
    }
    found = TableState(**given)
    here.store.put(PLACE.state_key, records.encode(found))
    return found


def earlier(here: LoadWorld, **changes: Any) -> RunRecord:
    """An earlier attempt at this run decided on one change."""
    identity = changes.pop("table_identity", here.table.describe().identity)
    change_set = ChangeSet(counts=Counts(rows=1, inserted=1), table_identity=identity, compared_with="table")
    before = here.store.get(PLACE.state_key)
    given = {
        "fingerprint": asked().fingerprint(),
        "run": "r",
        "generation": "0",
        "planned_at": EPOCH,
        "after_state": before.version if before else None,
        "change_set": change_set,
        **changes,
    }
    found = RunRecord(**given)
    here.store.put(PLACE.record_key, records.encode(found))
    return found


def test_a_plan_says_what_will_be_done() -> None:
    here = world()
    plan = here.plan()

    assert (Start.NEW, None, None) == (plan.start, plan.state, plan.record)
    assert ["id", "name"] == [column.name for column in plan.columns]
    line = plan.line(products())
    assert line.startswith("new: mirror table products, about 1 items, from rows in memory, compared at ")
    assert line.endswith(f"record {PLACE.record_key}")
    assert "a new generation of table" in world(ttl="gone_at").plan(**GENERATIONS).line(products())


def test_planning_changes_nothing() -> None:
    here = world()
    here.plan()

    assert ({}, []) == (here.store.objects, here.table.calls)


def test_every_finding_is_told_at_once() -> None:
    here = world(status="CREATING", region="eu-west-1")
    found = refused(here, Rows("sku name", []))

    assert {"table_name", "s3_uri", "key_columns"} == found.keys()
    assert "CREATING" in found["table_name"]
    assert "us-east-1" in found["s3_uri"]
    assert "the query has no column 'id'" in found["key_columns"]


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"deletion_protected": True}, "protect"),
        ({"status": "UPDATING_"}, "UPDATING_"),
        ({"key": ()}, "the key of table products is not known"),
    ],
)
def test_a_table_that_should_not_be_written_to_is_refused(described: dict[str, Any], said: str) -> None:
    assert said in refused(world(**described))["table_name"]


def test_a_protected_table_is_loaded_into_when_a_person_says_so() -> None:
    assert Start.NEW is world(deletion_protected=True).plan(allow_protected=True).start


def test_a_dry_run_looks_at_a_table_that_may_not_be_written_to() -> None:
    assert Start.NEW is world(deletion_protected=True, status="UPDATING_").plan(dry_run=True).start


def test_a_generation_needs_a_partition_key_that_is_a_string() -> None:
    table = LoadTable(ttl="gone_at", schema=(KeyAttribute("n", "N"),))
    here = LoadWorld(table=table, clock=ManualClock())

    found = refused(here, Rows("n name", []), key_columns=("n",), **GENERATIONS)
    assert "is of type N" in found["generation_days"]


@pytest.mark.parametrize(("ttl", "said"), [(None, "expires no items"), ("until", "expires items by until")])
def test_a_generation_needs_a_table_that_expires_items_by_its_attribute(ttl: str | None, said: str) -> None:
    assert said in refused(world(ttl=ttl), **GENERATIONS)["ttl_attribute"]


def test_an_attribute_that_expires_nothing_is_worth_a_warning() -> None:
    here = world()
    here.plan(Rows("id until", []), ttl_attribute="gone_at", ttl_column="until")

    assert ["table products expires no items: gone_at is an attribute like any other"] == here.warned


def test_an_attribute_that_expires_items_is_not() -> None:
    here = world(ttl="gone_at")
    here.plan(Rows("id until", []), ttl_attribute="gone_at", ttl_column="until")

    assert [] == here.warned


def test_a_column_that_would_write_when_a_generation_expires_is_refused() -> None:
    found = refused(world(ttl="gone_at"), Rows("id gone_at", []), **GENERATIONS)

    assert "gone_at" in str(found)


def test_a_constant_that_would_write_when_a_generation_expires_is_refused() -> None:
    found = refused(world(ttl="gone_at"), constants={"gone_at": {"N": "1"}}, **GENERATIONS)

    assert "gone_at" in str(found)


def test_a_mapping_that_does_not_fit_the_query_is_refused() -> None:
    found = refused(world(), columns={"prise": ColumnMapping(type="N")})

    assert "the query has no column 'prise'" in found["columns"]


def test_trouble_that_passes_is_not_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    here = world()
    source = products()

    def away() -> Any:
        raise ServiceTrouble("the database is away")

    monkeypatch.setattr(source, "columns", away)
    with pytest.raises(ServiceTrouble):
        here.plan(source)


def test_what_an_earlier_attempt_finished_is_adopted() -> None:
    here = world()
    state(here, PLACE.run_id)
    record = earlier(here, result=msgspec.Raw(b'{"rows":1}'))

    plan = here.plan()

    assert (Start.ADOPT, record) == (plan.start, plan.record)


def test_what_an_earlier_attempt_decided_is_gone_on_with() -> None:
    here = world()
    state(here)
    earlier(here)

    assert Start.RESUME is here.plan().start


def test_what_an_earlier_attempt_began_to_write_is_gone_on_with() -> None:
    here = world()
    state(here)
    earlier(here)
    state(here, PLACE.run_id, is_applied=False)

    assert Start.RESUME is here.plan().start


def test_a_decision_is_made_anew_once_the_same_other_run_has_written_again() -> None:
    here = world()
    state(here, is_applied=False)
    earlier(here)
    state(here, is_applied=True)

    assert Start.NEW is here.plan().start
    assert any("run r0 has written to the table since: anew" in line for line in here.said)


def test_the_first_load_of_a_table_is_gone_on_with_too() -> None:
    here = world()
    earlier(here)

    assert Start.RESUME is here.plan().start


@pytest.mark.parametrize("start", [Start.RESUME, Start.ADOPT])
def test_a_database_that_is_away_does_not_keep_a_decision_from_being_applied(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world()
    state(here)
    earlier(here, **({"result": msgspec.Raw(b"{}")} if start is Start.ADOPT else {}))
    source = products()
    monkeypatch.setattr(source, "columns", None)

    assert start is here.plan(source).start


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"after_state": "older"}, "run r0 has written to the table since"),
        ({"planned_at": EPOCH - timedelta(hours=24, seconds=1)}, "that was more than 1 day"),
        ({"table_identity": "other/2025"}, "the table was deleted and made anew since"),
    ],
)
def test_a_decision_that_others_overtook_is_made_anew(changes: dict[str, Any], why: str) -> None:
    here = world()
    state(here)
    earlier(here, **changes)

    assert Start.NEW is here.plan().start
    (line,) = here.said
    assert line.startswith("an earlier attempt decided on 1 changes; ")
    assert why in line


@pytest.mark.parametrize(("left", "start"), [(1, Start.RESUME), (0, Start.NEW), (-1, Start.NEW)])
def test_a_generation_that_expired_meanwhile_is_not_gone_on_with(left: int, start: Start) -> None:
    here = world(ttl="gone_at")
    place = LookupPlace.of(asked(**GENERATIONS), work())
    change_set = ChangeSet(
        counts=Counts(rows=1, inserted=1),
        table_identity=here.table.describe().identity,
        compared_with="nothing",
        generation="g1",
        expires_at=int(EPOCH.timestamp()) + left,
    )
    record = earlier(here, change_set=change_set, after_state=None)
    here.store.put(place.record_key, records.encode(record))

    assert start is here.plan(**GENERATIONS).start
    assert (start is Start.NEW) == any("its generation has expired since" in line for line in here.said)


def test_a_dry_run_neither_resumes_nor_adopts() -> None:
    here = world()
    state(here)
    earlier(here)

    assert Start.NEW is here.plan(dry_run=True).start


def test_a_record_of_a_newer_package_is_not_overwritten() -> None:
    here = world()
    here.store.put(PLACE.state_key, b'{"version":99}')

    with pytest.raises((LookupRefused, UnknownVersion), match="99"):
        here.plan()


def test_a_plan_is_outdated_once_another_run_has_written() -> None:
    here = world()
    plan = here.plan()
    assert not is_outdated(plan, here.ports)

    state(here)

    assert is_outdated(plan, here.ports)
    assert not is_outdated(here.plan(), here.ports)


def test_a_plan_is_outdated_once_another_attempt_has_decided() -> None:
    here = world()
    plan = here.plan()

    earlier(here, after_state=None)

    assert is_outdated(plan, here.ports)
    assert not is_outdated(here.plan(), here.ports)


def test_a_work_without_a_state_has_a_place_of_its_own() -> None:
    here = world()
    state(here)
    earlier(here)

    plan = make_lookup_plan(asked(), products(), work(run="dag|task|-1|other"), here.ports)

    assert (Start.NEW, "r0", None) == (plan.start, plan.state and plan.state.run_id, plan.record)


def test_a_table_by_arn_is_probed_where_the_load_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    here, probed = world(), list[str]()
    monkeypatch.setattr(here.store, "probe", probed.append)

    here.plan(table_name="arn:aws:dynamodb:eu-west-1:111122223333:table/products")

    assert ["loads/_lookups/products/_probe"] == probed
