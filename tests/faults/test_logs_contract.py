"""The fake's CloudWatch Logs tell of streams and events what moto's does."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.logs import Logs
from tests.faults.serving import service_at_work
from tests.services import Services, aws_client

MESSAGES = [f"line {number}" for number in range(5)]
PAGE = 2
GROUP = f"/aws-dynamodb/imports-{uuid.uuid4().hex}"
STREAM = "0001/error"


@pytest.fixture(scope="module", params=["fake", "moto"])
def logs(request: pytest.FixtureRequest, services: Services) -> Iterator[Any]:
    """A client of either, with one stream of a few lines."""
    if request.param == "moto":
        client = aws_client("logs", services.moto_url)
        client.create_log_group(logGroupName=GROUP)
        client.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": message} for message in MESSAGES]
        client.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=events)
        yield client
        return
    fake = Logs()
    fake.put(GROUP, STREAM, MESSAGES)
    with service_at_work(fake) as url:
        yield aws_client("logs", url)


def page(logs: Any, **more: Any) -> Any:
    return logs.get_log_events(
        logGroupName=GROUP, logStreamName=STREAM, startFromHead=True, limit=PAGE, **more
    )


def test_a_stream_is_read_from_its_head_until_a_page_returns_its_own_token(logs: Any) -> None:
    found: list[str] = []
    token: dict[str, str] = {}
    pages = 0
    while True:
        reply = page(logs, **token)
        pages += 1
        found += [event["message"] for event in reply["events"]]
        if reply["nextForwardToken"] == token.get("nextToken"):
            break
        token = {"nextToken": reply["nextForwardToken"]}

    assert MESSAGES == found
    assert 4 == pages


def test_streams_are_found_by_how_their_name_begins(logs: Any) -> None:
    reply = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="0001/")

    assert [STREAM] == [each["logStreamName"] for each in reply["logStreams"]]
    assert [] == logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="2")["logStreams"]


@pytest.mark.parametrize("where", [(GROUP, "nowhere"), ("nowhere", STREAM)], ids=["stream", "group"])
def test_what_is_not_there_is_not_found(logs: Any, where: tuple[str, str]) -> None:
    group, stream = where

    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
