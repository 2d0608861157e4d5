import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from airflow_dynamo_pipeline.adapters.policies_tables import TABLE_POLICIES
from airflow_dynamo_pipeline.cli.main import main
from airflow_dynamo_pipeline.errors import InvalidRequest
from tests.faults.script import Fault, Kind
from tests.faults.table_world import COPY, TableWorld
from tests.faults.test_table_definitions import world_with_everything

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "iam-policies.md").read_text("utf-8")
SERVICES = {"dynamodb", "application-autoscaling", "cloudwatch", "kms"}
BY_AUTOSCALING = {"CreateServiceLinkedRole", "DescribeAlarms", "PutMetricAlarm"}


def actions(verb: str) -> set[str]:
    document = TABLE_POLICIES[f"dynamo-pipeline table {verb}"].document({"table_name": "orders"})
    return {action for statement in document["Statement"] for action in statement["Action"]}


def asked(world: TableWorld, operations: list[str]) -> set[str]:
    """The names of calls without their service; the caller's identity needs no permission."""
    return set(operations) - {"GetCallerIdentity"}


def test_saving_is_allowed_just_what_it_calls() -> None:
    world = world_with_everything()

    called = asked(world, world.save().operations)

    assert called == {action.partition(":")[2] for action in actions("save")}


def test_restoring_is_allowed_just_what_it_may_call() -> None:
    world = world_with_everything()
    saved = world.save().definition
    made = world.restore(saved)
    tagged = world.restore(saved, Fault(Kind.DENY, on="UpdateTimeToLive"), table_name="again")
    world.aws.dynamodb.table(COPY).tags.clear()
    again = world.restore(saved, onto_existing=True)

    called = asked(world, [*made.operations, *tagged.operations, *again.operations])

    allowed = {action.partition(":")[2] for action in actions("restore")}
    assert called == allowed - BY_AUTOSCALING


@pytest.mark.parametrize("verb", ["save", "restore"])
def test_the_command_prints_it_and_the_page_has_it(verb: str) -> None:
    done = CliRunner().invoke(main, ["iam-policy", f"table-{verb}", "--table", "orders"])

    assert 0 == done.exit_code
    assert '"arn:aws:dynamodb:*:*:table/orders"' in done.stdout
    assert f"\n### dynamo-pipeline iam-policy table-{verb}\n" in PAGE
    assert [] == [action for action in actions(verb) if f"\n| `{action}` |" not in PAGE]


def test_without_a_table_it_is_refused() -> None:
    for policy in TABLE_POLICIES.values():
        with pytest.raises(InvalidRequest, match="table_name: is required"):
            policy.document({})


def test_actions_are_of_the_services_that_are_called() -> None:
    found = {re.split(":", action)[0] for verb in ("save", "restore") for action in actions(verb)}

    assert {*SERVICES, "iam"} == found
