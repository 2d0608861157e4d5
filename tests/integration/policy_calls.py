"""What each AWS call needs to be allowed: actions, resources and what conditions are asked about.

Written from AWS's Service Authorization Reference and the Amazon S3 User Guide, apart from the package's own
table, which it judges. A call that is not listed here is an error, never allowed in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.integration.policy_calls_emr import EMR_CALLS
from tests.integration.policy_calls_redshift import REDSHIFT_CALLS
from tests.integration.policy_calls_tables import TABLE_CALLS
from tests.integration.policy_needs import (
    KmsKeys,
    Need,
    Parameters,
    Rule,
    UnknownCall,
    account_wide,
    bucket_arn,
    kms,
    list_bucket,
    object_arn,
    on_table,
    table_arn,
)


def needs_of(service: str, operation: str, parameters: Parameters, keys: KmsKeys) -> list[Need]:
    """Everything a call needs; raises UnknownCall for one that nobody thought of."""
    rule = CALLS.get((service, operation))
    if rule is None:
        raise UnknownCall(f"{service}:{operation}")
    return list(rule(parameters, keys))


# --- the calls ------------------------------------------------------------------------------------


def _on_tables(action: str) -> Rule:
    def rule(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
        for table in parameters["RequestItems"]:
            yield Need(action, table_arn(table))

    return rule


def _tags(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    """By ARN; DynamoDB Local's names a region and an account of its own."""
    yield Need("dynamodb:ListTagsOfResource", table_arn(parameters["ResourceArn"].rpartition("/")[2]))


def _scan(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    table, index = table_arn(parameters["TableName"]), parameters.get("IndexName")
    yield Need("dynamodb:Scan", f"{table}/index/{index}" if index else table)


def _head_bucket(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    yield list_bucket(parameters, None)


def _list_objects(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    yield list_bucket(parameters, parameters.get("Prefix"))


def _list_uploads(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    yield Need("s3:ListBucketMultipartUploads", bucket_arn(parameters))  # it has no s3:prefix


def _read(parameters: Parameters, keys: KmsKeys) -> Iterator[Need]:
    arn = object_arn(parameters)
    yield Need("s3:GetObject", arn)
    if arn in keys:
        yield kms("kms:Decrypt", keys[arn])


def _head(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    yield Need("s3:GetObject", object_arn(parameters))


def _begin_write(parameters: Parameters, keys: KmsKeys) -> Iterator[Need]:
    arn = object_arn(parameters)
    yield Need("s3:PutObject", arn)
    key = keys.get(bucket_arn(parameters), "")  # by which the bucket encrypts of itself
    if parameters.get("ServerSideEncryption") == "aws:kms":
        key = parameters["SSEKMSKeyId"]
    if key:
        keys[arn] = key
        yield kms("kms:GenerateDataKey", key)


def _go_on_writing(parameters: Parameters, keys: KmsKeys) -> Iterator[Need]:
    """Pieces of an encrypted upload are read again to be put together."""
    arn = object_arn(parameters)
    yield Need("s3:PutObject", arn)
    if arn in keys:
        yield kms("kms:Decrypt", keys[arn])


def _abort(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    yield Need("s3:AbortMultipartUpload", object_arn(parameters))


def _delete(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    for entry in parameters["Delete"]["Objects"]:
        yield Need("s3:DeleteObject", object_arn(parameters, entry["Key"]))


CALLS: Mapping[tuple[str, str], Rule] = {
    **EMR_CALLS,
    **REDSHIFT_CALLS,
    **TABLE_CALLS,
    ("cloudwatch", "GetMetricStatistics"): account_wide("cloudwatch:GetMetricStatistics"),
    ("dynamodb", "BatchGetItem"): _on_tables("dynamodb:BatchGetItem"),
    ("dynamodb", "BatchWriteItem"): _on_tables("dynamodb:BatchWriteItem"),
    ("dynamodb", "DeleteItem"): on_table("dynamodb:DeleteItem"),
    ("dynamodb", "DescribeContinuousBackups"): on_table("dynamodb:DescribeContinuousBackups"),
    ("dynamodb", "DescribeTable"): on_table("dynamodb:DescribeTable"),
    ("dynamodb", "DescribeTimeToLive"): on_table("dynamodb:DescribeTimeToLive"),
    ("dynamodb", "ListTagsOfResource"): _tags,
    ("dynamodb", "PutItem"): on_table("dynamodb:PutItem"),
    ("dynamodb", "Scan"): _scan,
    ("s3", "AbortMultipartUpload"): _abort,
    ("s3", "CompleteMultipartUpload"): _go_on_writing,
    ("s3", "CreateMultipartUpload"): _begin_write,
    ("s3", "DeleteObjects"): _delete,
    ("s3", "GetObject"): _read,
    ("s3", "HeadBucket"): _head_bucket,
    ("s3", "HeadObject"): _head,
    ("s3", "ListMultipartUploads"): _list_uploads,
    ("s3", "ListObjectsV2"): _list_objects,
    ("s3", "PutObject"): _begin_write,
    ("s3", "UploadPart"): _go_on_writing,
    ("service-quotas", "GetServiceQuota"): account_wide("servicequotas:GetServiceQuota"),
}
