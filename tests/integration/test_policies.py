"""The printed policies suffice, hold nothing superfluous, and reach nothing else."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.adapters.policies import POLICIES
from airflow_dynamo_pipeline.airflow_versions import AirflowFailException
from tests.demo.airflow_env import connection
from tests.integration.policy_imports import BATCHES, CONDITIONAL, EVERYTHING, IMPORTS
from tests.integration.policy_runs import (
    ENCRYPTED,
    FULL,
    INDEXED,
    KEY_EXISTS,
    MODE,
    ONE,
    RECOVERY,
    TABLE,
    VERIFY,
    Run,
    printed,
)
from tests.integration.policy_runs import MOST as MOST_OF_OTHERS
from tests.integration.policy_runs import RUNS as OTHERS
from tests.integration.policy_simulator import Policy, Simulator, without
from tests.integration.policy_stage import INDEX, ITEMS, KEY, Stage
from tests.integration.world import create_table, fill
from tests.services import Services, aws_client

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

RUNS = (*OTHERS, *IMPORTS)
MOST = (*MOST_OF_OTHERS, EVERYTHING)
BORNE = {"servicequotas:GetServiceQuota"}  # the export takes 40,000 units then, and says so
ANY_NAMES = defaultdict(lambda: "x", uri="s3://x/x", key=KEY)


@dataclass(frozen=True)
class Tables:
    """What all runs read."""

    provisioned: str
    on_demand: str


@pytest.fixture(scope="module")
def gateway(services: Services) -> DynamoDBClient:
    """DynamoDB Local, with the point-in-time recovery of moto."""
    return aws_client("dynamodb", services.gateway_url)


@pytest.fixture(scope="module")
def tables(services: Services, gateway: DynamoDBClient) -> Tables:
    index = {
        "IndexName": INDEX,
        "KeySchema": [{"AttributeName": "shop", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 100, "WriteCapacityUnits": 100},
    }
    provisioned = create_table(
        gateway,
        attributes=[{"AttributeName": "shop", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[index],
        ProvisionedThroughput={"ReadCapacityUnits": 20_000, "WriteCapacityUnits": 20_000},
    )
    on_demand = _on_demand(gateway)
    for name in (provisioned, on_demand):
        fill(services.dynamodb_url, name, ITEMS)
    return Tables(provisioned, on_demand)


def _on_demand(dynamodb: DynamoDBClient) -> str:
    name = f"table-{uuid.uuid4().hex}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.fixture
def stage(
    services: Services,
    gateway: DynamoDBClient,
    s3: S3Client,
    bucket: str,
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stage]:
    """Nobody sleeps here, and every connection leads to the services of this machine."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection(services)))
    monkeypatch.setenv("AWS_ENDPOINT_URL", services.moto_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", services.gateway_url)
    made = Stage(
        dynamodb=gateway,
        s3=s3,
        bucket=bucket,
        table=tables.provisioned,
        on_demand_table=tables.on_demand,
        new_table=_on_demand(gateway),
    )
    monkeypatch.setattr("time.sleep", lambda _: made.between_looks())
    yield made
    gateway.delete_table(TableName=made.new_table)


def named(run: Run) -> str:
    return run.name


def attempt(run: Run, stage: Stage, document: dict[str, Any]) -> tuple[Simulator, str]:
    """Run under a policy; the calls, and why it failed or nothing."""
    with stage.under(document) as simulator:
        try:
            run.act(stage)
        except AirflowFailException as error:
            return simulator, str(error)
    return simulator, ""


# Their policies are printed by commands of their own (native-export, native-import), each with its own tests.
BY_COMMANDS_OF_THEIR_OWN = {"DynamoDBPointInTimeExportOperator", "DynamoDBTableImportOperator"}
# Their actions are listed in the documentation; no command prints them yet.
ONLY_LISTED = {
    "DynamoDBCapacityModeOperator",
    "DynamoDBDataExistsSensor",
    "DynamoDBExportSensor",
    "DynamoDBStreamEnabledSensor",
    "DynamoDBTableActiveSensor",
    "DynamoDBTableExistsSensor",
    "DynamoDBUnitsAvailableSensor",
    "S3PrefixNotEmptySensor",
}


def test_every_operator_and_sensor_has_a_policy_and_runs_here() -> None:
    """A new one needs a row in POLICIES, and a run that uses all that its policy can allow."""
    classes = {
        name
        for folder, end in (("operators", "Operator"), ("sensors", "Sensor"))
        for module in _modules(folder)
        for name, found in inspect.getmembers(module, inspect.isclass)
        if found.__module__ == module.__name__ and name.endswith(end) and not name.startswith("_")
    }

    others = BY_COMMANDS_OF_THEIR_OWN | ONLY_LISTED
    assert classes > others
    classes -= others
    assert classes == set(POLICIES) == {run.operator for run in RUNS} == {run.operator for run in MOST}


def _modules(folder: str) -> list[Any]:
    package = importlib.import_module(f"airflow_dynamo_pipeline.{folder}")
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [importlib.import_module(each.name) for each in found]


@pytest.mark.parametrize("run", RUNS, ids=named)
def test_it_succeeds_under_the_policy_that_is_printed_and_uses_all_of_it(stage: Stage, run: Run) -> None:
    run.prepare(stage)
    document = run.printed(stage.names)

    simulator, failure = attempt(run, stage, document)

    assert "" == failure
    assert run.borne == simulator.denied_operations
    assert Policy(document).actions - run.unused == simulator.used


@pytest.mark.parametrize(
    ("run", "action"),
    [
        pytest.param(run, action, id=f"{run.name} without {action}")
        for run in MOST
        for action in sorted(Policy(run.printed(ANY_NAMES)).actions)
    ],
)
def test_without_any_one_action_it_fails(stage: Stage, run: Run, action: str) -> None:
    run.prepare(stage)

    simulator, failure = attempt(run, stage, without(run.printed(stage.names), action))

    assert action in simulator.denied
    assert (action not in BORNE) == (action in failure)
    assert (action in BORNE) == (failure == "")


EXPORT = "--table {table} --s3-uri {uri} --no-on-demand-ratio"
IMPORT = "--table {new_table} --s3-uri {uri}/backup --no-on-demand-ratio"
ELSEWHERE = [
    (TABLE, EXPORT.replace("{table}", "{table}2"), "dynamodb:DescribeTable"),
    (TABLE, EXPORT.replace("{table}", "2{table}"), "dynamodb:DescribeTable"),
    (TABLE, EXPORT + " --region-name eu-west-1", "dynamodb:DescribeTable"),
    (TABLE, EXPORT + " --account-id 000000000000", "dynamodb:DescribeTable"),
    (TABLE, EXPORT + " --partition aws-cn", "dynamodb:DescribeTable"),
    (TABLE, EXPORT + " --index-name {index}", "dynamodb:Scan"),
    (INDEXED, EXPORT, "dynamodb:Scan"),
    (INDEXED, EXPORT + " --index-name {index}2", "dynamodb:Scan"),
    (TABLE, EXPORT.replace("{uri}", "{uri}2"), "s3:ListBucket"),
    (TABLE, EXPORT.replace("{uri}", "{uri}/below"), "s3:ListBucket"),
    (TABLE, EXPORT.replace("{uri}", "s3://{bucket}"), "s3:ListBucket"),
    (TABLE, EXPORT.replace("{uri}", "s3://{bucket}2/daily/orders"), "s3:ListBucket"),
    (ENCRYPTED, EXPORT, "kms:GenerateDataKey"),
    (ENCRYPTED, EXPORT + " --s3-sse-kms-key-id {key}", "kms:GenerateDataKey"),
    (ENCRYPTED, EXPORT + " --s3-sse-kms-key-id {alias}2", "kms:GenerateDataKey"),
    (ENCRYPTED, EXPORT + " --s3-sse-kms-key-id {alias} --region-name eu-west-1", "kms:GenerateDataKey"),
    (FULL, EXPORT + " --s3-sse-kms-key-id {alias}", "kms:GenerateDataKey"),
    (BATCHES, IMPORT.replace("{new_table}", "{new_table}2"), "dynamodb:DescribeTable"),
    (BATCHES, IMPORT.replace("{uri}/backup", "{uri}/backup2"), "s3:ListBucket"),
    (BATCHES, IMPORT + " --on-conflict skip", "dynamodb:BatchWriteItem"),
    (BATCHES, IMPORT + " --allow-protected", "dynamodb:ListTagsOfResource"),
    (BATCHES, IMPORT + " --rejects-s3-uri s3://{bucket}/records", "s3:PutObject"),
    (CONDITIONAL, IMPORT, "s3:ListBucket"),
    (EVERYTHING, IMPORT.replace("/backup", "").replace("{new_table}", "{new_table}*"), "kms:Decrypt"),
    (VERIFY, "--s3-uri {uri}2 --s3-sse-kms-key-id {key}", "s3:GetObject"),
    (VERIFY, "--s3-uri {uri}", "kms:Decrypt"),
    (ONE, "--manifest-uri {uri}/AWSDynamoDB/another/manifest-summary.json", "s3:GetObject"),
    (MODE, "--table {table}", "dynamodb:DescribeTable"),
    (RECOVERY, "--table {table}", "dynamodb:DescribeContinuousBackups"),
    (KEY_EXISTS, "--bucket-key s3://{bucket}/daily/don", "s3:GetObject"),
    (KEY_EXISTS, "--bucket-key s3://{bucket}/daily/done/more", "s3:GetObject"),
]


@pytest.mark.parametrize(
    ("run", "arguments", "action"),
    [pytest.param(*case, id=f"{case[0].name} with {case[1]}") for case in ELSEWHERE],
)
def test_a_policy_for_something_else_does_not_let_it_in(
    stage: Stage, run: Run, arguments: str, action: str
) -> None:
    run.prepare(stage)
    before = stage.listed()

    simulator, failure = attempt(run, stage, printed(run.operator, arguments.format_map(stage.names)))

    assert action in simulator.denied
    assert action in failure
    assert set() == {key for key in set(stage.listed()) - set(before) if "manifest" in key or "/data/" in key}
