"""One API call as the fake sees it, and what a service of the fake is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from tests.faults.wire import Reply, Request

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A request that has been read whole."""

    service: str  # dynamodb, dynamodbstreams, s3, cloudwatch, servicequotas
    operation: str  # AWS's own name of it: Scan, PutObject, UploadPart
    request: Request
    body: bytes
    at: float = 0.0  # seconds of the door's clock

    @cached_property
    def params(self) -> Json:
        """The parameters of a JSON protocol."""
        found: Json = json.loads(self.body)
        return found


class Service(Protocol):
    """One service of the fake. Each call takes effect as a whole or not at all, whoever calls meanwhile."""

    def answer(self, call: Call) -> Reply:
        """Do what the call asks and answer as the service would; errors are answers too."""
        ...
