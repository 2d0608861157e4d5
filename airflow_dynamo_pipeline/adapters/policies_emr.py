"""The roles of an EMR pipeline, successors of DataPipelineDefaultRole and DataPipelineDefaultResourceRole.

The old pipeline role was three things in one, which are three roles here: who starts clusters and steps (the
role of the Airflow task, ``emr-pipeline-role``), who makes the machines (``emr-service-role``), and what runs
on them (``emr-resource-role``).

Which action allows which call is what AWS's Service Authorization Reference says for Amazon Elastic
MapReduce, Amazon EMR Serverless and Amazon EMR on EKS. RunJobFlow knows no resource, only the tags that are
asked for. That a cluster with tags also takes AddTags, and one that is to end by itself
PutAutoTerminationPolicy, the services in ``iam:PassedToService`` and the role for cleaning up are from the
Amazon EMR Management Guide ("IAM policies for tag-based access to clusters and EMR notebooks", "Using an
auto-termination policy", "Using service-linked roles for Amazon EMR"), the pass to a job's role from the
Amazon EMR Serverless User Guide ("Job runtime roles").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_dynamo_pipeline.adapters.arns import ANY, Place, pattern
from airflow_dynamo_pipeline.adapters.policies_scans import export, import_
from airflow_dynamo_pipeline.adapters.policies_statements import (
    Given,
    Policy,
    Statement,
    Trust,
    list_objects,
)
from airflow_dynamo_pipeline.adapters.policy_settings import PLACE
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem

SERVICE_ROLE = "EMR_DefaultRole_V2"
TAG = "for-use-with-amazon-emr-managed-policies=true"  # AmazonEMRServicePolicy_v2 wants it
CLEANUP = "role/aws-service-role/elasticmapreduce.amazonaws.com*/AWSServiceRoleForEMRCleanup*"
EMR, EC2, SERVERLESS, CONTAINERS = "elasticmapreduce", "ec2", "emr-serverless", "emr-containers"
AIRFLOW = ("airflow.amazonaws.com", "airflow-env.amazonaws.com")  # an environment of Amazon MWAA
OF_CLUSTERS = ("service_role", "cluster_tag")
OF_JOBS = ("application_id", "virtual_cluster_id")  # EMR Serverless, or EMR on EKS
ON_CLUSTER = (
    "elasticmapreduce:AddJobFlowSteps",
    "elasticmapreduce:CancelSteps",
    "elasticmapreduce:DescribeCluster",
    "elasticmapreduce:DescribeStep",
    "elasticmapreduce:ListSteps",
    "elasticmapreduce:PutAutoTerminationPolicy",
    "elasticmapreduce:TerminateJobFlows",
)
ON_APPLICATION = (
    "emr-serverless:GetApplication",
    "emr-serverless:ListJobRuns",
    "emr-serverless:StartApplication",
    "emr-serverless:StartJobRun",
)
ON_JOB_RUN = ("emr-serverless:CancelJobRun", "emr-serverless:GetJobRun")
ON_VIRTUAL_CLUSTER = ("emr-containers:DescribeVirtualCluster", "emr-containers:ListJobRuns")
ON_CONTAINER_JOB = ("emr-containers:CancelJobRun", "emr-containers:DescribeJobRun")


# --- who starts clusters, steps and jobs ----------------------------------------------------------


def _pipeline(given: Given, place: Place) -> Iterator[Statement]:
    """Clusters if their machines' role is given; EKS if a virtual cluster is named; else EMR Serverless."""
    on_clusters = "instance_role" in given
    strange = [name for name in (OF_JOBS if on_clusters else OF_CLUSTERS) if name in given]
    if strange:
        only = "EMR Serverless or EKS: give job_role" if on_clusters else "clusters: give instance_role"
        raise InvalidRequest([Problem(name, f"is for {only}") for name in strange])
    if all(name in given for name in OF_JOBS):
        raise InvalidRequest([Problem(" and ".join(OF_JOBS), "only one of them may be given")])
    if on_clusters:
        yield from _clusters(given, place)
    else:
        yield from (on_containers if "virtual_cluster_id" in given else _serverless)(given, place)
    if "code_s3_uri" in given:
        yield from write_code(given, place)


def write_code(given: Given, place: Place) -> Iterator[Statement]:
    """Putting the code and the documents of jobs where a task puts them, once."""
    bucket, below = _all_below(given["code_s3_uri"])
    yield list_objects(bucket, below, place, "OfCode")
    yield Statement("WriteCode", ("s3:GetObject", "s3:PutObject"), place.objects(bucket, below))


def tag_condition(given: Given) -> Mapping[str, Mapping[str, str]]:
    """Only clusters that have the tag."""
    key, _, value = given.get("cluster_tag", TAG).partition("=")
    return {"StringEquals": {f"elasticmapreduce:ResourceTag/{key}": value}}


def _clusters(given: Given, place: Place) -> Iterator[Statement]:
    key, _, value = given.get("cluster_tag", TAG).partition("=")
    asked = {"StringEquals": {f"aws:RequestTag/{key}": value}}
    tagged = tag_condition(given)
    clusters = emr_arn(EMR, f"cluster/{ANY}", place)
    yield Statement("StartCluster", ("elasticmapreduce:RunJobFlow",), ANY, asked)
    yield Statement("TagCluster", ("elasticmapreduce:AddTags",), clusters, tagged)
    yield Statement("UseCluster", ON_CLUSTER, clusters, tagged)
    yield pass_role("PassServiceRole", given.get("service_role", SERVICE_ROLE), EMR, place)
    yield pass_role("PassInstanceRole", given["instance_role"], EC2, place)
    role = f"arn:{place.partition}:iam::{place.account_id}:{CLEANUP}"
    by_emr = {"StringLike": {"iam:AWSServiceName": f"{EMR}.amazonaws.com*"}}
    yield Statement("MakeRoleOfEmr", ("iam:CreateServiceLinkedRole",), role, by_emr)


def _serverless(given: Given, place: Place) -> Iterator[Statement]:
    application = emr_arn(SERVERLESS, f"/applications/{given.get('application_id', ANY)}", place)
    yield Statement("UseApplication", ON_APPLICATION, application)
    yield Statement("UseJobRuns", ON_JOB_RUN, f"{application}/jobruns/{ANY}")
    yield pass_role("PassJobRole", given["job_role"], SERVERLESS, place)


def on_containers(given: Given, place: Place) -> Iterator[Statement]:
    """EMR on EKS takes no role that is passed: a condition says by which a job may work."""
    cluster = emr_arn(CONTAINERS, f"/virtualclusters/{given['virtual_cluster_id']}", place)
    by_role = {"StringLike": {"emr-containers:ExecutionRoleArn": _role_arn(given["job_role"], place)}}
    yield Statement("UseVirtualCluster", ON_VIRTUAL_CLUSTER, cluster)
    yield Statement("StartJobRun", ("emr-containers:StartJobRun",), cluster, by_role)
    yield Statement("UseJobRuns", ON_CONTAINER_JOB, f"{cluster}/jobruns/{ANY}")


def pass_role(sid: str, role: str, service: str, place: Place) -> Statement:
    """To one service: with the star also as it is called in China."""
    condition = {"StringLike": {"iam:PassedToService": f"{service}.amazonaws.com*"}}
    return Statement(sid, ("iam:PassRole",), _role_arn(role, place), condition)


def _role_arn(role: str, place: Place) -> str:
    return role if role.startswith("arn:") else f"arn:{place.partition}:iam::{place.account_id}:role/{role}"


def emr_arn(service: str, resource: str, place: Place) -> str:
    """The ARN of something of EMR's."""
    return f"arn:{place.partition}:{service}:{place.region_name}:{place.account_id}:{resource}"


# --- what runs on the machines --------------------------------------------------------------------


def _resource(given: Given, place: Place) -> Iterator[Statement]:
    """The union of what the jobs need: the engine's calls are the same wherever it runs."""
    job = given.get("job")
    if job in (None, "export"):
        yield from export(given, place)
    if job in (None, "import"):
        yield from import_(given, place)
    if "code_s3_uri" in given:
        bucket, below = _all_below(given["code_s3_uri"])
        yield list_objects(bucket, below, place, "OfCode")
        yield Statement("ReadCode", ("s3:GetObject",), place.objects(bucket, below))
    if "log_uri" in given:
        bucket, below = _all_below(given["log_uri"])
        yield Statement("WriteLogs", ("s3:PutObject",), place.objects(bucket, below))


def _all_below(uri: str) -> tuple[str, str]:
    location = S3Location.parse(uri)
    return location.bucket, pattern(location.key(ANY))


def _make_machines(given: Given, place: Place) -> Iterator[Statement]:
    """AmazonEMRServicePolicy_v2 passes only EMR_EC2_DefaultRole."""
    yield pass_role("PassInstanceRole", given["instance_role"], EC2, place)


# --- who assumes them -----------------------------------------------------------------------------


def _by_airflow(given: Given, place: Place) -> Trust:
    """A role of somebody's own Airflow, or the two services of Amazon MWAA."""
    if "trusted_role" in given:
        role = given["trusted_role"]
        return Trust({"AWS": (role,)})
    return Trust({"Service": AIRFLOW}, _of_account(place))


def _by_emr(_: Given, place: Place) -> Trust:
    """For clusters of this account only, if it is named."""
    condition = _of_account(place)
    if condition:
        condition["ArnLike"] = {"aws:SourceArn": emr_arn(EMR, ANY, place)}
    return Trust({"Service": (_principal(EMR, place),)}, condition)


def _by_machine(given: Given, place: Place) -> Trust:
    """EC2 hands the role of an instance to it and knows no condition for that."""
    if given.get("serverless"):
        return Trust({"Service": (_principal(SERVERLESS, place),)}, _of_account(place))
    return Trust({"Service": (_principal(EC2, place),)})


def _principal(service: str, place: Place) -> str:
    """EC2 and EMR have names of their own in China."""
    china = place.partition == "aws-cn" and service in (EC2, EMR)
    return f"{service}.amazonaws.com" + (".cn" if china else "")


def _of_account(place: Place) -> dict[str, Mapping[str, Any]]:
    if place.account_id == ANY:
        return {}
    return {"StringEquals": {"aws:SourceAccount": place.account_id}}


PIPELINE_ROLE = Policy(
    command="emr-pipeline-role",
    required=(("instance_role", "job_role"),),
    optional=(*OF_CLUSTERS, *OF_JOBS, "code_s3_uri", "trusted_role", *PLACE),
    statements=_pipeline,
    trust=_by_airflow,
)
RESOURCE_ROLE = Policy(
    command="emr-resource-role",
    required=(("table_name",), ("s3_uri",)),
    optional=(
        "job",
        "index_name",
        "log_uri",
        "code_s3_uri",
        "s3_sse_kms_key_id",
        "no_on_demand_ratio",
        "serverless",
        *PLACE,
    ),
    statements=_resource,
    trust=_by_machine,
)
SERVICE_ROLE_POLICY = Policy(
    command="emr-service-role",
    required=(("instance_role",),),
    optional=PLACE,
    statements=_make_machines,
    trust=_by_emr,
)
EMR_POLICIES: Mapping[str, Policy] = {
    "tasks that run jobs on EMR": PIPELINE_ROLE,
    "what runs on the machines of EMR": RESOURCE_ROLE,
    "EMR itself, beside AWS's own": SERVICE_ROLE_POLICY,
}
