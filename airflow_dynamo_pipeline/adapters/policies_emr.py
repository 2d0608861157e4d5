"""The roles of an EMR pipeline, successors of DataPipelineDefaultRole and DataPipelineDefaultResourceRole.

The old pipeline role was three things in one, which are three roles here: who starts clusters and steps (the
role of the Airflow task, ``emr-pipeline-role``), who makes the machines (``emr-service-role``), and what runs
on them (``emr-resource-role``).

Which action allows which call is what AWS's Service Authorization Reference says for Amazon Elastic MapReduce
and Amazon EMR Serverless. RunJobFlow knows no resource, only the tags that are asked for. That a cluster with
tags also takes AddTags, the services in ``iam:PassedToService`` and the role for cleaning up are from the
Amazon EMR Management Guide ("IAM policies for tag-based access to clusters and EMR notebooks", "Using
service-linked roles for Amazon EMR"), the pass to a job's role from the Amazon EMR Serverless User Guide
("Job runtime roles").
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
EMR, EC2, SERVERLESS = "elasticmapreduce", "ec2", "emr-serverless"
AIRFLOW = ("airflow.amazonaws.com", "airflow-env.amazonaws.com")  # an environment of Amazon MWAA
OF_CLUSTERS = ("service_role", "cluster_tag")
OF_SERVERLESS = ("application_id",)
ON_CLUSTER = (
    "elasticmapreduce:AddJobFlowSteps",
    "elasticmapreduce:DescribeCluster",
    "elasticmapreduce:DescribeStep",
    "elasticmapreduce:TerminateJobFlows",
)
ON_APPLICATION = (
    "emr-serverless:GetApplication",
    "emr-serverless:StartApplication",
    "emr-serverless:StartJobRun",
)
ON_JOB_RUN = ("emr-serverless:CancelJobRun", "emr-serverless:GetJobRun")


# --- who starts clusters, steps and jobs ----------------------------------------------------------


def _pipeline(given: Given, place: Place) -> Iterator[Statement]:
    """Clusters if their machines' role is given, EMR Serverless if a job's role is."""
    on_clusters = "instance_role" in given
    strange = [name for name in (OF_SERVERLESS if on_clusters else OF_CLUSTERS) if name in given]
    if strange:
        only = "EMR Serverless: give job_role" if on_clusters else "clusters: give instance_role"
        raise InvalidRequest([Problem(name, f"is for {only}") for name in strange])
    yield from _clusters(given, place) if on_clusters else _serverless(given, place)


def _clusters(given: Given, place: Place) -> Iterator[Statement]:
    key, _, value = given.get("cluster_tag", TAG).partition("=")
    asked = {"StringEquals": {f"aws:RequestTag/{key}": value}}
    tagged = {"StringEquals": {f"elasticmapreduce:ResourceTag/{key}": value}}
    clusters = _arn(EMR, f"cluster/{ANY}", place)
    yield Statement("StartCluster", ("elasticmapreduce:RunJobFlow",), ANY, asked)
    yield Statement("TagCluster", ("elasticmapreduce:AddTags",), clusters, tagged)
    yield Statement("UseCluster", ON_CLUSTER, clusters, tagged)
    yield _pass_role("PassServiceRole", given.get("service_role", SERVICE_ROLE), EMR, place)
    yield _pass_role("PassInstanceRole", given["instance_role"], EC2, place)
    role = f"arn:{place.partition}:iam::{place.account_id}:{CLEANUP}"
    by_emr = {"StringLike": {"iam:AWSServiceName": f"{EMR}.amazonaws.com*"}}
    yield Statement("MakeRoleOfEmr", ("iam:CreateServiceLinkedRole",), role, by_emr)


def _serverless(given: Given, place: Place) -> Iterator[Statement]:
    application = _arn(SERVERLESS, f"/applications/{given.get('application_id', ANY)}", place)
    yield Statement("UseApplication", ON_APPLICATION, application)
    yield Statement("UseJobRuns", ON_JOB_RUN, f"{application}/jobruns/{ANY}")
    yield _pass_role("PassJobRole", given["job_role"], SERVERLESS, place)


def _pass_role(sid: str, role: str, service: str, place: Place) -> Statement:
    """To one service: with the star also as it is called in China."""
    arn = role if role.startswith("arn:") else f"arn:{place.partition}:iam::{place.account_id}:role/{role}"
    condition = {"StringLike": {"iam:PassedToService": f"{service}.amazonaws.com*"}}
    return Statement(sid, ("iam:PassRole",), arn, condition)


def _arn(service: str, resource: str, place: Place) -> str:
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
    yield _pass_role("PassInstanceRole", given["instance_role"], EC2, place)


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
        condition["ArnLike"] = {"aws:SourceArn": _arn(EMR, ANY, place)}
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
    optional=(*OF_CLUSTERS, *OF_SERVERLESS, "trusted_role", *PLACE),
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
