"""What a role must be allowed to change the capacity of a table, and to let it be scaled.

Application Auto Scaling knows a resource that nobody can tell before a target is registered, so its changes
are allowed on all resources, and for DynamoDB only (``application-autoscaling:service-namespace``). Whoever
puts a policy of it must be allowed the alarms of that policy, too (Application Auto Scaling User Guide,
"Permissions required to work with target resources and CloudWatch"); their names have that of the table.
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow_dynamo_pipeline.adapters.arns import ANY, Place, pattern
from airflow_dynamo_pipeline.adapters.policies_statements import (
    Given,
    Policy,
    Statement,
    list_objects,
    use_key,
)
from airflow_dynamo_pipeline.adapters.policy_settings import PLACE
from airflow_dynamo_pipeline.engine.requests import S3Location

SCALING_ROLE = (
    "role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
)
LOOKS = ("application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies")
PUTS = ("application-autoscaling:PutScalingPolicy", "application-autoscaling:RegisterScalableTarget")
REMOVALS = ("application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeregisterScalableTarget")
OF_DYNAMODB = {"StringEquals": {"application-autoscaling:service-namespace": "dynamodb"}}


def look_at_scaling() -> Statement:
    """Its descriptions know neither a resource nor a condition."""
    return Statement("LookAtAutoscaling", LOOKS, ANY)


def set_scaling(given: Given, place: Place, *, removing: bool) -> Iterator[Statement]:
    """Register and put, the alarms of that, and the role that Application Auto Scaling works by."""
    actions = (*PUTS, *REMOVALS) if removing else PUTS
    yield Statement("SetAutoscaling", actions, ANY, OF_DYNAMODB)
    table = place.table(given["table_name"]).rpartition("/")[2]
    owner = f"arn:{place.partition}:cloudwatch:{place.region_name}:{place.account_id}"
    alarms = ("cloudwatch:PutMetricAlarm", *(("cloudwatch:DeleteAlarms",) if removing else ()))
    names = (f"{owner}:alarm:TargetTracking-table/{table}{after}*" for after in "-/")
    yield Statement("SetAlarmsOfAutoscaling", alarms, tuple(names))
    yield Statement("LookAtAlarms", ("cloudwatch:DescribeAlarms",), ANY)
    role = f"arn:{place.partition}:iam::{place.account_id}:{SCALING_ROLE}"
    yield Statement("MakeRoleOfAutoscaling", ("iam:CreateServiceLinkedRole",), role)


def _capacity_mode(given: Given, place: Place) -> Iterator[Statement]:
    actions = ("dynamodb:DescribeTable", "dynamodb:UpdateTable")
    yield Statement("ChangeTable", actions, place.table(given["table_name"]))
    if not given.get("no_sizing"):
        yield Statement("ReadConsumption", ("cloudwatch:GetMetricStatistics",), ANY)
    is_recorded = "record_s3_uri" in given
    if is_recorded or given.get("autoscaling"):
        yield look_at_scaling()
        yield from set_scaling(given, place, removing=is_recorded)  # what was registered goes again
    if is_recorded:
        location = S3Location.parse(given["record_s3_uri"])
        table = given["table_name"].rpartition("/")[2]
        record = pattern(location.key(place.account_id, place.region_name, f"{table}.capacity.json"))
        yield list_objects(location.bucket, record, place)
        actions = ("s3:GetObject", "s3:PutObject")
        yield Statement("KeepRecord", actions, place.objects(location.bucket, record))
        yield from use_key(given, place, "kms:Decrypt", "kms:GenerateDataKey")


CAPACITY_POLICY = Policy(
    command="capacity-mode",
    required=(("table_name",),),
    optional=("record_s3_uri", "autoscaling", "no_sizing", "s3_sse_kms_key_id", *PLACE),
    statements=_capacity_mode,
)
