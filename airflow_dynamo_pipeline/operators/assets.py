"""What asset events say of a run: its record, so that a DAG scheduled on the asset knows what there is.

Airflow itself makes one event for each outlet of a task that succeeds. It is the DAG's author who names
outlets: an outlet that an operator added by itself could fail the task (docs/decisions/0014-assets.md).
On Airflow 2, what is called an asset here is a Dataset.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator

from airflow_dynamo_pipeline.airflow_versions import Asset, AssetAlias, AssetRef, BaseOperator, Context
from airflow_dynamo_pipeline.operators.links import region_of

log = logging.getLogger(__name__)


def announce(
    operator: BaseOperator, context: Context, record: dict[str, Any], made: Callable[[], str], **more: Any
) -> dict[str, Any]:
    """Put a run's record into the ``extra`` of the events that its success will make, and return it.

    What outlets have in ``extra`` already stays, unless the record has the same key. An alias gets an event
    for the asset ``made``. Costs a warning, never the work, if Airflow refuses. Call it from the main thread.

    :param record: what the task returns.
    :param made: the URI of what was made, asked for only if an outlet is an alias.
    :param more: what the record does not say.
    """
    extra = {**record, **more}
    try:
        for outlet in operator.outlets:
            if isinstance(outlet, AssetAlias):
                context["outlet_events"][outlet].add(Asset(made()), extra=_flat(extra))
            elif isinstance(outlet, Asset | AssetRef):
                event = context["outlet_events"][outlet]
                event.extra = {**event.extra, **extra}
    except Exception as error:  # noqa: BLE001  what is exported is exported; timeouts and kills pass
        log.warning("the asset events say nothing of this run: %s", error)
    return record


def table_uri(operator: AwsBaseOperator[Any], table_name: str) -> str:
    """How a table is called where it is an alias's asset: ``dynamodb://region/table``."""
    name = table_name.partition(":table/")[2] or table_name
    return f"dynamodb://{region_of(operator)}/{name}"


def announce_nothing(operator: BaseOperator) -> None:
    """Let the success of this attempt make no event: nothing was written."""
    if operator.outlets:
        log.info("a rehearsal makes no asset event")
        operator.outlets = []


def _flat(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Lists and objects as JSON text: Airflow 2 compares what aliases announce by a set."""
    return {
        name: json.dumps(value) if isinstance(value, Mapping | list | tuple) else value
        for name, value in extra.items()
    }
