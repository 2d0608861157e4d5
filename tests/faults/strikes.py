"""What a struck call comes to: the answer that is sent in place of the service's own, or none."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable

from tests.faults.calls import Call
from tests.faults.script import READS, WRITES, Fault, Kind
from tests.faults.wire import Reply

Effect = Callable[[Call], Reply]
ERROR_PREFIX = "com.amazonaws.dynamodb.v20120810#"
THROTTLES = {
    Kind.THROTTLE: ("ProvisionedThroughputExceededException", "ThrottlingReasons"),
    Kind.THROTTLE_ON_DEMAND: ("ThrottlingException", "throttlingReasons"),
}
ROLE = "arn:aws:sts::123456789012:assumed-role/pipeline/worker"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
DENIAL = f"User: {ROLE} is not authorized to perform this action"
KEY_DENIAL = (
    f"User: {ROLE} is not authorized to perform: kms:GenerateDataKey on resource: {KEY} "
    "because no identity-based policy allows the kms:GenerateDataKey action"
)
MESSAGES = {Kind.DENY: DENIAL, Kind.DENY_KEY: KEY_DENIAL}
PLAIN_THROTTLES = {"cloudwatch": "Throttling", "servicequotas": "TooManyRequestsException"}
S3_ERRORS = {
    Kind.DENY: (403, "AccessDenied"),
    Kind.DENY_KEY: (403, "AccessDenied"),
    Kind.EXPIRED: (400, "ExpiredToken"),
    Kind.SERVER_ERROR: (500, "InternalError"),
    Kind.UNAVAILABLE: (503, "SlowDown"),
    Kind.CONFLICT: (409, "ConditionalRequestConflict"),
}
JSON_ERRORS = {
    Kind.DENY: (400, "AccessDeniedException"),
    Kind.EXPIRED: (400, "ExpiredTokenException"),
    Kind.SERVER_ERROR: (500, "InternalServerError"),
    Kind.UNAVAILABLE: (503, "ServiceUnavailable"),
}


class Hangup(Exception):
    """The connection is to be closed, after so many bytes of an answer."""

    def __init__(self, first: bytes = b"") -> None:
        super().__init__("closed by the script")
        self.first = first


def answer_of(fault: Fault, call: Call, effect: Effect) -> Reply:
    """The answer of a struck call that gets one; raises Hangup for the others."""
    if fault.kind is Kind.UNPROCESSED:
        return _half_processed(call, effect)
    if fault.kind is Kind.CUT:
        raise Hangup(_half(effect(call)))
    if fault.kind is Kind.WRONG_CRC:
        return _miscounted(effect(call))
    if fault.after:
        effect(call)
    if fault.kind in THROTTLES:
        return throttled(fault, call)
    if fault.kind in S3_ERRORS:
        return _refusal(fault.kind, call)
    raise Hangup


def throttled(fault: Fault, call: Call) -> Reply:
    """The exception of a throttled call, its reasons spelt as the service spells them in each."""
    if call.operation not in READS | WRITES:
        return _json(400, PLAIN_THROTTLES.get(call.service, "ThrottlingException"), "Rate exceeded")
    kind, member = THROTTLES[fault.kind]
    side = "Read" if call.operation in READS else "Write"
    reason = fault.reason or f"Table{side}ProvisionedThroughputExceeded"
    table = call.params.get("TableName") or next(iter(call.params.get("RequestItems", {"?": None})))
    arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}"
    message = f"Throughput exceeds the current capacity: {reason}"
    return _json(400, kind, message, **{member: [{"reason": reason, "resource": arn}]})


def _refusal(kind: Kind, call: Call) -> Reply:
    message = MESSAGES.get(kind, "said by the script")
    if call.service == "s3":
        status, code = S3_ERRORS[kind]
        text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        if call.request.method == "HEAD":
            return Reply(status, [], {"x-amz-bucket-region": "us-east-1"} if kind is Kind.DENY else {})
        return Reply(status, [text.encode()], {"Content-Type": "application/xml"})
    status, code = JSON_ERRORS[kind]
    return _json(status, code, message)


def _json(status: int, kind: str, message: str, **members: object) -> Reply:
    body = json.dumps({"__type": ERROR_PREFIX + kind, "message": message, **members}).encode()
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amz-crc32": str(zlib.crc32(body))}
    return Reply(status, [body], headers)


def _half(reply: Reply) -> bytes:
    """The head that promises a whole body, and half of it; the head alone has no body to cut."""
    body = b"".join(reply.body)
    return reply.head() + body[: len(body) // 2] if body else b""


def _miscounted(reply: Reply) -> Reply:
    right = zlib.crc32(b"".join(reply.body))
    return Reply(reply.status, reply.body, {**reply.headers, "x-amz-crc32": str(right ^ 1)})


def _half_processed(call: Call, effect: Effect) -> Reply:
    """Write the first half of each table's requests; the rest comes back, as when a partition is hot."""
    asked = call.params["RequestItems"]
    first = {table: some[: (len(some) + 1) // 2] for table, some in asked.items()}
    rest = {table: some[(len(some) + 1) // 2 :] for table, some in asked.items()}
    body = json.dumps({**call.params, "RequestItems": first}).encode()
    done = effect(Call(call.service, call.operation, call.request, body))
    if done.status != 200:
        return done
    told = json.loads(b"".join(done.body))
    told["UnprocessedItems"] = {table: some for table, some in rest.items() if some}
    text = json.dumps(told).encode()
    return Reply(200, [text], {**done.headers, "x-amz-crc32": str(zlib.crc32(text))})
