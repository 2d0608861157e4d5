"""Where Airflow's versions differ, and the only place that asks.

Supported are 2.11 and 3.0.6 onwards. Every name comes from its newest place, so that no version warns of a
deprecation, and falls back to the older one. `airflow.providers.common.compat.sdk` would do
the same, but the releases that MWAA 2.11.0 and 3.0.6 pin do not have it.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow import __version__ as airflow_version
from airflow.triggers.base import BaseTrigger, TriggerEvent

try:  # 3.0
    from airflow.sdk import BaseOperator, BaseSensorOperator, Context, Param, TaskGroup, XComArg
except ImportError:
    from airflow.models import BaseOperator
    from airflow.models.param import Param  # type: ignore[no-redef]
    from airflow.models.xcom_arg import XComArg
    from airflow.sensors.base import BaseSensorOperator  # type: ignore[import-not-found, no-redef]
    from airflow.utils.context import Context  # type: ignore[attr-defined, no-redef]
    from airflow.utils.task_group import TaskGroup  # type: ignore[import-not-found, no-redef]

try:  # 3.0
    from airflow.sdk import Asset, AssetAlias
    from airflow.sdk.definitions.asset import AssetRef
except ImportError:
    from airflow.datasets import Dataset as Asset  # type: ignore[no-redef]
    from airflow.datasets import DatasetAlias as AssetAlias  # type: ignore[no-redef]

    AssetRef = Asset  # type: ignore[misc, assignment]  # 2 has no references

try:  # 3.1
    from airflow.sdk import BaseHook
except ImportError:
    from airflow.hooks.base import BaseHook  # type: ignore[attr-defined, no-redef]

try:  # 3.2
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSkipException,
    )
except ImportError:
    from airflow.exceptions import (  # type: ignore[attr-defined, no-redef]
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSkipException,
    )

try:  # 3.2
    from airflow.sdk.configuration import conf
except ImportError:
    from airflow.configuration import conf

try:  # 3.2
    from airflow.sdk.observability.stats import Stats
except ImportError:
    from airflow.stats import Stats

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSkipException",
    "Asset",
    "AssetAlias",
    "AssetRef",
    "BaseHook",
    "BaseOperator",
    "BaseSensorOperator",
    "BaseTrigger",
    "Context",
    "Param",
    "Stats",
    "TaskGroup",
    "TriggerEvent",
    "XComArg",
    "conf",
    "execution_seconds_left",
    "generation",
    "late_settings",
    "logical_date",
    "push_link",
    "push_progress",
    "reads_xcom_of_runs",
    "run_page",
    "task_state_store",
]

PROGRESS = "progress"
LATE_IS_SILENT = (
    "no notice will be sent when this DAG is late: for that this Airflow needs "
    "apache-airflow-providers-amazon[aiobotocore] 9.15.0 or newer"
)

log = logging.getLogger(__name__)


def logical_date(context: Context) -> datetime:
    """The instant the run stands for, in UTC: the same for every attempt and after Clear.

    Airflow 3 runs that were triggered without a logical date have none; the instant from which such a run
    was allowed to start (``run_after``) is fixed with the run. Its ``start_date`` is not: Clear sets it anew.
    """
    found: datetime | None = context.get("logical_date")
    if found is None:
        found = context["dag_run"].run_after
    return found.astimezone(UTC)


def generation(context: Context, retries: int) -> str:
    """A text that Clear changes and a retry does not.

    Airflow counts attempts on through a Clear and raises ``max_tries`` to match; a retry leaves it alone.

    :param retries: the operator's own ``retries``.
    """
    return str(context["ti"].max_tries - retries)


def execution_seconds_left(timeout: timedelta | None, context: Context) -> float:
    """How long until Airflow interrupts this attempt, in seconds; infinite without a timeout.

    A task that goes on after a deferral has, on Airflow 2, what is left since its start; on 3 all of it.
    """
    if not timeout:  # zero, too: Airflow starts no timer for it
        return float("inf")
    instance: Any = context.get("ti")
    if getattr(instance, "next_method", None) and instance.start_date:
        began_at: datetime = instance.start_date
        return (timeout - (datetime.now(UTC) - began_at)).total_seconds()
    return timeout.total_seconds()


def task_state_store(context: Context) -> Any | None:
    """The task's key-value store, which outlives retries and Clear (Airflow 3.3); None where there is none.

    Call its methods from the main thread only.
    """
    return context.get("task_state_store")


def push_progress(context: Context, record: Mapping[str, Any]) -> None:
    """Show a small JSON record as ``progress`` in the UI: in the task state store, else as an XCom.

    Call it from the main thread only: Airflow 3.0's channel to the supervisor has no lock. A record that
    cannot be stored costs a warning, never the work it tells of.
    """
    store = task_state_store(context)
    try:
        if store is not None:
            store.set(PROGRESS, dict(record))
        else:
            context["ti"].xcom_push(key=PROGRESS, value=dict(record))
    except Exception as error:  # noqa: BLE001  whatever Airflow's store may raise; timeouts and kills pass
        log.warning("progress could not be stored: %s", error)


def run_page() -> str:
    """The UI's page of a run, with ``DAG_ID`` and ``RUN_ID`` to be replaced; empty if it has no address."""
    is_second = airflow_version.startswith("2.")
    base_url = conf.get("webserver" if is_second else "api", "base_url", fallback=None)
    if not base_url:
        return ""
    path = "grid?dag_run_id=RUN_ID" if is_second else "runs/RUN_ID"
    return f"{base_url.rstrip('/')}/dags/DAG_ID/{path}"


def reads_xcom_of_runs() -> bool:
    """Whether a DAG's callbacks, which the DAG processor runs, can read XComs; not in Airflow 3.0."""
    return not airflow_version.startswith("3.0.")


def late_settings(
    notifier: Callable[..., Any], arguments: Mapping[str, Any], after: timedelta
) -> dict[str, Any]:
    """Arguments of ``DAG`` that call a notifier for a late run; none in Airflow 3.0, which has no such thing.

    The triggerer needs aiobotocore to call AWS, and a notifier with an ``async_notify`` of its own. Otherwise
    the executor calls, from Airflow 3.2 on; before 3.3 it calls only notifiers that take a ``context``, as
    those with an ``async_notify`` do. Where neither can call there are no arguments, and a warning.
    """
    if airflow_version.startswith("2."):
        return {"sla_miss_callback": notifier(**arguments)}
    try:  # 3.1
        from airflow.sdk import BaseNotifier
        from airflow.sdk.definitions import deadline
    except ImportError:
        return {}
    is_async = getattr(notifier, "async_notify", None) not in (None, BaseNotifier.async_notify)
    in_triggerer = is_async and importlib.util.find_spec("aiobotocore") is not None
    if not in_triggerer and airflow_version.startswith(("3.1.",) if is_async else ("3.1.", "3.2.")):
        log.warning(LATE_IS_SILENT)
        return {}
    callback = getattr(deadline, "AsyncCallback" if in_triggerer else "SyncCallback")
    reference = deadline.DeadlineReference.DAGRUN_QUEUED_AT
    return {"deadline": deadline.DeadlineAlert(reference, after, callback(notifier, dict(arguments)))}


def push_link(context: Context, link: Any, url: str) -> None:
    """Show an extra link at once: Airflow 3 reads it from an XCom of its own, which it writes at the end.

    Airflow 2 asks the link itself, at any time. Call it from the main thread only.
    """
    key = getattr(link, "xcom_key", None)
    if key is not None:
        context["ti"].xcom_push(key=key, value=url)
