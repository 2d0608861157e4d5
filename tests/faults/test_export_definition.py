"""An export that also saves what the table is: before the manifest, or not at all."""

from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.engine.table_definition import decode_definition
from airflow_dynamo_pipeline.errors import PreflightFailed
from tests.faults.attempts import TABLE, World, assert_whole, items
from tests.faults.endpoint import Killed
from tests.faults.script import Fault, Kind

NAME = "table-definition.json"
SUMMARY = "manifest-summary.json"


def names(world: World) -> set[str]:
    """The files of exports beside their data and checkpoints."""
    return {key.rpartition("/")[2] for key in world.objects}


def test_the_definition_lies_beside_the_manifest_and_the_export_is_whole() -> None:
    world = World(items(3))
    world.aws.dynamodb.table(TABLE).time_to_live = "expires"

    attempt = world.export(save_table_definition=True)

    assert_whole(world)
    (key,) = (key for key in world.objects if key.endswith(f"/{NAME}"))
    assert attempt.result.manifest_uri.endswith(key.replace(NAME, SUMMARY))
    saved = decode_definition(world.objects[key], key)
    assert (TABLE, "expires") == (
        saved.table.table_name,
        saved.time_to_live and saved.time_to_live.attribute_name,
    )


def test_nobody_gets_it_unasked_and_nothing_more_is_called() -> None:
    world = World(items(3))

    attempt = world.export()

    assert NAME not in names(world)
    assert "DescribeTimeToLive" not in attempt.operations


@pytest.mark.parametrize("operation", ["DescribeTimeToLive", "ListTagsOfResource", "DescribeScalableTargets"])
def test_what_may_not_be_read_is_found_before_the_first_scan(operation: str) -> None:
    world = World(items(3))

    attempt = world.export(Fault(Kind.DENY, on=operation), save_table_definition=True)

    assert isinstance(attempt.outcome, PreflightFailed)
    assert operation in str(attempt.outcome)
    assert "Scan" not in attempt.operations


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_no_manifest_is_ever_there_without_it(after: bool) -> None:
    calls = World(items(3)).export(save_table_definition=True).operations
    first = calls.index("Scan") + 1
    for number in range(first, len(calls) + 1):
        world = World(items(3))
        killed = world.export(Fault(Kind.KILL, number, after=after), save_table_definition=True)
        assert isinstance(killed.outcome, Killed)
        assert NAME in names(world) or SUMMARY not in names(world), number

        world.aws.clock.wait(world.new_event(), 600.0)
        world.export(save_table_definition=True)

        assert {NAME, SUMMARY} <= names(world), number
