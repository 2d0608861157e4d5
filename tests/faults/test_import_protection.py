"""Tables that an import does not touch unless that was said."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import ImportRefused
from tests.faults.attempts import items
from tests.faults.calls import Call
from tests.faults.conftest import Tally
from tests.faults.import_backups import files
from tests.faults.import_world import (
    MUTATING,
    ON_TABLES,
    TARGET,
    ImportAttempt,
    ImportWorld,
    assert_table,
    importing,
)
from tests.faults.script import Fault, Kind

SOURCE = items(5)
PROTECTED: dict[str, tuple[dict[str, Any], str]] = {
    "deletion protection": ({"DeletionProtectionEnabled": True}, "protected against deletion"),
    "env=prod": ({"Tags": [{"Key": "env", "Value": "prod"}]}, "has the tag env=prod"),
    "Environment=Production": (
        {"Tags": [{"Key": "team", "Value": "shop"}, {"Key": "Environment", "Value": "Production"}]},
        "has the tag Environment=Production",
    ),
    "stage=live": ({"Tags": [{"Key": "stage", "Value": "live"}]}, "has the tag stage=live"),
    "prod=true": ({"Tags": [{"Key": "prod", "Value": "true"}]}, "has the tag prod=true"),
    "a replica": ({}, "has replicas in eu-west-1"),
}
HARMLESS = [("env", "test"), ("product", "shop"), ("prod", "false"), ("owner", "prod")]


def with_replica(world: ImportWorld) -> None:
    """Let the table be described as one with a replica."""
    table = world.aws.dynamodb.table(TARGET)
    describe = table.describe
    replicas = [{"RegionName": "eu-west-1", "ReplicaStatus": "ACTIVE"}]
    table.describe = lambda: describe() | {"Replicas": replicas}  # type: ignore[method-assign]


def world_of(name: str) -> ImportWorld:
    world = ImportWorld(files(SOURCE), table=PROTECTED[name][0])
    if name == "a replica":
        with_replica(world)
    return world


@pytest.mark.parametrize("name", PROTECTED)
def test_i12_a_protected_table_is_refused_before_anything_is_written(name: str) -> None:
    world = world_of(name)

    attempt = world.run()

    attempt.failed(ImportRefused, PROTECTED[name][1], "allow_protected=True")
    assert [] == [call for call in attempt.operations if call in MUTATING | {"PutObject"}]
    assert [] == world.items
    assert dict(world.laid.objects) == world.objects


@pytest.mark.parametrize("name", PROTECTED)
def test_i12_with_the_explicit_flag_a_protected_table_is_imported_into(name: str) -> None:
    world = world_of(name)

    attempt = world.run(allow_protected=True)

    assert len(SOURCE) == attempt.result.written
    assert_table(world, SOURCE)


@pytest.mark.parametrize(("key", "value"), HARMLESS)
def test_i12_other_tags_protect_nothing(key: str, value: str) -> None:
    world = ImportWorld(files(SOURCE), table={"Tags": [{"Key": key, "Value": value}]})

    assert len(SOURCE) == world.run().result.written


@pytest.mark.parametrize("operation", ["DescribeTable", "ListTagsOfResource"])
def test_i12_a_role_that_may_not_look_is_refused_and_writes_nothing(operation: str, tally: Tally) -> None:
    """Whether a table is protected must be known."""
    world = world_of("env=prod")

    attempt = world.run(Fault(Kind.DENY, on=operation))

    tally(len(attempt.struck))
    attempt.failed(ImportRefused, operation)
    assert [] == world.items


def test_i12_no_import_ever_asks_for_a_change_of_a_table() -> None:
    """Every call of every kind of import is one that reads, or writes items or objects."""
    asked: set[str] = set()
    for settings in ({}, {"on_conflict": "skip", "on_existing": "new"}, {"dry_run": True}):
        world = ImportWorld(files(SOURCE, ["no JSON"]), SOURCE[:1])
        attempt = ImportAttempt(world, importing(world.laid, max_rejected=1, **settings)).run()
        assert 1 == attempt.result.rejected
        asked |= set(map(_name, attempt.calls))

    assert set() == asked & ON_TABLES
    assert set() == {name for name in asked if name.startswith("Delete")} - {"DeleteObjects"}
    assert {"BatchWriteItem", "PutItem", "PutObject"} <= asked


def _name(call: Call) -> str:
    return call.operation
