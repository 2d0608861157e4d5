"""Sensors through an Airflow connection to moto: poked, deferred, and refused by real policies."""

import asyncio
import importlib
import json
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import AirflowFailException, Context
from airflow_dynamo_pipeline.sensors.dynamodb import (
    DynamoDBPointInTimeRecoverySensor,
    DynamoDBProvisionedModeSensor,
)
from airflow_dynamo_pipeline.sensors.s3 import S3KeyExistsSensor
from tests.services import Services, aws_client
from tests.services.clients import ACCESS_KEY, SECRET_KEY
from tests.services.moto_server import moto_server
from tests.unit.airflow_parts import TaskDeferred, deferral_of, environment

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

FAR = datetime.now(UTC) + timedelta(days=365)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
BOTH_WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])


@pytest.fixture(autouse=True)
def _connection(monkeypatch: pytest.MonkeyPatch, services: Services) -> None:
    urls = dict.fromkeys(("dynamodb", "s3", "sts"), services.moto_url)
    monkeypatch.setenv(*environment("aws_moto", urls, ACCESS_KEY, SECRET_KEY))


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long poke loops slept, without sleeping."""
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


@pytest.fixture
def moto(services: Services) -> "DynamoDBClient":
    return aws_client("dynamodb", services.moto_url)


@pytest.fixture
def table(moto: "DynamoDBClient") -> Iterator[str]:
    """A new on-demand table without point-in-time recovery."""
    name = f"table-{uuid.uuid4().hex}"
    moto.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield name
    moto.delete_table(TableName=name)


def provision(moto: "DynamoDBClient", table: str) -> None:
    moto.update_table(
        TableName=table,
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    )


def recover(moto: "DynamoDBClient", table: str) -> None:
    moto.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


def run_deferred(sensor: Any, meanwhile: Callable[[], None]) -> list[float]:
    """Execute as Airflow does: defer, store the trigger as JSON, run it, resume; returns how it slept."""
    return go_on(sensor, deferral_of(sensor), meanwhile)


def go_on(sensor: Any, deferral: TaskDeferred, meanwhile: Callable[[], None]) -> list[float]:
    """Bring a sensor that deferred to its end."""
    path, arguments = deferral.trigger.serialize()
    module, _, name = path.rpartition(".")
    trigger = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        await asyncio.to_thread(meanwhile)

    trigger.sleep = nap

    async def first() -> Any:
        return (await anext(trigger.run())).payload

    event = asyncio.run(first())
    sensor.resume_execution(deferral.method_name, {"event": event}, Context())
    return naps


def provisioned(table_name: str, **settings: Any) -> DynamoDBProvisionedModeSensor:
    return DynamoDBProvisionedModeSensor(
        **{
            "task_id": "wait",
            "table_name": table_name,
            "aws_conn_id": "aws_moto",
            "poke_interval": 30.0,
            **settings,
        }
    )


def recovery(table_name: str, **settings: Any) -> DynamoDBPointInTimeRecoverySensor:
    return DynamoDBPointInTimeRecoverySensor(
        **{
            "task_id": "wait",
            "table_name": table_name,
            "aws_conn_id": "aws_moto",
            "poke_interval": 30.0,
            **settings,
        }
    )


def test_a_poke_sees_the_switch_to_provisioned_mode(moto: "DynamoDBClient", table: str) -> None:
    sensor = provisioned(table)
    assert not sensor.poke(Context())

    provision(moto, table)

    assert sensor.poke(Context())


def test_a_poke_sees_recovery_switched_on(moto: "DynamoDBClient", table: str) -> None:
    sensor = recovery(table)
    assert not sensor.poke(Context())

    recover(moto, table)

    assert sensor.poke(Context())


def test_a_deferred_sensor_sees_the_switch_to_provisioned_mode(moto: "DynamoDBClient", table: str) -> None:
    naps = run_deferred(provisioned(table, deferrable=True), lambda: provision(moto, table))

    assert [30.0] == naps


def test_a_deferred_sensor_sees_recovery_switched_on(moto: "DynamoDBClient", table: str) -> None:
    naps = run_deferred(recovery(table, deferrable=True), lambda: recover(moto, table))

    assert [30.0] == naps


def test_a_deferred_sensor_fails_when_the_table_goes(moto: "DynamoDBClient") -> None:
    name = f"table-{uuid.uuid4().hex}"
    moto.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    with pytest.raises(AirflowFailException, match=f"no such table: {name}"):
        run_deferred(provisioned(name, deferrable=True), lambda: _delete(moto, name))


def _delete(moto: "DynamoDBClient", table: str) -> None:
    moto.delete_table(TableName=table)


def test_a_wanted_instant_is_compared_with_the_window(moto: "DynamoDBClient", table: str) -> None:
    recover(moto, table)

    assert not recovery(table, wanted_at=FAR).poke(Context())
    with pytest.raises(AirflowFailException, match="wanted_at"):
        recovery(table, wanted_at=str(LONG_AGO)).poke(Context())


@BOTH_WAYS
@pytest.mark.parametrize("make", [provisioned, recovery])
def test_a_missing_table_fails_at_once(naps: list[float], make: Callable[..., Any], deferrable: bool) -> None:
    with pytest.raises(AirflowFailException, match="no such table: absent"):
        make("absent", deferrable=deferrable).execute(Context())

    assert [] == naps


@BOTH_WAYS
def test_a_key_is_found(s3: "S3Client", bucket: str, deferrable: bool) -> None:
    s3.put_object(Bucket=bucket, Key="done", Body=b"")

    S3KeyExistsSensor(
        task_id="wait", bucket_key=f"s3://{bucket}/done", aws_conn_id="aws_moto", deferrable=deferrable
    ).execute(Context())


def test_a_missing_key_is_waited_for(bucket: str) -> None:
    sensor = S3KeyExistsSensor(task_id="wait", bucket_key=f"s3://{bucket}/done", aws_conn_id="aws_moto")

    assert not sensor.poke(Context())


@BOTH_WAYS
@pytest.mark.parametrize("wildcard", [False, True], ids=["key", "wildcard"])
def test_a_missing_bucket_fails_at_once(naps: list[float], wildcard: bool, deferrable: bool) -> None:
    sensor = S3KeyExistsSensor(
        task_id="wait",
        bucket_key="s3://no-such-bucket-at-all/done",
        wildcard_match=wildcard,
        aws_conn_id="aws_moto",
        deferrable=deferrable,
    )

    with pytest.raises(AirflowFailException, match="no such bucket"):
        sensor.execute(Context())

    assert [] == naps


@pytest.fixture(scope="module")
def stranger() -> Iterator[tuple[str, str, str]]:
    """A moto that checks policies, and the keys of a user whom none allows anything."""
    with moto_server() as url:
        iam = aws_client("iam", url)
        iam.create_user(UserName="stranger")
        key = iam.create_access_key(UserName="stranger")["AccessKey"]
        request = urllib.request.Request(
            f"{url}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request).close()
        yield url, key["AccessKeyId"], key["SecretAccessKey"]


@BOTH_WAYS
@pytest.mark.parametrize(
    ("make", "action"),
    [
        (lambda **given: provisioned("orders", **given), "dynamodb:DescribeTable on table orders"),
        (lambda **given: recovery("orders", **given), "dynamodb:DescribeContinuousBackups on table orders"),
        (
            lambda **given: S3KeyExistsSensor(task_id="wait", bucket_key="s3://exports/done", **given),
            "s3:GetObject and s3:ListBucket on s3://exports/done",
        ),
    ],
    ids=["mode", "recovery", "key"],
)
def test_denied_access_fails_at_once(
    monkeypatch: pytest.MonkeyPatch,
    naps: list[float],
    stranger: tuple[str, str, str],
    make: Callable[..., Any],
    action: str,
    deferrable: bool,
) -> None:
    url, login, password = stranger
    urls = dict.fromkeys(("dynamodb", "s3"), url)
    monkeypatch.setenv(*environment("aws_stranger", urls, login, password))

    with pytest.raises(AirflowFailException, match=f"access denied: {action}"):
        make(aws_conn_id="aws_stranger", deferrable=deferrable).execute(Context())

    assert [] == naps
