"""What calls need that change tables, scale them, or have DynamoDB export and import by itself.

What DynamoDB does in the caller's name after it was asked for an export or import is judged with the request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.integration.policy_needs import (
    ACCOUNT,
    KmsKeys,
    Need,
    Parameters,
    Rule,
    account_wide,
    kms,
    on_table,
    table_arn,
)
from tests.services.clients import REGION

SCALING_ROLE = (
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
)
LOG = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws-dynamodb/imports:log-stream:import"
IMPORT_LOGS = (
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
    "logs:PutRetentionPolicy",
)


def _nothing(_: Parameters, __: KmsKeys) -> Iterator[Need]:
    yield from ()


def _on_arn(action: str, parameter: str) -> Rule:
    """By ARN, in which a service of this machine names a region and an account of its own."""

    def rule(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
        yield Need(action, table_arn(parameters[parameter].partition(":table/")[2]))

    return rule


def _scaling(action: str, *alarms: str) -> Rule:
    """Alarms are named after the table or index; the account has never used autoscaling of DynamoDB."""

    def rule(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
        context = {"application-autoscaling:service-namespace": (parameters["ServiceNamespace"],)}
        yield Need(f"application-autoscaling:{action}", "*", context)
        name = f"TargetTracking-{parameters['ResourceId']}-AlarmHigh-0f0f"
        for alarm in alarms:
            describes = alarm == "cloudwatch:DescribeAlarms"
            yield Need(alarm, "*" if describes else f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}")
        if action == "RegisterScalableTarget":
            yield Need("iam:CreateServiceLinkedRole", SCALING_ROLE)

    return rule


def _describe_key(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    yield Need(
        "kms:DescribeKey", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{parameters['KeyId'].rpartition('/')[2]}"
    )


def _export(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    yield Need("dynamodb:ExportTableToPointInTime", table_arn(parameters["TableArn"].partition(":table/")[2]))
    prefix = f"{parameters['S3Prefix']}/" if parameters.get("S3Prefix") else ""
    objects = f"arn:aws:s3:::{parameters['S3Bucket']}/{prefix}AWSDynamoDB/01-a/data/x.json.gz"
    for action in ("s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectAcl"):
        yield Need(action, objects)
    if parameters.get("S3SseAlgorithm") == "KMS":
        for action in ("kms:GenerateDataKey", "kms:Decrypt"):
            yield kms(action, parameters["S3SseKmsKeyId"])


def _import(parameters: Parameters, keys: KmsKeys) -> Iterator[Need]:
    yield Need("dynamodb:ImportTable", table_arn(parameters["TableCreationParameters"]["TableName"]))
    source = parameters["S3BucketSource"]
    bucket, prefix = f"arn:aws:s3:::{source['S3Bucket']}", source.get("S3KeyPrefix", "")
    yield Need("s3:ListBucket", bucket, {"s3:prefix": (prefix,)})
    yield Need("s3:GetObject", f"{bucket}/{prefix}x.json.gz")
    if bucket in keys:
        yield kms("kms:Decrypt", keys[bucket])
    for action in IMPORT_LOGS:
        yield Need(action, LOG)


TABLE_CALLS: Mapping[tuple[str, str], Rule] = {
    ("application-autoscaling", "DeleteScalingPolicy"): _scaling(
        "DeleteScalingPolicy", "cloudwatch:DeleteAlarms"
    ),
    ("application-autoscaling", "DeregisterScalableTarget"): _scaling("DeregisterScalableTarget"),
    ("application-autoscaling", "DescribeScalableTargets"): account_wide(
        "application-autoscaling:DescribeScalableTargets"
    ),
    ("application-autoscaling", "DescribeScalingPolicies"): account_wide(
        "application-autoscaling:DescribeScalingPolicies"
    ),
    ("application-autoscaling", "DescribeScheduledActions"): account_wide(
        "application-autoscaling:DescribeScheduledActions"
    ),
    ("application-autoscaling", "PutScalingPolicy"): _scaling(
        "PutScalingPolicy", "cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms"
    ),
    ("application-autoscaling", "RegisterScalableTarget"): _scaling("RegisterScalableTarget"),
    ("dynamodb", "CreateTable"): on_table("dynamodb:CreateTable"),
    ("dynamodb", "DescribeExport"): _on_arn("dynamodb:DescribeExport", "ExportArn"),
    ("dynamodb", "DescribeImport"): _on_arn("dynamodb:DescribeImport", "ImportArn"),
    ("dynamodb", "DescribeKinesisStreamingDestination"): on_table(
        "dynamodb:DescribeKinesisStreamingDestination"
    ),
    ("dynamodb", "ExportTableToPointInTime"): _export,
    ("dynamodb", "GetResourcePolicy"): _on_arn("dynamodb:GetResourcePolicy", "ResourceArn"),
    ("dynamodb", "ImportTable"): _import,
    ("dynamodb", "ListContributorInsights"): account_wide("dynamodb:ListContributorInsights"),
    ("dynamodb", "ListExports"): account_wide("dynamodb:ListExports"),
    ("dynamodb", "ListImports"): account_wide("dynamodb:ListImports"),
    ("dynamodb", "TagResource"): _on_arn("dynamodb:TagResource", "ResourceArn"),
    ("dynamodb", "UntagResource"): _on_arn("dynamodb:UntagResource", "ResourceArn"),
    ("dynamodb", "UpdateContinuousBackups"): on_table("dynamodb:UpdateContinuousBackups"),
    ("dynamodb", "UpdateTable"): on_table("dynamodb:UpdateTable"),
    ("dynamodb", "UpdateTimeToLive"): on_table("dynamodb:UpdateTimeToLive"),
    ("kms", "DescribeKey"): _describe_key,
    ("logs", "GetLogEvents"): lambda _, __: iter([Need("logs:GetLogEvents", LOG)]),
    ("sts", "GetCallerIdentity"): _nothing,
}
