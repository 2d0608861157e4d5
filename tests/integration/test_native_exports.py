"""The adapter of native exports against moto, whose exports have neither manifests nor tokens."""

from __future__ import annotations

import threading
import time
import uuid

import pytest

from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.native_exports import NativeExports
from airflow_dynamo_pipeline.adapters.native_jobs import look
from airflow_dynamo_pipeline.adapters.retrying import Retries
from airflow_dynamo_pipeline.engine.native_export_request import NativeExportRequest
from airflow_dynamo_pipeline.errors import NotFound, RecoveryUnavailable
from tests.services import Services, aws_client

PATIENCE_SECONDS = 20


def test_an_export_needs_recovery_then_is_made_looked_at_and_listed(services: Services) -> None:
    client = aws_client("dynamodb", services.moto_url)
    name = f"orders-{uuid.uuid4().hex[:8]}"
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.put_item(TableName=name, Item={"pk": {"S": "a"}})
    aws_client("s3", services.moto_url).create_bucket(Bucket=name)
    exports = NativeExports(client, name, Retries(SystemClock(), threading.Event(), print))
    table_arn = exports.table().arn
    asked = NativeExportRequest(table_name=name, s3_uri=f"s3://{name}/native").parameters(table_arn)

    assert not exports.recovery().enabled
    with pytest.raises(RecoveryUnavailable, match="point-in-time recovery is off"):
        exports.start(asked)
    client.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    known = exports.recovery()
    assert known.enabled
    assert known.earliest_at is not None
    arn = exports.start(asked)

    deadline = time.monotonic() + PATIENCE_SECONDS
    while not look(client, "export", arn).ended:
        assert time.monotonic() < deadline, "the export did not end"
    state = exports.describe(arn)
    assert ("COMPLETED", 1) == (state.job.status, state.item_count)
    assert None is exports.find(table_arn, "another token")


def test_a_table_that_is_not_there_is_named(services: Services) -> None:
    client = aws_client("dynamodb", services.moto_url)
    exports = NativeExports(client, "nowhere", Retries(SystemClock(), threading.Event(), print))

    for call in (exports.table, exports.recovery):
        with pytest.raises(NotFound, match="nowhere"):
            call()
