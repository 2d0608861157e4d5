"""An attempt ends its work before Airflow's ``execution_timeout`` would interrupt it anywhere."""

from __future__ import annotations

import threading
from datetime import timedelta

from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.airflow_versions import BaseOperator, Context, execution_seconds_left
from airflow_dynamo_pipeline.engine.deadline import DeadlineClock, margin_seconds
from airflow_dynamo_pipeline.engine.import_progress import ImportProgress
from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.engine.progress import Progress
from airflow_dynamo_pipeline.errors import Stopped

FROM_CHECKPOINT = "a retry goes on from the checkpoint"
IF_BEGUN = "a retry goes on with what was begun, if anything was"  # where no checkpoint is known of
ADOPTED = "what was begun goes on in DynamoDB, and a retry adopts it"
ANEW = "a comparison has no checkpoint, so a retry begins anew"
DRY_RUN_ANEW = "a dry run has no checkpoint, so a retry begins anew"


class TimeBudget:
    """How long this attempt may work: its ``execution_timeout`` less a margin for closing what is open.

    ``clock`` is what the engine is to be given: it sets the event ``stop`` when the time is over; None
    without an ``execution_timeout``; zero is none, too. Nothing of this outlives the attempt: there is no
    thread and no timer.
    """

    def __init__(
        self,
        timeout: timedelta | None,
        seconds_left: float,
        stop: threading.Event,
        *,
        retry: str = FROM_CHECKPOINT,
        clock: Clock | None = None,
    ) -> None:
        """``seconds_left`` of the timeout, from now; ``retry`` says what one does, and may be set later."""
        self.stop = stop
        self.retry = retry
        self._timeout = timeout
        self._safe = ""
        self.clock: DeadlineClock | None = None
        if timeout:
            seconds = seconds_left - margin_seconds(timeout.total_seconds())
            self.clock = DeadlineClock(clock or SystemClock(), stop, seconds)

    @classmethod
    def of(
        cls, operator: BaseOperator, context: Context, stop: threading.Event, *, retry: str = FROM_CHECKPOINT
    ) -> TimeBudget:
        """The budget of an attempt that begins, or goes on after a deferral, just now."""
        timeout = operator.execution_timeout
        return cls(timeout, execution_seconds_left(timeout, context), stop, retry=retry)

    @property
    def is_over(self) -> bool:
        """Whether the work was stopped because of the time."""
        return self.clock is not None and self.clock.reached

    def keep(self, progress: Progress | ImportProgress) -> None:
        """Take what there is after a stop, for the message."""
        of = f"{progress.parts:,} parts with " if isinstance(progress, Progress) else ""
        self._safe = f"{of}{progress.items:,} items are safe, and "

    def error(self) -> Stopped:
        """What ends an attempt whose time is over; Airflow retries it."""
        is_unknown = self.retry == FROM_CHECKPOINT and not self._safe
        return Stopped(
            f"stopped in time: the execution_timeout of {self._timeout} is nearly over; "
            f"{self._safe}{IF_BEGUN if is_unknown else self.retry}\n"
            "HINT: raise execution_timeout or retries if they do not suffice"
        )
