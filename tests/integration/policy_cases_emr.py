"""A case for each call of ``policy_calls_emr``: what it needs, spelt out."""

from __future__ import annotations

from typing import Any

from tests.integration.policy_cases import OWNER, Case
from tests.integration.policy_needs import Need

CLUSTER = f"arn:aws:elasticmapreduce:{OWNER}:cluster/j-1"
VIRTUAL_CLUSTER = f"arn:aws:emr-containers:{OWNER}:/virtualclusters/vc1"
APPLICATION = f"arn:aws:emr-serverless:{OWNER}:/applications/app1"
TOPIC = f"arn:aws:sns:{OWNER}:notices"
JOB_ROLE = "arn:aws:iam::111122223333:role/Job"
CLEANUP_ROLE = (
    "arn:aws:iam::111122223333:role/aws-service-role/elasticmapreduce.amazonaws.com/"
    "AWSServiceRoleForEMRCleanup"
)
JOB: dict[str, Any] = {"applicationId": "app1", "jobRunId": "run1"}
MINE = {"elasticmapreduce:ResourceTag/team": ("data",)}


def _pass_role(role: str, service: str) -> Need:
    return Need("iam:PassRole", role, {"iam:PassedToService": (f"{service}.amazonaws.com",)})


EMR_CASES: list[Case] = [
    (
        "emr",
        "RunJobFlow",
        {
            "Name": "n",
            "Instances": {},
            "ServiceRole": "S",
            "JobFlowRole": "M",
            "Tags": [{"Key": "team", "Value": "data"}],
        },
        [
            Need("elasticmapreduce:RunJobFlow", "*", {"aws:RequestTag/team": ("data",)}),
            Need("elasticmapreduce:AddTags", f"arn:aws:elasticmapreduce:{OWNER}:cluster/j-NEW", MINE),
            _pass_role("arn:aws:iam::111122223333:role/S", "elasticmapreduce"),
            _pass_role("arn:aws:iam::111122223333:role/M", "ec2"),
            Need(
                "iam:CreateServiceLinkedRole",
                CLEANUP_ROLE,
                {"iam:AWSServiceName": ("elasticmapreduce.amazonaws.com",)},
            ),
        ],
    ),
    (
        "emr",
        "AddJobFlowSteps",
        {"JobFlowId": "j-1", "Steps": []},
        [Need("elasticmapreduce:AddJobFlowSteps", CLUSTER)],
    ),
    ("emr", "DescribeCluster", {"ClusterId": "j-1"}, [Need("elasticmapreduce:DescribeCluster", CLUSTER)]),
    (
        "emr",
        "CancelSteps",
        {"ClusterId": "j-1", "StepIds": ["s"]},
        [Need("elasticmapreduce:CancelSteps", CLUSTER)],
    ),
    ("emr", "ListSteps", {"ClusterId": "j-1"}, [Need("elasticmapreduce:ListSteps", CLUSTER)]),
    (
        "emr",
        "DescribeStep",
        {"ClusterId": "j-1", "StepId": "s"},
        [Need("elasticmapreduce:DescribeStep", CLUSTER)],
    ),
    (
        "emr",
        "TerminateJobFlows",
        {"JobFlowIds": ["j-1"]},
        [Need("elasticmapreduce:TerminateJobFlows", CLUSTER)],
    ),
    (
        "emr-serverless",
        "CancelJobRun",
        JOB,
        [Need("emr-serverless:CancelJobRun", f"{APPLICATION}/jobruns/run1")],
    ),
    ("emr-serverless", "GetJobRun", JOB, [Need("emr-serverless:GetJobRun", f"{APPLICATION}/jobruns/run1")]),
    (
        "emr-serverless",
        "GetApplication",
        {"applicationId": "app1"},
        [Need("emr-serverless:GetApplication", APPLICATION)],
    ),
    (
        "emr-serverless",
        "ListJobRuns",
        {"applicationId": "app1"},
        [Need("emr-serverless:ListJobRuns", APPLICATION)],
    ),
    (
        "emr-containers",
        "CancelJobRun",
        {"virtualClusterId": "vc1", "id": "run1"},
        [Need("emr-containers:CancelJobRun", f"{VIRTUAL_CLUSTER}/jobruns/run1")],
    ),
    (
        "emr-containers",
        "DescribeJobRun",
        {"virtualClusterId": "vc1", "id": "run1"},
        [Need("emr-containers:DescribeJobRun", f"{VIRTUAL_CLUSTER}/jobruns/run1")],
    ),
    (
        "emr-containers",
        "DescribeVirtualCluster",
        {"id": "vc1"},
        [Need("emr-containers:DescribeVirtualCluster", VIRTUAL_CLUSTER)],
    ),
    (
        "emr-containers",
        "ListJobRuns",
        {"virtualClusterId": "vc1"},
        [Need("emr-containers:ListJobRuns", VIRTUAL_CLUSTER)],
    ),
    (
        "emr-containers",
        "StartJobRun",
        {"virtualClusterId": "vc1", "clientToken": "t", "executionRoleArn": JOB_ROLE},
        [
            Need(
                "emr-containers:StartJobRun",
                VIRTUAL_CLUSTER,
                {"emr-containers:ExecutionRoleArn": (JOB_ROLE,)},
            )
        ],
    ),
    (
        "emr-serverless",
        "StartApplication",
        {"applicationId": "app1"},
        [Need("emr-serverless:StartApplication", APPLICATION)],
    ),
    (
        "emr-serverless",
        "StartJobRun",
        {
            "applicationId": "app1",
            "clientToken": "t",
            "executionRoleArn": JOB_ROLE,
        },
        [
            Need("emr-serverless:StartJobRun", APPLICATION),
            _pass_role(JOB_ROLE, "emr-serverless"),
        ],
    ),
    ("sns", "Publish", {"TargetArn": TOPIC, "Message": "m"}, [Need("sns:Publish", TOPIC)]),
]
