"""What a role must be allowed for each sensor, poked and deferred alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from airflow_dynamo_pipeline.adapters.arns import ANY, Place, bucket_and_key, pattern
from airflow_dynamo_pipeline.adapters.policies_statements import (
    Given,
    Policy,
    Statement,
    describe_table,
    list_objects,
    read_capacity,
    use_key,
)
from airflow_dynamo_pipeline.adapters.policy_settings import PLACE
from airflow_dynamo_pipeline.engine.conditions_exports import ExportWanted
from airflow_dynamo_pipeline.engine.layout import ROOT

GLOB = re.compile(r"[\[*?]")  # where the amazon provider's S3KeySensor cuts a wildcard key
MANIFEST = "manifest-summary"  # of it the JSON document and its checksum file


def _describe_backups(given: Given, place: Place) -> Iterator[Statement]:
    table = place.table(given["table_name"])
    yield Statement("DescribeBackups", ("dynamodb:DescribeContinuousBackups",), table)


def _data_exists(given: Given, place: Place) -> Iterator[Statement]:
    """DescribeTable tells a table that is being made from one that is missing."""
    actions = ("dynamodb:DescribeTable", "dynamodb:Scan")
    yield Statement("LookForItem", actions, place.table(given["table_name"]))


def _units_available(given: Given, place: Place) -> Iterator[Statement]:
    yield from describe_table(given, place)
    yield read_capacity("servicequotas:GetServiceQuota")


def _export_complete(given: Given, place: Place) -> Iterator[Statement]:
    if "export_arn" in given:
        yield Statement("LookAtExport", ("dynamodb:DescribeExport",), given["export_arn"])
        return
    wanted = ExportWanted(manifest_uri=given.get("manifest_uri"), s3_uri=given.get("s3_uri"))
    bucket = wanted.location.bucket
    if (layout := wanted.layout) is not None:
        listed = read = pattern(layout.key(MANIFEST)) + ANY
    else:
        folder = pattern(wanted.location.key(ROOT))
        listed, read = f"{folder}/*", f"{folder}/*/{MANIFEST}*"
    yield list_objects(bucket, listed, place)
    yield Statement("ReadManifests", ("s3:GetObject",), place.objects(bucket, read))
    yield from use_key(given, place, "kms:Decrypt")


def _s3_key_exists(given: Given, place: Place) -> Iterator[Statement]:
    uris = given["bucket_key"]
    for number, uri in enumerate(uris, start=1):
        which = str(number) if len(uris) > 1 else ""
        bucket, key = bucket_and_key(uri)
        if given.get("use_regex"):
            yield list_objects(bucket, "", place, which)  # the sensor looks at every key of the bucket
        elif given.get("wildcard_match"):
            # The star after it: what a template fills in may make the prefix longer.
            yield list_objects(bucket, pattern(GLOB.split(key, maxsplit=1)[0]) + ANY, place, which)
        else:
            yield list_objects(bucket, pattern(key), place, which)
            yield Statement(f"ReadObject{which}", ("s3:GetObject",), place.objects(bucket, pattern(key)))


def _s3_prefix_not_empty(given: Given, place: Place) -> Iterator[Statement]:
    bucket, prefix = bucket_and_key(given["s3_uri"])
    yield list_objects(bucket, pattern(prefix), place)


def _of_table(command: str, statements: Callable[[Given, Place], Iterator[Statement]]) -> Policy:
    return Policy(command=command, required=(("table_name",),), optional=PLACE, statements=statements)


SENSOR_POLICIES: Mapping[str, Policy] = {
    "DynamoDBTableExistsSensor": _of_table("table-exists", describe_table),
    "DynamoDBTableActiveSensor": _of_table("table-active", describe_table),
    "DynamoDBDataExistsSensor": _of_table("data-exists", _data_exists),
    "DynamoDBProvisionedModeSensor": _of_table("provisioned-mode", describe_table),
    "DynamoDBPointInTimeRecoverySensor": _of_table("point-in-time-recovery", _describe_backups),
    "DynamoDBStreamEnabledSensor": _of_table("stream-enabled", describe_table),
    "DynamoDBUnitsAvailableSensor": _of_table("units-available", _units_available),
    "DynamoDBExportSensor": Policy(
        command="export-complete",
        required=(("manifest_uri", "s3_uri", "export_arn"),),
        optional=("s3_sse_kms_key_id", *PLACE),
        statements=_export_complete,
    ),
    "S3KeyExistsSensor": Policy(
        command="s3-key-exists",
        required=(("bucket_key",),),
        optional=("wildcard_match", "use_regex", "partition"),
        statements=_s3_key_exists,
    ),
    "S3PrefixNotEmptySensor": Policy(
        command="s3-prefix-not-empty",
        required=(("s3_uri",),),
        optional=("partition",),
        statements=_s3_prefix_not_empty,
    ),
}
