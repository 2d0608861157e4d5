"""Replies of AWS to the looks of sensors, and a hook that gives clients which answer from them."""

import base64
import hashlib
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from botocore.awsrequest import AWSRequest, AWSResponse

from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from tests.unit.scripted_aws import Reply, Scripted, refused

FOLDER = "s3://exports/orders/AWSDynamoDB/2026-03-01-00-00-00-0a1b2c3d"
MANIFEST = f"{FOLDER}/manifest-summary.json"
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/export/01700000000000-a1b2c3d4"


class Metrics:
    """A CloudWatch client that has these sums, one a minute."""

    def __init__(self, *sums: float) -> None:
        self.sums = sums
        self.asked: list[dict[str, Any]] = []
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_, **__: None))

    def get_metric_statistics(self, **asked: Any) -> Any:
        """Answer, whatever span is asked for."""
        self.asked.append(asked)
        return {"Datapoints": [{"Sum": one} for one in self.sums]}


class _Tagged(Scripted):
    """Its replies have the header that every object of S3's has."""

    def _answer(self, request: AWSRequest, event_name: str, **more: object) -> AWSResponse:
        reply = super()._answer(request, event_name, **more)
        reply.headers["ETag"] = '"1"'
        return reply


def described(**more: Any) -> Reply:
    """A reply to DescribeTable of a provisioned table with 100 units of each kind."""
    table = {
        "TableName": "orders",
        "TableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
        "TableStatus": "ACTIVE",
        "ProvisionedThroughput": {"ReadCapacityUnits": 100, "WriteCapacityUnits": 100},
    }
    return 200, {"Table": {**table, **more}}


def streaming(view_type: str, **more: Any) -> Reply:
    """A reply to DescribeTable of a table with a stream."""
    return described(StreamSpecification={"StreamEnabled": True, "StreamViewType": view_type}, **more)


def indexed(status: str, **more: Any) -> Reply:
    """A reply to DescribeTable of a table with a global index."""
    return described(GlobalSecondaryIndexes=[{"IndexName": "by-city", "IndexStatus": status, **more}])


def scanned(count: int, *, is_last: bool = True) -> Reply:
    """A reply to Scan."""
    more = {} if is_last else {"LastEvaluatedKey": {"id": {"S": "a"}}}
    return 200, {"Count": count, "ScannedCount": count, **more}


def exported(status: str, **more: Any) -> Reply:
    """A reply to DescribeExport."""
    return 200, {"ExportDescription": {"ExportArn": ARN, "ExportStatus": status, "S3Bucket": "b", **more}}


def no_export() -> Reply:
    """What DynamoDB says of an ARN it does not know."""
    return refused("ExportNotFoundException")


def s3_error(code: str, status: int = 404) -> Reply:
    """An error reply of S3's."""
    return status, f"<Error><Code>{code}</Code><Message>as scripted</Message></Error>".encode()


def listing(*entries: tuple[str, int]) -> Reply:
    """A reply to ListObjectsV2: keys and sizes."""
    contents = "".join(f"<Contents><Key>{key}</Key><Size>{size}</Size></Contents>" for key, size in entries)
    return 200, f"<ListBucketResult>{contents}</ListBucketResult>".encode()


def folders(*prefixes: str) -> Reply:
    """A reply to ListObjectsV2 with a delimiter."""
    found = "".join(f"<CommonPrefixes><Prefix>{one}</Prefix></CommonPrefixes>" for one in prefixes)
    return 200, f"<ListBucketResult>{found}</ListBucketResult>".encode()


def summary(*, is_ours: bool = True, **more: Any) -> bytes:
    """The body of a manifest summary."""
    ours = {"airflowDynamoPipeline": {"version": 1, "fileFormat": "dynamodb_json"}} if is_ours else {}
    return json.dumps(
        {
            "version": "2020-06-30",
            "startTime": "2026-03-01T00:00:00Z",
            "endTime": "2026-03-01T00:10:00Z",
            "tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
            "s3Bucket": "exports",
            "manifestFilesS3Key": "orders/AWSDynamoDB/x/manifest-files.json",
            "itemCount": 7,
            "outputFormat": "DYNAMODB_JSON",
            **ours,
            **more,
        }
    ).encode()


def md5_of(body: bytes) -> bytes:
    """The body of a checksum file."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())


def scripted(monkeypatch: pytest.MonkeyPatch, replies: Mapping[str, Any]) -> dict[str, Any]:
    """Give every hook clients that answer from these replies: one or several for each service.

    A service that is not named fails the test when its client is used. Returns who answers, by service.
    """
    answers = {
        service: found if isinstance(found, Metrics) else _Tagged(service, *_several(found))
        for service, found in replies.items()
    }
    clients = {
        service: found if isinstance(found, Metrics) else found.client for service, found in answers.items()
    }
    unwanted = Metrics()  # has no operation of other services
    monkeypatch.setattr(DynamoDBPipelineHook, "dynamodb_client", lambda _: clients.get("dynamodb", unwanted))
    monkeypatch.setattr(DynamoDBPipelineHook, "client_for", lambda _, service: clients.get(service, unwanted))
    monkeypatch.setattr(S3Hook, "get_conn", lambda _: clients["s3"])
    return answers


def _several(found: Reply | list[Reply]) -> list[Reply]:
    return found if isinstance(found, list) else [found]
