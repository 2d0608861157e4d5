"""How the JSON text of a call reaches DynamoDB and comes back: here, through botocore's client.

The body goes in by the public event ``before-call`` and the reply is taken out by ``before-parse``,
because building and parsing values is nine tenths of what a call costs a client. A reply that
cannot be taken out is parsed by botocore and written as JSON again.
"""

from __future__ import annotations

import base64
import json
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from botocore import xform_name
from botocore.awsrequest import HeadersDict
from botocore.model import OperationModel

from airflow_dynamo_pipeline.adapters.aws_errors import REASONS, translated
from airflow_dynamo_pipeline.adapters.whole_replies import check_length
from airflow_dynamo_pipeline.errors import CorruptReply
from airflow_dynamo_pipeline.items.page import ReplyText
from airflow_dynamo_pipeline.items.response_text import scan_response_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

try:
    from isal.isal_zlib import crc32
except ImportError:  # no wheel for this platform
    from zlib import crc32

assert crc32(b"DynamoDB") == zlib.crc32(b"DynamoDB")  # noqa: S101

JSON_TYPES = ("application/x-amz-json-1.0", "application/json")
SUCCESS = range(200, 300)
EMPTY = b"{}"


class Transport(Protocol):
    """One table's line to DynamoDB. Threads share it."""

    def call(self, operation: str, body: bytes) -> ReplyText:
        """Call an operation, once, by its JSON body; returns the JSON body of its reply.

        The reply is whole and matches its checksum. Raises our error tree and ConditionFailed. After
        ServiceTrouble or CorruptReply the call may have taken effect.
        """
        ...


@dataclass(slots=True)
class _Call:
    operation: str
    body: bytes
    taken: bytes | None = None


class BotocoreTransport:
    """Calls through a client that anybody may have made, with all that botocore does for a call."""

    def __init__(self, client: DynamoDBClient, resource: str, warn: Callable[[str], None]) -> None:
        """``client`` should not retry by itself. ``resource`` names the table, or index, in errors."""
        self._client: Any = client
        self._resource = resource
        self._warn = warn
        self._now = threading.local()
        self._lock = threading.Lock()
        self.is_plain = False
        events = client.meta.events
        events.register("before-call.dynamodb", self._put_body, unique_id=f"dynamo-pipeline-in-{id(self)}")
        events.register("before-parse.dynamodb", self._take_body, unique_id=f"dynamo-pipeline-out-{id(self)}")

    def call(self, operation: str, body: bytes) -> ReplyText:
        """Call an operation."""
        call = self._now.call = _Call(operation, body)
        method = getattr(self._client, xform_name(operation))
        try:
            with translated(f"dynamodb:{operation}", self._resource):
                parsed = method(**_arguments(operation, body))
        finally:
            self._now.call = None
        return _written(operation, parsed) if call.taken is None else call.taken

    def _mine(self, model: OperationModel) -> _Call | None:
        """What this thread is calling through us, unless this is somebody else's call on the same client."""
        call: _Call | None = getattr(self._now, "call", None)
        return call if call is not None and call.operation == model.name else None

    def _put_body(self, model: OperationModel, params: dict[str, Any], **_: object) -> None:
        """Put our text in the place of what botocore made of the arguments."""
        if call := self._mine(model):
            params["body"] = call.body

    def _take_body(
        self,
        operation_model: OperationModel,
        response_dict: dict[str, Any],
        customized_response_dict: dict[str, Any],
        **_: object,
    ) -> None:
        """Take a successful reply's body and leave botocore an empty one to parse."""
        call = self._mine(operation_model)
        if call is None:
            return
        if response_dict["status_code"] not in SUCCESS:
            customized_response_dict.update(reasons_in(response_dict["body"]))
            return
        headers, body = response_dict["headers"], response_dict["body"]
        content_type = content_type_of(headers)
        encoded = is_encoded(headers)
        if not encoded:
            check_length(operation_model, response_dict)
            check_crc32(call.operation, headers, body)
        if encoded or content_type not in JSON_TYPES:
            self._go_plain(content_type)
            return
        call.taken = body
        response_dict["body"] = EMPTY
        response_dict["headers"] = HeadersDict({**headers, "Content-Length": str(len(EMPTY))})

    def _go_plain(self, content_type: str) -> None:
        """Leave a reply to botocore's parser; said once, whichever thread comes first."""
        with self._lock:
            if not self.is_plain:
                self.is_plain = True
                kind = content_type or "of no stated type"
                self._warn(f"DynamoDB's replies are {kind}, or encoded: parsing them by botocore")


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Whether the body is compressed: its length and checksum may then be those of another text."""
    return headers.get("content-encoding", "identity") != "identity"


def reasons_in(body: ReplyText) -> dict[str, Any]:
    """Why a call was throttled: members of an error reply that an older botocore leaves out."""
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return {name: told[name] for name in REASONS if name in told} if isinstance(told, dict) else {}


def content_type_of(headers: Mapping[str, str]) -> str:
    """The type of a body without its parameters; empty when it is not told."""
    return str(headers.get("content-type", "")).partition(";")[0].strip()


def check_crc32(operation: str, headers: Mapping[str, str], body: ReplyText) -> None:
    """DynamoDB sends the CRC-32 of each body; botocore's standard retry mode does not look at it."""
    expected = headers.get("x-amz-crc32")
    if expected is not None and expected.strip() != str(crc32(body)):
        raise CorruptReply(
            f"a reply to {operation} of {len(body):,} bytes does not match its x-amz-crc32 {expected}"
        )


class _Named(msgspec.Struct):
    """The resources that a call names; fields keep DynamoDB's names."""

    TableName: str = ""
    IndexName: str = ""
    RequestItems: dict[str, msgspec.Raw] = {}


_NAMED = msgspec.json.Decoder(_Named)
REQUIRED = {"PutItem": "Item", "DeleteItem": "Key", "UpdateItem": "Key", "GetItem": "Key"}


def _arguments(operation: str, body: bytes) -> dict[str, Any]:
    """What botocore has to know of a call whose body is put in later: its endpoint rules read the table."""
    named = _NAMED.decode(body)
    if named.RequestItems:
        some: Any = {"Keys": [{}]} if operation == "BatchGetItem" else [{"DeleteRequest": {"Key": {}}}]
        return {"RequestItems": dict.fromkeys(named.RequestItems, some)}
    more: dict[str, Any] = {REQUIRED[operation]: {}} if operation in REQUIRED else {}
    if named.IndexName:
        more["IndexName"] = named.IndexName
    return {"TableName": named.TableName, **more}


def _written(operation: str, parsed: Mapping[str, Any]) -> bytes:
    """What botocore parsed, as JSON again."""
    if operation == "Scan":
        return scan_response_json(parsed)
    kept = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"), default=base64_text).encode()


def base64_text(value: object) -> str:
    """Binary as DynamoDB's JSON has it; for ``json.dumps``."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"{type(value).__name__} is not part of a call to DynamoDB")
