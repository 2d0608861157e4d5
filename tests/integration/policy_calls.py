"""What each AWS call needs to be allowed: actions, resources and what conditions are asked about.

Written from AWS's Service Authorization Reference and the Amazon S3 User Guide, apart from the package's own
table, which it judges. A call that is not listed here is an error, never allowed in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.services.clients import REGION

ACCOUNT = "111122223333"
KEY_OF_ALIASES = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f0f0f0f-1111-2222-3333-444444444444"

Parameters = Mapping[str, Any]
KmsKeys = dict[str, str]  # object ARN -> the key it was written with, as the writer named it


class UnknownCall(AssertionError):
    """No rule says what a call needs; add it to ``CALLS``."""


@dataclass(frozen=True, slots=True)
class Need:
    """One action on one resource, and the condition keys that the service would hand to IAM."""

    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def needs_of(service: str, operation: str, parameters: Parameters, keys: KmsKeys) -> list[Need]:
    """Everything a call needs; raises UnknownCall for one that nobody thought of."""
    rule = CALLS.get((service, operation))
    if rule is None:
        raise UnknownCall(f"{service}:{operation}")
    return list(rule(parameters, keys))


def needed_to_hear_of_absence(parameters: Parameters) -> Need:
    """Without this S3 answers "access denied" for an object that is not there; its key is the prefix."""
    return _list_bucket(parameters, parameters["Key"])


def bucket_arn(parameters: Parameters) -> str:
    return f"arn:aws:s3:::{parameters['Bucket']}"


def object_arn(parameters: Parameters, key: str | None = None) -> str:
    return f"{bucket_arn(parameters)}/{parameters['Key'] if key is None else key}"


def _list_bucket(parameters: Parameters, prefix: str | None) -> Need:
    context = {} if prefix is None else {"s3:prefix": (prefix,)}
    return Need("s3:ListBucket", bucket_arn(parameters), context)


def _kms(action: str, named: str) -> Need:
    """S3 asks KMS in the caller's name."""
    via = {"kms:ViaService": (f"s3.{REGION}.amazonaws.com",)}
    if named.startswith("alias/"):
        return Need(action, KEY_OF_ALIASES, {**via, "kms:ResourceAliases": ("alias/unrelated", named)})
    arn = named if named.startswith("arn:") else f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{named}"
    return Need(action, arn, via)


# --- the calls ------------------------------------------------------------------------------------

Rule = Callable[[Parameters, KmsKeys], Iterator[Need]]


def _on_table(action: str) -> Rule:
    def rule(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
        yield Need(action, _table_arn(parameters["TableName"]))

    return rule


def _on_tables(action: str) -> Rule:
    def rule(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
        for table in parameters["RequestItems"]:
            yield Need(action, _table_arn(table))

    return rule


def _tags(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    """By ARN; DynamoDB Local's names a region and an account of its own."""
    yield Need("dynamodb:ListTagsOfResource", _table_arn(parameters["ResourceArn"].rpartition("/")[2]))


def _table_arn(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def _scan(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    table, index = _table_arn(parameters["TableName"]), parameters.get("IndexName")
    yield Need("dynamodb:Scan", f"{table}/index/{index}" if index else table)


def _account_wide(action: str) -> Rule:
    def rule(_: Parameters, __: KmsKeys) -> Iterator[Need]:
        yield Need(action, "*")

    return rule


def _head_bucket(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    yield _list_bucket(parameters, None)


def _list_objects(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    yield _list_bucket(parameters, parameters.get("Prefix"))


def _list_uploads(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    yield Need("s3:ListBucketMultipartUploads", bucket_arn(parameters))  # it has no s3:prefix


def _read(parameters: Parameters, keys: KmsKeys) -> Iterator[Need]:
    arn = object_arn(parameters)
    yield Need("s3:GetObject", arn)
    if arn in keys:
        yield _kms("kms:Decrypt", keys[arn])


def _head(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    yield Need("s3:GetObject", object_arn(parameters))


def _begin_write(parameters: Parameters, keys: KmsKeys) -> Iterator[Need]:
    arn = object_arn(parameters)
    yield Need("s3:PutObject", arn)
    if parameters.get("ServerSideEncryption") == "aws:kms":
        keys[arn] = parameters["SSEKMSKeyId"]
        yield _kms("kms:GenerateDataKey", keys[arn])


def _go_on_writing(parameters: Parameters, keys: KmsKeys) -> Iterator[Need]:
    """Pieces of an encrypted upload are read again to be put together."""
    arn = object_arn(parameters)
    yield Need("s3:PutObject", arn)
    if arn in keys:
        yield _kms("kms:Decrypt", keys[arn])


def _abort(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    yield Need("s3:AbortMultipartUpload", object_arn(parameters))


def _delete(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    for entry in parameters["Delete"]["Objects"]:
        yield Need("s3:DeleteObject", object_arn(parameters, entry["Key"]))


CALLS: Mapping[tuple[str, str], Rule] = {
    ("cloudwatch", "GetMetricStatistics"): _account_wide("cloudwatch:GetMetricStatistics"),
    ("dynamodb", "BatchWriteItem"): _on_tables("dynamodb:BatchWriteItem"),
    ("dynamodb", "DeleteItem"): _on_table("dynamodb:DeleteItem"),
    ("dynamodb", "DescribeContinuousBackups"): _on_table("dynamodb:DescribeContinuousBackups"),
    ("dynamodb", "DescribeTable"): _on_table("dynamodb:DescribeTable"),
    ("dynamodb", "DescribeTimeToLive"): _on_table("dynamodb:DescribeTimeToLive"),
    ("dynamodb", "ListTagsOfResource"): _tags,
    ("dynamodb", "PutItem"): _on_table("dynamodb:PutItem"),
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
    ("service-quotas", "GetServiceQuota"): _account_wide("servicequotas:GetServiceQuota"),
}
