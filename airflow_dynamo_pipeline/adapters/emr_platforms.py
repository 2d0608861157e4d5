"""Which of the places where EMR runs Spark jobs the settings name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_dynamo_pipeline.adapters.emr_job_runs import ContainerJobs, ServerlessJobs
from airflow_dynamo_pipeline.adapters.emr_jobs import EmrJobs
from airflow_dynamo_pipeline.adapters.emr_settings import EmrSettings
from airflow_dynamo_pipeline.adapters.emr_steps import ClusterSteps

PLATFORMS: Mapping[str, Callable[[Any, EmrSettings], EmrJobs]] = {
    "emr": ClusterSteps,
    "emr-serverless": ServerlessJobs,
    "emr-containers": ContainerJobs,
}


def jobs_of(settings: EmrSettings, client: Any) -> EmrJobs:
    """Where the jobs of these settings run; ``client`` is a boto3 client for ``settings.service``."""
    return PLATFORMS[settings.service](client, settings)
