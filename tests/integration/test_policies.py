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
from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.policies import (
    ALL_POLICIES,
    MORE_POLICIES,
    POLICIES,
    SHARED_POLICIES,
)
from airflow_dynamo_pipeline.airflow_versions import AirflowFailException
from tests.demo.airflow_env import connection
from tests.integration.policy_capacity import CAPACITIES, GIVEN, THERE_AND_BACK
from tests.integration.policy_emr import ELSEWHERE_MORE, MORE, MOST_MORE
from tests.integration.policy_fakes import ELSEWHERE_FAKES, FAKES, MOST_FAKES, FakeStage, fake_stage
from tests.integration.policy_imports import BATCHES, CONDITIONAL, EVERYTHING, IMPORTS
from tests.integration.policy_lookups import ELSEWHERE_LOOKUPS, LOOKUPS, MOST_LOOKUPS, REDSHIFTS
from tests.integration.policy_ranges import SHARED
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
from tests.integration.policy_stage import INDEX, ITEMS, KEY, MANY, Stage
from tests.integration.policy_waits import (
    BELOW,
    DATA_EXISTS,
    MANIFEST,
    MOST_WAITS,
    PREFIX,
    STREAM,
    TABLE_ACTIVE,
    TABLE_EXISTS,
    UNITS,
    WAITS,
)
from tests.integration.world import create_table, fill
from tests.services import Services, aws_client

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

RUNS = (*OTHERS, *IMPORTS, *SHARED, *LOOKUPS, *REDSHIFTS, *WAITS, *CAPACITIES, *MORE, *FAKES)
MOST = (
    *MOST_OF_OTHERS,
    EVERYTHING,
    *SHARED,
    *MOST_LOOKUPS,
    *MOST_WAITS,
    THERE_AND_BACK,
    *MOST_MORE,
    *MOST_FAKES,
)
ANY_NAMES = defaultdict(
    lambda: "x", uri="s3://x/x", key=KEY, manifest_uri="s3://x/AWSDynamoDB/x/manifest-summary.json"
)


@dataclass(frozen=True)
class Tables:
    """What all runs read."""

    provisioned: str
    on_demand: str
    large: str


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
    on_demand, large = _on_demand(gateway), _on_demand(gateway)
    for name, items in ((provisioned, ITEMS), (on_demand, ITEMS), (large, MANY)):
        fill(services.dynamodb_url, name, items)
    return Tables(provisioned, on_demand, large)


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
        large_table=tables.large,
        new_table=_on_demand(gateway),
    )
    monkeypatch.setattr("time.sleep", lambda _: made.between_looks())
    yield made
    gateway.delete_table(TableName=made.new_table)


@pytest.fixture
def where(
    run: Run, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage | FakeStage]:
    """The servers of this machine, or a fake where they lack something."""
    if run.fake is None:
        yield request.getfixturevalue("stage")
        return
    with fake_stage(run.fake(), monkeypatch.setenv) as made:
        yield made


def named(run: Run) -> str:
    return run.name


def actions_of(run: Run) -> set[str]:
    """All that a run needs of what is printed for it."""
    return Policy(run.printed(ANY_NAMES)).actions - run.unused


def attempt(run: Run, where: Stage | FakeStage, document: dict[str, Any]) -> tuple[Simulator, str]:
    """Run under a policy; the calls, and why it failed or nothing."""
    with where.under(document) as simulator:
        try:
            run.act(where)
        except (AirflowFailException, ClientError) as error:
            return simulator, str(error)
    return simulator, ""


# EMR and Redshift themselves work by them: nothing here calls under them.
BY_AWS = ("emr-service-role", "redshift-unload-role")
NOT_TRIED = {of for of, policy in MORE_POLICIES.items() if policy.command in BY_AWS}


def test_every_operator_and_sensor_has_a_policy() -> None:
    """A new one needs a row in POLICIES, or in SHARED_POLICIES if it does a part of another's work."""
    classes = {
        name
        for folder, end in (("operators", "Operator"), ("sensors", "Sensor"))
        for module in _modules(folder)
        for name, found in inspect.getmembers(module, inspect.isclass)
        if found.__module__ == module.__name__ and name.endswith(end) and not name.startswith("_")
    }

    assert classes == {*POLICIES, *SHARED_POLICIES}
    assert set() == set(POLICIES) & set(SHARED_POLICIES)


def test_who_shares_the_policy_of_another_runs_under_it() -> None:
    assert {(name, run.operator) for run in RUNS for name in run.also} == set(SHARED_POLICIES.items())


def test_every_policy_has_runs_that_use_all_that_it_can_allow() -> None:
    assert set(ALL_POLICIES) - NOT_TRIED == {run.operator for run in RUNS}
    for operator in {run.operator for run in RUNS}:
        most = [run for run in MOST if run.operator == operator]
        assert {action for run in most for action in Policy(run.printed(ANY_NAMES)).actions} == {
            action for run in most for action in actions_of(run)
        }


def _modules(folder: str) -> list[Any]:
    package = importlib.import_module(f"airflow_dynamo_pipeline.{folder}")
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [importlib.import_module(each.name) for each in found]


@pytest.mark.parametrize("run", RUNS, ids=named)
def test_it_succeeds_under_the_policy_that_is_printed_and_uses_all_of_it(
    where: Stage | FakeStage, run: Run
) -> None:
    run.prepare(where)
    document = run.printed(where.names)

    simulator, failure = attempt(run, where, document)

    assert "" == failure
    assert run.borne == simulator.denied_operations
    assert Policy(document).actions - run.unused == simulator.used


@pytest.mark.parametrize(
    ("run", "action"),
    [
        pytest.param(run, action, id=f"{run.name} without {action}")
        for run in MOST
        for action in sorted(actions_of(run))
    ],
)
def test_without_any_one_action_it_fails(where: Stage | FakeStage, run: Run, action: str) -> None:
    run.prepare(where)

    simulator, failure = attempt(run, where, without(run.printed(where.names), action))

    assert action in simulator.denied
    assert (action not in run.bearable) == (action in failure)
    assert (action in run.bearable) == (failure == "")


EXPORT = "--table {table} --s3-uri {uri} --no-on-demand-ratio"
LARGE = EXPORT.replace("{table}", "{large_table}")
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
    (ENCRYPTED, LARGE, "kms:GenerateDataKey"),
    (ENCRYPTED, LARGE + " --s3-sse-kms-key-id {key}", "kms:GenerateDataKey"),
    (ENCRYPTED, LARGE + " --s3-sse-kms-key-id {alias}2", "kms:GenerateDataKey"),
    (ENCRYPTED, LARGE + " --s3-sse-kms-key-id {alias} --region-name eu-west-1", "kms:GenerateDataKey"),
    (FULL, LARGE + " --s3-sse-kms-key-id {alias}", "kms:GenerateDataKey"),
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
    (TABLE_EXISTS, "--table {table}", "dynamodb:DescribeTable"),
    (DATA_EXISTS, "--table {new_table}", "dynamodb:Scan"),
    (TABLE_ACTIVE, "--table {table}", "dynamodb:DescribeTable"),
    (STREAM, "--table {new_table}2", "dynamodb:DescribeTable"),
    (UNITS, "--table {table}", "dynamodb:DescribeTable"),
    (PREFIX, "--s3-uri s3://{bucket}/daily/more/2", "s3:ListBucket"),
    (MANIFEST, "--manifest-uri {uri}/AWSDynamoDB/another/manifest-summary.json", "s3:GetObject"),
    (BELOW, "--s3-uri {uri}2", "s3:ListBucket"),
    (BELOW, "--s3-uri {uri}", "kms:Decrypt"),
    (GIVEN, "--table {table}", "dynamodb:DescribeTable"),
    (THERE_AND_BACK, "--table {new_table} --record-s3-uri {uri}/elsewhere", "s3:GetObject"),
    (THERE_AND_BACK, "--table {new_table}", "s3:GetObject"),
    *ELSEWHERE_LOOKUPS,
    *ELSEWHERE_MORE,
    *ELSEWHERE_FAKES,
]


@pytest.mark.parametrize(
    ("run", "arguments", "action"),
    [pytest.param(*case, id=f"{case[0].name} with {case[1]}") for case in ELSEWHERE],
)
def test_a_policy_for_something_else_does_not_let_it_in(
    where: Stage | FakeStage, run: Run, arguments: str, action: str
) -> None:
    run.prepare(where)
    before = where.listed()

    simulator, failure = attempt(run, where, printed(run.operator, arguments.format_map(where.names)))

    assert action in simulator.denied
    assert action in failure
    assert set() == {key for key in set(where.listed()) - set(before) if "manifest" in key or "/data/" in key}
