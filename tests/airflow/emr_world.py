"""EMR at the port of its clients: jobs that a test moves on, and whose driver can really run.

moto has no states that change, no failures and no CancelSteps. Where a job runs here, the engine does what
the driver and the executors of the Spark job do, in this process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.engine.export_ranges import commit_export, export_range
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_ranges import commit_import, import_range
from airflow_dynamo_pipeline.engine.requests import ExportRequest, S3Location
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators import emr_hooks
from airflow_dynamo_pipeline.operators.emr import EmrDynamoDBExportOperator
from airflow_dynamo_pipeline.spark.document import SparkJob

ROLE = "arn:aws:iam::123456789012:role/Job"
PLATFORMS: Mapping[str, dict[str, Any]] = {
    "cluster": {"job_flow_id": "j-1"},
    "serverless": {"application_id": "app1", "execution_role_arn": ROLE, "log_uri": "s3://logs/emr/"},
    "containers": {
        "virtual_cluster_id": "vc1",
        "execution_role_arn": ROLE,
        "release_label": "emr-7.5.0-latest",
        "log_uri": "s3://logs/emr/",
    },
}
RUNNING, FAILED, CANCELLED = "RUNNING", "FAILED", "CANCELLED"


def entered(patch: pytest.MonkeyPatch) -> EmrWorld:
    """A world that every operator and trigger finds in place of EMR."""
    world = EmrWorld()
    patch.setattr(emr_hooks, "HOOKS", dict.fromkeys(emr_hooks.HOOKS, world.hook))
    return world


def exporting(table: str, bucket: str, **settings: Any) -> EmrDynamoDBExportOperator:
    """The operator, anew, as each attempt has it; ``where``: a platform's settings, default a cluster's."""
    where = settings.pop("where", PLATFORMS["cluster"])
    usual: dict[str, Any] = {
        "task_id": "export",
        "table_name": table,
        "s3_uri": f"s3://{bucket}/out",
        "ratio": 1,
        "segments": 4,
        "ranges": 2,
        "code_s3_uri": f"s3://{bucket}/code",
        "dependencies": "none",
        "poke_interval": 0,
    }
    return EmrDynamoDBExportOperator(**{**usual, **where, **settings})


class Killed(BaseException):
    """The process is gone: nothing of ours runs after it."""


@dataclass
class FakeJob:
    """A step or job run."""

    job_id: str
    name: str
    document: str  # URI
    asked: Mapping[str, Any]
    success: str
    state: str = RUNNING
    reason: str = ""
    looks: int = 0
    cancellations: int = 0

    def succeed(self) -> None:
        self.state = self.success

    def fail(self, reason: str) -> None:
        self.state, self.reason = FAILED, reason


@dataclass
class EmrWorld:
    """All jobs, and what happens when somebody looks at one that runs."""

    jobs: list[FakeJob] = field(default_factory=list)
    at_look: Callable[[FakeJob], None] = lambda _: None
    after_submit: Callable[[FakeJob], None] = lambda _: None
    cluster_state: str = "WAITING"
    refuses: str = ""  # the code of an error of the next look
    keeps: str = ""  # why steps are not cancelled
    _tokens: dict[str, FakeJob] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.at_look = self.run

    def run(self, job: FakeJob) -> None:
        """Do all that the driver does."""
        self.drive(job)
        job.succeed()

    def drive(self, job: FakeJob, ranges: int | None = None) -> None:
        """Bring some ranges to their end (None: all, and commit), as executors and driver do."""
        asked = SparkJob.from_json(self.document(job))
        line: Any = {"stop": threading.Event(), "say": lambda _: None, "warn": lambda _: None}
        hook, request = DynamoDBPipelineHook(), asked.request
        if isinstance(request, ExportRequest):
            ports = hook.export_ports(request, **line)
            for part in asked.parts[:ranges]:
                export_range(request, ports, Reports(lambda _: None), part)
            if ranges is None:
                commit_export(request, ports, asked.work)
            return
        to_import = hook.import_ports(request, **line)
        for part in asked.parts[:ranges]:
            import_range(request, to_import, ImportReports(lambda _: None), part)
        if ranges is None:
            commit_import(request, to_import, asked.work)

    def document(self, job: FakeJob) -> bytes:
        """What the job was told to do."""
        place = S3Location.parse(job.document)
        body: bytes = s3().get_object(Bucket=place.bucket, Key=place.prefix)["Body"].read()
        return body

    def hook(self, **_: Any) -> EmrWorld:
        """Stands for each of the amazon provider's hooks."""
        return self

    def get_conn(self) -> FakeEmr:
        return FakeEmr(self)

    def submitted(self, job: FakeJob, token: str = "") -> FakeJob:
        """What a service does with a request it may have had before."""
        if token in self._tokens:
            return self._tokens[token]
        if token:
            self._tokens[token] = job
        self.jobs.append(job)
        self.after_submit(job)
        return job

    def looked_at(self, job_id: str) -> FakeJob:
        if self.refuses:
            code, self.refuses = self.refuses, ""
            raise error(code)
        (job,) = [job for job in self.jobs if job.job_id == job_id]
        job.looks += 1
        if job.state == RUNNING and job.looks > 1:  # the first look comes with the submission
            self.at_look(job)
        return job


@dataclass(frozen=True)
class FakeEmr:
    """A client of any of the three services."""

    world: EmrWorld

    def describe_cluster(self, *, ClusterId: str) -> Any:  # noqa: N803  boto3's name
        cluster = {
            "Id": ClusterId,
            "Status": {"State": self.world.cluster_state},
            "LogUri": "s3n://logs/emr/",
        }
        return {"Cluster": cluster}

    def get_application(self, **_: str) -> Any:
        return {"application": {"state": self.world.cluster_state, "type": "Spark"}}

    def describe_virtual_cluster(self, **_: str) -> Any:
        state = "RUNNING" if self.world.cluster_state == "WAITING" else self.world.cluster_state
        return {"virtualCluster": {"state": state}}

    def add_job_flow_steps(self, **asked: Any) -> Any:
        (step,) = asked["Steps"]
        document = step["HadoopJarStep"]["Args"][-1]
        job = FakeJob(self._new_id(), step["Name"], document, asked, "COMPLETED")
        return {"StepIds": [self.world.submitted(job).job_id]}

    def start_job_run(self, **asked: Any) -> Any:
        (driver,) = asked["jobDriver"].values()
        success = "SUCCESS" if "applicationId" in asked else "COMPLETED"
        job = FakeJob(self._new_id(), asked["name"], driver["entryPointArguments"][0], asked, success)
        found = self.world.submitted(job, asked["clientToken"]).job_id
        return {"jobRunId": found, "id": found}

    def describe_step(self, **asked: Any) -> Any:
        return {"Step": _as_step(self.world.looked_at(asked["StepId"]))}

    def get_job_run(self, **asked: Any) -> Any:
        return {"jobRun": _as_run(self.world.looked_at(asked["jobRunId"]))}

    def describe_job_run(self, **asked: Any) -> Any:
        return {"jobRun": _as_run(self.world.looked_at(asked["id"]))}

    def cancel_steps(self, **asked: Any) -> Any:
        assert "SEND_INTERRUPT" == asked["StepCancellationOption"]
        (step,) = asked["StepIds"]
        if self.world.keeps:
            told = {"StepId": step, "Status": "FAILED", "Reason": self.world.keeps}
            return {"CancelStepsInfoList": [told]}
        self._cancel(step)
        return {"CancelStepsInfoList": [{"StepId": step, "Status": "SUBMITTED"}]}

    def cancel_job_run(self, **asked: Any) -> None:
        self._cancel(asked.get("jobRunId") or asked["id"])

    def get_paginator(self, operation: str) -> Pages:
        return Pages(self.world, operation)

    def _new_id(self) -> str:
        return f"job{len(self.world.jobs)}"

    def _cancel(self, job_id: str) -> None:
        (job,) = [job for job in self.world.jobs if job.job_id == job_id]
        job.cancellations += 1
        if job.state != RUNNING:
            raise error("ValidationException")
        job.state = CANCELLED


@dataclass(frozen=True)
class Pages:
    """One page of jobs each, the newest first."""

    world: EmrWorld
    operation: str

    def paginate(self, **_: Any) -> Iterator[Any]:
        name, record = ("Steps", _as_step) if self.operation == "list_steps" else ("jobRuns", _as_run)
        for job in reversed(self.world.jobs):
            yield {name: [record(job)]}


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said by the test"}}, "Operation")


def s3() -> Any:
    return DynamoDBPipelineHook().client_for("s3")


def _as_step(job: FakeJob) -> Any:
    why = {"FailureDetails": {"Reason": "Unknown Error.", "Message": job.reason}} if job.reason else {}
    made = {"CreationDateTime": datetime.now(UTC)}
    return {"Id": job.job_id, "Name": job.name, "Status": {"State": job.state, "Timeline": made, **why}}


def _as_run(job: FakeJob) -> Any:
    why = {"stateDetails": job.reason} if job.reason else {}
    return {"id": job.job_id, "name": job.name, "state": job.state, **why}
