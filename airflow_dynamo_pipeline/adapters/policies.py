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

from collections.abc import Mapping

from airflow_dynamo_pipeline.adapters.policies_capacity import CAPACITY_POLICY
from airflow_dynamo_pipeline.adapters.policies_emr import EMR_POLICIES
from airflow_dynamo_pipeline.adapters.policies_emr_jobs import EMR_JOB_POLICIES
from airflow_dynamo_pipeline.adapters.policies_lookup import (
    REDSHIFT_LOOKUP_POLICY,
    SQL_LOOKUP_POLICY,
    UNLOAD_ROLE_POLICY,
)
from airflow_dynamo_pipeline.adapters.policies_native_export import NATIVE_EXPORT_POLICY
from airflow_dynamo_pipeline.adapters.policies_native_import import NATIVE_IMPORT_POLICY
from airflow_dynamo_pipeline.adapters.policies_notices import NOTICE_POLICY
from airflow_dynamo_pipeline.adapters.policies_scans import export, import_, verify
from airflow_dynamo_pipeline.adapters.policies_sensors import SENSOR_POLICIES
from airflow_dynamo_pipeline.adapters.policies_statements import Policy
from airflow_dynamo_pipeline.adapters.policies_tables import TABLE_POLICIES
from airflow_dynamo_pipeline.adapters.policy_settings import PLACE, SETTINGS

POLICIES: Mapping[str, Policy] = {
    "DynamoDBExportOperator": Policy(
        command="export",
        required=(("table_name",), ("s3_uri",)),
        optional=(
            "index_name",
            "method",
            "save_table_definition",
            "s3_sse_kms_key_id",
            "no_on_demand_ratio",
            *PLACE,
        ),
        statements=export,
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
        statements=import_,
    ),
    "DynamoDBVerifyOperator": Policy(
        command="verify",
        required=(("manifest_uri", "s3_uri"),),
        optional=("table_name", "s3_sse_kms_key_id", "no_on_demand_ratio", *PLACE),
        statements=verify,
    ),
    "DynamoDBPointInTimeExportOperator": NATIVE_EXPORT_POLICY,
    "DynamoDBTableImportOperator": NATIVE_IMPORT_POLICY,
    "DynamoDBCapacityModeOperator": CAPACITY_POLICY,
    "SqlToDynamoDBOperator": SQL_LOOKUP_POLICY,
    "RedshiftToDynamoDBOperator": REDSHIFT_LOOKUP_POLICY,
    **EMR_JOB_POLICIES,
    **SENSOR_POLICIES,
}
"""By the name of the operator or sensor."""

SHARED_POLICIES: Mapping[str, str] = {
    f"DynamoDB{work}{step}Operator": f"DynamoDB{work}Operator"
    for work in ("Export", "Import")
    for step in ("Plan", "Range", "Commit")
}
"""Operators that do a part of another's work, by name: they work under its policy."""

MORE_POLICIES: Mapping[str, Policy] = {
    **TABLE_POLICIES,
    "notices through SNS": NOTICE_POLICY,
    "what Redshift unloads by": UNLOAD_ROLE_POLICY,
    **EMR_POLICIES,
}
"""By what they are for."""

ALL_POLICIES = {**POLICIES, **MORE_POLICIES}

assert {name for policy in ALL_POLICIES.values() for name in policy.settings} == set(SETTINGS)  # noqa: S101
