"""The least a role must be allowed for each operator and sensor, as IAM policies.

Which action allows which call is what AWS's Service Authorization Reference says ("Actions, resources,
and condition keys for Amazon S3", "... DynamoDB", and so on) and, for multipart uploads, the Amazon S3
User Guide ("Multipart upload API and permissions"):

- ``s3:PutObject``: PutObject, CreateMultipartUpload, UploadPart, CompleteMultipartUpload;
- ``s3:GetObject``: GetObject, HeadObject;
- ``s3:DeleteObject``: DeleteObjects, for each of its keys;
- ``s3:ListBucket``: ListObjectsV2, HeadBucket; and without it S3 answers "access denied" instead of
  "no such key" when an object is not there;
- ``s3:ListBucketMultipartUploads``: ListMultipartUploads; it knows no ``s3:prefix``;
- ``dynamodb:Scan`` of an index: the index alone, not its table;
- ``dynamodb:BatchWriteItem``: puts and deletions in batches, without the actions of single ones;
- ``kms:GenerateDataKey``: to write with a key; ``kms:Decrypt``: to read, and to write in pieces.

``tests/integration/test_policies.py`` runs every operator under its policy, and without each action of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_dynamo_pipeline.adapters.arns import ANY, Place, bucket_and_key, pattern
from airflow_dynamo_pipeline.adapters.policy_settings import PLACE, SETTINGS, Group, read
from airflow_dynamo_pipeline.engine.import_place import FOLDER, MANIFESTS
from airflow_dynamo_pipeline.engine.import_request import ON_CONFLICT
from airflow_dynamo_pipeline.engine.layout import ROOT
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.verify import layout_of

VERSION = "2012-10-17"  # of the policy language, the newest
GLOB = re.compile(r"[\[*?]")  # where the amazon provider's S3KeySensor cuts a wildcard key

OVERWRITE = ON_CONFLICT[0]
SINGLE_WRITES = ("dynamodb:PutItem",)  # each item under a condition
WRITES = {OVERWRITE: ("dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:PutItem")}

Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """Some actions, allowed on some resources."""

    sid: str
    actions: tuple[str, ...]
    resource: str
    condition: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """The statement as a policy holds it."""
        made: JsonObject = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": sorted(self.actions),
            "Resource": self.resource,
        }
        return made | ({"Condition": self.condition} if self.condition else {})


# --- the statements -------------------------------------------------------------------------------


def _export(given: Given, place: Place) -> Iterator[Statement]:
    yield from _read_table(given, place)
    location = S3Location.parse(given["s3_uri"])
    below = pattern(location.key(ROOT)) + "/*"
    yield _list_objects(location.bucket, below, place)
    yield from _write_objects("WriteExports", location.bucket, below, place)
    yield from _use_key(given, place, "kms:Decrypt", "kms:GenerateDataKey")


def _import(given: Given, place: Place) -> Iterator[Statement]:
    table = place.table(given["table_name"])
    looks = ("dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive")
    tags = () if given.get("allow_protected") else ("dynamodb:ListTagsOfResource",)
    yield Statement("DescribeTable", (*looks, *tags), table)
    yield Statement("WriteItems", WRITES.get(given.get("on_conflict", OVERWRITE), SINGLE_WRITES), table)
    if not given.get("no_on_demand_ratio"):
        yield from _capacity()
    source = _folder(S3Location.parse(given["s3_uri"]))
    yield _list_objects(source.bucket, _at_and_below(source), place)
    yield Statement("ReadBackup", ("s3:GetObject",), place.objects(source.bucket, _below(source)))
    records = S3Location.parse(given["rejects_s3_uri"]) if "rejects_s3_uri" in given else source
    below = pattern(records.key(FOLDER)) + "/*"
    if records != source:
        yield _list_objects(records.bucket, below, place, "OfImports")
    yield from _write_objects("WriteRecords", records.bucket, below, place)
    yield from _use_key(given, place, "kms:Decrypt", "kms:GenerateDataKey")


def _folder(location: S3Location) -> S3Location:
    """The folder of a manifest; else the location, which is one."""
    folder, _, name = location.prefix.rpartition("/")
    return S3Location(location.bucket, folder) if name in MANIFESTS else location


def _below(location: S3Location) -> str:
    return pattern(f"{location.prefix}/*" if location.prefix else ANY)


def _at_and_below(location: S3Location) -> str | tuple[str, ...]:
    """A folder is also looked for without a slash, because it might be a file."""
    return (pattern(location.prefix), _below(location)) if location.prefix else ANY


def _read_table(given: Given, place: Place) -> Iterator[Statement]:
    table, index = given["table_name"], given.get("index_name")
    yield from _describe_table(given, place)
    scanned = place.index(table, index) if index else place.table(table)
    yield Statement("Scan", ("dynamodb:Scan",), scanned)
    if not given.get("no_on_demand_ratio"):
        yield from _capacity()


def _verify(given: Given, place: Place) -> Iterator[Statement]:
    if "table_name" in given:
        yield from _read_table(given, place)
    if "manifest_uri" in given:
        layout = layout_of(given["manifest_uri"])
        bucket, below = layout.location.bucket, pattern(layout.key()) + "/*"
    else:
        location = S3Location.parse(given["s3_uri"])
        bucket, below = location.bucket, pattern(location.key(ROOT)) + "/*"
    yield _list_objects(bucket, below, place)
    yield Statement("ReadExports", ("s3:GetObject",), place.objects(bucket, below))
    yield from _use_key(given, place, "kms:Decrypt")


def _s3_key_exists(given: Given, place: Place) -> Iterator[Statement]:
    uris = given["bucket_key"]
    for number, uri in enumerate(uris, start=1):
        which = str(number) if len(uris) > 1 else ""
        bucket, key = bucket_and_key(uri)
        if given.get("use_regex"):
            yield _list_objects(bucket, "", place, which)  # the sensor looks at every key of the bucket
        elif given.get("wildcard_match"):
            # The star after it: what a template fills in may make the prefix longer.
            yield _list_objects(bucket, pattern(GLOB.split(key, maxsplit=1)[0]) + ANY, place, which)
        else:
            yield _list_objects(bucket, pattern(key), place, which)
            yield Statement(f"ReadObject{which}", ("s3:GetObject",), place.objects(bucket, pattern(key)))


def _describe_table(given: Given, place: Place) -> Iterator[Statement]:
    yield Statement("DescribeTable", ("dynamodb:DescribeTable",), place.table(given["table_name"]))


def _describe_backups(given: Given, place: Place) -> Iterator[Statement]:
    table = place.table(given["table_name"])
    yield Statement("DescribeBackups", ("dynamodb:DescribeContinuousBackups",), table)


def _capacity() -> Iterator[Statement]:
    """CloudWatch's action knows no resource. Service Quotas' knows one since 2026 only, if any is given."""
    actions = ("cloudwatch:GetMetricStatistics", "servicequotas:GetServiceQuota")
    yield Statement("ReadOnDemandCapacity", actions, ANY)


def _write_objects(sid: str, bucket: str, keys: str, place: Place) -> Iterator[Statement]:
    yield Statement("ListUploads", ("s3:ListBucketMultipartUploads",), place.bucket(bucket))
    actions = ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject")
    yield Statement(sid, actions, place.objects(bucket, keys))


def _list_objects(bucket: str, prefixes: str | Sequence[str], place: Place, which: str = "") -> Statement:
    """Listing, and being told that an object is not there, below some prefixes and nowhere else.

    To S3 the key of an object that is not there is an ``s3:prefix``, too. HeadBucket has none: it is denied,
    and the reply names the bucket's region all the same, which is all that is wanted of it.
    """
    condition = {"StringLike": {"s3:prefix": prefixes if isinstance(prefixes, str) else list(prefixes)}}
    return Statement(f"ListObjects{which}", ("s3:ListBucket",), place.bucket(bucket), condition)


def _use_key(given: Given, place: Place, *actions: str) -> Iterator[Statement]:
    """The key through S3 only: nothing here calls KMS itself."""
    if "s3_sse_kms_key_id" in given:
        key, alias = place.kms_key(given["s3_sse_kms_key_id"])
        condition = {"StringLike": {"kms:ViaService": f"s3.{place.region_name}.*"}}
        if alias:
            condition["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": alias}
        yield Statement("UseKeyThroughS3", actions, key, condition)


# --- the table ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How the policy of one operator or sensor is made."""

    command: str  # of dynamo-pipeline iam-policy
    required: tuple[Group, ...]
    optional: tuple[str, ...]
    statements: Callable[[Given, Place], Iterator[Statement]]

    @property
    def settings(self) -> tuple[str, ...]:
        """Every setting it takes, in the order of the help."""
        return (*(name for group in self.required for name in group), *self.optional)

    def document(self, given: Mapping[str, object]) -> JsonObject:
        """The policy for these settings; raises InvalidRequest with every problem found."""
        found, place = read(self.required, self.optional, given)
        return {
            "Version": VERSION,
            "Statement": [statement.to_json() for statement in self.statements(found, place)],
        }


POLICIES: Mapping[str, Policy] = {
    "DynamoDBExportOperator": Policy(
        command="export",
        required=(("table_name",), ("s3_uri",)),
        optional=("index_name", "s3_sse_kms_key_id", "no_on_demand_ratio", *PLACE),
        statements=_export,
    ),
    "DynamoDBImportOperator": Policy(
        command="import",
        required=(("table_name",), ("s3_uri",)),
        optional=(
            "rejects_s3_uri",
            "on_conflict",
            "allow_protected",
            "s3_sse_kms_key_id",
            "no_on_demand_ratio",
            *PLACE,
        ),
        statements=_import,
    ),
    "DynamoDBVerifyOperator": Policy(
        command="verify",
        required=(("manifest_uri", "s3_uri"),),
        optional=("table_name", "s3_sse_kms_key_id", "no_on_demand_ratio", *PLACE),
        statements=_verify,
    ),
    "DynamoDBProvisionedModeSensor": Policy(
        command="provisioned-mode",
        required=(("table_name",),),
        optional=PLACE,
        statements=_describe_table,
    ),
    "DynamoDBPointInTimeRecoverySensor": Policy(
        command="point-in-time-recovery",
        required=(("table_name",),),
        optional=PLACE,
        statements=_describe_backups,
    ),
    "S3KeyExistsSensor": Policy(
        command="s3-key-exists",
        required=(("bucket_key",),),
        optional=("wildcard_match", "use_regex", "partition"),
        statements=_s3_key_exists,
    ),
}

assert {name for policy in POLICIES.values() for name in policy.settings} == set(SETTINGS)  # noqa: S101
