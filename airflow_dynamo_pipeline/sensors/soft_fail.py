"""What a sensor's failure means when its author wants it skipped instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_dynamo_pipeline.airflow_versions import (
    AirflowFailException,
    AirflowSkipException,
    BaseSensorOperator,
)


@contextmanager
def skipping_if_asked(sensor: BaseSensorOperator) -> Iterator[None]:
    """Apply ``soft_fail`` and ``never_fail`` to the look before a deferral.

    Airflow applies them in its poke loop and when a deferred task resumes, but not there.
    """
    try:
        yield
    except Exception as error:
        if sensor.never_fail or (sensor.soft_fail and isinstance(error, AirflowFailException)):
            raise AirflowSkipException(str(error)) from error
        raise
