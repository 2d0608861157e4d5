from typing import Any

from airflow_dynamo_pipeline.engine.described_table import (
    index_of_resource,
    members_not_carried,
    point_in_time_recovery,
    scaling_target,
    table_settings,
    time_to_live,
)
from airflow_dynamo_pipeline.engine.table_settings import Encryption, OnDemandMaximum

TABLE: dict[str, Any] = {
    "TableName": "orders",
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"} for name in ("sk", "unused", "pk")
    ],
    "KeySchema": [{"AttributeName": "sk", "KeyType": "RANGE"}, {"AttributeName": "pk", "KeyType": "HASH"}],
}


def test_a_table_is_written_in_one_way_whatever_the_order_of_the_reply() -> None:
    found = table_settings(TABLE, [{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}])

    assert ["pk", "sk"] == [part.attribute_name for part in found.key_schema]
    assert ["pk", "sk"] == [one.attribute_name for one in found.attribute_definitions]
    assert ["a", "b"] == [tag.key for tag in found.tags]
    assert ("PROVISIONED", "STANDARD", False) == (
        found.billing_mode,
        found.table_class,
        found.deletion_protection_enabled,
    )


def test_units_of_zero_and_maxima_of_minus_one_are_none() -> None:
    units = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0, "NumberOfDecreasesToday": 0}
    maximum = {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1}

    found = table_settings({**TABLE, "ProvisionedThroughput": units, "OnDemandThroughput": maximum})
    one = table_settings({**TABLE, "OnDemandThroughput": {**maximum, "MaxWriteRequestUnits": 5}})

    assert (None, None) == (found.provisioned_throughput, found.on_demand_throughput)
    assert OnDemandMaximum(max_write_request_units=5) == one.on_demand_throughput


def test_encryption_that_is_off_is_none() -> None:
    off = {"SSEDescription": {"Status": "DISABLED"}}
    on = {"SSEDescription": {"Status": "UPDATING", "SSEType": "KMS", "KMSMasterKeyArn": "arn"}}

    assert table_settings({**TABLE, **off}).sse_specification is None
    assert (
        Encryption(enabled=True, kms_master_key_id="arn") == table_settings({**TABLE, **on}).sse_specification
    )


def test_a_stream_that_is_off_is_none() -> None:
    assert (
        table_settings({**TABLE, "StreamSpecification": {"StreamEnabled": False}}).stream_specification
        is None
    )


def test_what_nobody_here_knows_is_named_and_what_changes_by_itself_is_not() -> None:
    found = members_not_carried(
        {**TABLE, "ItemCount": 5, "TableStatus": "ACTIVE", "Novelty": 1, "Nothing": None}
    )

    assert [("Novelty", "this version of the package does not know it")] == [
        (each.what, each.why) for each in found
    ]


def test_what_nobody_here_knows_of_an_index_or_the_stream_is_named() -> None:
    kept = {
        "IndexName": "by-day",
        "IndexArn": "arn",
        "ItemCount": 5,
        "KeySchema": TABLE["KeySchema"],
        "Projection": {"ProjectionType": "ALL"},
    }
    found = members_not_carried(
        {
            **TABLE,
            "GlobalSecondaryIndexes": [
                {**kept, "IndexStatus": "ACTIVE", "WarmThroughput": {"Status": "ACTIVE"}, "Novelty": 1}
            ],
            "LocalSecondaryIndexes": [{**kept, "IndexName": "local", "Newer": {"a": 1}, "Nothing": None}],
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE", "Newest": "x"},
        }
    )

    why = "this version of the package does not know it"
    assert [
        ("Novelty of global index by-day", why),
        ("Newer of local index local", why),
        ("Newest of stream", why),
    ] == [(each.what, each.why) for each in found]


def test_an_index_that_is_being_deleted_is_left_out_and_named() -> None:
    index = {
        "IndexName": "by-day",
        "IndexStatus": "DELETING",
        "KeySchema": [{"AttributeName": "unused", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "Novelty": 1,
    }
    there = {**index, "IndexName": "by-sk", "IndexStatus": "ACTIVE", "KeySchema": TABLE["KeySchema"]}
    described = {**TABLE, "GlobalSecondaryIndexes": [index, {**there, "Novelty": None}]}

    found = table_settings(described)

    assert ["by-sk"] == [each.index_name for each in found.global_secondary_indexes]
    assert ["pk", "sk"] == [one.attribute_name for one in found.attribute_definitions]
    assert [("global index by-day", "it was being deleted")] == [
        (each.what, each.why) for each in members_not_carried(described)
    ]


def test_time_to_live_counts_from_the_moment_it_is_being_switched_on() -> None:
    states = ("ENABLED", "ENABLING", "DISABLING", "DISABLED")
    found = [time_to_live({"TimeToLiveStatus": state, "AttributeName": "x"}) for state in states]

    assert ["x", "x", None, None] == [each and each.attribute_name for each in found]


def test_recovery_without_a_period_is_on_all_the_same() -> None:
    on = point_in_time_recovery({"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}})

    assert on is not None
    assert on.recovery_period_in_days is None
    assert point_in_time_recovery({}) is None


def test_a_target_takes_the_policies_of_its_own_dimension() -> None:
    spot = {
        "ResourceId": "table/orders/index/by-day",
        "ScalableDimension": "dynamodb:index:ReadCapacityUnits",
    }
    target = {
        **spot,
        "MinCapacity": 1,
        "MaxCapacity": 2,
        "SuspendedState": {"ScheduledScalingSuspended": False},
    }
    policy = {**spot, "PolicyName": "p", "PolicyType": "TargetTrackingScaling", "Alarms": [1]}
    other = {**policy, "ScalableDimension": "dynamodb:index:WriteCapacityUnits", "PolicyName": "q"}

    found = scaling_target(target, [other, policy])

    assert ("by-day", None, ["p"]) == (
        found.index_name,
        found.suspended_state,
        [each.policy_name for each in found.policies],
    )


def test_a_resource_without_an_index_is_the_tables() -> None:
    assert index_of_resource("table/orders") is None
