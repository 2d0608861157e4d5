"""What a role must be allowed to load lookup tables, by any database and by Redshift.

Which resources the Redshift Data API's actions know is what AWS's Service Authorization Reference says; those
about one statement know none, and are held to the caller's own statements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_dynamo_pipeline.adapters.arns import ANY, Place, pattern
from airflow_dynamo_pipeline.adapters.policies_scans import QUOTAS
from airflow_dynamo_pipeline.adapters.policies_statements import (
    Given,
    Policy,
    Statement,
    Trust,
    list_objects,
    read_capacity,
    use_key,
    write_objects,
)
from airflow_dynamo_pipeline.adapters.policy_settings import PLACE
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.lookup.records import table_folder
from airflow_dynamo_pipeline.lookup.request import MODES

MIRROR = MODES[0]
CONDITIONAL = ("insert_only", "update_existing")  # each item is put under a condition
FOLDERS = ("scratch", "dry")  # of loads and of dry runs, as lookup.records.scratch_folder
REDSHIFT = ("redshift", "redshift-serverless")
OWN_STATEMENTS = {"StringEquals": {"redshift-data:statement-owner-iam-userid": "${aws:userid}"}}


def sql_lookup(given: Given, place: Place) -> Iterator[Statement]:
    """A load whose rows come by a connection."""
    table = place.table(given["table_name"])
    tags = () if given.get("allow_protected") else ("dynamodb:ListTagsOfResource",)
    yield Statement("DescribeTable", ("dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", *tags), table)
    yield Statement("ReadItems", tuple(_reads(given)), table)
    yield Statement("WriteItems", tuple(_writes(given)), table)
    if not given.get("no_on_demand_ratio"):
        yield read_capacity(QUOTAS)
    place_of = S3Location.parse(given["s3_uri"])
    below = _below(given)
    yield list_objects(place_of.bucket, below, place)
    yield from write_objects("WriteRecords", place_of.bucket, below, place)
    yield from use_key(given, place, "kms:Decrypt", "kms:GenerateDataKey")


def redshift_lookup(given: Given, place: Place) -> Iterator[Statement]:
    """A load whose rows come from Redshift; with a cluster or a workgroup by the Data API."""
    yield from sql_lookup(given, place)
    yield from use_key(given, place, "kms:Decrypt", setting="kms_key_id")  # of what is unloaded
    if "cluster_identifier" in given or "workgroup_name" in given:
        yield from _data_api(given, place)


def unload_role(given: Given, place: Place) -> Iterator[Statement]:
    """The role by which the warehouse itself writes; AWS knows it as ``IAM_ROLE`` of UNLOAD."""
    location = S3Location.parse(given["s3_uri"])
    table = table_folder(given["table_name"])
    keys = [pattern(location.key(table, folder)) + "/unload-*" for folder in FOLDERS]
    yield list_objects(location.bucket, keys, place)
    yield Statement("FindBucket", ("s3:GetBucketLocation",), place.bucket(location.bucket))
    files = [place.objects(location.bucket, key) for key in keys]
    yield Statement("WriteFiles", ("s3:PutObject",), files)
    yield from use_key(given, place, "kms:Decrypt", "kms:GenerateDataKey", setting="kms_key_id")


def _reads(given: Given) -> Iterator[str]:
    """Items are also read by their keys: the pointer, where rows are few, to see whether digests hold."""
    yield "dynamodb:BatchGetItem"
    if not given.get("generations"):
        yield "dynamodb:Scan"


def _writes(given: Given) -> Iterator[str]:
    """A batch that DynamoDB refuses, or leaves unprocessed for long, is written item by item."""
    mode = given.get("mode", MIRROR)
    if mode not in CONDITIONAL:
        yield "dynamodb:BatchWriteItem"
    if mode == MIRROR and not given.get("generations"):
        yield "dynamodb:DeleteItem"
    yield "dynamodb:PutItem"


def _below(given: Given) -> str:
    return pattern(S3Location.parse(given["s3_uri"]).key(table_folder(given["table_name"]))) + "/*"


def _data_api(given: Given, place: Place) -> Iterator[Statement]:
    cluster = given.get("cluster_identifier")
    if cluster is None:  # a workgroup's ARN has its id, which nobody knows by heart
        warehouse = place.arn("redshift-serverless", f"workgroup/{ANY}")
    else:
        warehouse = place.arn("redshift", f"cluster:{cluster}")
    yield Statement("RunStatements", ("redshift-data:ExecuteStatement",), warehouse)
    actions = ("CancelStatement", "DescribeStatement", "GetStatementResult")
    yield Statement("SeeStatements", tuple(f"redshift-data:{name}" for name in actions), ANY, OWN_STATEMENTS)
    yield _login(given, place, warehouse)


def _login(given: Given, place: Place, warehouse: str) -> Statement:
    """How the Data API logs in, in the caller's name."""
    cluster, database = given.get("cluster_identifier"), given.get("database", ANY)
    if "secret_arn" in given:
        return Statement("LogIn", ("secretsmanager:GetSecretValue",), given["secret_arn"])
    if cluster is None:
        return Statement("LogIn", ("redshift-serverless:GetCredentials",), warehouse)
    name = place.arn("redshift", f"dbname:{cluster}/{database}")
    if "db_user" in given:
        user = place.arn("redshift", f"dbuser:{cluster}/{given['db_user']}")
        return Statement("LogIn", ("redshift:GetClusterCredentials",), (name, user))
    return Statement("LogIn", ("redshift:GetClusterCredentialsWithIAM",), name)


def _by_redshift(_: Given, place: Place) -> Trust:
    """For warehouses of this account only, if it is named."""
    condition: dict[str, Mapping[str, str]] = {}
    if place.account_id != ANY:
        condition = {"StringEquals": {"aws:SourceAccount": place.account_id}}
    return Trust({"Service": tuple(f"{service}.amazonaws.com" for service in REDSHIFT)}, condition)


_SHARED = ("mode", "generations", "allow_protected", "s3_sse_kms_key_id", "no_on_demand_ratio")
_TARGET = (("table_name",), ("s3_uri",))
SQL_LOOKUP_POLICY = Policy(
    command="lookup", required=_TARGET, optional=(*_SHARED, *PLACE), statements=sql_lookup
)
REDSHIFT_LOOKUP_POLICY = Policy(
    command="redshift-lookup",
    required=_TARGET,
    optional=(
        *_SHARED,
        "kms_key_id",
        "cluster_identifier",
        "workgroup_name",
        "database",
        "db_user",
        "secret_arn",
        *PLACE,
    ),
    statements=redshift_lookup,
)
UNLOAD_ROLE_POLICY = Policy(
    command="redshift-unload-role",
    required=_TARGET,
    optional=("kms_key_id", *PLACE),
    statements=unload_role,
    trust=_by_redshift,
)
