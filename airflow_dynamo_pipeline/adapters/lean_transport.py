"""DynamoDB's calls over sockets of our own, for a fortieth of the CPU that botocore takes.

Where, in what name and with which headers to call is learned from botocore: it makes the first call of
each operation. The second one is shown to whoever listens to the client's events; where anybody does,
botocore makes all that follow. So it does where anything is unusual: a proxy, a client certificate,
another signature, a reply that is not JSON. Credentials are asked for at each call, of botocore's signer.

No call is sent twice that may have been heard: its loss is an error, and what becomes of it is for the
engine to decide, which pays for every try. Only a reply that botocore might read better is asked for
again, by calls that may be repeated.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from typing import TYPE_CHECKING, Any, cast

from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.http_framing import HttpReply, OddReplyError
from airflow_dynamo_pipeline.adapters.routes import Route, Seen, is_usual, route_of
from airflow_dynamo_pipeline.adapters.transport import (
    JSON_TYPES,
    BotocoreTransport,
    check_crc32,
    content_type_of,
    is_encoded,
    reasons_in,
)
from airflow_dynamo_pipeline.errors import ServiceTrouble
from airflow_dynamo_pipeline.items.page import ReplyText

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OK = 200
REFUSED = 400
REPEATABLE = frozenset({"Scan", "Query", "GetItem", "BatchGetItem", "BatchWriteItem"})
BAD_SIGNATURE = frozenset(
    {
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
    }
)
EXPECTED_LISTENERS = (
    "botocore.",
    "boto3.",
    "airflow_dynamo_pipeline.",
    "moto.",  # listens to every client of a process that imports it, and lets calls pass unless it mocks
)


class LeanTransport:
    """Calls by HTTP and signatures of our own, and by botocore whatever is unusual."""

    def __init__(self, client: DynamoDBClient, botocore: BotocoreTransport, resource: str) -> None:
        """``botocore`` is on the same client. ``resource`` names the table, or index, in errors."""
        self._client: Any = client
        self._botocore = botocore
        self._resource = resource
        self._routes: dict[str, Route] = {}
        self._learning = threading.local()
        self._closed = not is_usual(client)
        events = client.meta.events
        events.register_last("before-sign.dynamodb", self._see, unique_id=f"dynamo-pipeline-sign-{id(self)}")
        events.register_last("before-send.dynamodb", self._see, unique_id=f"dynamo-pipeline-send-{id(self)}")

    @property
    def is_lean(self) -> bool:
        """Whether the next call of an operation that has been called before is sent without botocore."""
        return not (self._closed or self._botocore.is_plain)

    def call(self, operation: str, body: bytes) -> ReplyText:
        """Call an operation."""
        if not self.is_lean:
            return self._botocore.call(operation, body)
        route = self._routes.get(operation)
        if route is None:
            return self._call_and_learn(operation, body)
        with translated(f"dynamodb:{operation}", self._resource):
            reply = self._answered(route, body)
            if reply is not None and reply.status != OK:
                refusal = self._refusal(operation, reply)
                if refusal.response["Error"]["Code"] not in BAD_SIGNATURE:
                    raise refusal
                reply = None  # nothing came of it
        if reply is None:
            self._closed = True
            return self._botocore.call(operation, body)
        check_crc32(operation, reply.headers, reply.body)
        return reply.body

    def _answered(self, route: Route, body: bytes) -> HttpReply | None:
        """The reply of one call; None for what botocore should do, and may."""
        credentials = route.credentials()
        if credentials is None:
            return None
        stamp = _stamp(int(time.time()))
        head = route.head(credentials, stamp, body)
        try:
            if route.was_shown:
                reply = route.connections.exchange(head, body)
            else:
                reply = self._shown(route, head, body)
            _check_sense(reply)
        except OddReplyError as odd:
            if route.operation in REPEATABLE:
                return None
            self._closed = True
            raise ServiceTrouble(f"dynamodb:{route.operation} on {self._resource}: {odd}") from odd
        return reply

    def _refusal(self, operation: str, reply: HttpReply) -> ClientError:
        """An error reply as botocore's own parser reads it."""
        model = self._client.meta.service_model
        parser = create_parser(model.metadata["protocol"])
        response = _in_botocores_words(operation, reply)
        parsed = parser.parse(response, model.operation_model(operation).output_shape)
        parsed.update(reasons_in(reply.body))
        shape = model.shape_for_error_code(parsed.get("Error", {}).get("Code", ""))
        if shape is not None:
            parsed.update(parser.parse(response, shape))
        return ClientError(parsed, operation)

    # --- what is learned from botocore ------------------------------------------------------------

    def _call_and_learn(self, operation: str, body: bytes) -> ReplyText:
        seen = self._learning.seen = Seen(operation)
        try:
            return self._botocore.call(operation, body)
        finally:
            self._learning.seen = None
            route = route_of(seen, self._client)
            if route is not None:
                self._routes[operation] = route
            elif seen.request is not None:
                self._closed = True

    def _see(
        self,
        event_name: str,
        request: Any,
        request_signer: Any = None,
        signature_version: Any = None,
        **_: object,
    ) -> None:
        """Note a signer, then the signed request, of the call that this thread makes through us."""
        seen: Seen | None = getattr(self._learning, "seen", None)
        if seen is None or event_name.rpartition(".")[2] != seen.operation:
            return
        if request_signer is None:
            seen.request = request
        else:
            seen.signer, seen.signature_version = request_signer, signature_version

    # --- who else listens -------------------------------------------------------------------------

    def _shown(self, route: Route, head: bytes, body: bytes) -> HttpReply:
        """Send a call past everybody who listens to the client's events; a listener may also answer it."""
        route.was_shown = True
        model = self._client.meta.service_model.operation_model(route.operation)
        headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:] if line)
        sent: dict[str, Any] = {"url": route.url, "method": "POST", "headers": headers, "body": body}
        self._tell("before-parameter-build", route, params=json.loads(body), model=model, context={})
        self._tell("before-call", route, params=sent, model=model, request_signer=route.signer, context={})
        request = AWSPreparedRequest(
            "POST", route.url, cast("Any", HeadersDict(headers)), body, stream_output=False
        )
        answer = self._tell("before-send", route, request=request)
        reply = _in_our_words(answer) if answer is not None else route.connections.exchange(head, body)
        response = _in_botocores_words(route.operation, reply)
        self._tell(
            "before-parse",
            route,
            operation_model=model,
            response_dict=response,
            customized_response_dict={},
        )
        told = {name.lower(): value for name, value in response["headers"].items()}
        return HttpReply(response["status_code"], told, response["body"])

    def _tell(self, event: str, route: Route, **details: Any) -> Any:
        """Emit an event; returns the first answer. Who is not botocore's or ours makes this call the last."""
        told = self._client.meta.events.emit(f"{event}.dynamodb.{route.operation}", **details)
        for listener, answer in told:
            expected = getattr(listener, "__module__", "").startswith(EXPECTED_LISTENERS)
            if not expected or answer is not None:
                self._closed = True
        return next((answer for _, answer in told if answer is not None), None)


@functools.lru_cache(maxsize=4)
def _stamp(seconds: int) -> str:
    """A moment as signatures have it; the calls of one second share it."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def _in_botocores_words(operation: str, reply: HttpReply) -> dict[str, Any]:
    return {
        "headers": HeadersDict(reply.headers),
        "status_code": reply.status,
        "body": reply.body,
        "context": {"operation_name": operation},
    }


def _in_our_words(answer: Any) -> HttpReply:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return HttpReply(answer.status_code, headers, answer.content)


def _check_sense(reply: HttpReply) -> None:
    """Refuse what is neither a JSON document nor an error."""
    if reply.status != OK:
        if reply.status < REFUSED:
            raise OddReplyError(f"a reply has the status {reply.status}")
    elif is_encoded(reply.headers) or content_type_of(reply.headers) not in JSON_TYPES:
        raise OddReplyError(f"a reply is {content_type_of(reply.headers)!r}, or encoded")
