"""Calls without a wire, for tests of the models."""

from __future__ import annotations

import json
from typing import Any

from tests.faults.calls import Call
from tests.faults.dynamodb.service import OPERATIONS, DynamoDB
from tests.faults.wire import Reply, Request

Json = dict[str, Any]


def reply_to(dynamodb: DynamoDB, operation: str, **params: Any) -> Reply:
    """The reply as it would go over the wire."""
    service = "dynamodbstreams" if operation in OPERATIONS["dynamodbstreams"] else "dynamodb"
    request = Request("POST", "/", {}, {})
    return dynamodb.answer(Call(service, operation, request, json.dumps(params).encode()))


def ask(dynamodb: DynamoDB, operation: str, **params: Any) -> Json:
    """The reply's document; an error's has ``__type``."""
    found: Json = json.loads(b"".join(reply_to(dynamodb, operation, **params).body))
    return found


def refusal(answer: Json) -> str:
    """The kind of an error; empty for none."""
    return str(answer.get("__type", "")).rpartition("#")[2]
