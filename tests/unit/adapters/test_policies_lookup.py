"""The policies of lookup loads: what each setting adds, leaves out and narrows."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.lookup_settings import unload_folder
from airflow_dynamo_pipeline.adapters.policies import ALL_POLICIES
from airflow_dynamo_pipeline.errors import InvalidRequest
from airflow_dynamo_pipeline.lookup.request import LookupRequest

SQL, REDSHIFT, ROLE = "SqlToDynamoDBOperator", "RedshiftToDynamoDBOperator", "what Redshift unloads by"
TARGET = {"table_name": "products", "s3_uri": "s3://backups/l"}
BELOW = "arn:aws:s3:::backups/l/_lookups/products/*"
KMS_KEY = "arn:aws:kms:eu-west-1:111122223333:key/k"
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop"


def statements(of: str, **given: object) -> dict[str, Any]:
    """By their ids."""
    document = ALL_POLICIES[of].document({**TARGET, **given})
    return {each["Sid"]: each for each in document["Statement"]}


def actions(of: str, **given: object) -> set[str]:
    return {action for each in statements(of, **given).values() for action in each["Action"]}


def test_objects_are_written_below_the_folder_of_the_table_alone() -> None:
    found = statements(SQL)

    assert BELOW == found["WriteRecords"]["Resource"]
    assert {"StringLike": {"s3:prefix": "l/_lookups/products/*"}} == found["ListObjects"]["Condition"]


@pytest.mark.parametrize(("of", "sid"), [(SQL, "WriteRecords"), (ROLE, "WriteFiles")])
def test_a_table_by_arn_has_the_folder_that_it_has_by_name(of: str, sid: str) -> None:
    by_arn = statements(of, table_name="arn:aws:dynamodb:eu-west-1:111122223333:table/products")

    assert statements(of)[sid]["Resource"] == by_arn[sid]["Resource"]


@pytest.mark.parametrize(
    ("given", "reads", "writes"),
    [
        ({}, ["BatchGetItem", "Scan"], ["BatchWriteItem", "DeleteItem", "PutItem"]),
        ({"mode": "upsert"}, ["BatchGetItem", "Scan"], ["BatchWriteItem", "PutItem"]),
        ({"mode": "insert_only"}, ["BatchGetItem", "Scan"], ["PutItem"]),
        ({"mode": "update_existing"}, ["BatchGetItem", "Scan"], ["PutItem"]),
        ({"generations": True}, ["BatchGetItem"], ["BatchWriteItem", "PutItem"]),
    ],
)
def test_a_load_may_read_and_write_in_its_own_way(
    given: dict[str, object], reads: list[str], writes: list[str]
) -> None:
    found = statements(SQL, **given)

    assert [f"dynamodb:{name}" for name in reads] == found["ReadItems"]["Action"]
    assert [f"dynamodb:{name}" for name in writes] == found["WriteItems"]["Action"]


def test_tags_and_capacity_are_left_out_where_they_are_not_read() -> None:
    left = actions(SQL) - actions(SQL, allow_protected=True, no_on_demand_ratio=True)

    assert {
        "dynamodb:ListTagsOfResource",
        "cloudwatch:GetMetricStatistics",
        "servicequotas:GetServiceQuota",
    } == left


def test_a_connection_to_redshift_needs_nothing_more_of_aws() -> None:
    assert statements(SQL) == statements(REDSHIFT)


@pytest.mark.parametrize(
    ("given", "login", "resources"),
    [
        (
            {"cluster_identifier": "c", "db_user": "u", "database": "dev"},
            "redshift:GetClusterCredentials",
            ["arn:aws:redshift:*:*:dbname:c/dev", "arn:aws:redshift:*:*:dbuser:c/u"],
        ),
        (
            {"cluster_identifier": "c"},
            "redshift:GetClusterCredentialsWithIAM",
            "arn:aws:redshift:*:*:dbname:c/*",
        ),
        (
            {"workgroup_name": "w"},
            "redshift-serverless:GetCredentials",
            "arn:aws:redshift-serverless:*:*:workgroup/*",
        ),
        ({"workgroup_name": "w", "secret_arn": SECRET}, "secretsmanager:GetSecretValue", SECRET),
    ],
)
def test_the_data_api_logs_in_as_the_load_says(
    given: dict[str, object], login: str, resources: object
) -> None:
    found = statements(REDSHIFT, **given)

    assert ([login], resources) == (found["LogIn"]["Action"], found["LogIn"]["Resource"])
    owner = {"redshift-data:statement-owner-iam-userid": "${aws:userid}"}
    assert {"StringEquals": owner} == found["SeeStatements"]["Condition"]


def test_a_cluster_is_the_only_one_that_statements_may_run_on() -> None:
    found = statements(REDSHIFT, cluster_identifier="c", region_name="eu-west-1", account_id="111122223333")

    assert "arn:aws:redshift:eu-west-1:111122223333:cluster:c" == found["RunStatements"]["Resource"]


def test_what_is_unloaded_may_be_read_by_its_own_key() -> None:
    found = statements(REDSHIFT, kms_key_id=KMS_KEY, s3_sse_kms_key_id="other")

    assert KMS_KEY in {each["Resource"] for each in found.values() if each["Action"] == ["kms:Decrypt"]}


def test_the_warehouse_writes_what_it_unloads_and_deletes_nothing() -> None:
    found = statements(ROLE, kms_key_id=KMS_KEY)

    assert ["s3:PutObject"] == found["WriteFiles"]["Action"]
    loads = [LookupRequest(**TARGET, sql="x", key_columns=["id"], dry_run=dry) for dry in (False, True)]  # type: ignore[arg-type]
    places = [f"arn:aws:s3:::backups/{unload_folder(load).prefix}/unload-*" for load in loads]
    assert places == found["WriteFiles"]["Resource"]
    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= actions(ROLE, kms_key_id=KMS_KEY)
    assert not {"s3:DeleteObject", "s3:GetObject"} & actions(ROLE)


@pytest.mark.parametrize("account", [None, "111122223333"])
def test_redshift_may_assume_the_role_for_the_account_that_is_named(account: str | None) -> None:
    (found,) = ALL_POLICIES[ROLE].document({"trust": True, "account_id": account})["Statement"]

    assert ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"] == found["Principal"]["Service"]
    expected = {"StringEquals": {"aws:SourceAccount": account}} if account else None
    assert expected == found.get("Condition")


@pytest.mark.parametrize(
    "given",
    [
        {"mode": "replace"},
        {"cluster_identifier": "a/b"},
        {"workgroup_name": "A B"},
        {"db_user": "a b"},
        {"secret_arn": "shop"},
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(given))):
        ALL_POLICIES[REDSHIFT].document({**TARGET, **given})
