from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.item_getter import DynamoDBGetter
from airflow_dynamo_pipeline.adapters.transport import BotocoreTransport
from airflow_dynamo_pipeline.errors import ServiceTrouble
from tests.faults.attempts import TABLE, World, items
from tests.faults.script import Fault, Kind

BODY = json.dumps({"RequestItems": {TABLE: {"Keys": [{"pk": {"S": "00001"}}]}}}).encode()


def test_items_come_as_the_text_of_the_reply() -> None:
    with World(items(3), page_items=None).aws.door() as door:
        reply: Any = DynamoDBGetter(BotocoreTransport(door.client("dynamodb"), TABLE, print)).get(BODY)

        assert ["BatchGetItem"] == door.operations()
    assert ["00001"] == [item["pk"]["S"] for item in json.loads(reply)["Responses"][TABLE]]


def test_a_call_that_fails_is_not_repeated_here() -> None:
    with World(items(3), page_items=None).aws.door(Fault(Kind.SERVER_ERROR, 1)) as door:
        getter = DynamoDBGetter(BotocoreTransport(door.client("dynamodb"), TABLE, print))

        with pytest.raises(ServiceTrouble):
            getter.get(BODY)
        assert ["BatchGetItem"] == door.operations()
