"""Retries with full jitter, on the injected clock, ended at once by the stop event."""

from __future__ import annotations

import threading
from collections.abc import Callable

import tenacity

from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.errors import LeaseHeld, PipelineError, Stopped, Temporary

PATIENCE_SECONDS = 600.0  # how long one call is tried before the task fails and Airflow retries it
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 20.0


def worth_retrying(error: BaseException) -> bool:
    """Whether the same call may succeed a moment later."""
    return isinstance(error, Temporary) and not isinstance(error, Stopped | LeaseHeld)


def retrying(
    clock: Clock,
    stop: threading.Event,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    before_pause: Callable[[PipelineError], None] | None = None,
) -> tenacity.Retrying:
    """Make a retry loop for one call; it raises the last error when the patience is over, or Stopped.

    The patience begins with the first failure: a call that waited long for its turn has all of it.
    ``before_pause`` sees each error that will be retried.
    """
    failed_at: float | None = None

    def is_over(_state: tenacity.RetryCallState) -> bool:
        nonlocal failed_at
        now = clock.monotonic()
        failed_at = now if failed_at is None else failed_at
        return now - failed_at >= patience_seconds

    def pause(seconds: float) -> None:
        if clock.wait(stop, seconds):
            raise Stopped("told to stop while waiting to try again")

    def note(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if before_pause is not None and isinstance(error, PipelineError):
            before_pause(error)

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(worth_retrying),
        wait=tenacity.wait_random_exponential(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
        stop=is_over,
        sleep=pause,
        before_sleep=note,
        reraise=True,
    )
