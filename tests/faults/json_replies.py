"""Serving the JSON protocols 1.0 and 1.1."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping

from tests.faults.calls import Call, Json
from tests.faults.wire import Reply

Handlers = Mapping[str, Callable[[Json], Json]]


class JsonRefused(Exception):
    """An error reply; ``query_code`` is the error's older name, for services that still tell it."""

    def __init__(self, kind: str, message: str, query_code: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.query_code = query_code


def not_simulated(what: str) -> JsonRefused:
    """The answer to what the fake does not do."""
    return JsonRefused("UnknownOperationException", f"{what} is not simulated")


def serve(call: Call, handlers: Handlers, lock: threading.Lock) -> Reply:
    """Answer a call by the handler of its operation, which is given the parameters and holds the lock."""
    try:
        return _served(call, handlers, lock)
    except JsonRefused as refused:
        body = json.dumps({"__type": refused.kind, "message": str(refused)}).encode()
        older = {"x-amzn-query-error": f"{refused.query_code};Sender"} if refused.query_code else {}
        return Reply(400, [body], {**_type_of(call), **older})


def _served(call: Call, handlers: Handlers, lock: threading.Lock) -> Reply:
    if "x-amz-target" not in call.request.headers:
        raise not_simulated(f"{call.request.headers.get('content-type', 'a protocol without a type')}")
    if call.operation not in handlers:
        raise not_simulated(call.operation)
    with lock:
        members = handlers[call.operation](call.params)
    return Reply(200, [json.dumps(members).encode()], _type_of(call))


def _type_of(call: Call) -> dict[str, str]:
    """The version of the protocol that the call came in."""
    return {"Content-Type": call.request.headers.get("content-type", "application/x-amz-json-1.0")}
