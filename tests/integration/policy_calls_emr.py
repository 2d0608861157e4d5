"""What the calls of EMR, EMR Serverless and SNS need to be allowed.

From AWS's Service Authorization Reference, the Amazon EMR Management Guide and the Amazon EMR Serverless User
Guide. A cluster has the tags that the last one was made with; every account is one that never used EMR.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from tests.integration.policy_needs import ACCOUNT, KmsKeys, Need, Parameters, Rule, kms
from tests.services.clients import REGION

TAGS = "the tags of clusters"  # where they are remembered among the keys
CLEANUP = (
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/elasticmapreduce.amazonaws.com/AWSServiceRoleForEMRCleanup"
)


def _role(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:role/{name}"


def _pass_role(name: str, service: str) -> Need:
    return Need("iam:PassRole", _role(name), {"iam:PassedToService": (f"{service}.amazonaws.com",)})


def _tags(kind: str, tags: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {f"{kind}/{key}": (value,) for key, value in tags.items()}


def _on_cluster(action: str) -> Rule:
    def rule(parameters: Parameters, keys: KmsKeys) -> Iterator[Need]:
        for cluster in parameters.get("JobFlowIds") or [
            parameters.get("JobFlowId", parameters.get("ClusterId"))
        ]:
            tags = _tags("elasticmapreduce:ResourceTag", json.loads(keys.get(TAGS, "{}")))
            yield Need(action, f"arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:cluster/{cluster}", tags)

    return rule


def _run_job_flow(parameters: Parameters, keys: KmsKeys) -> Iterator[Need]:
    """Both roles are passed; tags and a policy are put on it; the role for cleaning up is made once."""
    tags = {each["Key"]: each["Value"] for each in parameters.get("Tags", ())}
    keys[TAGS] = json.dumps(tags)
    yield Need("elasticmapreduce:RunJobFlow", "*", _tags("aws:RequestTag", tags))
    if tags:
        yield from _on_cluster("elasticmapreduce:AddTags")({"ClusterId": "j-NEW"}, keys)
    if "AutoTerminationPolicy" in parameters:
        yield from _on_cluster("elasticmapreduce:PutAutoTerminationPolicy")({"ClusterId": "j-NEW"}, keys)
    yield _pass_role(parameters["ServiceRole"], "elasticmapreduce")
    yield _pass_role(parameters["JobFlowRole"], "ec2")
    yield Need(
        "iam:CreateServiceLinkedRole", CLEANUP, {"iam:AWSServiceName": ("elasticmapreduce.amazonaws.com",)}
    )


def _application_arn(parameters: Parameters) -> str:
    return f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/applications/{parameters['applicationId']}"


def _on_application(action: str) -> Rule:
    def rule(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
        yield Need(action, _application_arn(parameters))

    return rule


def _on_job_run(action: str) -> Rule:
    def rule(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
        yield Need(action, f"{_application_arn(parameters)}/jobruns/{parameters['jobRunId']}")

    return rule


def _virtual_cluster_arn(parameters: Parameters) -> str:
    cluster = parameters.get("virtualClusterId") or parameters["id"]
    return f"arn:aws:emr-containers:{REGION}:{ACCOUNT}:/virtualclusters/{cluster}"


def _on_virtual_cluster(action: str) -> Rule:
    def rule(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
        role = parameters.get("executionRoleArn")
        by = {"emr-containers:ExecutionRoleArn": (role,)} if role else {}
        yield Need(action, _virtual_cluster_arn(parameters), by)

    return rule


def _on_container_job(action: str) -> Rule:
    def rule(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
        yield Need(action, f"{_virtual_cluster_arn(parameters)}/jobruns/{parameters['id']}")

    return rule


def _start_job_run(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    yield Need("emr-serverless:StartJobRun", _application_arn(parameters))
    yield _pass_role(parameters["executionRoleArn"], "emr-serverless")


def _publish(parameters: Parameters, keys: KmsKeys) -> Iterator[Need]:
    """An encrypted topic takes its key in the caller's name."""
    topic = parameters.get("TopicArn") or parameters["TargetArn"]
    yield Need("sns:Publish", topic)
    if topic in keys:
        for action in ("kms:GenerateDataKey", "kms:Decrypt"):
            yield kms(action, keys[topic], "sns")


EMR_CALLS: Mapping[tuple[str, str], Rule] = {
    ("emr", "AddJobFlowSteps"): _on_cluster("elasticmapreduce:AddJobFlowSteps"),
    ("emr", "CancelSteps"): _on_cluster("elasticmapreduce:CancelSteps"),
    ("emr", "ListSteps"): _on_cluster("elasticmapreduce:ListSteps"),
    ("emr", "DescribeCluster"): _on_cluster("elasticmapreduce:DescribeCluster"),
    ("emr", "DescribeStep"): _on_cluster("elasticmapreduce:DescribeStep"),
    ("emr", "RunJobFlow"): _run_job_flow,
    ("emr", "TerminateJobFlows"): _on_cluster("elasticmapreduce:TerminateJobFlows"),
    ("emr-serverless", "CancelJobRun"): _on_job_run("emr-serverless:CancelJobRun"),
    ("emr-containers", "CancelJobRun"): _on_container_job("emr-containers:CancelJobRun"),
    ("emr-containers", "DescribeJobRun"): _on_container_job("emr-containers:DescribeJobRun"),
    ("emr-containers", "DescribeVirtualCluster"): _on_virtual_cluster(
        "emr-containers:DescribeVirtualCluster"
    ),
    ("emr-containers", "ListJobRuns"): _on_virtual_cluster("emr-containers:ListJobRuns"),
    ("emr-containers", "StartJobRun"): _on_virtual_cluster("emr-containers:StartJobRun"),
    ("emr-serverless", "ListJobRuns"): _on_application("emr-serverless:ListJobRuns"),
    ("emr-serverless", "GetApplication"): _on_application("emr-serverless:GetApplication"),
    ("emr-serverless", "GetJobRun"): _on_job_run("emr-serverless:GetJobRun"),
    ("emr-serverless", "StartApplication"): _on_application("emr-serverless:StartApplication"),
    ("emr-serverless", "StartJobRun"): _start_job_run,
    ("sns", "Publish"): _publish,
}
