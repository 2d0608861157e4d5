"""What operators share while the engine runs for them: failing at once, progress, stopping."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

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
from airflow_dynamo_pipeline.errors import PipelineError, Temporary

GAUGES = ("items", "bytes", "rejected", "consumed_units", "units_per_second_held", "share_done")


@contextmanager
def failing_at_once() -> Iterator[None]:
    """Turn errors that no retry can help into AirflowFailException; the others are Airflow's to retry."""
    try:
        yield
    except Temporary:
        raise
    except PipelineError as error:
        raise AirflowFailException(str(error)) from error


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
        say(progress.line())
        push_progress(context, progress.to_json())
        for name in GAUGES:
            if hasattr(progress, name):
                Stats.gauge(f"dynamo_pipeline.{prefix}.{name}", getattr(progress, name), tags=tags)

    return report


def progress_reports(
    context: Context, say: Callable[[str], None], prefix: str, tags: dict[str, str]
) -> Reports:
    """The same as what an export reports to."""
    return Reports(progress_report(context, say, prefix, tags))


def stop_from_signal(stop: threading.Event) -> None:
    """Set an event from a signal handler.

    A handler interrupts the main thread anywhere, perhaps while it holds the event's own lock; setting it
    from another thread waits for that lock instead of waiting for itself.
    """
    threading.Thread(target=stop.set, name="stop").start()
