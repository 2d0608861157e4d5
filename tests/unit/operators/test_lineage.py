"""What OpenLineage is told of each operator's run, checked with OpenLineage's own schemas."""

import json
import logging
import sys
import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from airflow_dynamo_pipeline.operators.capacity import DynamoDBCapacityModeOperator
from airflow_dynamo_pipeline.operators.lookup import RedshiftToDynamoDBOperator
from airflow_dynamo_pipeline.operators.native import (
    DynamoDBPointInTimeExportOperator,
    DynamoDBTableImportOperator,
)
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator
from tests.openlineage_schemas import checked

ACCOUNT = "arn:aws:dynamodb:eu-west-1:123456789012"
ARN = f"{ACCOUNT}:table/orders"
BUCKET = "s3://backups"
EXPORT_ID = "2026-01-02-03-04-05-0a1b2c3d"
MANIFEST = f"{BUCKET}/nightly/orders/AWSDynamoDB/{EXPORT_ID}/manifest-summary.json"

Told = dict[str, Any]


def scan(**settings: Any) -> DynamoDBExportOperator:
    given = {"table_name": "orders", "s3_uri": f"{BUCKET}/nightly/orders/", **settings}
    return DynamoDBExportOperator(task_id="export", **given)


def into_table(**settings: Any) -> DynamoDBImportOperator:
    return DynamoDBImportOperator(task_id="import", **{"table_name": "copy", "s3_uri": MANIFEST, **settings})


def check(**settings: Any) -> DynamoDBVerifyOperator:
    return DynamoDBVerifyOperator(task_id="check", **{"manifest_uri": MANIFEST, **settings})


def native(**settings: Any) -> DynamoDBPointInTimeExportOperator:
    given = {"table_name": "orders", "s3_uri": f"{BUCKET}/nightly/orders", **settings}
    return DynamoDBPointInTimeExportOperator(task_id="native", **given)


def new_table(**settings: Any) -> DynamoDBTableImportOperator:
    given = {"table_name": "copy", "manifest_uri": MANIFEST, **settings}
    return DynamoDBTableImportOperator(task_id="new", **given)


def mirror(**settings: Any) -> RedshiftToDynamoDBOperator:
    given = {"sql": "select 1", "table_name": "orders", "key_columns": "id", "s3_uri": f"{BUCKET}/lookups"}
    return RedshiftToDynamoDBOperator(task_id="mirror", **{**given, **settings})


EXPORTED = {
    "manifest_uri": MANIFEST,
    "export_id": EXPORT_ID,
    "table_arn": ARN,
    "item_count": 1000,
    "parts": 3,
    "stored_bytes": 4096,
}
IMPORTED = {
    "table_arn": f"{ACCOUNT}:table/copy",
    "dry_run": False,
    "read": 1000,
    "written": 990,
    "deleted": 5,
    "rejected": 0,
    "rejects_uri": None,
}
VERIFIED = {"manifest_uri": MANIFEST, "item_count": 1000, "files": 3, "stored_bytes": 4096}
EXPORTED_NATIVELY = {
    "export_arn": f"{ARN}/export/01695353076000-a1b2c3d4",
    "export_type": "full",
    "manifest_uri": MANIFEST,
    "item_count": 1000,
}
MADE = {
    "table_arn": f"{ACCOUNT}:table/copy",
    "items": 998,
    "processed_items": 1000,
    "processed_bytes": 70_000,
}

LOADED = {
    "table_arn": ARN,
    "dry_run": False,
    "rows": 1000,
    "table_items": 900,
    "written": 120,
    "deleted": 20,
    "rejected": 0,
    "rejects_uri": None,
}
WAREHOUSE = ("redshift://analytics.eu-west-1:5439", "dev")

OPERATORS = [
    (scan, EXPORTED),
    (into_table, IMPORTED),
    (check, VERIFIED),
    (native, EXPORTED_NATIVELY),
    (new_table, MADE),
]


def told(operator: Any, record: Mapping[str, Any] | None = None, how: str = "complete") -> Told:
    """The event that the methods make, as it is sent; valid by OpenLineage's schemas."""
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
    from openlineage.client.serde import Serde

    if record is not None:
        operator.finished(dict(record))
    method = getattr(operator, f"get_openlineage_facets_on_{how}")
    lineage = method() if how == "start" else method(None)
    event = RunEvent(
        eventType=RunState.OTHER,
        eventTime="2026-01-02T03:04:05+00:00",
        run=Run(str(uuid.uuid4()), facets=lineage.run_facets),
        job=Job("tests", "dag.task", facets=lineage.job_facets),
        inputs=lineage.inputs,
        outputs=lineage.outputs,
        producer="https://example.com/tests",
    )
    sent: Told = json.loads(Serde.to_json(event))
    checked(sent)
    return sent


def names(event: Told, side: str) -> list[tuple[str, str]]:
    return [(each["namespace"], each["name"]) for each in event[side]]


def facet(dataset: Told, kind: str, name: str) -> Told:
    return {key: value for key, value in dataset[kind][name].items() if not key.startswith("_")}


def proven(dataset: Told) -> dict[str, bool]:
    assertions = facet(dataset, "inputFacets", "dataQualityAssertions")["assertions"]
    return {each["assertion"]: each["success"] for each in assertions}


def test_an_export_reads_the_table_and_writes_the_prefix() -> None:
    event = told(scan(), EXPORTED)

    (table,), (prefix,) = event["inputs"], event["outputs"]
    assert [(ACCOUNT, "table/orders")] == names(event, "inputs")
    assert [(BUCKET, "nightly/orders")] == names(event, "outputs")
    assert {"rowCount": 1000} == facet(table, "inputFacets", "inputStatistics")
    counted = {"rowCount": 1000, "size": 4096, "fileCount": 3}
    assert counted == facet(prefix, "outputFacets", "outputStatistics")
    assert {"datasetVersion": EXPORT_ID} == facet(prefix, "facets", "version")
    assert {"name": BUCKET, "uri": BUCKET} == facet(prefix, "facets", "dataSource")
    assert {"name": ACCOUNT, "uri": ACCOUNT} == facet(table, "facets", "dataSource")


def test_of_an_export_of_some_items_nobody_knows_how_many_were_read() -> None:
    event = told(scan(filter_expression="n > :n"), EXPORTED)

    assert {} == event["inputs"][0].get("inputFacets", {})
    assert 1000 == facet(event["outputs"][0], "outputFacets", "outputStatistics")["rowCount"]


def test_an_export_to_a_whole_bucket_has_the_name_the_amazon_provider_gives_it() -> None:
    record = {**EXPORTED, "manifest_uri": f"{BUCKET}/AWSDynamoDB/{EXPORT_ID}/manifest-summary.json"}

    assert [(BUCKET, "/")] == names(told(scan(s3_uri=BUCKET), record), "outputs")


def test_what_is_exported_is_called_the_same_where_it_is_imported_and_checked() -> None:
    written = told(scan(), EXPORTED)["outputs"][0]

    for event in (told(into_table(), IMPORTED), told(check(), VERIFIED), told(new_table(), MADE)):
        (read,) = event["inputs"]
        assert (written["namespace"], written["name"]) == (read["namespace"], read["name"])
        assert facet(written, "facets", "version") == facet(read, "facets", "version")


def test_an_export_that_auto_made_natively_names_the_table_by_its_export() -> None:
    event = told(scan(method="auto"), {"method": "full", **EXPORTED_NATIVELY})

    assert [(ACCOUNT, "table/orders")] == names(event, "inputs")
    assert {"rowCount": 1000} == facet(event["outputs"][0], "outputFacets", "outputStatistics")


def test_of_changes_that_were_exported_nobody_knows_how_many_items_the_table_has() -> None:
    event = told(native(export_type="incremental"), {**EXPORTED_NATIVELY, "export_type": "incremental"})

    assert [(ACCOUNT, "table/orders")] == names(event, "inputs")
    assert {} == event["inputs"][0].get("inputFacets", {})
    assert [(BUCKET, "nightly/orders")] == names(event, "outputs")


def test_a_lookup_load_reads_the_database_that_it_was_connected_to_and_writes_the_table() -> None:
    load = mirror()
    load.finished(LOADED, {"read_from": WAREHOUSE})

    event = told(load)

    assert ([WAREHOUSE], [(ACCOUNT, "table/orders")]) == (names(event, "inputs"), names(event, "outputs"))
    assert {"rowCount": 1000} == facet(event["inputs"][0], "inputFacets", "inputStatistics")
    assert {"rowCount": 100} == facet(event["outputs"][0], "outputFacets", "outputStatistics")


def test_a_lookup_load_that_is_rehearsed_reads_the_table_too() -> None:
    load = mirror(dry_run="true")
    load.finished({**LOADED, "dry_run": True, "written": 0}, {"read_from": WAREHOUSE})

    event = told(load)

    assert [WAREHOUSE, (ACCOUNT, "table/orders")] == names(event, "inputs")
    assert {"rowCount": 900} == facet(event["inputs"][1], "inputFacets", "inputStatistics")
    assert [] == names(event, "outputs")


def test_rows_that_were_rejected_are_at_the_place_of_all_loads() -> None:
    event = told(mirror(), {**LOADED, "rejected": 3, "rejects_uri": f"{BUCKET}/lookups/_lookups/orders/x/"})

    assert [(ACCOUNT, "table/orders"), (BUCKET, "lookups")] == names(event, "outputs")


def test_an_import_reads_the_backup_and_writes_the_table() -> None:
    event = told(into_table(), IMPORTED)

    assert {"rowCount": 1000} == facet(event["inputs"][0], "inputFacets", "inputStatistics")
    assert [(ACCOUNT, "table/copy")] == names(event, "outputs")
    assert {"rowCount": 985} == facet(event["outputs"][0], "outputFacets", "outputStatistics")
    assert "lifecycleStateChange" not in event["outputs"][0]["facets"]


def test_items_that_were_rejected_are_a_dataset_of_their_own() -> None:
    record = {**IMPORTED, "rejected": 5, "rejects_uri": f"{BUCKET}/rejects/_imports/0a/rejects/"}

    event = told(into_table(), record)

    assert (BUCKET, "rejects/_imports/0a/rejects") == names(event, "outputs")[1]
    assert {"rowCount": 5} == facet(event["outputs"][1], "outputFacets", "outputStatistics")


@pytest.mark.parametrize("dry_run", [True, "true"])
def test_a_rehearsal_writes_nothing_whether_it_begins_or_is_done(dry_run: object) -> None:
    rehearsal = into_table(dry_run=dry_run, table_name=f"{ACCOUNT}:table/copy")

    assert [] == told(rehearsal, how="start")["outputs"]
    assert [] == told(rehearsal, {**IMPORTED, "dry_run": True})["outputs"]


def test_several_windows_of_one_chain_are_one_dataset_at_its_last_version() -> None:
    chain = [f"{BUCKET}/nightly/orders/AWSDynamoDB/{name}/manifest-summary.json" for name in ("01-a", "02-b")]

    (read,) = told(into_table(s3_uri=chain), IMPORTED)["inputs"]

    assert {"datasetVersion": "02-b"} == facet(read, "facets", "version")
    assert {"rowCount": 1000} == facet(read, "inputFacets", "inputStatistics")


def test_of_several_datasets_nobody_knows_which_item_came_from_where() -> None:
    event = told(into_table(s3_uri=f"{BUCKET}/a,{BUCKET}/b"), IMPORTED)

    assert [(BUCKET, "a"), (BUCKET, "b")] == names(event, "inputs")
    assert [{}, {}] == [each.get("inputFacets", {}) for each in event["inputs"]]


def test_a_table_that_an_import_made_is_created() -> None:
    event = told(new_table(), MADE)

    (read,), (table,) = event["inputs"], event["outputs"]
    assert {"rowCount": 1000, "size": 70_000} == facet(read, "inputFacets", "inputStatistics")
    assert (ACCOUNT, "table/copy") == (table["namespace"], table["name"])
    assert {"rowCount": 998} == facet(table, "outputFacets", "outputStatistics")
    assert {"lifecycleStateChange": "CREATE"} == facet(table, "facets", "lifecycleStateChange")


def test_a_task_that_was_deferred_tells_the_source_it_began_with() -> None:
    operator = new_table(manifest_uri=f"{BUCKET}/rendered/anew/AWSDynamoDB/x/manifest-summary.json")
    operator.finished(dict(MADE), {"manifest_uri": MANIFEST})

    assert [(BUCKET, "nightly/orders")] == names(told(operator), "inputs")


def test_a_check_reads_both_sides_and_says_what_is_equal() -> None:
    compared = {**VERIFIED, "table_arn": ARN, "table_item_count": 1000}

    event = told(check(table_name="orders"), compared)

    export, table = event["inputs"]
    assert [] == event["outputs"]
    assert {"equals_manifest": True, "equals_table": True} == proven(export)
    assert {"equals_export": True} == proven(table)
    counted = {"rowCount": 1000, "size": 4096, "fileCount": 3}
    assert counted == facet(export, "inputFacets", "inputStatistics")


def test_a_check_without_a_table_proves_nothing_of_one() -> None:
    (export,) = told(check(), VERIFIED)["inputs"]

    assert {"equals_manifest": True} == proven(export)


@pytest.mark.parametrize("how", ["start", "failure"])
@pytest.mark.parametrize(("make", "_record"), OPERATORS)
def test_before_there_is_a_record_only_what_the_settings_name_is_told(
    make: Any, _record: Told, how: str
) -> None:
    event = told(make(), how=how)

    sides = names(event, "inputs") + names(event, "outputs")
    assert [(BUCKET, "nightly/orders")] == sides
    assert not [
        each for side in ("inputs", "outputs") for each in event[side] if each.get(f"{side[:-1]}Facets")
    ]


def test_a_table_given_by_its_arn_is_told_from_the_beginning() -> None:
    event = told(scan(table_name=ARN), how="failure")

    assert [(ACCOUNT, "table/orders")] == names(event, "inputs")


def test_a_table_that_an_import_failed_to_make_is_not_created() -> None:
    event = told(new_table(table_name=f"{ACCOUNT}:table/copy"), how="failure")

    assert "lifecycleStateChange" not in event["outputs"][0]["facets"]


@pytest.mark.parametrize(("make", "_record"), OPERATORS)
def test_a_task_that_was_skipped_moved_nothing(make: Any, _record: Told) -> None:
    event = told(make())

    assert ([], []) == (event["inputs"], event["outputs"])


@pytest.mark.parametrize(("make", "record"), OPERATORS)
def test_no_secret_of_a_connection_or_a_setting_is_told(make: Any, record: Told) -> None:
    hidden = {"aws_conn_id": "hidden-name", "botocore_config": {"proxies": {"https": "http://u:hidden@p"}}}

    assert "hidden" not in json.dumps([told(make(**hidden), record), told(make(**hidden), how="start")])


@pytest.mark.parametrize(("make", "record"), OPERATORS)
@pytest.mark.parametrize("how", ["start", "complete", "failure"])
def test_without_the_provider_nothing_is_told_and_nothing_fails(
    make: Any, record: Told, how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    operator = make()
    operator.finished(record)
    method = getattr(operator, f"get_openlineage_facets_on_{how}")

    with caplog.at_level(logging.INFO):
        assert (method() if how == "start" else method(None)) is None
    assert "" == caplog.text


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        (scan(s3_uri="nowhere"), "its s3_uri cannot be read"),
        (new_table(manifest_uri=None), "its s3_uri cannot be read"),
        (into_table(dry_run="perhaps"), "its dry_run cannot be read"),
    ],
)
def test_what_cannot_be_told_costs_a_warning(
    operator: Any, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert operator.get_openlineage_facets_on_start() is None
    assert words in caplog.text


@pytest.mark.parametrize("scheme", ["s3", "https"])
@pytest.mark.parametrize(("make", "_record"), OPERATORS)
def test_a3_credentials_in_a_uri_are_in_no_lineage_and_no_warning(
    make: Any, _record: Told, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    uri = f"{scheme}://AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI@backups/orders"
    operator = make()
    operator.s3_uri = operator.manifest_uri = uri

    assert operator.get_openlineage_facets_on_start() is None
    assert 1 == len(caplog.messages)
    assert "wJalrXUtnFEMI" not in caplog.text


def test_a_record_that_is_not_understood_costs_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    operator = scan()
    operator.finished({**EXPORTED, "table_arn": "arn:aws:s3:::bucket"})

    assert operator.get_openlineage_facets_on_complete(None) is None
    assert "is not the ARN of a DynamoDB table" in caplog.text


def test_a_change_of_capacity_moves_no_items() -> None:
    assert not hasattr(DynamoDBCapacityModeOperator, "get_openlineage_facets_on_complete")
