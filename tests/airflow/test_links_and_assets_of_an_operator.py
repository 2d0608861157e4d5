"""What every operator shows of a run while it runs, and says of it when it is over."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import AirflowFailException, Asset
from airflow_dynamo_pipeline.operators.capacity import DynamoDBCapacityModeOperator
from airflow_dynamo_pipeline.operators.links import (
    ConsoleLink,
    DynamoDBTableLink,
    NativeExportJobLink,
    S3PrefixLink,
)
from airflow_dynamo_pipeline.operators.lookup import RedshiftToDynamoDBOperator, SqlToDynamoDBOperator
from airflow_dynamo_pipeline.operators.native import (
    DynamoDBPointInTimeExportOperator,
    DynamoDBTableImportOperator,
)
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator
from tests.airflow.conftest import ITEMS, FakeTask, context_of
from tests.airflow.test_example_dags import dag_bag
from tests.services import Services, aws_client
from tests.services.clients import SECRET_KEY
from tests.unit.airflow_parts import OutletEventAccessors

pytestmark = pytest.mark.usefixtures("aws_default")
NewTask = Callable[..., FakeTask]

CONSOLE = "https://console.aws.amazon.com"
MADE = Asset("s3://backups/orders")
OFFERED = {
    DynamoDBExportOperator: {"S3 prefix", "DynamoDB table", "DynamoDB export job"},
    DynamoDBImportOperator: {"S3 prefix", "DynamoDB table"},
    DynamoDBVerifyOperator: {"S3 prefix", "DynamoDB table"},
    DynamoDBCapacityModeOperator: {"DynamoDB table"},
    DynamoDBPointInTimeExportOperator: {"S3 prefix", "DynamoDB table", "DynamoDB export job"},
    DynamoDBTableImportOperator: {"S3 prefix", "DynamoDB table", "DynamoDB import log"},
    SqlToDynamoDBOperator: {"S3 prefix", "DynamoDB table"},
    RedshiftToDynamoDBOperator: {"S3 prefix", "DynamoDB table"},
}


def announcing(task: FakeTask) -> Any:
    """A context that takes events."""
    return {**context_of(task), "outlet_events": OutletEventAccessors()}


def shown(task: FakeTask, link: type[ConsoleLink], number: int = -1) -> str:
    """The address that was pushed as the first, the second or the last."""
    return link().format_link(**task.pushed[link.key][number])


def pushed_before_progress(task: FakeTask) -> set[str]:
    keys = list(task.pushed)
    return set(keys[: keys.index("progress")])


def export_to(table: str, bucket: str, **settings: Any) -> DynamoDBExportOperator:
    return DynamoDBExportOperator(
        task_id="export", table_name=table, s3_uri=f"s3://{bucket}/exports", ratio=1, **settings
    )


@pytest.mark.parametrize(("operator", "links"), OFFERED.items())
def test_every_operator_offers_its_links(operator: type[Any], links: set[str]) -> None:
    assert links == {link.name for link in operator.operator_extra_links}


def test_an_export_shows_where_it_writes_before_it_begins_and_its_own_folder_in_the_end(
    table: str, bucket: str, new_task: NewTask
) -> None:
    task, export = new_task(), export_to(table, bucket)

    record = export.execute(context_of(task))

    prefix = f"{CONSOLE}/s3/buckets/{bucket}?region=us-east-1&prefix=exports%2F"
    assert {S3PrefixLink.key, DynamoDBTableLink.key} <= pushed_before_progress(task)
    assert [prefix, f"{prefix}AWSDynamoDB%2F{record['export_id']}%2F"] == [
        shown(task, S3PrefixLink, number) for number in range(len(task.pushed[S3PrefixLink.key]))
    ]
    assert f"{CONSOLE}/dynamodbv2/home?region=us-east-1#table?name={table}" == shown(task, DynamoDBTableLink)
    assert NativeExportJobLink.key not in task.pushed
    assert {"S3 prefix", "DynamoDB table"} == {link.name for link in export.operator_extra_links}


def test_an_export_that_fails_at_once_has_links_as_well(bucket: str, new_task: NewTask) -> None:
    task = new_task()

    with pytest.raises(AirflowFailException, match="no-such-table"):
        export_to("no-such-table", bucket).execute(context_of(task))

    assert shown(task, DynamoDBTableLink).endswith("#table?name=no-such-table")


def test_a3_links_hold_no_credentials(table: str, bucket: str, new_task: NewTask) -> None:
    task = new_task()

    export_to(table, bucket).execute(context_of(task))

    assert SECRET_KEY not in json.dumps(task.pushed)


def test_an_export_tells_its_record_to_whoever_waits_for_its_asset(
    table: str, bucket: str, new_task: NewTask
) -> None:
    context = announcing(new_task())

    record = export_to(table, bucket, outlets=[MADE]).execute(context)

    assert ITEMS == record["item_count"]
    assert {**record, "table_name": table} == context["outlet_events"][MADE].extra


def test_an_export_that_is_adopted_tells_of_the_one_that_is_there(
    table: str, bucket: str, new_task: NewTask
) -> None:
    first = export_to(table, bucket).execute(context_of(new_task()))
    context = announcing(new_task())

    export_to(table, bucket, outlets=[MADE]).execute(context)

    extra = context["outlet_events"][MADE].extra
    assert ("adopt", first["manifest_uri"]) == (extra["start"], extra["manifest_uri"])


@pytest.fixture
def manifest_uri(table: str, bucket: str, new_task: NewTask) -> str:
    uri: str = export_to(table, bucket).execute(context_of(new_task()))["manifest_uri"]
    return uri


def test_a_check_shows_what_it_reads_and_tells_what_it_found(
    table: str, manifest_uri: str, new_task: NewTask
) -> None:
    task = new_task()
    context = announcing(task)

    check = DynamoDBVerifyOperator(
        task_id="check", manifest_uri=manifest_uri, table_name=table, ratio=1, outlets=[MADE]
    )
    record = check.execute(context)

    folder = manifest_uri.split("/exports/")[1].rpartition("/")[0].replace("/", "%2F")
    assert shown(task, S3PrefixLink).endswith(f"&prefix=exports%2F{folder}%2F")
    assert shown(task, DynamoDBTableLink).endswith(f"#table?name={table}")
    assert record == context["outlet_events"][MADE].extra
    assert record["identical"]


def test_a_check_of_files_alone_shows_no_table(manifest_uri: str, new_task: NewTask) -> None:
    task = new_task()

    DynamoDBVerifyOperator(task_id="check", manifest_uri=manifest_uri).execute(context_of(task))

    assert [DynamoDBTableLink.key] == [
        key for key in (S3PrefixLink.key, DynamoDBTableLink.key) if key not in task.pushed
    ]


@pytest.fixture
def copied(services: Services) -> Iterator[str]:
    """An empty table."""
    dynamodb = aws_client("dynamodb", services.gateway_url)
    name = f"copied-{uuid.uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000},
    )
    yield name
    dynamodb.delete_table(TableName=name)


def import_of(manifest_uri: str, table: str, **settings: Any) -> DynamoDBImportOperator:
    return DynamoDBImportOperator(
        task_id="import",
        table_name=table,
        s3_uri=manifest_uri,
        units_per_second=10_000,
        outlets=[MADE],
        **settings,
    )


def test_an_import_shows_source_and_table_and_tells_its_accounts(
    copied: str, manifest_uri: str, new_task: NewTask
) -> None:
    task = new_task()
    context = announcing(task)
    operator = import_of(manifest_uri, copied)

    record = operator.execute(context)

    assert {S3PrefixLink.key, DynamoDBTableLink.key} <= pushed_before_progress(task)
    assert shown(task, DynamoDBTableLink).endswith(f"#table?name={copied}")
    assert {**record, "s3_uri": [manifest_uri]} == context["outlet_events"][MADE].extra
    assert (ITEMS, 0) == (record["written"], record["rejected"])
    assert [MADE] == operator.outlets


def test_a_rehearsed_import_has_no_outlet_that_airflow_could_make_an_event_of(
    copied: str, manifest_uri: str, new_task: NewTask
) -> None:
    context = announcing(new_task())
    operator = import_of(manifest_uri, copied, dry_run="true")

    record = operator.execute(context)

    assert ITEMS == record["read"]
    assert [] == operator.outlets
    assert not context["outlet_events"][MADE].extra


def test_a_change_of_the_capacity_mode_shows_the_table_before_it_begins(new_task: NewTask) -> None:
    task = new_task()
    change = DynamoDBCapacityModeOperator(
        task_id="change", table_name="no-such-table", mode="provisioned", read_units=5, write_units=5
    )

    with pytest.raises(AirflowFailException, match="no-such-table"):
        change.execute(context_of(task))

    assert shown(task, DynamoDBTableLink).endswith("#table?name=no-such-table")


def newest_export(manifest_uri: str | None, **context: Any) -> Any:
    """What the first task of the example DAG makes of a run's events."""
    found = dag_bag().dags["after_an_export"].get_task("newest_export")
    return found.python_callable(manifest_uri or "", **context)


@pytest.mark.parametrize("name", ["triggering_asset_events", "triggering_dataset_events"])
def test_the_example_dag_takes_the_newest_of_the_events_that_started_it(name: str) -> None:
    told = [
        SimpleNamespace(
            timestamp=datetime(2026, 1, day, tzinfo=UTC),
            extra={"manifest_uri": f"s3://b/{day}", "item_count": day, "table_name": "orders"},
        )
        for day in (1, 3, 2)
    ]

    assert told[1].extra == newest_export(None, **{name: {"orders": told[:2], "another": told[2:]}})


def test_the_example_dag_takes_the_export_that_a_person_names() -> None:
    assert {"manifest_uri": "s3://b/m.json"} == newest_export("s3://b/m.json", triggering_asset_events={})


BY_HAND = [{"from_rest_api": True}, {}, None]


def test_the_example_dag_passes_over_events_that_were_made_by_hand() -> None:
    told = [
        SimpleNamespace(timestamp=datetime(2026, 1, day, tzinfo=UTC), extra=extra)
        for day, extra in enumerate([{"manifest_uri": "s3://b/1"}, *BY_HAND], start=1)
    ]

    assert {"manifest_uri": "s3://b/1"} == newest_export(None, triggering_asset_events={"orders": told})


@pytest.mark.parametrize("extra", BY_HAND)
def test_the_example_dag_says_how_to_run_it_where_no_export_has_started_it(extra: object) -> None:
    by_hand = SimpleNamespace(timestamp=datetime(2026, 1, 1, tzinfo=UTC), extra=extra)

    for events in ({}, {"orders": [by_hand]}):
        with pytest.raises(ValueError, match="trigger it with the manifest_uri of one"):
            newest_export(None, triggering_asset_events=events)
