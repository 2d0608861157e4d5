"""A case for each call of ``policy_calls_tables``: what it needs, spelt out."""

from __future__ import annotations

from typing import Any

from tests.integration.policy_needs import Need

OWNER = "us-east-1:111122223333"
TABLE = f"arn:aws:dynamodb:{OWNER}:table/orders"
LOG = f"arn:aws:logs:{OWNER}:log-group:/aws-dynamodb/imports:log-stream:import"
KMS_KEY = "arn:aws:kms:us-east-1:111122223333:key/k"
IN_S3 = {"kms:ViaService": ("s3.us-east-1.amazonaws.com",)}
OF_DYNAMODB = {"application-autoscaling:service-namespace": ("dynamodb",)}
SPOT: dict[str, Any] = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/orders",
    "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
}
ALARM = f"arn:aws:cloudwatch:{OWNER}:alarm:TargetTracking-table/orders-AlarmHigh-0f0f"
SCALING = "application-autoscaling"
SCALING_ROLE = (
    "arn:aws:iam::111122223333:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
)
NAMED: dict[str, Any] = {"TableName": "orders"}
IMPORTED: dict[str, Any] = {
    "S3BucketSource": {"S3Bucket": "backups", "S3KeyPrefix": "orders/"},
    "InputFormat": "DYNAMODB_JSON",
    "TableCreationParameters": {
        "TableName": "orders",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    },
}
EXPORTED = "arn:aws:s3:::backups/orders/AWSDynamoDB/01-a/data/x.json.gz"
Case = tuple[str, str, dict[str, Any], list[Need]]


TABLE_CASES: list[Case] = [
    (
        SCALING,
        "DeleteScalingPolicy",
        {**SPOT, "PolicyName": "p"},
        [Need(f"{SCALING}:DeleteScalingPolicy", "*", OF_DYNAMODB), Need("cloudwatch:DeleteAlarms", ALARM)],
    ),
    (
        SCALING,
        "DeregisterScalableTarget",
        SPOT,
        [Need(f"{SCALING}:DeregisterScalableTarget", "*", OF_DYNAMODB)],
    ),
    *(
        (SCALING, operation, {"ServiceNamespace": "dynamodb"}, [Need(f"{SCALING}:{operation}", "*")])
        for operation in ("DescribeScalableTargets", "DescribeScalingPolicies", "DescribeScheduledActions")
    ),
    (
        SCALING,
        "PutScalingPolicy",
        {**SPOT, "PolicyName": "p"},
        [
            Need(f"{SCALING}:PutScalingPolicy", "*", OF_DYNAMODB),
            Need("cloudwatch:PutMetricAlarm", ALARM),
            Need("cloudwatch:DescribeAlarms", "*"),
        ],
    ),
    (
        SCALING,
        "RegisterScalableTarget",
        SPOT,
        [
            Need(f"{SCALING}:RegisterScalableTarget", "*", OF_DYNAMODB),
            Need("iam:CreateServiceLinkedRole", SCALING_ROLE),
        ],
    ),
    (
        "dynamodb",
        "CreateTable",
        {
            "TableName": "orders",
            "AttributeDefinitions": [],
            "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
        },
        [Need("dynamodb:CreateTable", TABLE)],
    ),
    (
        "dynamodb",
        "DescribeExport",
        {"ExportArn": f"{TABLE}/export/01-a-0123456789012345678901"},
        [Need("dynamodb:DescribeExport", f"{TABLE}/export/01-a-0123456789012345678901")],
    ),
    (
        "dynamodb",
        "DescribeImport",
        {"ImportArn": f"{TABLE}/import/01-a-0123456789012345678901"},
        [Need("dynamodb:DescribeImport", f"{TABLE}/import/01-a-0123456789012345678901")],
    ),
    (
        "dynamodb",
        "DescribeKinesisStreamingDestination",
        NAMED,
        [Need("dynamodb:DescribeKinesisStreamingDestination", TABLE)],
    ),
    (
        "dynamodb",
        "ExportTableToPointInTime",
        {
            "TableArn": TABLE,
            "S3Bucket": "backups",
            "S3Prefix": "orders",
            "S3SseAlgorithm": "KMS",
            "S3SseKmsKeyId": KMS_KEY,
        },
        [
            Need("dynamodb:ExportTableToPointInTime", TABLE),
            Need("s3:AbortMultipartUpload", EXPORTED),
            Need("s3:PutObject", EXPORTED),
            Need("s3:PutObjectAcl", EXPORTED),
            Need("kms:GenerateDataKey", KMS_KEY, IN_S3),
            Need("kms:Decrypt", KMS_KEY, IN_S3),
        ],
    ),
    ("dynamodb", "GetResourcePolicy", {"ResourceArn": TABLE}, [Need("dynamodb:GetResourcePolicy", TABLE)]),
    (
        "dynamodb",
        "ImportTable",
        IMPORTED,
        [
            Need("dynamodb:ImportTable", TABLE),
            Need("s3:ListBucket", "arn:aws:s3:::backups", {"s3:prefix": ("orders/",)}),
            Need("s3:GetObject", "arn:aws:s3:::backups/orders/x.json.gz"),
            Need("logs:CreateLogGroup", LOG),
            Need("logs:CreateLogStream", LOG),
            Need("logs:DescribeLogGroups", LOG),
            Need("logs:DescribeLogStreams", LOG),
            Need("logs:PutLogEvents", LOG),
            Need("logs:PutRetentionPolicy", LOG),
        ],
    ),
    *(
        ("dynamodb", operation, {}, [Need(f"dynamodb:{operation}", "*")])
        for operation in ("ListContributorInsights", "ListExports", "ListImports")
    ),
    ("dynamodb", "TagResource", {"ResourceArn": TABLE, "Tags": []}, [Need("dynamodb:TagResource", TABLE)]),
    (
        "dynamodb",
        "UntagResource",
        {"ResourceArn": TABLE, "TagKeys": []},
        [Need("dynamodb:UntagResource", TABLE)],
    ),
    (
        "dynamodb",
        "UpdateContinuousBackups",
        {**NAMED, "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}},
        [Need("dynamodb:UpdateContinuousBackups", TABLE)],
    ),
    ("dynamodb", "UpdateTable", NAMED, [Need("dynamodb:UpdateTable", TABLE)]),
    (
        "dynamodb",
        "UpdateTimeToLive",
        {**NAMED, "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "a"}},
        [Need("dynamodb:UpdateTimeToLive", TABLE)],
    ),
    ("kms", "DescribeKey", {"KeyId": KMS_KEY}, [Need("kms:DescribeKey", KMS_KEY)]),
    (
        "logs",
        "GetLogEvents",
        {"logGroupName": "g", "logStreamName": "s"},
        [Need("logs:GetLogEvents", LOG)],
    ),
]
