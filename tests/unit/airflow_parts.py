"""Parts of Airflow that its versions hold in different ways, as tests need them."""

import json
from collections.abc import Mapping
from typing import Any

from airflow_dynamo_pipeline.airflow_versions import Context

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred  # type: ignore[no-redef]

try:
    from airflow.sdk.execution_time.context import OutletEventAccessors
except ImportError:
    from airflow.utils.context import OutletEventAccessors

__all__ = ["OutletEventAccessors", "RecordedLog", "TaskDeferred", "deferral_of", "environment"]


class RecordedLog:
    """Stands for a sensor's or a trigger's ``log``: structlog on Airflow 3, the standard library's on 2."""

    def __init__(self) -> None:
        self.text = ""

    def info(self, message: str, *values: object) -> None:
        """Record one line as it would be written."""
        self.text += (message % values if values else message) + "\n"

    warning = info


def deferral_of(sensor: Any, context: Context | None = None) -> Any:
    """What ``execute`` raises when it defers."""
    try:
        sensor.execute(context or Context())
    except TaskDeferred as deferral:
        return deferral
    raise AssertionError("it did not defer")


def environment(aws_conn_id: str, urls: Mapping[str, str], login: str, password: str) -> tuple[str, str]:
    """Name and value of the environment variable that makes an AWS connection to services at these URLs."""
    services = {service: {"endpoint_url": url} for service, url in urls.items()}
    return f"AIRFLOW_CONN_{aws_conn_id.upper()}", json.dumps(
        {
            "conn_type": "aws",
            "login": login,
            "password": password,
            "extra": {"region_name": "us-east-1", "service_config": services},
        }
    )
