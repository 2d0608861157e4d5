"""Links to a cluster and to the logs of a job on EMR, from the moment the job is known.

There is none to the dashboard of EMR Serverless: its address lets everybody in who has it, and would be kept.
"""

from __future__ import annotations

from typing import Any, cast

from airflow.providers.amazon.aws.links.emr import EmrClusterLink, EmrLogsLink, EmrServerlessS3LogsLink

from airflow_dynamo_pipeline.adapters.emr_jobs import EmrJob
from airflow_dynamo_pipeline.adapters.emr_settings import EmrSettings
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.operators.links import ConsoleLinks, DynamoDBTableLink, S3PrefixLink

EMR_LINKS = (S3PrefixLink(), DynamoDBTableLink(), EmrClusterLink(), EmrLogsLink(), EmrServerlessS3LogsLink())


class EmrLinks(ConsoleLinks):
    """The links of one attempt, among them the amazon provider's."""

    def job(self, settings: EmrSettings, job: EmrJob) -> None:
        """Show where a job runs and where its logs are."""
        if settings.job_flow_id:
            self._show(cast("Any", EmrClusterLink()), lambda: {"job_flow_id": str(settings.job_flow_id)})
        if not job.logs_uri:
            return
        if settings.application_id:
            parts = {
                "log_uri": str(settings.log_uri),
                "application_id": settings.application_id,
                "job_run_id": job.job_id,
            }
            self._show(cast("Any", EmrServerlessS3LogsLink()), lambda: parts)
        else:
            self._show(cast("Any", EmrLogsLink()), lambda: _logs(job.logs_uri))


def _logs(uri: str) -> dict[str, str]:
    """Bucket and prefix, by the names that the provider's link has for them."""
    location = S3Location.parse(uri)
    return {"log_uri": location.bucket, "job_flow_id": location.prefix}
