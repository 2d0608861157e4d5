"""DynamoDBImportOperator against the real services, one attempt after the other."""

import copy
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import AirflowFailException, Stats
from airflow_dynamo_pipeline.engine.import_request import COERCIONS
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.table_import import ATTRIBUTES, DynamoDBImportOperator
from tests.airflow.conftest import ITEMS, FakeTask, context_of, item
from tests.services import Services, aws_client

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.usefixtures("aws_default")
NewTask = Callable[..., FakeTask]
SLOW = 25  # write units a second; every item is one


@pytest.fixture
def gateway(services: Services) -> "DynamoDBClient":
    """DynamoDB Local with moto's tags."""
    return aws_client("dynamodb", services.gateway_url)


@pytest.fixture
def backup(table: str, bucket: str) -> str:
    """The manifest of an export of the table."""
    export = DynamoDBExportOperator(
        task_id="export", table_name=table, s3_uri=f"s3://{bucket}/exports", units_per_second=10_000
    )
    manifest_uri: str = export.execute(context_of(FakeTask(uuid.uuid4().hex)))["manifest_uri"]
    return manifest_uri


@pytest.fixture
def copied(gateway: "DynamoDBClient") -> Iterator[str]:
    """An empty table."""
    name = f"copied-{uuid.uuid4().hex[:8]}"
    gateway.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000},
    )
    yield name
    gateway.delete_table(TableName=name)


def operator(table: str, backup: str, **settings: Any) -> DynamoDBImportOperator:
    rate = {} if "ratio" in settings else {"units_per_second": 10_000}
    return DynamoDBImportOperator(
        task_id="import", **{"table_name": table, "s3_uri": backup, **rate, **settings}
    )


def items_of(gateway: "DynamoDBClient", table: str) -> dict[str, Any]:
    """Every item by its key."""
    pages = gateway.get_paginator("scan").paginate(TableName=table)
    return {found["pk"]["S"]: found for page in pages for found in page["Items"]}


def all_items() -> dict[str, Any]:
    return {one["pk"]["S"]: {**one, "n": {"N": one["n"]["N"].removesuffix("0")}} for one in _items()}


def _items() -> list[dict[str, Any]]:
    return [item(number) for number in range(ITEMS)]


def put_lines(s3: "S3Client", bucket: str, key: str, *items: dict[str, Any]) -> str:
    """A file in DynamoDB JSON."""
    body = b"".join(json.dumps({"Item": one}).encode() + b"\n" for one in items)
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    return f"s3://{bucket}/{key}"


def test_every_setting_of_an_import_is_a_templated_parameter() -> None:
    assert set(COERCIONS) == set(ATTRIBUTES)
    assert {*COERCIONS, "is_dry_run"} - {"dry_run"} <= set(DynamoDBImportOperator.template_fields)


def test_templates_reach_every_setting_and_a_list_of_sources() -> None:
    from jinja2 import Environment

    operator = DynamoDBImportOperator(
        task_id="import",
        table_name="{{ table }}",
        s3_uri=["s3://b/{{ table }}/a", "s3://b/{{ table }}/b"],
        dry_run="{{ only_look }}",
        expression_attribute_values={":v": {"S": "{{ table }}"}},
    )

    values: Any = {"table": "orders", "only_look": True}
    operator.render_template_fields(values, Environment(autoescape=False))

    assert "orders" == operator.table_name
    assert ["s3://b/orders/a", "s3://b/orders/b"] == operator.s3_uri
    assert "True" == operator.is_dry_run
    assert {":v": {"S": "orders"}} == operator.expression_attribute_values


def test_templated_text_is_coerced_in_execute(
    copied: str, backup: str, gateway: "DynamoDBClient", new_task: NewTask
) -> None:
    load = operator(
        copied,
        f"{backup},",
        ratio="1",
        units_per_second="None",
        segments="2",
        max_rejected="3",
        dry_run="False",
        allow_protected="true",
        version_attribute="",
        attributes='{"pk": "S"}',
    )

    result = load.execute(context_of(new_task()))

    assert ITEMS == result["written"]
    assert 1000 == result["units_per_second_asked"]
    assert all_items() == items_of(gateway, copied)


def test_the_xcom_result_is_json_and_its_accounts_add_up(copied: str, backup: str, new_task: NewTask) -> None:
    result = operator(copied, backup).execute(context_of(new_task()))

    assert result == json.loads(json.dumps(result))
    assert ("new", copied, False) == (result["start"], result["table_name"], result["dry_run"])
    outcomes = ("written", "skipped", "conflicted", "rejected")
    assert ITEMS == result["read"] == sum(result[name] for name in outcomes)
    assert result["rejects_uri"] is None
    assert result["consumed_units"] >= ITEMS


def test_progress_is_pushed_and_metrics_are_sent(
    copied: str, backup: str, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    gauges: dict[str, float] = {}
    monkeypatch.setattr(Stats, "gauge", lambda name, value, **_: gauges.update({name: value}))
    task = new_task()

    operator(copied, backup).execute(context_of(task))

    assert ITEMS == task.pushed["progress"][-1]["items"]
    assert 1.0 == task.pushed["progress"][-1]["share_done"]
    assert ITEMS == gauges["dynamo_pipeline.import.items"]
    assert 0 == gauges["dynamo_pipeline.import.rejected"]


def test_a_dry_run_writes_neither_items_nor_objects(
    copied: str, backup: str, bucket: str, s3: "S3Client", gateway: "DynamoDBClient", new_task: NewTask
) -> None:
    before = s3.list_objects_v2(Bucket=bucket)["KeyCount"]

    result = operator(copied, backup, dry_run="True").execute(context_of(new_task()))

    assert (True, ITEMS) == (result["dry_run"], result["written"])
    assert {} == items_of(gateway, copied)
    assert before == s3.list_objects_v2(Bucket=bucket)["KeyCount"]


def test_an_import_by_the_look_that_was_approved_is_refused_at_once_when_a_file_was_added_since(
    copied: str, bucket: str, s3: "S3Client", gateway: "DynamoDBClient", new_task: NewTask
) -> None:
    put_lines(s3, bucket, "some/part-1.json", item(1))
    looked = operator(copied, f"s3://{bucket}/some", dry_run=True).execute(context_of(new_task()))
    put_lines(s3, bucket, "some/part-2.json", item(2))
    restore = operator(copied, f"s3://{bucket}/some", expected_backup_id=looked["backup_id"])

    with pytest.raises(AirflowFailException) as caught:
        restore.execute(context_of(new_task()))

    first = str(caught.value).splitlines()[0]
    assert f"the backup at s3://{bucket}/some is not the one that was looked at" in first
    assert "to mend it: look again with dry_run" in first
    assert {} == items_of(gateway, copied)
    s3.delete_object(Bucket=bucket, Key="some/part-2.json")
    assert 1 == restore.execute(context_of(new_task()))["written"]


def test_a_retry_after_the_end_adopts_the_import(copied: str, backup: str, new_task: NewTask) -> None:
    first = operator(copied, backup).execute(context_of(new_task()))

    again = operator(copied, backup).execute(context_of(new_task()))

    assert {**first, "start": "adopt"} == again


def test_another_run_of_a_recurring_dag_is_refused_at_once_unless_it_is_wanted(
    copied: str, backup: str, new_task: NewTask
) -> None:
    operator(copied, backup).execute(context_of(new_task()))
    tomorrow = context_of(new_task(run_id="tomorrow"))

    with pytest.raises(AirflowFailException, match=f"was imported into table {copied} already"):
        operator(copied, backup).execute(tomorrow)

    assert "new" == operator(copied, backup, on_existing="new").execute(tomorrow)["start"]


def test_clear_of_a_succeeded_task_imports_again(
    copied: str, backup: str, gateway: "DynamoDBClient", new_task: NewTask
) -> None:
    first = operator(copied, backup).execute(context_of(new_task(max_tries=0)))
    gateway.delete_item(TableName=copied, Key={"pk": {"S": "k1"}})

    second = operator(copied, backup).execute(context_of(new_task(max_tries=1)))

    assert ("new", ITEMS) == (second["start"], second["written"])
    assert first["import_id"] != second["import_id"]
    assert all_items() == items_of(gateway, copied)


@pytest.mark.parametrize("max_tries", [0, 3], ids=["retry", "Clear"])
def test_an_import_that_was_killed_on_kill_goes_on(
    copied: str, backup: str, gateway: "DynamoDBClient", new_task: NewTask, max_tries: int
) -> None:
    with pytest.raises(Stopped):
        stopped_after_calls(2, operator(copied, backup, units_per_second=SLOW), new_task())
    left = len(items_of(gateway, copied))

    result = operator(copied, backup).execute(context_of(new_task(max_tries=max_tries)))

    assert 0 < left < ITEMS
    assert ("resume", ITEMS, ITEMS) == (result["start"], result["read"], result["written"])
    assert all_items() == items_of(gateway, copied)


def stopped_after_calls(calls: int, load: DynamoDBImportOperator, task: FakeTask) -> None:
    """Run an import; call ``on_kill`` once so many batches were sent."""
    asked = threading.Semaphore(0)
    client = load.hook.client_for("dynamodb")
    client.meta.events.register("before-call.dynamodb.BatchWriteItem", lambda **_: asked.release())
    original = type(load.hook).client_for

    def client_for(self: Any, service: str) -> Any:
        return client if service == "dynamodb" else original(self, service)

    def kill() -> None:
        for _ in range(calls):
            asked.acquire()
        load.on_kill()

    patched = pytest.MonkeyPatch()
    patched.setattr(type(load.hook), "client_for", client_for)
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        load.execute(context_of(task))
    finally:
        patched.undo()
        killer.join()


def test_on_kill_before_execute_does_nothing(copied: str, backup: str) -> None:
    operator(copied, backup).on_kill()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ratio": "7"}, "ratio: 7 is not above 0"),
        ({"ratio": "0.5", "units_per_second": "5"}, "ratio, units_per_second: both are given"),
        ({"segments": 0}, "segments: 0 is not 1 to 32"),
        ({"on_conflict": "newer"}, "version_attribute: is required with on_conflict='newer'"),
        ({"on_conflict": "replace"}, "on_conflict: 'replace' is not one of"),
        ({"s3_uri": "s3:///prefix"}, "s3_uri: 's3:///prefix' is not s3://bucket/prefix"),
        ({"attributes": "id"}, "attributes: 'id' is not"),
        ({"max_rejected": "-1"}, "max_rejected: -1 is negative"),
    ],
)
def test_settings_that_cannot_work_fail_at_once(
    new_task: NewTask, settings: dict[str, Any], words: str
) -> None:
    load = DynamoDBImportOperator(
        task_id="import", **{"table_name": "orders", "s3_uri": "s3://backups/a", **settings}
    )

    with pytest.raises(AirflowFailException) as caught:
        load.execute(context_of(new_task()))

    assert words in str(caught.value)


def test_a_missing_table_and_a_missing_backup_fail_at_once_and_together(
    bucket: str, new_task: NewTask
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        operator("no-such-table", f"s3://{bucket}/nothing").execute(context_of(new_task()))

    assert "no such table: no-such-table" in str(caught.value)
    assert f"s3://{bucket}/nothing/ holds no files" in str(caught.value)


def test_a_table_with_a_production_tag_is_refused_at_once_unless_it_is_allowed(
    copied: str, backup: str, gateway: "DynamoDBClient", new_task: NewTask
) -> None:
    arn = gateway.describe_table(TableName=copied)["Table"]["TableArn"]
    gateway.tag_resource(ResourceArn=arn, Tags=[{"Key": "env", "Value": "prod"}])

    with pytest.raises(AirflowFailException, match="has the tag env=prod"):
        operator(copied, backup).execute(context_of(new_task()))

    result = operator(copied, backup, allow_protected=True).execute(context_of(new_task()))
    assert ITEMS == result["written"]


def test_rejected_items_fail_the_task_at_once_and_say_where_they_are(
    copied: str, bucket: str, s3: "S3Client", gateway: "DynamoDBClient", new_task: NewTask
) -> None:
    uri = put_lines(s3, bucket, "some/part.json", item(1), {"id": {"S": "no key"}}, item(2))

    with pytest.raises(AirflowFailException, match="1 items were rejected, max_rejected is 0") as caught:
        operator(copied, uri).execute(context_of(new_task()))

    assert f"s3://{bucket}/some/_imports/" in str(caught.value)
    assert "some/part.json line 2" in str(caught.value)
    result = operator(copied, uri, max_rejected=1).execute(context_of(new_task()))
    assert ("resume", 3, 2, 1) == tuple(result[name] for name in ("start", "read", "written", "rejected"))
    assert {"k1", "k2"} == items_of(gateway, copied).keys()
    assert result["rejects_uri"] in str(caught.value)


def test_a_conflict_fails_the_task_at_once_when_that_was_asked(
    copied: str, bucket: str, s3: "S3Client", gateway: "DynamoDBClient", new_task: NewTask
) -> None:
    gateway.put_item(TableName=copied, Item={"pk": {"S": "k1"}, "n": {"N": "0"}})
    uri = put_lines(s3, bucket, "some/part.json", item(1))

    with pytest.raises(AirflowFailException, match="already has an item with the key k1"):
        operator(copied, uri, on_conflict="fail").execute(context_of(new_task()))

    assert {"n": {"N": "0"}, "pk": {"S": "k1"}} == items_of(gateway, copied)["k1"]


def test_an_operator_can_be_copied_before_and_after_it_ran(
    copied: str, backup: str, new_task: NewTask
) -> None:
    load = operator(copied, backup)
    copy.deepcopy(load)

    load.execute(context_of(new_task()))

    assert copied == copy.copy(load).table_name
