from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryStore
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_plan import (
    ImportPlan,
    ImportPorts,
    make_import_plan,
    writable_problems,
)
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.ports import KeyAttribute, TableDescription, Throughput
from airflow_dynamo_pipeline.engine.sources import Backup, BackupFile, Stage
from airflow_dynamo_pipeline.engine.table_import import import_table
from airflow_dynamo_pipeline.errors import AccessDenied, ImportRefused, ServiceTrouble
from tests.clock import ManualClock
from tests.unit.engine.import_parts import KEY, ScriptedTable, keys_of, some
from tests.unit.engine.world import described, index, work


class Table(ScriptedTable):
    """A table with tags, that expires items, or may not be asked."""

    def __init__(
        self, ttl: str | None = None, tags: Mapping[str, str] | Exception | None = None, **told: Any
    ) -> None:
        given = {"key": KEY, "write_throughput": Throughput(provisioned=1000.0), **told}
        super().__init__(told=replace(described(), **given))
        self._ttl = ttl
        self._tags = tags or {}

    def ttl_attribute(self) -> str | None:
        return self._ttl

    def tags(self) -> Mapping[str, str]:
        if isinstance(self._tags, Exception):
            raise self._tags
        return self._tags


class Broken(Table):
    """A table that cannot be described."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def describe(self) -> TableDescription:
        raise self.error


def plan(table: ScriptedTable | None = None, warned: list[str] | None = None, **settings: Any) -> ImportPlan:
    store = MemoryStore()
    store.put("daily/part-1", b"".join(json.dumps({"Item": item}).encode() + b"\n" for item in some(3)))
    given = {"table_name": "orders", "s3_uri": "s3://backups/daily", **settings}
    ports = ImportPorts(
        table=table or Table(),
        source=store,
        records=store,
        capacity=FixedCapacity(),
        clock=ManualClock(),
        stop=threading.Event(),
        say=lambda _: None,
        warn=(lambda _: None) if warned is None else warned.append,
    )
    before = dict(store.objects)
    try:
        return make_import_plan(ImportRequest.from_settings(given), work(), ports)
    finally:
        assert before == store.objects  # nothing is changed, whatever comes out


def ports_of(table: ScriptedTable, store: MemoryStore) -> ImportPorts:
    return ImportPorts(
        table=table,
        source=store,
        records=store,
        capacity=FixedCapacity(),
        clock=ManualClock(),
        stop=threading.Event(),
        say=lambda _: None,
        warn=lambda _: None,
    )


def findings(table: ScriptedTable, **settings: Any) -> list[str]:
    with pytest.raises(ImportRefused) as caught:
        plan(table, **settings)
    return [f"{problem.where}: {problem.message}" for problem in caught.value.problems]


def test_another_backup_than_the_expected_one_is_the_first_finding_about_it() -> None:
    identity = plan().backup.identity

    first, second = findings(Table(key=[KeyAttribute("id", "S")]), expected_backup_id="of-yesterday")

    assert (
        "expected_backup_id: the backup at s3://backups/daily is not the one that was looked at: "
        f"its backup_id is {identity}, expected is of-yesterday"
    ) == first
    assert "has the key id (S)" in second
    assert identity == plan(expected_backup_id=identity).backup.identity


def test_a_plan_says_what_will_be_done() -> None:
    found = plan()

    assert found.line().startswith(
        "new: files, items uncounted in 1 files, into table orders at 250.0 write units per second"
    )
    assert not found.by_index


@pytest.mark.parametrize(
    ("settings", "writers"),
    [
        ({}, 1),
        ({"units_per_second": 1}, 1),
        ({"units_per_second": 2000}, 5),
        ({"units_per_second": 1e9}, 16),
        ({"units_per_second": 1e9, "segments": 3}, 3),
    ],
)
def test_as_many_batches_are_under_way_as_the_rate_needs(settings: dict[str, Any], writers: int) -> None:
    assert writers == plan(**settings).writers


def test_what_indexes_consume_is_asked_for_where_it_counts_by_index() -> None:
    table = Table(indexes={"a": index("a", write_throughput=Throughput(provisioned=10.0))})

    assert (True, False) == (plan(table).by_index, plan(table, units_per_second=5).by_index)


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        (Table(status="UPDATING"), "table orders is UPDATING"),
        (Table(indexes={"a": index("a", status="CREATING")}), "index a of table orders is CREATING"),
        (Table(deletion_protected=True), "table orders is protected against deletion"),
        (Table(replicas=("eu-west-1", "ap-south-1")), "table orders has replicas in eu-west-1, ap-south-1"),
        (Table(tags={"Tier": "LIVE"}), "table orders has the tag Tier=LIVE"),
        (Table(tags={"production": ""}), "table orders has the tag production="),
        (Table(tags=AccessDenied("dynamodb:ListTagsOfResource", "orders")), "dynamodb:ListTagsOfResource"),
    ],
)
def test_each_finding_about_the_table_stands_alone(table: Table, wanted: str) -> None:
    (found,) = findings(table)

    assert found.startswith("table_name: ")
    assert wanted in found


@pytest.mark.parametrize("tags", [{"env": "staging"}, {"owner": "prod"}, {"live": "no"}, {}])
def test_other_tags_are_nothing_to_refuse(tags: dict[str, str]) -> None:
    assert "orders" == plan(Table(tags=tags)).table.name


def test_what_protects_a_table_is_not_asked_for_when_that_is_allowed() -> None:
    table = Table(
        deletion_protected=True,
        replicas=("eu-west-1",),
        tags=AccessDenied("dynamodb:ListTagsOfResource", "orders"),
    )

    assert table.told == plan(table, allow_protected=True).table


def test_all_findings_are_named_at_once() -> None:
    table = Table(status="UPDATING", deletion_protected=True, tags={"env": "prod"})

    found = findings(table, s3_uri="s3://backups/nothing")

    parts = ["is UPDATING", "protected against deletion", "tag env=prod", "s3_uri: "]
    assert len(parts) == len(found)
    for part, line in zip(parts, found, strict=True):
        assert part in line


def test_trouble_that_may_pass_is_no_finding() -> None:
    with pytest.raises(ServiceTrouble):
        plan(Broken(ServiceTrouble("500")))


def test_a_stream_and_a_time_to_live_are_warned_of() -> None:
    warned: list[str] = []

    assert "ttl" == plan(Table(has_stream=True, ttl="ttl"), warned, expired_items="drop").ttl_attribute

    stream, expiry = warned
    assert "every item written is a record in it" in stream
    assert "items that are expired already are dropped" in expiry


def made_by_the_caller(store: MemoryStore) -> Backup:
    """Items in one file and, in a stage after it, keys to delete."""
    store.put("a/puts", b"".join(json.dumps({"Item": item}).encode() + b"\n" for item in some(3)))
    store.put("a/more", json.dumps({"Item": {"pk": {"S": "more"}}}).encode())
    stages = [
        Stage(
            uri=f"s3://backups/a/{name}",
            reader="dynamodb_json",
            files=(BackupFile(f"a/{name}", count, None),),
        )
        for name, count in (("puts", 3), ("more", 1))
    ]
    return Backup(identity="of-the-caller", kind="change set", stages=tuple(stages))


def test_a_backup_that_the_caller_made_is_not_looked_for() -> None:
    store, table = MemoryStore(), Table()
    backup = made_by_the_caller(store)
    request = ImportRequest(table_name="orders", s3_uri=("s3://backups/nowhere",), units_per_second=1e9)

    found = make_import_plan(request, work(), ports_of(table, store), backup)

    assert backup is found.backup
    assert "new: change set, 4 items in 2 files, into table orders" in found.line()


def test_a_backup_that_the_caller_made_is_imported_stage_by_stage() -> None:
    store, table = MemoryStore(), Table()
    backup = made_by_the_caller(store)
    request = ImportRequest(table_name="orders", s3_uri=("s3://backups/nowhere",), units_per_second=1e9)

    result = import_table(
        request, work(), ports_of(table, store), ImportReports(lambda _: None), backup=backup
    )

    written = [
        key for operation, body in table.calls if operation == "BatchWriteItem" for key in keys_of(body)
    ]
    assert (4, "of-the-caller") == (result.written, result.backup_id)
    assert ["000", "001", "002", "more"] == written


def test_an_import_of_the_callers_backup_is_found_again_by_its_identity() -> None:
    store, table = MemoryStore(), Table()
    backup = made_by_the_caller(store)
    request = ImportRequest(table_name="orders", s3_uri=("s3://backups/nowhere",), units_per_second=1e9)
    ports, reports = ports_of(table, store), ImportReports(lambda _: None)
    import_table(request, work(), ports, reports, backup=backup)

    again = import_table(request, work(), ports, reports, backup=backup)
    other = import_table(request, work(), ports, reports, backup=replace(backup, identity="another"))

    assert ("adopt", "new") == (again.start, other.start)


@pytest.mark.parametrize(
    ("told", "allowed", "said"),
    [
        ({}, False, []),
        ({"status": "UPDATING"}, True, ["table orders is UPDATING"]),
        ({"deletion_protected": True}, True, []),
        ({"deletion_protected": True}, False, ["protected against deletion"]),
    ],
)
def test_a_table_that_is_not_to_be_written_to_says_why(
    told: dict[str, Any], allowed: bool, said: list[str]
) -> None:
    table = Table(**told)
    found = list(writable_problems(table.describe(), ports_of(table, MemoryStore()), allow_protected=allowed))

    assert len(said) == len(found)
    assert all(part in problem.message for part, problem in zip(said, found, strict=True))
