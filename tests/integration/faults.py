"""Faults at the HTTP boundary: what a service would answer, put in place of what it does answer.

Everything above the socket is real: botocore signs, sends, checks and parses.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session

Answer = Callable[[AWSPreparedRequest], AWSResponse | None]  # None: let it pass

KMS_KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = "arn:aws:sts::111122223333:assumed-role/pipeline/worker"
S3_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<Error><Code>{code}</Code><Message>{message}</Message>"
    "<RequestId>656c76696e6727732072657175657374</RequestId><HostId>Uuag1LuByRx9e6j5Onimru9pO4ZVKnJ2</HostId></Error>"
)


class _Body(io.BytesIO):
    """A body as urllib3 hands it to botocore."""

    def stream(self, amt: int = 2**16, decode_content: bool | None = None) -> Iterator[bytes]:
        while chunk := self.read(amt):
            yield chunk


def answer(request: AWSPreparedRequest, status: int, headers: dict[str, str], body: bytes) -> AWSResponse:
    return AWSResponse(request.url, status, headers, _Body(body))  # type: ignore[arg-type]


def inject(client: Any, operation: str, fault: Answer) -> None:
    """Ask ``fault`` before each call of an operation is sent."""
    service = client.meta.service_model.service_name

    def before_send(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        return fault(request)

    client.meta.events.register(f"before-send.{service}.{operation}", before_send)


def sent(request: AWSPreparedRequest) -> AWSResponse:
    """Send a request after all; the service's own reply."""
    response: AWSResponse = URLLib3Session().send(request)
    return response


def dynamodb_error(kind: str, message: str, *, status: int = 400, **members: object) -> Answer:
    """An error document of DynamoDB's JSON protocol."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{kind}", "message": message, **members})

    def fault(request: AWSPreparedRequest) -> AWSResponse:
        return answer(request, status, {"content-type": "application/x-amz-json-1.0"}, body.encode())

    return fault


def s3_error(code: str, message: str, *, status: int = 403) -> Answer:
    """An error document of S3's."""

    def fault(request: AWSPreparedRequest) -> AWSResponse:
        body = S3_ERROR.format(code=code, message=message).encode()
        return answer(request, status, {"content-type": "application/xml"}, body)

    return fault


def kms_denied() -> Answer:
    """What S3 answers to a write when the role may not use the bucket's key."""
    return s3_error(
        "AccessDenied",
        f"User: {ROLE} is not authorized to perform: kms:GenerateDataKey on resource: {KMS_KEY} "
        "because no identity-based policy allows the kms:GenerateDataKey action",
    )


def first(times: int, fault: Answer) -> Answer:
    """A fault that goes away."""
    left = times

    def some(request: AWSPreparedRequest) -> AWSResponse | None:
        nonlocal left
        left -= 1
        return fault(request) if left >= 0 else None

    return some


def after(times: int, fault: Answer) -> Answer:
    """A fault that comes later."""
    left = times

    def later(request: AWSPreparedRequest) -> AWSResponse | None:
        nonlocal left
        left -= 1
        return None if left >= 0 else fault(request)

    return later
