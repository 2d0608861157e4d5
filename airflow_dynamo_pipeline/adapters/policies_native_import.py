"""What a role must be allowed for a native import.

ImportTable reads the files and writes its log with the caller's permissions (Amazon DynamoDB Developer Guide,
"Requesting a table import in DynamoDB"). ListImports knows no resource.
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow_dynamo_pipeline.adapters.arns import ANY, Place, pattern
from airflow_dynamo_pipeline.adapters.policies_statements import Given, Policy, Statement, use_key
from airflow_dynamo_pipeline.adapters.policy_settings import PLACE
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.verify import layout_of

LOGS = (
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:GetLogEvents",
    "logs:PutLogEvents",
    "logs:PutRetentionPolicy",
)


def _native_import(given: Given, place: Place) -> Iterator[Statement]:
    table = place.table(given["table_name"])
    yield Statement("ImportTable", ("dynamodb:DescribeTable", "dynamodb:ImportTable"), table)
    yield Statement("LookAtImport", ("dynamodb:DescribeImport",), f"{table}/import/{ANY}")
    yield Statement("FindImports", ("dynamodb:ListImports",), ANY)
    bucket, keys = _files(given)
    condition = {"StringLike": {"s3:prefix": keys}}
    yield Statement("ListObjects", ("s3:ListBucket",), place.bucket(bucket), condition)
    yield Statement("ReadObjects", ("s3:GetObject",), place.objects(bucket, keys))
    yield from use_key(given, place, "kms:Decrypt")
    owner = f"{place.region_name}:{place.account_id}"
    yield Statement("Log", LOGS, f"arn:{place.partition}:logs:{owner}:log-group:/aws-dynamodb/*")


def _files(given: Given) -> tuple[str, str]:
    """The bucket, and what the keys of the backup look like: a file that is named itself is one of them."""
    if "manifest_uri" in given:
        layout = layout_of(given["manifest_uri"])
        return layout.location.bucket, pattern(layout.key()) + "/*"
    location = S3Location.parse(given["s3_uri"])
    return location.bucket, pattern(location.prefix) + ANY


NATIVE_IMPORT_POLICY = Policy(
    command="native-import",
    required=(("table_name",), ("manifest_uri", "s3_uri")),
    optional=("s3_sse_kms_key_id", *PLACE),
    statements=_native_import,
)
