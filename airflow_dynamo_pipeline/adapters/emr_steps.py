"""Spark jobs as steps of a cluster of EMR on EC2.

A step has no client token, but a name, and ListSteps returns the newest first. The driver runs in the step's
own process (client mode): that is what CancelSteps interrupts, where one in cluster mode would live on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_dynamo_pipeline.adapters.emr_calls import calling, cancelling, phase_of
from airflow_dynamo_pipeline.adapters.emr_jobs import UNDER_WAY, EmrJob, SparkSubmit
from airflow_dynamo_pipeline.adapters.emr_settings import EmrSettings
from airflow_dynamo_pipeline.errors import Problem, UnexpectedReply

ENDED_CLUSTERS = ("TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS")


@dataclass(frozen=True)
class ClusterSteps:
    """Steps of a cluster on EC2."""

    client: Any
    settings: EmrSettings

    def problems(self) -> Iterator[Problem]:
        """A cluster that is going, or gone; logs of its own that this worker's botocore cannot ask for."""
        if self.settings.log_uri and not _takes_log_uri(self.client):
            hint = "upgrade boto3, or leave it out: the logs then go where the cluster's go"
            yield Problem("log_uri", "this worker's boto3 knows no logs of a step's own", hint)
        state = self._cluster()["Status"]["State"]
        if state in ENDED_CLUSTERS:
            hint = "name a cluster that is alive, or make one in the same DAG, as example_dags/emr_cluster.py"
            yield Problem("job_flow_id", f"cluster {self.settings.job_flow_id} is {state}", hint)

    def jobs(self, since: datetime) -> Iterator[EmrJob]:
        """Steps, the newest first."""
        pages = self.client.get_paginator("list_steps")
        logs = self._logs()
        with calling("elasticmapreduce:ListSteps", self._name()):
            for page in pages.paginate(ClusterId=self.settings.job_flow_id):
                for step in page["Steps"]:
                    made_at = step["Status"].get("Timeline", {}).get("CreationDateTime")
                    if made_at is not None and made_at < since:
                        return
                    yield self._job(step, logs)

    def submit(self, job: SparkSubmit) -> str:
        """Add a step whose failure leaves the cluster alone."""
        arguments = ["spark-submit", "--deploy-mode", "client", *job.parameters()]
        step: dict[str, Any] = {
            "Name": job.name,
            "ActionOnFailure": "CONTINUE",
            "HadoopJarStep": {
                "Jar": "command-runner.jar",
                "Args": [*arguments, job.entry_point, *job.arguments],
            },
        }
        uri, role = self.settings.log_uri, self.settings.execution_role_arn
        if uri:
            step["StepMonitoringConfiguration"] = {"S3MonitoringConfiguration": {"LogUri": f"{uri}/"}}
        more = {"ExecutionRoleArn": role} if role else {}
        with calling("elasticmapreduce:AddJobFlowSteps", self._name()):
            reply = self.client.add_job_flow_steps(JobFlowId=self.settings.job_flow_id, Steps=[step], **more)
        return str(reply["StepIds"][0])

    def look(self, job_id: str) -> EmrJob:
        """A step."""
        with calling("elasticmapreduce:DescribeStep", f"step {job_id} of {self._name()}"):
            reply = self.client.describe_step(ClusterId=self.settings.job_flow_id, StepId=job_id)
        return self._job(reply["Step"], self._logs())

    def cancel(self, job_id: str) -> None:
        """Interrupt the step's process, the Spark driver; raises UnexpectedReply where EMR does not."""
        action, step = "elasticmapreduce:CancelSteps", f"step {job_id} of {self._name()}"
        refused: list[str] = []

        def cancel() -> None:
            reply = self.client.cancel_steps(
                ClusterId=self.settings.job_flow_id,
                StepIds=[job_id],
                StepCancellationOption="SEND_INTERRUPT",
            )
            found = reply.get("CancelStepsInfoList", ())  # a refusal is no error of the call
            refused.extend(str(each.get("Reason")) for each in found if each.get("Status") == "FAILED")

        refused.extend(filter(None, [cancelling(action, step, cancel)]))
        if refused and self.look(job_id).phase == UNDER_WAY:
            raise UnexpectedReply(f"{action} on {step}: {'; '.join(refused)}")

    def log_uri(self) -> str:
        """Where the cluster puts its logs; empty where it keeps them to itself."""
        return str(self._cluster().get("LogUri") or "").replace("s3n://", "s3://").rstrip("/")

    def _cluster(self) -> Mapping[str, Any]:
        with calling("elasticmapreduce:DescribeCluster", self._name()):
            found: Mapping[str, Any] = self.client.describe_cluster(ClusterId=self.settings.job_flow_id)
        return found["Cluster"]  # type: ignore[no-any-return]

    def _logs(self) -> str:
        uri = self.log_uri()
        return f"{uri}/{self.settings.job_flow_id}/steps" if uri else ""

    def _job(self, step: Mapping[str, Any], logs: str) -> EmrJob:
        status = step["Status"]
        details = status.get("FailureDetails") or {}
        change = (status.get("StateChangeReason") or {}).get("Message")
        said = [details.get("Reason"), details.get("Message"), change]
        usual = f"{logs}/{step['Id']}/" if logs else ""
        own = step.get("LogUri")  # not by the settings: a job that is adopted may have been given another
        return EmrJob(
            job_id=step["Id"],
            name=step.get("Name") or "",
            status=status["State"],
            phase=phase_of(status["State"]),
            reason=": ".join(dict.fromkeys(filter(None, said))),
            logs_uri=details.get("LogFile") or own or usual,
        )

    def _name(self) -> str:
        return f"cluster {self.settings.job_flow_id}"


def _takes_log_uri(client: Any) -> bool:
    return "StepMonitoringConfiguration" in client.meta.service_model.shape_for("StepConfig").members
