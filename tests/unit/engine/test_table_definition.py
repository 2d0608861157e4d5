import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from airflow_dynamo_pipeline.engine.table_definition import (
    Omission,
    PointInTimeRecovery,
    ScalingPolicy,
    ScalingTarget,
    TableDefinition,
    TimeToLive,
    beyond_import,
    creation_parameters,
    decode_definition,
    import_parameters,
)
from airflow_dynamo_pipeline.engine.table_settings import (
    ON_DEMAND,
    PROVISIONED,
    AttributeDefinition,
    Encryption,
    GlobalIndex,
    KeyPart,
    LocalIndex,
    OnDemandMaximum,
    Projection,
    ProvisionedUnits,
    Stream,
    TableSettings,
    Tag,
    WarmUnits,
)
from airflow_dynamo_pipeline.errors import UnexpectedReply, UnknownVersion

KEY = (KeyPart(attribute_name="pk", key_type="HASH"),)
FULL = TableDefinition(
    version=1,
    saved_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    package_version="0.1.0",
    table_arn="arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
    table_id="id",
    table=TableSettings(
        table_name="orders",
        attribute_definitions=(
            AttributeDefinition(attribute_name="at", attribute_type="N"),
            AttributeDefinition(attribute_name="g", attribute_type="B"),
            AttributeDefinition(attribute_name="pk", attribute_type="S"),
        ),
        key_schema=KEY,
        billing_mode=PROVISIONED,
        local_secondary_indexes=(
            LocalIndex(
                index_name="l",
                key_schema=(*KEY, KeyPart(attribute_name="at", key_type="RANGE")),
                projection=Projection(projection_type="INCLUDE", non_key_attributes=("a",)),
            ),
        ),
        global_secondary_indexes=(
            GlobalIndex(
                index_name="g",
                key_schema=(KeyPart(attribute_name="g", key_type="HASH"),),
                projection=Projection(projection_type="ALL"),
                provisioned_throughput=ProvisionedUnits(read_capacity_units=1, write_capacity_units=2),
                warm_throughput=WarmUnits(read_units_per_second=1, write_units_per_second=3),
            ),
        ),
        provisioned_throughput=ProvisionedUnits(read_capacity_units=3, write_capacity_units=4),
        warm_throughput=WarmUnits(read_units_per_second=3, write_units_per_second=4),
        stream_specification=Stream(stream_enabled=True, stream_view_type="KEYS_ONLY"),
        sse_specification=Encryption(enabled=True, kms_master_key_id="arn:aws:kms:eu-west-1:1:key/k"),
        table_class="STANDARD_INFREQUENT_ACCESS",
        deletion_protection_enabled=True,
        tags=(Tag(key="aws:stack", value="s"), Tag(key="team", value="")),
    ),
    time_to_live=TimeToLive(attribute_name="expires"),
    point_in_time_recovery=PointInTimeRecovery(recovery_period_in_days=7),
    autoscaling=(
        ScalingTarget(
            scalable_dimension="dynamodb:index:ReadCapacityUnits",
            min_capacity=1,
            max_capacity=9,
            index_name="g",
            suspended_state={"ScheduledScalingSuspended": True},
            policies=(
                ScalingPolicy(
                    policy_name="p",
                    policy_type="TargetTrackingScaling",
                    target_tracking_scaling_policy_configuration={"TargetValue": 70.0},
                ),
            ),
        ),
    ),
    not_carried=(Omission(what="replicas", why="in us-east-1"),),
    not_read=(Omission(what="tags", why="access denied"),),
)
GOLDEN: dict[str, Any] = {
    "version": 1,
    "table": {
        "TableName": "orders",
        "AttributeDefinitions": [
            {"AttributeName": "at", "AttributeType": "N"},
            {"AttributeName": "g", "AttributeType": "B"},
            {"AttributeName": "pk", "AttributeType": "S"},
        ],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "BillingMode": "PROVISIONED",
        "LocalSecondaryIndexes": [
            {
                "IndexName": "l",
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a"]},
            }
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2},
                "WarmThroughput": {"ReadUnitsPerSecond": 1, "WriteUnitsPerSecond": 3},
            }
        ],
        "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
        "WarmThroughput": {"ReadUnitsPerSecond": 3, "WriteUnitsPerSecond": 4},
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        "SSESpecification": {"Enabled": True, "KMSMasterKeyId": "arn:aws:kms:eu-west-1:1:key/k"},
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
        "DeletionProtectionEnabled": True,
        "Tags": [{"Key": "aws:stack", "Value": "s"}, {"Key": "team", "Value": ""}],
    },
    "savedAt": "2026-01-02T03:04:05Z",
    "packageVersion": "0.1.0",
    "tableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
    "tableId": "id",
    "timeToLive": {"AttributeName": "expires"},
    "pointInTimeRecovery": {"RecoveryPeriodInDays": 7},
    "autoscaling": [
        {
            "ScalableDimension": "dynamodb:index:ReadCapacityUnits",
            "MinCapacity": 1,
            "MaxCapacity": 9,
            "IndexName": "g",
            "SuspendedState": {"ScheduledScalingSuspended": True},
            "Policies": [
                {
                    "PolicyName": "p",
                    "PolicyType": "TargetTrackingScaling",
                    "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0},
                }
            ],
        }
    ],
    "notCarried": [{"what": "replicas", "why": "in us-east-1"}],
    "notRead": [{"what": "tags", "why": "access denied"}],
}


def on_demand(warm: tuple[int, int]) -> TableDefinition:
    """The same table, billed by request."""
    units = WarmUnits(read_units_per_second=warm[0], write_units_per_second=warm[1])
    (index,) = FULL.table.global_secondary_indexes
    index = msgspec.structs.replace(index, provisioned_throughput=None, warm_throughput=units)
    table = msgspec.structs.replace(
        FULL.table,
        billing_mode=ON_DEMAND,
        provisioned_throughput=None,
        on_demand_throughput=OnDemandMaximum(max_read_request_units=5),
        warm_throughput=units,
        global_secondary_indexes=(index,),
    )
    return msgspec.structs.replace(FULL, table=table)


def test_a_file_of_version_1_is_this_text_and_is_read_as_what_it_was() -> None:
    assert GOLDEN == json.loads(FULL.to_json())
    assert FULL == decode_definition(json.dumps(GOLDEN).encode(), "a file")


def test_the_file_is_for_people_too() -> None:
    assert b'{\n  "version": 1,\n' == FULL.to_json()[:18]
    assert FULL.to_json().endswith(b"}\n")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"timeToLife": {}}, "timeToLife"),
        ({"table": {"TableName": "t"}}, "AttributeDefinitions"),
        ({"table": {**GOLDEN["table"], "Streams": 1}}, "Streams"),
        ({"version": "one"}, "version"),
    ],
)
def test_what_is_spelt_wrong_or_missing_is_refused_by_name(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UnexpectedReply, match=words):
        decode_definition(json.dumps({**GOLDEN, **change}).encode(), "a file")


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{}"])
def test_what_is_no_definition_is_refused(body: bytes) -> None:
    with pytest.raises(UnexpectedReply, match="a file is not the definition of a table"):
        decode_definition(body, "a file")


def test_a_newer_version_is_refused_before_its_members_are_looked_at() -> None:
    with pytest.raises(UnknownVersion, match="a file has version 2"):
        decode_definition(b'{"version": 2, "of": "tomorrow"}', "a file")


def test_a_table_is_created_with_everything_but_what_it_has_anyway_and_tags_of_aws() -> None:
    made = creation_parameters(FULL, "copy")

    expected = {**GOLDEN["table"], "TableName": "copy", "Tags": [{"Key": "team", "Value": ""}]}
    del expected["WarmThroughput"]
    assert expected == made


@pytest.mark.parametrize(
    ("warm", "is_asked"), [((12_000, 4_000), False), ((12_001, 4_000), True), ((12_000, 4_001), True)]
)
def test_warm_throughput_is_asked_for_beyond_what_a_new_on_demand_table_has(
    warm: tuple[int, int], is_asked: bool
) -> None:
    made = creation_parameters(on_demand(warm), "copy")

    assert is_asked == ("WarmThroughput" in made)
    assert is_asked == ("WarmThroughput" in made["GlobalSecondaryIndexes"][0])
    assert {"MaxReadRequestUnits": 5} == made["OnDemandThroughput"]


def test_an_import_is_given_what_it_takes_and_only_the_attributes_that_are_left() -> None:
    made = import_parameters(FULL, "copy")

    table = GOLDEN["table"]
    (index,) = table["GlobalSecondaryIndexes"]
    assert {
        "TableName": "copy",
        "AttributeDefinitions": table["AttributeDefinitions"][1:],
        "KeySchema": table["KeySchema"],
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": table["ProvisionedThroughput"],
        "SSESpecification": table["SSESpecification"],
        "GlobalSecondaryIndexes": [{name: index[name] for name in index if name != "WarmThroughput"}],
    } == made


def test_what_an_import_leaves_out_is_named() -> None:
    assert (
        "local index l",
        "warm throughput",
        "stream",
        "table class STANDARD_INFREQUENT_ACCESS",
        "deletion protection",
        "tags",
        "time to live",
        "point-in-time recovery",
        "autoscaling",
    ) == beyond_import(FULL)


def test_an_import_of_a_plain_table_leaves_nothing_out() -> None:
    plain = TableSettings(
        table_name="t",
        attribute_definitions=(AttributeDefinition(attribute_name="pk", attribute_type="S"),),
        key_schema=KEY,
        billing_mode=ON_DEMAND,
    )

    assert () == beyond_import(TableDefinition(version=1, table=plain))
