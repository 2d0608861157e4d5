"""The roles of an EMR pipeline: what is passed to whom, who assumes what, in every partition."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.policies_emr import (
    PIPELINE_ROLE,
    RESOURCE_ROLE,
    SERVICE_ROLE_POLICY,
)
from airflow_dynamo_pipeline.adapters.policies_statements import Policy
from airflow_dynamo_pipeline.errors import InvalidRequest

ACCOUNT = "111122223333"
JOB: dict[str, Any] = {"table_name": "orders", "s3_uri": "s3://backups/orders"}


def statements(policy: Policy, **given: Any) -> dict[str, dict[str, Any]]:
    return {each["Sid"]: each for each in policy.document(given)["Statement"]}


def trust(policy: Policy, **given: Any) -> dict[str, Any]:
    only: dict[str, Any]
    (only,) = policy.document({"trust": True, **given})["Statement"]
    assert ("Allow", "sts:AssumeRole") == (only["Effect"], only["Action"])
    return only


def actions(found: dict[str, dict[str, Any]]) -> set[str]:
    return {action for each in found.values() for action in each["Action"]}


def test_the_role_of_a_serverless_job_is_all_that_is_printed() -> None:
    application = f"arn:aws:emr-serverless:eu-west-1:{ACCOUNT}:/applications/00f1"

    assert {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "UseApplication",
                "Effect": "Allow",
                "Action": [
                    "emr-serverless:GetApplication",
                    "emr-serverless:ListJobRuns",
                    "emr-serverless:StartApplication",
                    "emr-serverless:StartJobRun",
                ],
                "Resource": application,
            },
            {
                "Sid": "UseJobRuns",
                "Effect": "Allow",
                "Action": ["emr-serverless:CancelJobRun", "emr-serverless:GetJobRun"],
                "Resource": f"{application}/jobruns/*",
            },
            {
                "Sid": "PassJobRole",
                "Effect": "Allow",
                "Action": ["iam:PassRole"],
                "Resource": f"arn:aws:iam::{ACCOUNT}:role/Job",
                "Condition": {"StringLike": {"iam:PassedToService": "emr-serverless.amazonaws.com*"}},
            },
        ],
    } == PIPELINE_ROLE.document(
        {"job_role": "Job", "application_id": "00f1", "region_name": "eu-west-1", "account_id": ACCOUNT}
    )


def test_a_job_on_eks_works_by_no_role_but_the_one_that_is_named() -> None:
    found = statements(
        PIPELINE_ROLE, job_role="Job", virtual_cluster_id="vc1", region_name="eu-west-1", account_id=ACCOUNT
    )

    cluster = f"arn:aws:emr-containers:eu-west-1:{ACCOUNT}:/virtualclusters/vc1"
    assert {"UseVirtualCluster", "StartJobRun", "UseJobRuns"} == set(found)
    assert cluster == found["UseVirtualCluster"]["Resource"] == found["StartJobRun"]["Resource"]
    assert f"{cluster}/jobruns/*" == found["UseJobRuns"]["Resource"]
    role = {"emr-containers:ExecutionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/Job"}
    assert {"StringLike": role} == found["StartJobRun"]["Condition"]


def test_code_is_put_below_its_prefix_and_nowhere_else() -> None:
    found = statements(PIPELINE_ROLE, instance_role="Machines", code_s3_uri="s3://code/jobs")

    assert "arn:aws:s3:::code/jobs/*" == found["WriteCode"]["Resource"]
    assert ["s3:GetObject", "s3:PutObject"] == found["WriteCode"]["Action"]


def test_clusters_have_a_tag_of_ones_own() -> None:
    found = statements(PIPELINE_ROLE, instance_role="Machines", cluster_tag="team=data=1")

    asked = {"StringEquals": {"aws:RequestTag/team": "data=1"}}
    tagged = {"StringEquals": {"elasticmapreduce:ResourceTag/team": "data=1"}}
    assert asked == found["StartCluster"]["Condition"]
    assert tagged == found["UseCluster"]["Condition"] == found["TagCluster"]["Condition"]


def test_a_cluster_may_be_told_to_end_by_itself() -> None:
    found = statements(PIPELINE_ROLE, instance_role="Machines")

    assert "elasticmapreduce:PutAutoTerminationPolicy" in found["UseCluster"]["Action"]


def test_a_role_is_passed_by_the_arn_that_is_given() -> None:
    arn = f"arn:aws-cn:iam::{ACCOUNT}:role/teams/data/Machines"

    found = statements(PIPELINE_ROLE, instance_role=arn, service_role="EMR")

    assert arn == found["PassInstanceRole"]["Resource"]
    assert "arn:aws-cn:iam::*:role/EMR" == found["PassServiceRole"]["Resource"]
    assert "arn:aws-cn:elasticmapreduce:*:*:cluster/*" == found["UseCluster"]["Resource"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "instance_role or job_role: is required"),
        ({"instance_role": "M", "job_role": "J"}, "only one of them may be given"),
        ({"job_role": "J", "service_role": "S"}, "service_role: is for clusters"),
        ({"job_role": "J", "cluster_tag": "a=b"}, "cluster_tag: is for clusters"),
        ({"instance_role": "M", "application_id": "00f1"}, "application_id: is for EMR Serverless"),
        ({"job_role": "J", "application_id": "00f1", "virtual_cluster_id": "vc1"}, "only one of them"),
        ({"instance_role": "M", "cluster_tag": "team"}, "cluster_tag: 'team' is not key=value"),
        ({"instance_role": "two words"}, "is not the name or ARN of a role"),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, str], problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        PIPELINE_ROLE.document(given)


def test_a_job_that_only_exports_may_not_write_the_table() -> None:
    exporting, importing = (
        actions(statements(RESOURCE_ROLE, **JOB, job="export")),
        actions(statements(RESOURCE_ROLE, **JOB, job="import")),
    )

    assert ("dynamodb:Scan" in exporting, "dynamodb:Scan" in importing) == (True, False)
    assert ("dynamodb:PutItem" in exporting, "dynamodb:PutItem" in importing) == (False, True)
    assert exporting | importing == actions(statements(RESOURCE_ROLE, **JOB))


def test_an_index_is_scanned_and_not_its_table() -> None:
    found = statements(RESOURCE_ROLE, **JOB, index_name="by-shop")

    assert "arn:aws:dynamodb:*:*:table/orders/index/by-shop" == found["Scan"]["Resource"]


def test_logs_are_written_and_code_is_read_below_their_prefixes() -> None:
    found = statements(RESOURCE_ROLE, **JOB, log_uri="s3://logs/emr/", code_s3_uri="s3://code")

    assert "arn:aws:s3:::logs/emr/*" == found["WriteLogs"]["Resource"]
    assert ["s3:PutObject"] == found["WriteLogs"]["Action"]
    assert "arn:aws:s3:::code/*" == found["ReadCode"]["Resource"]
    assert {"StringLike": {"s3:prefix": "*"}} == found["ListObjectsOfCode"]["Condition"]


@pytest.mark.parametrize(
    ("policy", "given", "service"),
    [
        (PIPELINE_ROLE, {}, ["airflow.amazonaws.com", "airflow-env.amazonaws.com"]),
        (RESOURCE_ROLE, {}, "ec2.amazonaws.com"),
        (RESOURCE_ROLE, {"partition": "aws-cn"}, "ec2.amazonaws.com.cn"),
        (RESOURCE_ROLE, {"region_name": "cn-north-1"}, "ec2.amazonaws.com.cn"),
        (RESOURCE_ROLE, {"partition": "aws-us-gov"}, "ec2.amazonaws.com"),
        (RESOURCE_ROLE, {"serverless": True}, "emr-serverless.amazonaws.com"),
        (RESOURCE_ROLE, {"serverless": True, "partition": "aws-cn"}, "emr-serverless.amazonaws.com"),
        (SERVICE_ROLE_POLICY, {}, "elasticmapreduce.amazonaws.com"),
        (SERVICE_ROLE_POLICY, {"partition": "aws-cn"}, "elasticmapreduce.amazonaws.com.cn"),
    ],
)
def test_a_role_is_assumed_by_its_service(policy: Policy, given: dict[str, Any], service: object) -> None:
    made = trust(policy, **given)

    assert {"Service": service} == made["Principal"]
    assert "Condition" not in made


def test_a_role_is_assumed_by_the_role_that_is_named() -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/worker"

    assert {"AWS": role} == trust(PIPELINE_ROLE, trusted_role=role)["Principal"]


def test_a_service_assumes_a_role_for_the_named_account_only() -> None:
    of_account = {"aws:SourceAccount": ACCOUNT}

    assert {"StringEquals": of_account} == trust(PIPELINE_ROLE, account_id=ACCOUNT)["Condition"]
    assert {
        "StringEquals": of_account,
        "ArnLike": {"aws:SourceArn": f"arn:aws:elasticmapreduce:*:{ACCOUNT}:*"},
    } == trust(SERVICE_ROLE_POLICY, account_id=ACCOUNT)["Condition"]
    assert "Condition" not in trust(RESOURCE_ROLE, account_id=ACCOUNT)  # EC2 knows none


def test_the_service_role_may_pass_the_role_of_the_machines_to_them_alone() -> None:
    found = statements(SERVICE_ROLE_POLICY, instance_role="Machines")

    assert {"PassInstanceRole"} == set(found)
    assert "arn:aws:iam::*:role/Machines" == found["PassInstanceRole"]["Resource"]
    condition = {"StringLike": {"iam:PassedToService": "ec2.amazonaws.com*"}}
    assert condition == found["PassInstanceRole"]["Condition"]
