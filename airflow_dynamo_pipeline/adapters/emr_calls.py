"""What the three services of EMR have in common: states of jobs, errors of calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.emr_jobs import ENDING, FAILED, SUCCEEDED, UNDER_WAY
from airflow_dynamo_pipeline.errors import NotFound

PHASES: Mapping[str, str] = {
    "CANCEL_PENDING": ENDING,
    "CANCELLING": ENDING,
    "COMPLETED": SUCCEEDED,
    "SUCCESS": SUCCEEDED,
    "CANCELLED": FAILED,
    "FAILED": FAILED,
    "INTERRUPTED": FAILED,
}
MISSING = "ResourceNotFoundException"
IS_OVER = ("ValidationException", "ConflictException", "InvalidRequestException")  # nothing to cancel


def phase_of(state: str) -> str:
    """What a state of any of the services means; those that are not known here are under way.

    >>> phase_of("SCHEDULED"), phase_of("SUCCESS")
    ('under way', 'succeeded')
    """
    return PHASES.get(state, UNDER_WAY)


@contextmanager
def calling(action: str, resource: str) -> Iterator[None]:
    """Raise botocore's errors as ours; ``resource`` is a kind and an id: ``cluster j-1``."""
    with translated(action, resource):
        try:
            yield
        except ClientError as error:
            if _code(error) != MISSING:
                raise
            *kind, name = resource.split(" ")
            raise NotFound(" ".join(kind), name, "check the id and the region") from error


def cancelling(action: str, resource: str, call: Callable[[], object]) -> str:
    """Make a call that cancels; returns why there was nothing to cancel, in the service's words, or nothing.

    A job that has ended already is left as it is. Where a service refuses other calls by the same errors, a
    look tells whether it has.
    """
    with calling(action, resource):
        try:
            call()
        except ClientError as error:
            if _code(error) not in IS_OVER:
                raise
            return str(error)
    return ""


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
