"""DynamoDBCapacityModeOperator through an Airflow connection to moto."""

from __future__ import annotations

import asyncio
import copy
import importlib
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import AirflowFailException
from airflow_dynamo_pipeline.engine.capacity_request import COERCIONS
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.operators.capacity import DynamoDBCapacityModeOperator, run_of
from tests.airflow.conftest import FakeTask, context_of
from tests.integration.faults import dynamodb_error, inject
from tests.services import Services, aws_client
from tests.services.clients import ACCESS_KEY, SECRET_KEY
from tests.unit.airflow_parts import deferral_of, environment

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient

NewTask = Callable[..., FakeTask]
SERVICES = ("dynamodb", "s3", "sts", "cloudwatch", "application-autoscaling")
OF_AWS = ("PolicyARN", "CreationTime", "Alarms")
INDEX = "by_date"
UP: dict[str, Any] = {"mode": "provisioned", "read_units": 50, "write_units": 60}
BOTH_WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferrable"])


@pytest.fixture(autouse=True)
def _connection(monkeypatch: pytest.MonkeyPatch, services: Services) -> None:
    urls = dict.fromkeys(SERVICES, services.moto_url)
    monkeypatch.setenv(*environment("aws_moto", urls, ACCESS_KEY, SECRET_KEY))


@pytest.fixture
def moto(services: Services) -> DynamoDBClient:
    return aws_client("dynamodb", services.moto_url)


@pytest.fixture
def scaling(services: Services) -> Any:
    make: Callable[..., Any] = aws_client
    return make("application-autoscaling", services.moto_url)


@pytest.fixture
def record(services: Services) -> str:
    bucket = f"records-{uuid.uuid4().hex[:8]}"
    aws_client("s3", services.moto_url).create_bucket(Bucket=bucket)
    return f"s3://{bucket}/capacity"


@pytest.fixture
def table(moto: DynamoDBClient) -> Iterator[str]:
    """A provisioned table with one global index."""
    name = f"table-{uuid.uuid4().hex}"
    units: Any = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    moto.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "date", "AttributeType": "S"},
        ],
        ProvisionedThroughput=units,
        GlobalSecondaryIndexes=[
            {
                "IndexName": INDEX,
                "KeySchema": [{"AttributeName": "date", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": units,
            }
        ],
    )
    yield name
    moto.delete_table(TableName=name)


@pytest.fixture
def _scaled(table: str, scaling: Any) -> None:
    """Autoscaling of the table's reads, as a person set it up."""
    where = {
        "ServiceNamespace": "dynamodb",
        "ResourceId": f"table/{table}",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    }
    running = dict.fromkeys(
        ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"), False
    )  # as AWS tells it of a target that nobody suspended; moto tells nothing
    scaling.register_scalable_target(**where, MinCapacity=2, MaxCapacity=40, SuspendedState=running)
    scaling.put_scaling_policy(
        **where,
        PolicyName="by-hand",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 55.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
        },
    )


def seen(moto: DynamoDBClient, scaling: Any, table: str) -> list[Any]:
    """DescribeTable, DescribeScalableTargets and DescribeScalingPolicies; policies without what AWS makes."""
    described: Any = moto.describe_table(TableName=table)["Table"]
    for place in (described, *described["GlobalSecondaryIndexes"]):
        for history in ("NumberOfDecreasesToday", "LastIncreaseDateTime", "LastDecreaseDateTime"):
            place["ProvisionedThroughput"].pop(history, None)
    mode = described.pop("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    resources = [f"table/{table}", f"table/{table}/index/{INDEX}"]
    targets = scaling.describe_scalable_targets(ServiceNamespace="dynamodb", ResourceIds=resources)
    policies = scaling.describe_scaling_policies(ServiceNamespace="dynamodb")["ScalingPolicies"]
    kept = [
        {name: value for name, value in policy.items() if name not in OF_AWS}
        for policy in policies
        if policy["ResourceId"] in resources
    ]
    return [mode, described, targets["ScalableTargets"], kept]


def operator(table: str, **settings: Any) -> DynamoDBCapacityModeOperator:
    usual = {"task_id": "capacity", "table_name": table, "aws_conn_id": "aws_moto", "poll_seconds": 0.01}
    return DynamoDBCapacityModeOperator(**{**usual, **settings})


def finish(task: DynamoDBCapacityModeOperator, context: Any) -> Any:
    """Execute as Airflow does: while it defers, store the trigger as JSON, run it, resume."""
    try:
        return task.execute(context) if not task.deferrable else _deferred(task, context)
    except AssertionError:  # nothing was left to wait for
        return task.execute(context)


def _deferred(task: DynamoDBCapacityModeOperator, context: Any) -> Any:
    deferral = deferral_of(task, context)
    path, arguments = deferral.trigger.serialize()
    module, _, name = path.rpartition(".")
    trigger = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))

    async def first() -> Any:
        return (await anext(trigger.run())).payload

    assert "execute_complete" == deferral.method_name
    return task.execute_complete(context, asyncio.run(first()))


def test_every_setting_of_a_change_is_a_templated_parameter() -> None:
    assert set(COERCIONS) <= set(DynamoDBCapacityModeOperator.template_fields)


@BOTH_WAYS
@pytest.mark.usefixtures("_scaled")
def test_units_go_up_autoscaling_is_registered_and_all_is_put_back(
    moto: DynamoDBClient, scaling: Any, table: str, record: str, new_task: NewTask, deferrable: bool
) -> None:
    before = seen(moto, scaling, table)
    context = context_of(new_task())
    asked = {name: str(value) for name, value in UP.items()}

    up = operator(table, **asked, record_s3_uri=record, autoscaling_max_units="200", deferrable=deferrable)
    changed = finish(up, context)

    assert (50, 60) == (changed["read_units"], changed["write_units"])
    assert {INDEX: {"read": 50, "write": 60}} == changed["index_units"]
    _, _, targets, policies = seen(moto, scaling, table)
    assert 4 == len(targets) == len(policies)
    assert "by-hand" in [policy["PolicyName"] for policy in policies]
    again = operator(table, restore="true", record_s3_uri=record, deferrable=deferrable)
    assert finish(again, context)["restored"] is True
    assert before == seen(moto, scaling, table)


@BOTH_WAYS
def test_a_switch_to_on_demand_is_put_back(
    moto: DynamoDBClient, scaling: Any, table: str, record: str, new_task: NewTask, deferrable: bool
) -> None:
    before = seen(moto, scaling, table)
    context = context_of(new_task())

    changed = finish(operator(table, mode="on_demand", record_s3_uri=record, deferrable=deferrable), context)

    assert "on_demand" == changed["mode"]
    assert "PAY_PER_REQUEST" == seen(moto, scaling, table)[0]
    finish(operator(table, restore=True, record_s3_uri=record, deferrable=deferrable), context)
    assert before == seen(moto, scaling, table)


def test_what_is_reached_already_is_a_success_and_changes_nothing(table: str, new_task: NewTask) -> None:
    change = operator(table, mode="provisioned", read_units=5, write_units=6)
    with pytest.MonkeyPatch.context() as patched:
        refusing(patched, change, "ValidationException", "nobody should call this")

        assert 5 == change.execute(context_of(new_task()))["read_units"]


def refusing(patched: pytest.MonkeyPatch, task: DynamoDBCapacityModeOperator, kind: str, text: str) -> None:
    """Let UpdateTable be refused."""
    client = task.hook.client_for("dynamodb")
    inject(client, "UpdateTable", dynamodb_error(kind, text))
    given_out(patched, task, client)


def given_out(patched: pytest.MonkeyPatch, task: DynamoDBCapacityModeOperator, client: Any) -> None:
    original = type(task.hook).client_for
    patched.setattr(
        type(task.hook),
        "client_for",
        lambda self, service: client if service == "dynamodb" else original(self, service),
    )


def test_a_switch_that_dynamodb_refuses_fails_at_once_with_its_words(table: str, new_task: NewTask) -> None:
    change = operator(table, mode="on_demand")
    with pytest.MonkeyPatch.context() as patched:
        refusing(patched, change, "LimitExceededException", "Subscriber limit exceeded: too many switches")

        with pytest.raises(AirflowFailException, match="Subscriber limit exceeded: too many switches"):
            change.execute(context_of(new_task()))


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_called(new_task: NewTask) -> None:
    wrong = operator("absent", mode="provisoned", read_units="many", margin="-1", window_hours="0")

    with pytest.raises(AirflowFailException) as caught:
        wrong.execute(context_of(new_task()))

    for name in ("mode", "read_units", "margin", "window_hours"):
        assert f"\n{name}: " in str(caught.value)


def test_a_table_that_is_not_there_fails_at_once(new_task: NewTask) -> None:
    with pytest.raises(AirflowFailException, match="no such table: absent"):
        operator("absent", **UP).execute(context_of(new_task()))


def test_an_error_of_the_trigger_fails_at_once(table: str, new_task: NewTask) -> None:
    event = {"status": "error", "message": "table orders is DELETING"}

    with pytest.raises(AirflowFailException, match="table orders is DELETING"):
        operator(table, **UP).execute_complete(context_of(new_task()), event)


def test_a2_on_kill_ends_the_wait_and_the_retry_adopts_the_change(table: str, new_task: NewTask) -> None:
    change = operator(table, **UP, poll_seconds=3600.0)
    client = change.hook.client_for("dynamodb")
    client.meta.events.register("before-call.dynamodb.UpdateTable", lambda **_: change.on_kill())
    with pytest.MonkeyPatch.context() as patched:
        given_out(patched, change, client)
        with pytest.raises(Stopped):
            change.execute(context_of(new_task()))
        refusing(patched, change, "ValidationException", "the retry changes nothing")

        assert 50 == operator(table, **UP).execute(context_of(new_task()))["read_units"]


def test_the_run_is_the_same_for_each_task_and_begins_when_it_began(new_task: NewTask) -> None:
    one, other = context_of(new_task()), context_of(new_task())
    other["ti"].task_id = "another"
    began_at = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    other["dag_run"].start_date = began_at

    assert run_of(one).name == run_of(other).name
    assert one["logical_date"] == run_of(one).began_at
    assert began_at == run_of(other).began_at


def test_an_operator_can_be_copied_after_it_ran(table: str, new_task: NewTask) -> None:
    change = operator(table, mode="on_demand")
    copy.deepcopy(change)
    change.execute(context_of(new_task()))

    assert table == copy.copy(change).table_name
