"""What a task needs that exports or imports by a Spark job on EMR, beside the role that the job works by.

It plans and looks at checkpoints, but reads and writes no item; it uses a cluster, an application or a
virtual cluster that is there, and makes none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from airflow_dynamo_pipeline.adapters.arns import ANY, Place
from airflow_dynamo_pipeline.adapters.policies_emr import (
    EMR,
    OF_JOBS,
    ON_JOB_RUN,
    SERVERLESS,
    emr_arn,
    on_containers,
    pass_role,
    tag_condition,
    write_code,
)
from airflow_dynamo_pipeline.adapters.policies_scans import export, import_
from airflow_dynamo_pipeline.adapters.policies_statements import Given, Policy, Statement
from airflow_dynamo_pipeline.adapters.policy_settings import PLACE
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem

STEPS = ("AddJobFlowSteps", "CancelSteps", "DescribeCluster", "DescribeStep", "ListSteps")
RUNS = ("GetApplication", "ListJobRuns", "StartJobRun")
OF_ITEMS = ("Scan", "WriteItems")  # what only the job does
WHERE = ("job_role", *OF_JOBS, "cluster_tag")

Statements = Callable[[Given, Place], Iterator[Statement]]


def _on_emr(work: Statements) -> Statements:
    def statements(given: Given, place: Place) -> Iterator[Statement]:
        problems = list(_problems(given))
        if problems:
            raise InvalidRequest(problems)
        yield from (one for one in work(given, place) if one.sid not in OF_ITEMS)
        yield from write_code(given, place)
        yield from _where(given, place)

    return statements


def _problems(given: Given) -> Iterator[Problem]:
    for name in OF_JOBS:
        if name in given and "job_role" not in given:
            yield Problem(name, "needs job_role, the role that the job works by")
    if "job_role" in given and "cluster_tag" in given:
        yield Problem("cluster_tag", "is for clusters, whose jobs have no job_role")
    if all(name in given for name in OF_JOBS):
        yield Problem(" and ".join(OF_JOBS), "only one of them may be given")


def _where(given: Given, place: Place) -> Iterator[Statement]:
    if "job_role" not in given:
        steps = tuple(f"{EMR}:{name}" for name in STEPS)
        yield Statement("UseCluster", steps, emr_arn(EMR, f"cluster/{ANY}", place), tag_condition(given))
    elif "virtual_cluster_id" in given:
        yield from on_containers(given, place)
    else:
        application = emr_arn(SERVERLESS, f"/applications/{given.get('application_id', ANY)}", place)
        yield Statement("UseApplication", tuple(f"{SERVERLESS}:{name}" for name in RUNS), application)
        yield Statement("UseJobRuns", ON_JOB_RUN, f"{application}/jobruns/{ANY}")
        yield pass_role("PassJobRole", given["job_role"], SERVERLESS, place)


def _policy(kind: str, statements: Statements, *optional: str) -> Policy:
    return Policy(
        command=f"emr-{kind}",
        required=(("table_name",), ("s3_uri",), ("code_s3_uri",)),
        optional=(*WHERE, *optional, "s3_sse_kms_key_id", "no_on_demand_ratio", *PLACE),
        statements=_on_emr(statements),
    )


EMR_JOB_POLICIES: Mapping[str, Policy] = {
    "EmrDynamoDBExportOperator": _policy("export", export, "index_name"),
    "EmrDynamoDBImportOperator": _policy("import", import_, "rejects_s3_uri", "allow_protected"),
}
