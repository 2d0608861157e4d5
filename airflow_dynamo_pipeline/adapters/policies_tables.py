"""What a role must be allowed to save and restore the definition of a table.

Application Auto Scaling's calls are allowed on all resources: its descriptions know none, and its changes
know an ARN that nobody can tell before a target is registered. It sets units and alarms by a role of its own,
which it makes in an account's first use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_dynamo_pipeline.adapters.arns import ANY, Place
from airflow_dynamo_pipeline.adapters.policies import Given, Policy, Statement
from airflow_dynamo_pipeline.adapters.policy_settings import PLACE

SCALING_ROLE = (
    "role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
)
READS = (
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:ListTagsOfResource",
)
NAMED_READS = ("dynamodb:DescribeKinesisStreamingDestination", "dynamodb:GetResourcePolicy")
WRITES = (
    "dynamodb:CreateTable",
    "dynamodb:TagResource",
    "dynamodb:UntagResource",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
)
SCALING_READS = (
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
)
SCALING_NAMED_READS = ("application-autoscaling:DescribeScheduledActions",)
SCALING_WRITES = (
    "application-autoscaling:PutScalingPolicy",
    "application-autoscaling:RegisterScalableTarget",
)


def _read(given: Given, place: Place) -> Iterator[Statement]:
    yield Statement("ReadTable", READS, place.table(given["table_name"]))
    yield Statement("ReadAutoscaling", SCALING_READS, ANY)
    yield Statement("ReadOwnerOfKey", ("kms:DescribeKey",), place.kms_key(ANY)[0])


def _save(given: Given, place: Place) -> Iterator[Statement]:
    yield from _read(given, place)
    yield Statement("NameTheRest", NAMED_READS, place.table(given["table_name"]))
    yield Statement("NameInsights", ("dynamodb:ListContributorInsights",), ANY)
    yield Statement("NameScheduledActions", SCALING_NAMED_READS, ANY)


def _restore(given: Given, place: Place) -> Iterator[Statement]:
    yield from _read(given, place)
    yield Statement("MakeTable", WRITES, place.table(given["table_name"]))
    yield Statement("SetAutoscaling", SCALING_WRITES, ANY)
    role = f"arn:{place.partition}:iam::{place.account_id}:{SCALING_ROLE}"
    yield Statement("MakeRoleOfAutoscaling", ("iam:CreateServiceLinkedRole",), role)


TABLE_POLICIES: Mapping[str, Policy] = {
    f"dynamo-pipeline table {verb}": Policy(
        command=f"table-{verb}", required=(("table_name",),), optional=PLACE, statements=statements
    )
    for verb, statements in (("save", _save), ("restore", _restore))
}
