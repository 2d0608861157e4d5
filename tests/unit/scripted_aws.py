"""A boto3 client that answers from a script and touches no network."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
from botocore.awsrequest import AWSRequest, AWSResponse, HTTPHeaders
from botocore.config import Config

from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY

Reply = tuple[int, Mapping[str, Any] | bytes]

ONE_TRY = Config(retries={"total_max_attempts": 1})  # botocore sleeps between tries


class Scripted:
    """Its ``client`` takes the next reply of a script at every call; the last one repeats."""

    def __init__(self, service: str, *replies: Reply) -> None:
        session: Any = boto3.Session(
            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=REGION
        )
        self.client: Any = session.client(service, config=ONE_TRY)
        self.calls: list[str] = []
        self._replies = list(replies)
        self.client.meta.events.register("before-send", self._answer)

    def _answer(self, request: AWSRequest, event_name: str, **_: object) -> AWSResponse:
        self.calls.append(event_name.rpartition(".")[2])
        status, body = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return AWSResponse(str(request.url), status, HTTPHeaders(), _Body(content))


class _Body(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def refused(code: str, status: int = 400) -> Reply:
    """An error reply of DynamoDB's."""
    return status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "as scripted"}


def table(mode: str = "PROVISIONED", status: str = "ACTIVE") -> Reply:
    """A reply to DescribeTable."""
    return 200, {
        "Table": {
            "TableName": "orders",
            "TableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
            "TableStatus": status,
            "BillingModeSummary": {"BillingMode": mode},
        }
    }


def backups(status: str = "ENABLED", *window: float) -> Reply:
    """A reply to DescribeContinuousBackups; the window is in seconds since 1970."""
    recovery: dict[str, Any] = {"PointInTimeRecoveryStatus": status}
    if window:
        recovery["EarliestRestorableDateTime"], recovery["LatestRestorableDateTime"] = window
    return 200, {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": recovery,
        }
    }


Scripts = Callable[..., Scripted]
"""A fixture that gives every hook a client which answers from these replies."""
