"""Start when an export is there, read what it says of itself, check it and rehearse its import.

### What it does

It runs after every export by the DAG `export_for_others`, whose asset it is scheduled on. `newest_export`
reads from the asset's event which export that is. `check` reads its files and compares them with the
manifest. `copy` imports it into another table; it only rehearses that, and writes nothing, until you switch
Rehearse off. You can also press Trigger and name the manifest of any export.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for a verification
and an import. The other table must exist, with the key of the exported one.

### Results

* `newest_export` returns what the event says: the manifest, the counts and the table.
* `check` returns the counts that it found equal.
* `copy` returns how many items were read, written, skipped and rejected.

### If it fails

The first line of the error says what to do. `newest_export` fails if neither an event nor the form names an
export: trigger the DAG with a manifest. After the other tasks press Clear.
"""

from __future__ import annotations

import logging
from typing import Any

import pendulum

try:
    from airflow.sdk import DAG, Asset, AssetAlias, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
    from airflow.datasets import DatasetAlias as AssetAlias
    from airflow.decorators import task  # type: ignore[attr-defined]

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator

log = logging.getLogger(__name__)
START = pendulum.datetime(2026, 1, 1, tz="UTC")
EXPORT_DOC = """Export a table for whoever is scheduled on the asset of the exports.

### What it does

Press Trigger: the form asks for the table and the rate. `export` reads the table and writes its items to S3.
When it succeeds, Airflow makes an event of the asset `s3://backups/orders-for-others`, with the manifest and
the counts in it. Every DAG that is scheduled on this asset starts, as `after_an_export` does.

### What it needs

The connection `aws_default` with the permissions that `dynamo-pipeline iam-policy` prints for an export. The
bucket must exist.

### Results

* `export` returns the manifest, the counts and what the export took. The event of the asset has the same.

### If it fails

The first line of the error says what to do. Then press Clear: a retry goes on where the export stopped. A
task that failed makes no event.
"""

# --8<-- [start:asset]
ORDERS = Asset("s3://backups/orders-for-others")

with DAG(
    "export_for_others",
    doc_md=EXPORT_DOC,
    schedule=None,
    start_date=START,
    params={"table_name": params.table_name("orders"), "ratio": params.ratio()},
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
def newest_export(asked_for: str, **context: Any) -> dict[str, Any]:
    """What the last event of an export that started this run says; what a person asked for, if one did."""
    if asked_for:
        return {"manifest_uri": asked_for}
    by_asset = context.get("triggering_asset_events") or {}
    if not by_asset:
        by_asset = context.get("triggering_dataset_events") or {}  # noqa: AIR301  Airflow 2
    events = [event for found in by_asset.values() for event in found]
    of_exports = [
        event for event in events if "manifest_uri" in (event.extra or {})
    ]  # others were made by hand
    if not of_exports:
        raise ValueError("no export has started this run: trigger it with the manifest_uri of one")
    newest: dict[str, Any] = max(of_exports, key=lambda event: event.timestamp).extra
    log.info("%s items, %s", newest.get("item_count", "uncounted"), newest["manifest_uri"])
    return newest


with DAG(
    "after_an_export",
    doc_md=__doc__,
    schedule=[ORDERS],
    start_date=START,
    params={
        "manifest_uri": params.manifest_uri(None, "Another export than the one that started this run"),
        "copy_table": params.table_name("orders-copy", "The table that the export is imported into"),
        "ratio": params.ratio(kind="write"),
        "dry_run": params.dry_run(),
    },
):
    newest = newest_export("{{ params.manifest_uri or '' }}")
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
