"""What a role must be allowed for a native export.

ExportTableToPointInTime writes the files with the caller's permissions (Amazon DynamoDB Developer Guide,
"Requesting a table export in DynamoDB"). ListExports knows no resource.
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow_dynamo_pipeline.adapters.arns import ANY, Place, pattern
from airflow_dynamo_pipeline.adapters.policies_statements import Given, Policy, Statement, use_key
from airflow_dynamo_pipeline.adapters.policy_settings import PLACE
from airflow_dynamo_pipeline.engine.layout import ROOT
from airflow_dynamo_pipeline.engine.native_export_chain import FOLDER
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.verify import SUMMARY_NAME

ON_TABLE = (
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeTable",
    "dynamodb:ExportTableToPointInTime",
)


def native_export(given: Given, place: Place) -> Iterator[Statement]:
    """Full and incremental, waited for and deferred."""
    table = place.table(given["table_name"])
    yield Statement("ExportTable", ON_TABLE, table)
    yield Statement("LookAtExport", ("dynamodb:DescribeExport",), f"{table}/export/{ANY}")
    yield Statement("FindExports", ("dynamodb:ListExports",), ANY)
    location = S3Location.parse(given["s3_uri"])
    bucket = location.bucket
    chain = pattern(location.key(FOLDER)) + "/*"
    exports = pattern(location.key(ROOT))
    below = {"StringLike": {"s3:prefix": [chain, f"{exports}/*"]}}
    yield Statement("ListObjects", ("s3:ListBucket",), place.bucket(bucket), below)
    yield Statement("KeepChain", ("s3:GetObject", "s3:PutObject"), place.objects(bucket, chain))
    writes = ("s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectAcl")
    yield Statement("WriteExports", writes, place.objects(bucket, f"{exports}/*"))
    yield Statement("ReadManifests", ("s3:GetObject",), place.objects(bucket, f"{exports}/*/{SUMMARY_NAME}"))
    yield from use_key(given, place, "kms:Decrypt", "kms:GenerateDataKey")


NATIVE_EXPORT_POLICY = Policy(
    command="native-export",
    required=(("table_name",), ("s3_uri",)),
    optional=("s3_sse_kms_key_id", *PLACE),
    statements=native_export,
)
