"""A cluster of EMR on EC2 that is as large as a table and a rate need, and no larger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_dynamo_pipeline.adapters.emr_settings import PYTHON_OF_EMR_7, RANGES_OF_AN_EXECUTOR
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.ranges import MOST_RANGES
from airflow_dynamo_pipeline.engine.scale import EMR_INSTANCE, RANGES_PER_WORKER, executors_for
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem

RELEASE = "emr-7.5.0"
IDLE_SECONDS = 3600  # after so long without a step EMR ends the cluster, whatever became of the DAG
MOST_INSTANCES = 64


def emr_cluster_for(
    *,
    name: str,
    size_bytes: float,
    units_per_second: float,
    instance_role: str = "EMR_EC2_DefaultRole",
    service_role: str = "EMR_DefaultRole_V2",
    instance_type: str = EMR_INSTANCE.name,
    most_instances: int = MOST_INSTANCES,
    **more: Any,
) -> JsonObject:
    """``job_flow_overrides`` for ``EmrCreateJobFlowOperator``: one primary machine, and the workers needed.

    Every worker machine has one executor of four cores, each of which works on one range at a time:
    ``ranges_on`` says how many the operator is to be given. Does what ``resizeClusterBeforeRunning`` did for
    AWS Data Pipeline. Raises InvalidRequest with all problems.

    :param name: of the cluster.
    :param size_bytes: the table's size, as DescribeTable tells it.
    :param units_per_second: the rate that the job is to hold, in capacity units.
    :param instance_role: the role of the machines, by name.
    :param service_role: the role of EMR, by name.
    :param instance_type: of all machines, with at least four cores and 16 GB.
    :param most_instances: worker machines at most, however large the table is.
    :param more: members of RunJobFlow, as ``LogUri`` and ``ReleaseLabel``, put over those made here.
    """
    problems = list(_problems(size_bytes, units_per_second, most_instances))
    if problems:
        raise InvalidRequest(problems)
    workers = min(most_instances, executors_for(size_bytes, units_per_second))
    return {
        "Name": name,
        "ReleaseLabel": RELEASE,
        "Applications": [{"Name": "Spark"}],
        "Configurations": [_python()],
        "Instances": _instances(instance_type, workers),
        "AutoTerminationPolicy": {"IdleTimeout": IDLE_SECONDS},
        "JobFlowRole": instance_role,
        "ServiceRole": service_role,
        "Tags": [{"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"}],
        **more,
    }


def ranges_on(cluster: Mapping[str, Any]) -> dict[str, int]:
    """``ranges`` and ``at_once`` of an operator, for a cluster made by ``emr_cluster_for``.

    As many at once as its worker machines work on, so that none waits and their shares make up the rate; four
    times as many in all, while an export can have so many. Raises InvalidRequest for a cluster without the
    instance group of the workers.

    >>> ranges_on(emr_cluster_for(name="export", size_bytes=1024**4, units_per_second=20_000))
    {'ranges': 32, 'at_once': 8}
    """
    groups = cluster["Instances"].get("InstanceGroups", ())
    workers = sum(group["InstanceCount"] for group in groups if group["InstanceRole"] == "CORE")
    if not workers:
        hint = "give the operator ranges and at_once as your machines need them"
        raise InvalidRequest([Problem("Instances", "has no instance group of the role CORE", hint)])
    at_once = min(MOST_RANGES, workers * RANGES_OF_AN_EXECUTOR)
    return {"ranges": at_once * min(RANGES_PER_WORKER, MOST_RANGES // at_once), "at_once": at_once}


def _python() -> JsonObject:
    """Which Python Spark is to run: not EMR's default, which is older than this package supports."""
    named = {"PYSPARK_PYTHON": PYTHON_OF_EMR_7, "PYSPARK_DRIVER_PYTHON": PYTHON_OF_EMR_7}
    exported = {"Classification": "export", "Properties": named}
    return {"Classification": "spark-env", "Properties": {}, "Configurations": [exported]}


def _instances(instance_type: str, workers: int) -> JsonObject:
    primary = _group("primary", "MASTER", instance_type, 1)
    return {
        "InstanceGroups": [primary, _group("workers", "CORE", instance_type, workers)],
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": False,
    }


def _group(name: str, role: str, instance_type: str, count: int) -> dict[str, Any]:
    return {
        "Name": name,
        "InstanceRole": role,
        "InstanceType": instance_type,
        "InstanceCount": count,
        "Market": "ON_DEMAND",
    }


def _problems(size_bytes: float, units_per_second: float, most_instances: int) -> Iterator[Problem]:
    if size_bytes < 0:
        yield Problem("size_bytes", f"{size_bytes:,} is negative")
    if units_per_second < 1:
        yield Problem("units_per_second", f"{units_per_second:g} is not 1 or more")
    if most_instances < 1:
        yield Problem("most_instances", f"{most_instances:,} is not 1 or more")
