"""Our import on the transport it falls back to, whose calls are all botocore's."""

from __future__ import annotations

from airflow_dynamo_pipeline.adapters.lean_transport import LeanTransport
from tests.benchmarks import import_ours
from tests.benchmarks.worker import Job


def run(job: Job) -> int:
    """Import as ``import_ours`` does, with a lean transport that finds everything unusual."""
    LeanTransport.is_lean = property(lambda _: False)  # type: ignore[method-assign,assignment]
    return import_ours.run(job)
