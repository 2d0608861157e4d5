"""The native import operator through an Airflow connection to moto."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import AirflowFailException
from airflow_dynamo_pipeline.operators.native_import import DynamoDBTableImportOperator
from tests.faults.attempts import items
from tests.faults.import_backups import files
from tests.faults.native_import_world import PARAMETERS
from tests.services import Services, aws_client
from tests.services.clients import ACCESS_KEY, SECRET_KEY
from tests.unit.airflow_parts import environment

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

COUNT = 8
Import = Callable[..., Any]


def context() -> Any:
    """As much as the operator asks for."""
    instance = SimpleNamespace(
        dag_id="dag", task_id="import", map_index=-1, run_id=uuid.uuid4().hex, max_tries=0
    )
    return {"ti": instance, "logical_date": datetime(2026, 3, 4, tzinfo=UTC)}


@pytest.fixture
def moto(services: Services, monkeypatch: pytest.MonkeyPatch) -> DynamoDBClient:
    """Moto's DynamoDB, where the connection ``aws_moto`` leads."""
    urls = dict.fromkeys(("dynamodb", "s3", "logs", "sts"), services.moto_url)
    monkeypatch.setenv(*environment("aws_moto", urls, ACCESS_KEY, SECRET_KEY))
    return aws_client("dynamodb", services.moto_url)


@pytest.fixture
def table_name() -> str:
    """A name that no table has."""
    return f"copy-{uuid.uuid4().hex[:8]}"


def operator(table_name: str, bucket: str, **settings: Any) -> DynamoDBTableImportOperator:
    usual = {"s3_uri": f"s3://{bucket}/given", "table_definition": PARAMETERS, "poke_interval": 0.0}
    return DynamoDBTableImportOperator(
        **{"task_id": "import", "table_name": table_name, "aws_conn_id": "aws_moto", **usual, **settings}
    )


def test_moto_makes_the_table_and_the_counts_agree(
    moto: DynamoDBClient, s3: S3Client, bucket: str, table_name: str
) -> None:
    for key, body in files(items(COUNT)[:3], items(COUNT)[3:], zipped=True).objects.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)

    result = operator(table_name, bucket).execute(context())

    assert ("COMPLETED", COUNT, 0) == tuple(result[name] for name in ("status", "items", "errors"))
    found = moto.scan(TableName=table_name)["Items"]
    assert items(COUNT) == sorted(found, key=lambda item: str(item["pk"]["S"]))


def test_a_table_that_moto_has_already_is_refused(
    moto: DynamoDBClient, s3: S3Client, bucket: str, table_name: str
) -> None:
    s3.put_object(Bucket=bucket, Key="given/a.json", Body=b'{"Item":{"pk":{"S":"a"}}}\n')
    operator(table_name, bucket).execute(context())

    assert 1 == moto.scan(TableName=table_name)["Count"]


def test_a_failure_in_moto_fails_the_task_with_what_is_known(
    moto: DynamoDBClient, s3: S3Client, bucket: str, table_name: str
) -> None:
    """One item has no key: moto imports the others and ends FAILED."""
    (body,) = files([*items(2), {"body": {"S": "no key"}}]).objects.values()
    s3.put_object(Bucket=bucket, Key="given/a.json", Body=body)

    with pytest.raises(AirflowFailException, match="is FAILED") as caught:
        operator(table_name, bucket, delete_partial=True).execute(context())

    assert f"table {table_name} is kept: it is not known to be the table" in str(caught.value)
    assert moto.describe_table(TableName=table_name)
