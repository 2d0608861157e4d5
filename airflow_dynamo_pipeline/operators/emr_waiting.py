"""How an attempt waits for a job on EMR: until when, by which looks, and what ends the job with the wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_dynamo_pipeline.adapters.emr_jobs import UNDER_WAY, EmrJob, EmrJobs, left_running
from airflow_dynamo_pipeline.airflow_versions import Context
from airflow_dynamo_pipeline.engine.deadline import margin_seconds
from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.errors import PipelineError, Stopped, Temporary
from airflow_dynamo_pipeline.operators.time_budget import TimeBudget

AFTER_CANCELLING = "the job was cancelled, and a retry's job goes on from the checkpoints"
SETTLES_SECONDS = 60.0  # Airflow 3.3 gives a trigger 30 s to cancel, and may take some to tell it so
SETTLE_LOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class JobWait:
    """The wait of one attempt, on a worker."""

    jobs: EmrJobs
    clock: Clock
    budget: TimeBudget
    poke_interval: float  # seconds
    log: Any

    def settled(self, job: EmrJob) -> EmrJob:
        """An adopted job a minute later, or as soon as it is not under way any more.

        Whoever ended the attempt that began it, by Clear or a kill, may be about to cancel it.
        """
        until = self.clock.monotonic() + SETTLES_SECONDS
        pause = min(self.poke_interval, SETTLE_LOOK_SECONDS)
        with self._cancelling(job):
            while job.phase == UNDER_WAY and self.clock.monotonic() < until:
                job = self._next(job, pause)
        return job

    def ended(self, job: EmrJob, tell: Callable[[], None]) -> EmrJob:
        """The job at its end; ``tell`` is called before each look."""
        with self._cancelling(job):
            while not job.ended:
                tell()
                job = self._next(job, self.poke_interval)
        return job

    def cancel(self, job: EmrJob) -> str:
        """Ask for the job's end; says what becomes of it."""
        try:
            self.jobs.cancel(job.job_id)
        except PipelineError as error:
            self.log.warning("job %s could not be cancelled and goes on: %s", job.job_id, error)
            return f"job {job.job_id} could not be cancelled and goes on; a retry adopts it"
        self.log.warning("job %s is being cancelled", job.job_id)
        return AFTER_CANCELLING

    def _next(self, job: EmrJob, seconds: float) -> EmrJob:
        """The job after a pause; raises Stopped, but looks once more when only the time is over."""
        is_stopped = self.clock.wait(self.budget.stop, seconds)
        found = job if is_stopped and not self.budget.is_over else self._looked(job, seconds)
        if is_stopped and not found.ended:
            raise Stopped("told to stop")
        return found

    def _looked(self, job: EmrJob, seconds: float) -> EmrJob:
        try:
            return self.jobs.look(job.job_id)
        except Temporary as error:
            self.log.warning("%s; looking again in %s s", error, seconds)
            return job

    @contextmanager
    def _cancelling(self, job: EmrJob) -> Iterator[None]:
        """Whatever stops the wait for the job, but for an error, cancels it."""
        try:
            with left_running(job.job_id):
                yield
        except Stopped as error:
            self.budget.retry = self.cancel(job)
            raise Stopped(f"told to stop while a job on EMR ran; {self.budget.retry}") from error
        except BaseException as error:
            if not isinstance(error, Exception):  # a kill, Airflow's time-out
                self.cancel(job)
            raise


def ends_at(timeout: timedelta | None, context: Context) -> datetime | None:
    """When a deferred attempt has to end; None without an ``execution_timeout``.

    Airflow 2 counts from the start of the attempt, and when the time is over it fails the task without a word
    to operator or trigger. So that is when the job has to be cancelled already.
    """
    if not timeout:  # zero, too: Airflow starts no timer for it
        return None
    began_at: datetime = getattr(context["ti"], "start_date", None) or datetime.now(UTC)
    return began_at + timeout - timedelta(seconds=margin_seconds(timeout.total_seconds()))
