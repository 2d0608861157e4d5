"""What a role must be allowed to export by scans, import and verify."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_dynamo_pipeline.adapters.arns import ANY, Place, pattern
from airflow_dynamo_pipeline.adapters.policies_native_export import native_export
from airflow_dynamo_pipeline.adapters.policies_statements import (
    Given,
    Statement,
    describe_table,
    list_objects,
    read_capacity,
    use_key,
    write_objects,
)
from airflow_dynamo_pipeline.adapters.policies_tables import save_definition
from airflow_dynamo_pipeline.engine.import_place import FOLDER, MANIFESTS
from airflow_dynamo_pipeline.engine.import_request import ON_CONFLICT
from airflow_dynamo_pipeline.engine.layout import ROOT
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.verify import layout_of

QUOTAS = "servicequotas:GetServiceQuota"
OVERWRITE = ON_CONFLICT[0]
SINGLE_WRITES = ("dynamodb:PutItem",)  # each item under a condition
WRITES = {OVERWRITE: ("dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:PutItem")}


def export(given: Given, place: Place) -> Iterator[Statement]:
    """An export by a scan; with ``method="auto"`` also what its planner looks at and may begin."""
    yield from _read_table(given, place)
    location = S3Location.parse(given["s3_uri"])
    below = pattern(location.key(ROOT)) + "/*"
    yield list_objects(location.bucket, below, place)
    yield from write_objects("WriteExports", location.bucket, below, place)
    yield from use_key(given, place, "kms:Decrypt", "kms:GenerateDataKey")
    if given.get("method") == "auto":
        yield read_capacity()  # how much was written since the last export
        yield from native_export(given, place)
    if given.get("save_table_definition"):
        yield from save_definition(given, place)


def import_(given: Given, place: Place) -> Iterator[Statement]:
    """An import into a table that is there."""
    table = place.table(given["table_name"])
    looks = ("dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive")
    tags = () if given.get("allow_protected") else ("dynamodb:ListTagsOfResource",)
    yield Statement("DescribeTable", (*looks, *tags), table)
    yield Statement("WriteItems", WRITES.get(given.get("on_conflict", OVERWRITE), SINGLE_WRITES), table)
    if not given.get("no_on_demand_ratio"):
        yield read_capacity(QUOTAS)
    source = _folder(S3Location.parse(given["s3_uri"]))
    yield list_objects(source.bucket, _at_and_below(source), place)
    yield Statement("ReadBackup", ("s3:GetObject",), place.objects(source.bucket, _below(source)))
    records = S3Location.parse(given["rejects_s3_uri"]) if "rejects_s3_uri" in given else source
    below = pattern(records.key(FOLDER)) + "/*"
    if records != source:
        yield list_objects(records.bucket, below, place, "OfImports")
    yield from write_objects("WriteRecords", records.bucket, below, place)
    yield from use_key(given, place, "kms:Decrypt", "kms:GenerateDataKey")


def verify(given: Given, place: Place) -> Iterator[Statement]:
    """A check of exports, and of the table they are of if one is named."""
    if "table_name" in given:
        yield from _read_table(given, place)
    if "manifest_uri" in given:
        layout = layout_of(given["manifest_uri"])
        bucket, below = layout.location.bucket, pattern(layout.key()) + "/*"
    else:
        location = S3Location.parse(given["s3_uri"])
        bucket, below = location.bucket, pattern(location.key(ROOT)) + "/*"
    yield list_objects(bucket, below, place)
    yield Statement("ReadExports", ("s3:GetObject",), place.objects(bucket, below))
    yield from use_key(given, place, "kms:Decrypt")


def _read_table(given: Given, place: Place) -> Iterator[Statement]:
    table, index = given["table_name"], given.get("index_name")
    yield from describe_table(given, place)
    scanned = place.index(table, index) if index else place.table(table)
    yield Statement("Scan", ("dynamodb:Scan",), scanned)
    if not given.get("no_on_demand_ratio"):
        yield read_capacity(QUOTAS)


def _folder(location: S3Location) -> S3Location:
    """The folder of a manifest; else the location, which is one."""
    folder, _, name = location.prefix.rpartition("/")
    return S3Location(location.bucket, folder) if name in MANIFESTS else location


def _below(location: S3Location) -> str:
    return pattern(f"{location.prefix}/*" if location.prefix else ANY)


def _at_and_below(location: S3Location) -> str | tuple[str, ...]:
    """A folder is also looked for without a slash, because it might be a file."""
    return (pattern(location.prefix), _below(location)) if location.prefix else ANY
