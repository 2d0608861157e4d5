"""Start when an export is there, read what it says of itself, check it and rehearse its import.

`after_an_export` runs after every export by `export_for_others`, whose asset it is scheduled on. Which export
there is, and how many items it has, stands in the `extra` of the asset's event. You can also trigger it by
hand, with the manifest of any export. It writes nothing until you switch `dry_run` off.
"""

# --8<-- [start:asset]
from __future__ import annotations

import logging
from typing import Any

import pendulum

try:
    from airflow.sdk import DAG, Asset, AssetAlias, Param, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
    from airflow.datasets import DatasetAlias as AssetAlias
    from airflow.decorators import task  # type: ignore[attr-defined]
    from airflow.models.param import Param

from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator

ORDERS = Asset("s3://backups/orders-for-others")
log = logging.getLogger(__name__)
START = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG(
    "export_for_others",
    doc_md="Export the table `orders` for whoever is scheduled on the asset `s3://backups/orders-for-others`.",
    schedule=None,
    start_date=START,
    params={
        "table_name": Param("orders", type="string", minLength=3, description="The table to export"),
        "ratio": Param(
            0.25,
            type="number",
            exclusiveMinimum=0,
            maximum=1.5,
            description="Share of the table's read capacity, above 0 and at most 1.5",
        ),
    },
):
    DynamoDBExportOperator(
        task_id="export",
        table_name="{{ params.table_name }}",
        s3_uri=ORDERS.uri,
        ratio="{{ params.ratio }}",
        outlets=[ORDERS],
        retries=2,
    )
# --8<-- [end:asset]


# --8<-- [start:scheduled]
@task
def newest_export(**context: Any) -> dict[str, Any]:
    """What the last event that started this run says; what a person asked for, if no event did."""
    asked_for = context["params"]["manifest_uri"]
    if asked_for:
        return {"manifest_uri": asked_for}
    by_asset = context.get("triggering_asset_events") or {}
    if not by_asset:
        by_asset = context.get("triggering_dataset_events") or {}  # noqa: AIR301  Airflow 2
    events = [event for found in by_asset.values() for event in found]
    if not events:
        raise ValueError("no export has started this run: trigger it with the manifest_uri of one")
    newest: dict[str, Any] = max(events, key=lambda event: event.timestamp).extra
    log.info("%s items of table %s", f"{newest['item_count']:,}", newest["table_name"])
    return newest


with DAG(
    "after_an_export",
    doc_md=__doc__,
    schedule=[ORDERS],
    start_date=START,
    params={
        "manifest_uri": Param(
            None,
            type=["null", "string"],
            description="Another export than the one that started this run: its manifest-summary.json",
        ),
        "copy_table": Param(
            "orders-copy",
            type="string",
            minLength=3,
            description="The table that the export is imported into",
        ),
        "ratio": Param(
            0.25,
            type="number",
            exclusiveMinimum=0,
            maximum=1.5,
            description="Share of the copy's write capacity, above 0 and at most 1.5",
        ),
        "dry_run": Param(
            default=True, type="boolean", description="Read and judge every item, but write nothing"
        ),
    },
):
    newest = newest_export()
    manifest_uri = "{{ ti.xcom_pull(task_ids='newest_export')['manifest_uri'] }}"
    check = DynamoDBVerifyOperator(task_id="check", manifest_uri=manifest_uri)
    copy = DynamoDBImportOperator(
        task_id="copy",
        table_name="{{ params.copy_table }}",
        s3_uri=manifest_uri,
        ratio="{{ params.ratio }}",
        dry_run="{{ params.dry_run }}",
        outlets=[AssetAlias("copies-of-orders")],
        retries=2,
    )
    newest >> check >> copy
# --8<-- [end:scheduled]
