"""Definitions against moto, which was written by others: what it knows comes back, the rest is listed."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders

from airflow_dynamo_pipeline.adapters.aws_calls import AwsCalls
from airflow_dynamo_pipeline.adapters.table_definition import read_complete
from airflow_dynamo_pipeline.adapters.table_restore import restore_table
from airflow_dynamo_pipeline.engine.table_definition import decode_definition
from airflow_dynamo_pipeline.engine.table_restore import RestoreRequest
from tests.integration.world import FastClock
from tests.services import Services, aws_client

UNKNOWN_TO_MOTO: dict[str, dict[str, Any]] = {
    "ListContributorInsights": {"ContributorInsightsSummaries": []},
    "DescribeKinesisStreamingDestination": {"KinesisDataStreamDestinations": []},
}
TTL = {"Enabled": True, "AttributeName": "expires"}
RECOVERY = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 9}
TRACKING = {
    "TargetValue": 70.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
}


@pytest.fixture
def calls(services: Services) -> AwsCalls:
    return AwsCalls(
        clients_of(services.moto_url), clock=FastClock(), stop=threading.Event(), warn=pytest.fail
    )


def clients_of(url: str) -> Callable[[str], Any]:
    """Clients of moto; what it has never heard of, it is not asked."""

    def client(service: str) -> Any:
        made = aws_client(service, url)
        for operation, reply in UNKNOWN_TO_MOTO.items():
            answer = (AWSResponse(url, 200, HTTPHeaders(), None), reply)
            made.meta.events.register(f"before-call.dynamodb.{operation}", lambda answer=answer, **_: answer)
        return made

    return client


def make(calls: AwsCalls, name: str, **more: Any) -> None:
    """A table with all that moto knows."""
    dynamodb, scaling = calls.client("dynamodb"), calls.client("application-autoscaling")
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": each, "AttributeType": kind}
            for each, kind in (("pk", "S"), ("sk", "N"), ("g", "B"))
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "local",
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "g", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "global",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a"]},
                "ProvisionedThroughput": units,
            }
        ],
        ProvisionedThroughput=units,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        Tags=[{"Key": "team", "Value": "billing"}],
        DeletionProtectionEnabled=True,
        **more,
    )
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=TTL)
    dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=RECOVERY)
    spot = {
        "ServiceNamespace": "dynamodb",
        "ResourceId": f"table/{name}",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    }
    scaling.register_scalable_target(**spot, MinCapacity=2, MaxCapacity=20)
    scaling.put_scaling_policy(
        **spot,
        PolicyName="reads",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING,
    )


@pytest.mark.parametrize(
    "encryption", [{}, {"SSESpecification": {"Enabled": True}}], ids=["plain", "encrypted"]
)
def test_i10_what_moto_knows_of_a_table_comes_back(calls: AwsCalls, encryption: dict[str, Any]) -> None:
    name, copy = f"table-{uuid.uuid4().hex}", f"table-{uuid.uuid4().hex}"
    make(calls, name, **encryption)
    saved = decode_definition(read_complete(calls, name).to_json(), "a file")

    result = restore_table(RestoreRequest(definition=saved, table_name=copy), calls, lambda _: None)

    assert [] == list(result.not_put_back)
    dynamodb = calls.client("dynamodb")
    one, other = (dynamodb.describe_table(TableName=each)["Table"] for each in (name, copy))
    for member in (
        "KeySchema",
        "LocalSecondaryIndexes",
        "GlobalSecondaryIndexes",
        "ProvisionedThroughput",
        "StreamSpecification",
        "DeletionProtectionEnabled",
    ):
        assert one[member] == other[member], member
    assert one.get("SSEDescription") == other.get("SSEDescription")
    assert (
        "expires" == dynamodb.describe_time_to_live(TableName=copy)["TimeToLiveDescription"]["AttributeName"]
    )
    assert [{"Key": "team", "Value": "billing"}] == dynamodb.list_tags_of_resource(
        ResourceArn=other["TableArn"]
    )["Tags"]
    (policy,) = calls.client("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="dynamodb", ResourceId=f"table/{copy}"
    )["ScalingPolicies"]
    assert ("reads", TRACKING) == (policy["PolicyName"], policy["TargetTrackingScalingPolicyConfiguration"])


def test_i10_what_the_service_does_not_take_over_is_listed(calls: AwsCalls) -> None:
    """Moto knows no classes of tables, and takes the request all the same."""
    name = f"table-{uuid.uuid4().hex}"
    make(calls, f"{name}-old")
    body = read_complete(calls, f"{name}-old").to_json()
    wanted = decode_definition(
        body.replace(b'"BillingMode"', b'"TableClass": "STANDARD_INFREQUENT_ACCESS", "BillingMode"'), "a file"
    )

    result = restore_table(RestoreRequest(definition=wanted, table_name=name), calls, lambda _: None)

    (left,) = result.not_put_back
    assert ("table class", "STANDARD_INFREQUENT_ACCESS", "STANDARD") == (left.what, left.wanted, left.found)
    assert left.why
