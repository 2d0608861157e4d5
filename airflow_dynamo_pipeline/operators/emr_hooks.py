"""The amazon provider's hooks for EMR as what this package's jobs need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow.providers.amazon.aws.hooks.emr import EmrContainerHook, EmrHook, EmrServerlessHook

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.emr_jobs import EmrJobs
from airflow_dynamo_pipeline.adapters.emr_platforms import jobs_of
from airflow_dynamo_pipeline.adapters.emr_settings import EmrSettings


def _emr_hook(**line: Any) -> EmrHook:
    return EmrHook(emr_conn_id=None, **line)  # whose settings are defaults for new clusters


HOOKS: Mapping[str, Callable[..., Any]] = {
    "emr": _emr_hook,
    "emr-serverless": EmrServerlessHook,
    "emr-containers": EmrContainerHook,
}


def jobs_on(
    settings: EmrSettings,
    *,
    aws_conn_id: str | None,
    region_name: str | None,
    verify: bool | str | None,
    botocore_config: Mapping[str, Any] | None,
) -> EmrJobs:
    """Where the jobs of these settings run, by an Airflow connection; call it from the main thread."""
    hook = HOOKS[settings.service](
        aws_conn_id=aws_conn_id, region_name=region_name, verify=verify, config=botocore_config
    )
    with translated("sts:AssumeRole", f"connection {aws_conn_id}"):
        return jobs_of(settings, hook.get_conn())
