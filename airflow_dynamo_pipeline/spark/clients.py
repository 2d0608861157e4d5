"""boto3 clients, made once for each process: a Python worker of Spark's runs many ranges."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import boto3

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.wiring import Clients, engine_config
from airflow_dynamo_pipeline.spark.document import SparkJob


def clients_of(job: SparkJob) -> Clients:
    """Clients in the job's region; credentials, and endpoints it does not name, are found by boto3."""

    def client(service: str) -> Any:
        return make_client(service, job.region_name, job.endpoints.get(service))

    return client


@functools.cache
def make_client(service: str, region_name: str | None = None, url: str | None = None) -> Any:
    """A client with the engine's settings, the same one for the same arguments."""
    with translated(service, f"region {region_name or 'default'}"):
        make: Callable[..., Any] = _session(region_name).client
        return make(service, endpoint_url=url, config=engine_config(None))


@functools.cache
def _session(region_name: str | None) -> boto3.Session:
    return boto3.Session(region_name=region_name)
