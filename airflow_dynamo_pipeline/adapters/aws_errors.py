"""botocore's errors in our own tree: what a retry can help, what names a permission, what is final."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from airflow_dynamo_pipeline.engine.ports import ConditionFailed
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    CorruptReply,
    CredentialsExpired,
    InvalidRequest,
    ItemRefused,
    NotFound,
    PipelineError,
    Problem,
    ServiceTrouble,
    Throttled,
    UnexpectedReply,
    with_hint,
)
from airflow_dynamo_pipeline.items.response_text import scan_response_json

DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AllAccessDisabled",
        "403",
        "Forbidden",
        "KMS.AccessDeniedException",
    }
)
BAD_CREDENTIALS = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
    }
)
THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "Throttling",
    }
)
TROUBLE = frozenset(
    {
        "InternalServerError",
        "InternalError",
        "InternalFailure",
        "ServiceUnavailable",
        "SlowDown",
        "RequestTimeout",
        "RequestTimeoutException",
        "OperationAborted",
        "ConditionalRequestConflict",
        "TooManyRequestsException",
        "TooManyRequests",
        "RequestThrottled",
        "ThrottledException",
        "BandwidthLimitExceeded",
        "RequestTimeTooSkewed",
        "KMS.ThrottlingException",
        "KMS.InternalException",
        "KMS.DependencyTimeoutException",
        "KMS.KMSInternalException",
        "LimitExceededException",
        "TransactionConflictException",
        "ReplicatedWriteConflictException",
    }
)
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
CORRUPT = frozenset(
    {"BadDigest", "IncompleteBody", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"}
)
MISSING = {
    "ResourceNotFoundException": "table",
    "TableNotFoundException": "table",
    "NoSuchBucket": "bucket",
    "NoSuchKey": "key",
}
INVALID = frozenset(
    {"ValidationException", "SerializationException", "ItemCollectionSizeLimitExceededException"}
)
WRITES = frozenset({"dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:DeleteItem"})
CONDITION_FAILED = "ConditionalCheckFailedException"
NETWORK = (
    boto.EndpointConnectionError,
    boto.ConnectionError,
    boto.HTTPClientError,
    boto.ResponseStreamingError,
    boto.IncompleteReadError,
)
MEND_CREDENTIALS = "mend the credentials of the connection, the profile or the environment"
MEND_REGION = (
    "give the connection or the task a region_name; on the command line: --region-name or AWS_DEFAULT_REGION"
)
MEND_PROFILE = "mend the name of the profile, or the files that AWS_CONFIG_FILE and its like lead to"
MEND_KEY = "enable the key, or name another of the bucket's region"
NO_CREDENTIALS = (boto.NoCredentialsError, boto.PartialCredentialsError)
NO_REFRESH = (boto.CredentialRetrievalError, boto.MetadataRetrievalError, boto.TokenRetrievalError)
KMS_VERBS = {"s3:GetObject": "kms:Decrypt"}
KMS_ACTION = re.compile(r"(?<![:\w])kms:[A-Z]\w+")  # not the service in a key\'s ARN
ARN = re.compile(r"arn:[\w-]+:[\w-]+:[^\s\"']*")
CANONICAL = re.compile(r"The Canonical String for this request should have been.*", re.DOTALL)
SECRET_HEADER = re.compile(r"((?:x-amz-security-token|authorization)['\"]?\s*[:=]\s*)[^\n]+", re.IGNORECASE)
USER_IN_URL = re.compile(r"(\w://)[^/\s\"'@]+@")
SERVER_ERROR = 500
TOO_MANY_REQUESTS = 429
REASONS = ("ThrottlingReasons", "throttlingReasons")


class translated:  # noqa: N801  a context manager, and cheaper than a generator would be
    """Raises botocore's errors as ours. ``action`` is the IAM action of the call, ``resource`` its object.

    A conditional write that met another item is the port's ConditionFailed, which is no PipelineError.
    """

    __slots__ = ("_action", "_resource")

    def __init__(self, action: str, resource: str) -> None:
        self._action = action
        self._resource = resource

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise our error for one of botocore's."""
        if isinstance(error, (boto.ClientError, boto.BotoCoreError, ResponseParserError)):
            ours = _ours(error, self._action, self._resource)
            # a log shows the cause, too, and that repeats what was redacted in ours
            raise ours from (error if redacted(str(error)) == str(error) else None)


def redacted(text: str) -> str:
    """A service's or botocore's words without what they repeat of a request that is secret.

    A refused signature is answered with the signed headers, of which one is the session's token; a URL may
    have a password in it.

    >>> redacted('Could not connect to the endpoint URL: "https://me:secret@host/"')
    'Could not connect to the endpoint URL: "https://***@host/"'
    """
    text = CANONICAL.sub("(what was signed is left out)", text)
    return USER_IN_URL.sub(r"\1***@", SECRET_HEADER.sub(r"\1***", text))


def _ours(error: Exception, action: str, resource: str) -> PipelineError | ConditionFailed:
    if isinstance(error, boto.ClientError):
        return _from_reply(error, action, resource)
    said = redacted(str(error))
    text = f"{action} on {resource}: {said}"
    if isinstance(error, (boto.ChecksumError, boto.FlexibleChecksumError)):
        return CorruptReply(text)
    if isinstance(error, NO_CREDENTIALS):
        return AccessDenied(action, resource, f"no usable credentials: {said}", MEND_CREDENTIALS)
    if isinstance(error, NO_REFRESH):
        return CredentialsExpired(text)
    if isinstance(error, (*NETWORK, ResponseParserError)):
        return ServiceTrouble(text)
    return _no_client(error, said) or UnexpectedReply(text)


def _no_client(error: Exception, said: str) -> InvalidRequest | None:
    """Settings that no client can be made with; no call was made."""
    if isinstance(error, (boto.NoRegionError, boto.InvalidRegionError)):
        return InvalidRequest([Problem("region_name", said.removesuffix("."), MEND_REGION)])
    if isinstance(error, boto.ProfileNotFound):
        return InvalidRequest([Problem("profile", said, MEND_PROFILE)])
    return None


def _from_reply(error: boto.ClientError, action: str, resource: str) -> PipelineError | ConditionFailed:
    reply: Mapping[str, Any] = error.response
    code = str(reply.get("Error", {}).get("Code", ""))
    text = redacted(str(reply.get("Error", {}).get("Message", "")) or str(error))
    status = int(reply.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code == CONDITION_FAILED:
        return ConditionFailed(_item_json(reply))
    if code in INVALID and action in WRITES:
        return ItemRefused(f"{action} on {resource}: {code}: {text}")
    if code in THROTTLED:
        return Throttled(f"{code} on {resource}: {text}{_named(reasons_of(reply))}", reasons_of(reply))
    if code in MISSING:
        kind = MISSING[code]
        return NotFound(kind, resource.removeprefix(f"{kind} "), "check the name and the region")
    detail = f"{action} on {resource}: {code or status}: {text}"
    return (
        _of_the_moment(code, status, detail)
        or _no_access(code, text, action, resource)
        or UnexpectedReply(with_hint(f"{action} on {resource}: {code}: {text}", _hint(code, action)))
    )


def _item_json(reply: Mapping[str, Any]) -> bytes | None:
    """The item that a refused write met, as DynamoDB wrote it; None where the reply has none."""
    if not reply.get("Item"):
        return None
    page = scan_response_json({"Items": [reply["Item"]]})
    return page.removeprefix(b'{"Items":[').removesuffix(b"]}")


def _of_the_moment(code: str, status: int, detail: str) -> PipelineError | None:
    if code in CORRUPT:
        return CorruptReply(detail)
    if code in EXPIRED:
        return CredentialsExpired(detail)
    if code in TROUBLE or status == TOO_MANY_REQUESTS or status >= SERVER_ERROR:
        return ServiceTrouble(detail)
    return None


def _no_access(code: str, text: str, action: str, resource: str) -> AccessDenied | None:
    kms = KMS_ACTION.search(text)
    if kms is not None or code.startswith("KMS."):
        verb = KMS_VERBS.get(action, "kms:GenerateDataKey") if kms is None else kms.group()
        return _no_key(code, text, verb, resource)
    if code in DENIED:
        return AccessDenied(action, resource, text)
    if code in BAD_CREDENTIALS:
        detail = f"the credentials were refused, {code}: {text}"
        return AccessDenied(action, resource, detail, MEND_CREDENTIALS)
    return None


def _no_key(code: str, text: str, action: str, resource: str) -> AccessDenied:
    """A refusal for the key's sake names the KMS action and, where the text has it, the key."""
    keys = [arn.rstrip(".,;") for arn in ARN.findall(text) if ":kms:" in arn]
    key = keys[0] if keys else f"the KMS key of {resource}"
    if code in DENIED:
        return AccessDenied(action, key, text)
    return AccessDenied(action, key, f"the KMS key cannot be used, {code}: {text}", MEND_KEY)


def reasons_of(reply: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The (reason, resource ARN) pairs of a throttling reply, under either of DynamoDB's spellings.

    The member is ``ThrottlingReasons`` on ProvisionedThroughputExceededException and
    RequestLimitExceeded, ``throttlingReasons`` on ThrottlingException; an older botocore shows neither, so
    the transports put them there.
    """
    places = (reply, reply.get("Error", {}))
    entries = [entry for place in places for name in REASONS for entry in place.get(name) or ()]
    return [(str(entry.get("reason", "")), str(entry.get("resource", ""))) for entry in entries]


def _named(reasons: list[tuple[str, str]]) -> str:
    return "".join(f" [{reason} {resource}]" for reason, resource in reasons)


def _hint(code: str, action: str) -> str | None:
    if code == "ValidationException" and action.startswith("dynamodb:"):
        return "DynamoDB refused the request itself: check expressions, names, values and the index"
    return None
