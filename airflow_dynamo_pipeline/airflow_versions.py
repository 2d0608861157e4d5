"""Where Airflow's versions differ, and the only place that asks.

Supported are 2.11 and 3.0.6 onwards. Every name comes from its newest place, so that no version warns of a
deprecation, and falls back to the older one. `airflow.providers.common.compat.sdk` would do
the same, but the releases that MWAA 2.11.0 and 3.0.6 pin do not have it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

try:  # 3.0
    from airflow.sdk import BaseOperator, BaseSensorOperator, Context
except ImportError:
    from airflow.models import BaseOperator
    from airflow.sensors.base import BaseSensorOperator  # type: ignore[import-not-found, no-redef]
    from airflow.utils.context import Context  # type: ignore[attr-defined, no-redef]

try:  # 3.2
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
except ImportError:
    from airflow.exceptions import (  # type: ignore[attr-defined, no-redef]
        AirflowException,
        AirflowFailException,
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
    "AirflowSkipException",
    "BaseOperator",
    "BaseSensorOperator",
    "BaseTrigger",
    "Context",
    "Stats",
    "TriggerEvent",
    "conf",
    "generation",
    "logical_date",
    "push_progress",
    "task_state_store",
]

PROGRESS = "progress"

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
