"""DynamoDBVerifyOperator with a table, against the real services."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import AirflowFailException
from airflow_dynamo_pipeline.engine.verify_request import COERCIONS
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator
from tests.airflow.conftest import ITEMS, FakeTask, context_of

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.usefixtures("aws_default")
NewTask = Callable[..., FakeTask]


@pytest.fixture
def manifest_uri(table: str, bucket: str, new_task: NewTask) -> str:
    """An export of the table."""
    export = DynamoDBExportOperator(
        task_id="export", table_name=table, s3_uri=f"s3://{bucket}/exports", ratio=1
    )
    return str(export.execute(context_of(new_task()))["manifest_uri"])


def check(manifest_uri: str, **settings: Any) -> DynamoDBVerifyOperator:
    return DynamoDBVerifyOperator(task_id="check", manifest_uri=manifest_uri, **settings)


def test_every_setting_of_a_verification_is_a_templated_parameter() -> None:
    assert set(COERCIONS) <= set(DynamoDBVerifyOperator.template_fields)


def test_i5_a_table_that_was_not_changed_is_identical(
    table: str, manifest_uri: str, new_task: NewTask
) -> None:
    task = new_task()
    asked = {"ratio": "1", "segments": "3", "consistent_read": "true", "max_differences": "5"}
    result = check(manifest_uri, table_name=table, **asked).execute(context_of(task))

    assert (True, ITEMS, ITEMS) == (result["identical"], result["item_count"], result["table_item_count"])
    assert (table, manifest_uri) == (result["table_name"], result["manifest_uri"])


def test_i5_a_changed_a_removed_and_an_added_item_fail_at_once_and_are_named(
    table: str, manifest_uri: str, dynamodb: DynamoDBClient, new_task: NewTask
) -> None:
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "k1"}, "n": {"N": "1.5"}, "text": {"S": "another"}})
    dynamodb.delete_item(TableName=table, Key={"pk": {"S": "k2"}})
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "more"}})

    with pytest.raises(AirflowFailException) as caught:
        check(manifest_uri, table_name=table, ratio=1).execute(context_of(new_task()))

    said = str(caught.value)
    assert "1 items only in the export, 1 only in the table, 1 different" in said
    assert '{"pk":{"S":"k1"}}: differs in text' in said
    assert '{"pk":{"S":"k2"}}: is only in the export' in said
    assert '{"pk":{"S":"more"}}: is only in the table' in said


def test_a_table_that_is_not_there_fails_at_once(manifest_uri: str, new_task: NewTask) -> None:
    with pytest.raises(AirflowFailException, match="no such table: nowhere"):
        check(manifest_uri, table_name="nowhere", ratio=1).execute(context_of(new_task()))


def test_on_kill_ends_a_comparison(table: str, manifest_uri: str, new_task: NewTask) -> None:
    verify = check(manifest_uri, table_name=table, units_per_second=1)
    client = verify.hook.client_for("dynamodb")
    client.meta.events.register(
        "before-call.dynamodb.Scan", lambda **_: threading.Thread(target=verify.on_kill).start()
    )
    original = type(verify.hook).client_for
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            type(verify.hook),
            "client_for",
            lambda self, service: client if service == "dynamodb" else original(self, service),
        )
        with pytest.raises(Stopped):
            verify.execute(context_of(new_task()))


def test_an_operator_can_be_copied_after_it_ran(table: str, manifest_uri: str, new_task: NewTask) -> None:
    verify = check(manifest_uri, table_name=table, ratio=1)
    copy.deepcopy(verify)
    verify.execute(context_of(new_task()))

    assert table == copy.copy(verify).table_name
