"""Each sensor waits for what another party does to moto's services, and fails at once if it cannot come."""

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import AirflowFailException, Context
from airflow_dynamo_pipeline.engine.manifest import checksum
from airflow_dynamo_pipeline.sensors.dynamodb import (
    DynamoDBDataExistsSensor,
    DynamoDBExportSensor,
    DynamoDBStreamEnabledSensor,
    DynamoDBTableActiveSensor,
    DynamoDBTableExistsSensor,
    DynamoDBUnitsAvailableSensor,
)
from airflow_dynamo_pipeline.sensors.s3 import S3KeyExistsSensor, S3PrefixNotEmptySensor
from tests.integration.test_sensors import BOTH_WAYS, go_on, run_deferred
from tests.services import Services, aws_client
from tests.services.clients import ACCESS_KEY, SECRET_KEY
from tests.unit.airflow_parts import TaskDeferred, environment
from tests.unit.scripted_conditions import summary

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

SERVICES = ("dynamodb", "s3", "sts", "cloudwatch", "service-quotas")
LOOKS = 1200  # twenty a second
FOLDER = "orders/AWSDynamoDB/2026-03-01-00-00-00-0a1b2c3d"


@dataclass(frozen=True, slots=True)
class World:
    """A table with 10 units of each kind, unless it is not there yet, a bucket, and who changes them."""

    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    cloudwatch: Any
    table: str
    bucket: str

    def create(self) -> None:
        self.dynamodb.create_table(
            TableName=self.table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            ProvisionedThroughput={"ReadCapacityUnits": 10, "WriteCapacityUnits": 10},
        )

    def write(self) -> None:
        self.dynamodb.put_item(TableName=self.table, Item={"id": {"S": "a"}})

    def consume(self, units_per_second: float) -> None:
        self.cloudwatch.put_metric_data(
            Namespace="AWS/DynamoDB",
            MetricData=[
                {
                    "MetricName": "ConsumedReadCapacityUnits",
                    "Dimensions": [{"Name": "TableName", "Value": self.table}],
                    "Timestamp": datetime.now(UTC) - timedelta(minutes=1),
                    "Value": units_per_second * 60,
                }
            ],
        )

    def create_and_consume(self) -> None:
        self.create()
        self.consume(8)

    def grow(self) -> None:
        units = {"ReadCapacityUnits": 40, "WriteCapacityUnits": 10}
        self.dynamodb.update_table(TableName=self.table, ProvisionedThroughput=units)  # type: ignore[arg-type]

    def stream(self, view_type: Any = "NEW_IMAGE") -> None:
        self.dynamodb.update_table(
            TableName=self.table,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view_type},
        )

    def put(self, key: str, body: bytes = b"") -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def commit(self) -> None:
        body = summary()
        self.put(f"{FOLDER}/manifest-summary.md5", checksum(body))
        self.put(f"{FOLDER}/manifest-summary.json", body)

    def recover(self) -> None:
        self.dynamodb.update_continuous_backups(
            TableName=self.table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )

    def export(self, bucket: str) -> str:
        self.recover()
        arn = self.dynamodb.describe_table(TableName=self.table)["Table"]["TableArn"]
        reply = self.dynamodb.export_table_to_point_in_time(TableArn=arn, S3Bucket=bucket, S3Prefix="native")
        return reply["ExportDescription"]["ExportArn"]

    def wait_until_failed(self, export_arn: str) -> None:
        """Moto exports in a thread."""
        for _ in range(LOOKS):
            found = self.dynamodb.describe_export(ExportArn=export_arn)["ExportDescription"]
            if found["ExportStatus"] == "FAILED":
                return
            threading.Event().wait(0.05)
        pytest.fail(f"{export_arn} did not fail")


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long poke loops slept, without sleeping."""
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


@pytest.fixture
def world(
    monkeypatch: pytest.MonkeyPatch, services: Services, s3: "S3Client", bucket: str
) -> Iterator[World]:
    monkeypatch.setenv(
        *environment("aws_moto", dict.fromkeys(SERVICES, services.moto_url), ACCESS_KEY, SECRET_KEY)
    )
    found = World(
        dynamodb=aws_client("dynamodb", services.moto_url),
        s3=s3,
        cloudwatch=aws_client("cloudwatch", services.moto_url),
        table=f"table-{uuid.uuid4().hex}",
        bucket=bucket,
    )
    yield found
    if found.table in found.dynamodb.list_tables()["TableNames"]:
        found.dynamodb.delete_table(TableName=found.table)


@dataclass(frozen=True, slots=True)
class Story:
    """A sensor's settings; what there is when it first looks, and what somebody does while it waits."""

    kind: type[Any]
    settings: Callable[[World], dict[str, Any]]
    meanwhile: Callable[[World], None]
    before: Callable[[World], None] = World.create

    def sensor(self, world: World, **more: Any) -> Any:
        given = {"task_id": "wait", "aws_conn_id": "aws_moto", "poke_interval": 30.0, **more}
        return self.kind(**given, **self.settings(world))


def of_table(**settings: Any) -> Callable[[World], dict[str, Any]]:
    return lambda world: {"table_name": world.table, **settings}


def nothing(_: World) -> None:
    """There is only the bucket."""


STORIES = {
    "table exists": Story(DynamoDBTableExistsSensor, of_table(), World.create, nothing),
    "data exists": Story(DynamoDBDataExistsSensor, of_table(consistent_read=True), World.write),
    "stream": Story(DynamoDBStreamEnabledSensor, of_table(view_type="NEW_IMAGE"), World.stream),
    "units": Story(
        DynamoDBUnitsAvailableSensor,
        of_table(ratio="0.5"),
        World.grow,
        World.create_and_consume,
    ),
    "manifest": Story(
        DynamoDBExportSensor,
        lambda world: {"manifest_uri": f"s3://{world.bucket}/{FOLDER}/manifest-summary.json"},
        World.commit,
        nothing,
    ),
    "any manifest": Story(
        DynamoDBExportSensor,
        lambda world: {"s3_uri": f"s3://{world.bucket}/orders", "began_after": "2026-02-28T12:00:00Z"},
        World.commit,
        nothing,
    ),
    "key": Story(
        S3KeyExistsSensor,
        lambda world: {"bucket_key": f"s3://{world.bucket}/done"},
        lambda world: world.put("done"),
        nothing,
    ),
    "wildcard": Story(
        S3KeyExistsSensor,
        lambda world: {"bucket_key": "do?e/*", "bucket_name": world.bucket, "wildcard_match": True},
        lambda world: world.put("done/x"),
        lambda world: world.put("done"),
    ),
    "prefix": Story(
        S3PrefixNotEmptySensor,
        lambda world: {"s3_uri": f"s3://{world.bucket}/orders/"},
        lambda world: world.put("orders/a"),
        lambda world: world.put("orders/"),
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_poke_sees_what_somebody_did(world: World, name: str) -> None:
    story = STORIES[name]
    story.before(world)
    sensor = story.sensor(world)
    assert not sensor.poke(Context())

    story.meanwhile(world)

    assert sensor.poke(Context())


@pytest.mark.parametrize("name", STORIES)
def test_a_deferred_sensor_sees_what_somebody_did(world: World, name: str) -> None:
    story = STORIES[name]
    story.before(world)

    naps = run_deferred(story.sensor(world, deferrable=True), lambda: story.meanwhile(world))

    assert [30.0] == naps


@BOTH_WAYS
def test_a_table_that_is_ready_is_not_waited_for(world: World, deferrable: bool, naps: list[float]) -> None:
    world.create()

    DynamoDBTableActiveSensor(
        task_id="wait", table_name=world.table, aws_conn_id="aws_moto", deferrable=deferrable
    ).execute(Context())

    assert [] == naps


@BOTH_WAYS
def test_a_native_export_is_waited_for_by_its_arn(world: World, deferrable: bool) -> None:
    world.create()
    world.write()
    arn = world.export(world.bucket)
    sensor = DynamoDBExportSensor(
        task_id="wait", export_arn=arn, aws_conn_id="aws_moto", poke_interval=0.01, deferrable=deferrable
    )

    if deferrable:
        run_until_done(sensor)
    else:
        assert arn == (sensor.execute(Context()) or {})["export_arn"]


def run_until_done(sensor: Any) -> None:
    """It may be COMPLETED at the first look already."""
    try:
        sensor.execute(Context())
    except TaskDeferred as deferral:
        go_on(sensor, deferral, lambda: None)


@BOTH_WAYS
def test_a_native_export_that_failed_fails_at_once(world: World, deferrable: bool) -> None:
    world.create()
    arn = world.export(f"no-such-bucket-{uuid.uuid4().hex}")

    world.wait_until_failed(arn)
    with pytest.raises(AirflowFailException, match="is FAILED: S3NoSuchBucket"):
        DynamoDBExportSensor(
            task_id="wait", export_arn=arn, aws_conn_id="aws_moto", poke_interval=0.01, deferrable=deferrable
        ).execute(Context())


@BOTH_WAYS
@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        (DynamoDBTableActiveSensor, {"table_name": "absent"}, "no such table: absent"),
        (DynamoDBDataExistsSensor, {"table_name": "absent"}, "no such table: absent"),
        (DynamoDBStreamEnabledSensor, {"table_name": "absent"}, "no such table: absent"),
        (DynamoDBUnitsAvailableSensor, {"table_name": "absent", "ratio": 0.5}, "no such table: absent"),
        (
            DynamoDBExportSensor,
            {"manifest_uri": f"s3://no-such-bucket-at-all/{FOLDER}/manifest-summary.json"},
            "no such bucket",
        ),
        (S3PrefixNotEmptySensor, {"s3_uri": "s3://no-such-bucket-at-all/x"}, "no such bucket"),
    ],
)
@pytest.mark.usefixtures("world")
def test_what_is_not_there_fails_at_once(
    kind: type[Any], settings: dict[str, Any], says: str, deferrable: bool, naps: list[float]
) -> None:
    with pytest.raises(AirflowFailException, match=says):
        kind(task_id="wait", aws_conn_id="aws_moto", deferrable=deferrable, **settings).execute(Context())

    assert [] == naps
