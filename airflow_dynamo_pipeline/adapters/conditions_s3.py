"""Looks at S3: keys, prefixes and exports, these also as DynamoDB's own jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.conditions_look import Clients
from airflow_dynamo_pipeline.adapters.native_jobs import describe_export, export_state
from airflow_dynamo_pipeline.adapters.s3 import S3Store
from airflow_dynamo_pipeline.engine import conditions_exports, conditions_s3
from airflow_dynamo_pipeline.engine.conditions import Verdict
from airflow_dynamo_pipeline.engine.conditions_exports import ExportWanted
from airflow_dynamo_pipeline.engine.conditions_s3 import BY_NAME, MATCHES, S3Place
from airflow_dynamo_pipeline.engine.settings import one_of
from airflow_dynamo_pipeline.errors import NotFound

ABSENT = ("404", "NoSuchKey", "NotFound")
NO_BUCKET = ("404", "NoSuchBucket")
UNSAID = "400"  # expired credentials, or an encrypted object: HEAD has no body to say which, a listing has
KEY_ACTIONS = "s3:GetObject and s3:ListBucket"


def keys_exist(clients: Clients, arguments: Mapping[str, Any]) -> Verdict:
    """Look for every key, or for one key that matches each pattern; raises NotFound for a missing bucket."""
    client = clients["s3"]
    match = one_of(*MATCHES)("match", arguments.get("match", BY_NAME))
    wanted = [
        (place, conditions_s3.matcher(place.key, match)) for place in map(_key_place, arguments["uris"])
    ]
    with translated(KEY_ACTIONS, ", ".join(str(place) for place, _ in wanted)):
        found = {
            place: _has_key(client, place)
            if match == BY_NAME
            else any(
                matches(entry["Key"])
                for entry in _listed(client, place.bucket, conditions_s3.listing_prefix(place.key, match))
            )
            for place, matches in wanted
        }
    for bucket in sorted({place.bucket for place, is_there in found.items() if not is_there}):
        _check_bucket(client, bucket)
    return conditions_s3.keys_exist(found)


def prefix_not_empty(clients: Clients, arguments: Mapping[str, Any]) -> Verdict:
    """Look for an object below a prefix that is more than a folder's mark."""
    place = S3Place.parse(arguments["s3_uri"], "s3_uri")
    with translated("s3:ListBucket", f"bucket {place.bucket}"):
        key = next(
            (
                entry["Key"]
                for entry in _listed(clients["s3"], place.bucket, place.key)
                if not conditions_s3.is_folder_mark(entry["Key"], int(entry["Size"]))
            ),
            None,
        )
    return conditions_s3.prefix_not_empty(place, key)


def export_complete(clients: Clients, arguments: Mapping[str, Any]) -> Verdict:
    """Look at an export's manifest and its checksum, or ask DynamoDB about its own job."""
    wanted = ExportWanted.from_settings(arguments)
    if wanted.export_arn is not None:
        return _native_export(clients["dynamodb"], wanted.export_arn)
    store = S3Store(clients["s3"], wanted.location.bucket)
    layout = wanted.layout
    if layout is not None:
        return conditions_exports.manifest_complete(layout, store)
    return conditions_exports.any_complete(wanted, store)


def _key_place(uri: object) -> S3Place:
    return S3Place.parse(uri, "bucket_key")


def _has_key(client: Any, place: S3Place) -> bool:
    try:
        client.head_object(Bucket=place.bucket, Key=place.key)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ABSENT:
            return False
        if code != UNSAID:
            raise
        return any(entry["Key"] == place.key for entry in _listed(client, place.bucket, place.key))
    return True


def _listed(client: Any, bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    """Objects by key; pages are read as they are wanted."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", ())


def _check_bucket(client: Any, bucket: str) -> None:
    """Raise NotFound when there is no such bucket; the look at the keys tells whatever else is wrong."""
    with translated("s3:ListBucket", f"bucket {bucket}"):
        try:
            client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] in NO_BUCKET:
                raise NotFound("bucket", bucket, "check the name and the region") from error


def _native_export(client: Any, arn: str) -> Verdict:
    described = describe_export(client, arn)
    manifest_key = described.get("ExportManifest")
    value = {
        "export_arn": arn,
        "manifest_uri": f"s3://{described['S3Bucket']}/{manifest_key}" if manifest_key else None,
        "item_count": described.get("ItemCount"),
        "billed_bytes": described.get("BilledSizeBytes"),
    }
    return conditions_exports.native_export(export_state(described), value)
