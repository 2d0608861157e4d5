"""What operators share while the engine runs for them: failing at once, progress, stopping."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, Protocol

from airflow_dynamo_pipeline.airflow_versions import (
    AirflowFailException,
    Context,
    Stats,
    generation,
    logical_date,
    push_progress,
)
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.progress import Progress
from airflow_dynamo_pipeline.errors import PipelineError, Stopped, Temporary
from airflow_dynamo_pipeline.operators.messages import told
from airflow_dynamo_pipeline.operators.time_budget import TimeBudget

HEARD = "told to stop by Airflow"
GAUGES = ("items", "bytes", "rejected", "consumed_units", "units_per_second_held", "share_done")


log = logging.getLogger(__name__)


@contextmanager
def failing_at_once(budget: TimeBudget | None = None) -> Iterator[None]:
    """Turn errors that no retry can help into AirflowFailException; the others are Airflow's to retry.

    Either way the first line says what to do, and stands in the log by itself: Airflow writes its own after a
    traceback. ``budget`` tells a stop for want of time from other stops.
    """
    try:
        yield
    except Temporary as error:
        error.args = (_told_in_log(_in_time(error, budget)),)
        raise
    except PipelineError as error:
        raise AirflowFailException(_told_in_log(error)) from error


def fail_at_once(message: str) -> NoReturn:
    """Fail by a message that was made elsewhere, as by a trigger."""
    log.error(message)
    raise AirflowFailException(message)


def _in_time(error: Temporary, budget: TimeBudget | None) -> Temporary:
    return budget.error() if budget and budget.is_over and isinstance(error, Stopped) else error


def _told_in_log(error: PipelineError) -> str:
    message = told(error)
    log.error(message)
    return message


def work_of(context: Context, retries: int | None) -> Work:
    """The logical run: the same for every attempt at it, another after Clear."""
    instance = context["ti"]
    run = "|".join([instance.dag_id, instance.task_id, str(instance.map_index), str(instance.run_id)])
    return Work(run=run, generation=generation(context, retries or 0), began_at=logical_date(context))


class ProgressRecord(Protocol):
    """What the engine says of its progress."""

    def line(self) -> str:
        """One line for a log."""
        ...

    def to_json(self) -> JsonObject:
        """A small JSON object."""
        ...


def progress_report(
    context: Context, say: Callable[[str], None], prefix: str, tags: dict[str, str]
) -> Callable[[ProgressRecord], None]:
    """A function that logs a record, shows it in the UI and sends Airflow's metrics.

    Call it from the main thread only: Airflow 3.0's channel to the supervisor has no lock.
    """

    def report(progress: ProgressRecord) -> None:
        line = progress.line()
        say(line)
        push_progress(context, {"line": line, **progress.to_json()})
        for name in GAUGES:
            if hasattr(progress, name):
                Stats.gauge(f"dynamo_pipeline.{prefix}.{name}", getattr(progress, name), tags=tags)

    return report


def progress_reports(
    context: Context,
    say: Callable[[str], None],
    prefix: str,
    tags: dict[str, str],
    at_stop: Callable[[Progress], None] = lambda _: None,
) -> Reports:
    """The same as what an export reports to; ``at_stop`` hears what there is after a stop."""
    return Reports(progress_report(context, say, prefix, tags), at_stop=at_stop)


def stop_from_signal(stop: threading.Event, say: Callable[[str], None], what_follows: str) -> None:
    """Set an event from a signal handler, and say so in the log once it is set.

    A handler interrupts the main thread anywhere, perhaps while it holds the event's own lock, or the log's;
    another thread waits for these locks instead of waiting for itself.
    """

    def halt() -> None:
        stop.set()
        say(f"{HEARD}; {what_follows}")

    threading.Thread(target=halt, name="stop").start()
