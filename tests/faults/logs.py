"""CloudWatch Logs as far as the package reads it: the events of one stream, and the streams of a group."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from tests.faults.calls import Call, Json
from tests.faults.json_replies import JsonRefused, serve
from tests.faults.wire import Reply

MOST_EVENTS = 10_000
MISSING = "ResourceNotFoundException"


class Logs:
    """Groups of streams of messages. ``page`` is the most events that one reply holds."""

    def __init__(self, page: int = MOST_EVENTS) -> None:
        self.page = page
        self._lock = threading.Lock()
        self._groups: dict[str, dict[str, list[str]]] = {}

    def put(self, group: str, stream: str, messages: Iterable[str]) -> None:
        """Add messages to a stream, which is made with its group if it is not there."""
        with self._lock:
            self._groups.setdefault(group, {}).setdefault(stream, []).extend(messages)

    def answer(self, call: Call) -> Reply:
        """Do what the call asks."""
        handlers = {"GetLogEvents": self._events, "DescribeLogStreams": self._streams}
        return serve(call, handlers, self._lock)

    def _events(self, params: Json) -> Json:
        """One page; the end is told by the token that was given, as CloudWatch does."""
        streams = self._group(params)
        if params["logStreamName"] not in streams:
            raise JsonRefused(MISSING, "The specified log stream does not exist.")
        if not params.get("startFromHead"):
            raise JsonRefused("InvalidParameterException", "the fake reads from the head only")
        messages = streams[params["logStreamName"]]
        start = int(params.get("nextToken", "f/0").partition("/")[2])
        taken = messages[start : start + min(self.page, params.get("limit", MOST_EVENTS))]
        return {
            "events": [{"timestamp": 0, "ingestionTime": 0, "message": message} for message in taken],
            "nextForwardToken": f"f/{start + len(taken)}",
            "nextBackwardToken": f"b/{start}",
        }

    def _streams(self, params: Json) -> Json:
        begin = params.get("logStreamNamePrefix", "")
        names = sorted(name for name in self._group(params) if name.startswith(begin))
        return {"logStreams": [{"logStreamName": name} for name in names]}

    def _group(self, params: Json) -> dict[str, list[str]]:
        if params["logGroupName"] not in self._groups:
            raise JsonRefused(MISSING, "The specified log group does not exist.")
        return self._groups[params["logGroupName"]]
