"""Retries with full jitter, on the injected clock, ended at once by the stop event."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import tenacity

from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.errors import (
    CredentialsExpired,
    LeaseHeld,
    PipelineError,
    Stopped,
    Temporary,
    Throttled,
)

PATIENCE_SECONDS = 600.0  # how long one call is tried before the task fails and Airflow retries it
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 20.0
REFRESH_SECONDS = 30.0  # expired credentials that nobody refreshes stay expired

Result = TypeVar("Result")


def worth_retrying(error: BaseException) -> bool:
    """Whether the same call may succeed a moment later."""
    return isinstance(error, Temporary) and not isinstance(error, Stopped | LeaseHeld)


class _Patience:
    """Over when so much time has passed since the first failure."""

    def __init__(self, clock: Clock, seconds: float, *, never_for_throttling: bool) -> None:
        self._clock = clock
        self._seconds = seconds
        self._never_for_throttling = never_for_throttling
        self._failed_at: float | None = None

    def __call__(self, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, CredentialsExpired):
            self._seconds = min(self._seconds, REFRESH_SECONDS)
        if self._never_for_throttling and isinstance(error, Throttled):
            self._failed_at = None
            return False
        now = self._clock.monotonic()
        if self._failed_at is None:
            self._failed_at = now
        return now - self._failed_at >= self._seconds


def retrying(
    clock: Clock,
    stop: threading.Event,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    throttled_for_ever: bool = False,
    before_pause: Callable[[PipelineError], None] | None = None,
) -> tenacity.Retrying:
    """Make a retry loop for one call; it raises the last error when the patience is over, or Stopped.

    The patience begins with the first failure: a call that waited long for its turn has all of it.
    With ``throttled_for_ever`` being refused for want of capacity does not end it.
    ``before_pause`` sees each error that will be retried.
    """

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
        stop=_Patience(clock, patience_seconds, never_for_throttling=throttled_for_ever),
        sleep=pause,
        before_sleep=note,
        reraise=True,
    )


def persistently(
    clock: Clock,
    stop: threading.Event,
    before_pause: Callable[[PipelineError], None],
    call: Callable[[], Result],
) -> Result:
    """Call, and try again what a retry can help: throttling for ever, all else for ten minutes.

    A retry loop costs as much CPU as a batch of items, so one is made only when the first try has failed.
    """
    try:
        return call()
    except PipelineError as error:
        if not worth_retrying(error):
            raise
        failed = [error]

    def again() -> Result:
        if failed:
            raise failed.pop()  # the loop learns of the first try by seeing it fail
        return call()

    return retrying(clock, stop, throttled_for_ever=True, before_pause=before_pause)(again)
