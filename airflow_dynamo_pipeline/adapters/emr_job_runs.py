"""Spark jobs as job runs of EMR Serverless and EMR on EKS, which know a repeated request by its token."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_dynamo_pipeline.adapters.emr_calls import calling, cancelling, phase_of
from airflow_dynamo_pipeline.adapters.emr_jobs import UNDER_WAY, EmrJob, SparkSubmit
from airflow_dynamo_pipeline.adapters.emr_settings import FETCH, X86, EmrSettings
from airflow_dynamo_pipeline.errors import Problem, UnexpectedReply

MOST_MINUTES = (
    10_080  # seven days, the most that EMR Serverless takes; by default it ends a job after 12 hours
)


QUOTED = re.compile(r"[\s'\"\\]")  # what a line of words would have to be quoted for


@dataclass(frozen=True)
class ServerlessJobs:
    """Job runs of an application of EMR Serverless."""

    client: Any
    settings: EmrSettings

    def problems(self) -> Iterator[Problem]:
        """An application that is gone, that runs no Spark, or other machines than wheels are fetched for."""
        with calling("emr-serverless:GetApplication", self._name()):
            reply = self.client.get_application(applicationId=self.settings.application_id)
        found = reply["application"]
        if found["state"] == "TERMINATED":
            yield Problem("application_id", f"{self._name()} is TERMINATED", "name one that is alive")
        if found.get("type", "Spark").lower() != "spark":
            yield Problem("application_id", f"{self._name()} is of type {found['type']}", "name one of Spark")
        runs = found.get("architecture", X86).lower()
        if self.settings.dependencies == FETCH and runs != self.settings.architecture:
            what = f"is {self.settings.architecture}, and {self._name()} is {runs}"
            yield Problem("architecture", what, f"say architecture={runs!r}")

    def jobs(self, since: datetime) -> Iterator[EmrJob]:
        """Job runs."""
        pages = self.client.get_paginator("list_job_runs")
        with calling("emr-serverless:ListJobRuns", self._name()):
            for page in pages.paginate(applicationId=self.settings.application_id, createdAtAfter=since):
                for run in page["jobRuns"]:
                    yield self._job(run, run["id"])

    def submit(self, job: SparkSubmit) -> str:
        """Start a job run that may take as long as the service lets one."""
        driver = {
            "sparkSubmit": {
                "entryPoint": job.entry_point,
                "entryPointArguments": list(job.arguments),
                **_parameters(job),
            }
        }
        with calling("emr-serverless:StartJobRun", self._name()):
            reply = self.client.start_job_run(
                applicationId=self.settings.application_id,
                executionRoleArn=self.settings.execution_role_arn,
                name=job.name,
                clientToken=job.token,
                jobDriver=driver,
                executionTimeoutMinutes=MOST_MINUTES,
                **overrides(self.settings, job),
            )
        return str(reply["jobRunId"])

    def look(self, job_id: str) -> EmrJob:
        """A job run."""
        with calling("emr-serverless:GetJobRun", f"job run {job_id} of {self._name()}"):
            reply = self.client.get_job_run(applicationId=self.settings.application_id, jobRunId=job_id)
        return self._job(reply["jobRun"], job_id)

    def cancel(self, job_id: str) -> None:
        """Cancel a job run; one that has ended is left as it is."""
        said = cancelling(
            "emr-serverless:CancelJobRun",
            f"job run {job_id} of {self._name()}",
            lambda: self.client.cancel_job_run(applicationId=self.settings.application_id, jobRunId=job_id),
        )
        if said and self.look(job_id).phase == UNDER_WAY:
            raise UnexpectedReply(said)

    def _job(self, run: Mapping[str, Any], job_id: str) -> EmrJob:
        uri, application = self.settings.log_uri, self.settings.application_id
        return EmrJob(
            job_id=job_id,
            name=run.get("name") or "",
            status=run["state"],
            phase=phase_of(run["state"]),
            reason=run.get("stateDetails") or "",
            logs_uri=f"{uri}/applications/{application}/jobs/{job_id}/" if uri else "",
        )

    def _name(self) -> str:
        return f"application {self.settings.application_id}"


@dataclass(frozen=True)
class ContainerJobs:
    """Job runs of a virtual cluster of EMR on EKS."""

    client: Any
    settings: EmrSettings

    def problems(self) -> Iterator[Problem]:
        """A virtual cluster that does not run."""
        with calling("emr-containers:DescribeVirtualCluster", self._name()):
            reply = self.client.describe_virtual_cluster(id=self.settings.virtual_cluster_id)
        state = reply["virtualCluster"]["state"]
        if state != "RUNNING":
            yield Problem("virtual_cluster_id", f"{self._name()} is {state}", "name one that is RUNNING")

    def jobs(self, since: datetime) -> Iterator[EmrJob]:
        """Job runs."""
        pages = self.client.get_paginator("list_job_runs")
        with calling("emr-containers:ListJobRuns", self._name()):
            for page in pages.paginate(virtualClusterId=self.settings.virtual_cluster_id, createdAfter=since):
                for run in page["jobRuns"]:
                    yield self._job(run)

    def submit(self, job: SparkSubmit) -> str:
        """Start a job run."""
        driver = {
            "sparkSubmitJobDriver": {
                "entryPoint": job.entry_point,
                "entryPointArguments": list(job.arguments),
                **_parameters(job),
            }
        }
        with calling("emr-containers:StartJobRun", self._name()):
            reply = self.client.start_job_run(
                virtualClusterId=self.settings.virtual_cluster_id,
                executionRoleArn=self.settings.execution_role_arn,
                releaseLabel=self.settings.release_label,
                name=job.name,
                clientToken=job.token,
                jobDriver=driver,
                **overrides(self.settings, job),
            )
        return str(reply["id"])

    def look(self, job_id: str) -> EmrJob:
        """A job run."""
        with calling("emr-containers:DescribeJobRun", f"job run {job_id} of {self._name()}"):
            reply = self.client.describe_job_run(virtualClusterId=self.settings.virtual_cluster_id, id=job_id)
        return self._job(reply["jobRun"])

    def cancel(self, job_id: str) -> None:
        """Cancel a job run; one that has ended is left as it is."""
        said = cancelling(
            "emr-containers:CancelJobRun",
            f"job run {job_id} of {self._name()}",
            lambda: self.client.cancel_job_run(virtualClusterId=self.settings.virtual_cluster_id, id=job_id),
        )
        if said and self.look(job_id).phase == UNDER_WAY:
            raise UnexpectedReply(said)

    def _job(self, run: Mapping[str, Any]) -> EmrJob:
        uri, cluster = self.settings.log_uri, self.settings.virtual_cluster_id
        said = [run.get("failureReason"), run.get("stateDetails")]
        return EmrJob(
            job_id=run["id"],
            name=run.get("name") or "",
            status=run["state"],
            phase=phase_of(run["state"]),
            reason=": ".join(filter(None, said)),
            logs_uri=f"{uri}/{cluster}/jobs/{run['id']}/" if uri else "",
        )

    def _name(self) -> str:
        return f"virtual cluster {self.settings.virtual_cluster_id}"


def overrides(settings: EmrSettings, job: SparkSubmit) -> dict[str, Any]:
    """Logs where a person asked for them, else where the place keeps them; settings that need quotes."""
    found: dict[str, Any] = {}
    if settings.log_uri:
        place = {"s3MonitoringConfiguration": {"logUri": f"{settings.log_uri}/"}}
        found["monitoringConfiguration"] = place
    if quoted := {name: value for name, value in job.conf.items() if QUOTED.search(value)}:
        defaults = {"classification": "spark-defaults", "properties": quoted}
        found["applicationConfiguration"] = [defaults]
    return {"configurationOverrides": found} if found else {}


def _parameters(job: SparkSubmit) -> dict[str, str]:
    """Settings that need no quotes, in one line: how the services read quotes is not documented."""
    plain = {name: value for name, value in job.conf.items() if not QUOTED.search(value)}
    words = replace(job, conf=plain).parameters()
    return {"sparkSubmitParameters": " ".join(words)} if words else {}
