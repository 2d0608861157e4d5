"""A case for each call of ``policy_calls_redshift``: what it needs, spelt out."""

from __future__ import annotations

from typing import Any

from tests.integration.policy_cases import Case
from tests.integration.policy_needs import Need

OWNER = "us-east-1:111122223333"
CLUSTER = f"arn:aws:redshift:{OWNER}:cluster:analytics"
DATABASE = f"arn:aws:redshift:{OWNER}:dbname:analytics/dev"
USER = f"arn:aws:redshift:{OWNER}:dbuser:analytics/loader"
WORKGROUP = f"arn:aws:redshift-serverless:{OWNER}:workgroup/0f0f0f0f-1111-2222-3333-444444444444"
SECRET = f"arn:aws:secretsmanager:{OWNER}:secret:shop"
CALLER = {"redshift-data:statement-owner-iam-userid": ("${aws:userid}",)}
STATEMENT: dict[str, Any] = {"Database": "dev", "Sql": "select 1", "ClientToken": "t"}

REDSHIFT_CASES: list[Case] = [
    (
        "redshift-data",
        "ExecuteStatement",
        {**STATEMENT, "ClusterIdentifier": "analytics"},
        [
            Need("redshift-data:ExecuteStatement", CLUSTER),
            Need("redshift:GetClusterCredentialsWithIAM", DATABASE),
        ],
    ),
    (
        "redshift-data",
        "ExecuteStatement",
        {**STATEMENT, "ClusterIdentifier": "analytics", "DbUser": "loader"},
        [
            Need("redshift-data:ExecuteStatement", CLUSTER),
            Need("redshift:GetClusterCredentials", DATABASE),
            Need("redshift:GetClusterCredentials", USER),
        ],
    ),
    (
        "redshift-data",
        "ExecuteStatement",
        {**STATEMENT, "WorkgroupName": "nightly"},
        [
            Need("redshift-data:ExecuteStatement", WORKGROUP),
            Need("redshift-serverless:GetCredentials", WORKGROUP),
        ],
    ),
    (
        "redshift-data",
        "ExecuteStatement",
        {**STATEMENT, "WorkgroupName": "nightly", "SecretArn": SECRET},
        [
            Need("redshift-data:ExecuteStatement", WORKGROUP),
            Need("secretsmanager:GetSecretValue", SECRET),
        ],
    ),
    *(
        ("redshift-data", name, {"Id": "s"}, [Need(f"redshift-data:{name}", "*", CALLER)])
        for name in ("CancelStatement", "DescribeStatement", "GetStatementResult")
    ),
]
