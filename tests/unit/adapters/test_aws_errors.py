from __future__ import annotations

import traceback
from typing import Any

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from airflow_dynamo_pipeline.adapters.aws_errors import redacted, translated
from airflow_dynamo_pipeline.engine.ports import ConditionFailed
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    CorruptReply,
    InvalidRequest,
    ItemRefused,
    NotFound,
    PipelineError,
    ServiceTrouble,
    Temporary,
    Throttled,
    UnexpectedReply,
)

ACTION, RESOURCE = "dynamodb:Scan", "table orders"


def reply(code: str, status: int = 400, message: str = "as scripted", **more: Any) -> boto.ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return boto.ClientError(response, "Scan")


def raised(error: Exception, action: str = ACTION, resource: str = RESOURCE) -> PipelineError:
    with pytest.raises(PipelineError) as caught, translated(action, resource):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


def test_what_succeeds_passes() -> None:
    with translated(ACTION, RESOURCE):
        done = True
    assert done


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "403"])
def test_a_denial_names_action_and_resource(code: str) -> None:
    error = raised(reply(code, 403))

    assert isinstance(error, AccessDenied)
    assert (ACTION, RESOURCE) == (error.action, error.resource)
    assert "HINT: allow dynamodb:Scan on table orders" in str(error)


@pytest.mark.parametrize(("action", "is_hinted"), [(ACTION, True), ("elasticmapreduce:DescribeStep", False)])
def test_only_what_dynamodb_refused_is_said_to_be_its_own(action: str, is_hinted: bool) -> None:
    error = raised(reply("ValidationException", 400), action)

    assert is_hinted is ("DynamoDB refused the request itself" in str(error))


def test_a_denial_for_the_keys_sake_names_the_kms_action_and_the_key() -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/0a1b"
    user = "arn:aws:iam::123456789012:role/x"
    text = f"User: {user} is not authorized to perform: kms:GenerateDataKey on resource: {key}"

    error = raised(reply("AccessDenied", 403, text), "s3:PutObject", "arn:aws:s3:::backups/x")

    assert isinstance(error, AccessDenied)
    assert ("kms:GenerateDataKey", key) == (error.action, error.resource)


@pytest.mark.parametrize(
    "code", ["KMS.DisabledException", "KMS.KMSInvalidStateException", "KMS.NotFoundException"]
)
@pytest.mark.parametrize(
    ("action", "kms"), [("s3:PutObject", "kms:GenerateDataKey"), ("s3:GetObject", "kms:Decrypt")]
)
def test_a_key_that_cannot_be_used_is_named_and_no_policy_is_blamed(code: str, action: str, kms: str) -> None:
    key = "arn:aws:kms:us-east-1:111122223333:key/k"
    error = raised(reply(code, 400, f"{key} is disabled."), action, "arn:aws:s3:::backups/x")

    assert isinstance(error, AccessDenied)
    assert (kms, key) == (error.action, error.resource)
    assert code in str(error)
    assert "HINT: enable the key" in str(error)


def test_a_key_that_may_not_be_used_is_a_matter_of_the_policy() -> None:
    error = raised(reply("KMS.AccessDeniedException", 400, "no"), "s3:PutObject", "arn:aws:s3:::backups/x")

    assert isinstance(error, AccessDenied)
    assert "HINT: allow kms:GenerateDataKey on the KMS key of arn:aws:s3:::backups/x" in str(error)


@pytest.mark.parametrize(
    "code", ["UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch"]
)
def test_credentials_that_are_refused_are_final(code: str) -> None:
    error = raised(reply(code, 403))

    assert isinstance(error, AccessDenied)
    assert "HINT: mend the credentials" in str(error)


@pytest.mark.parametrize(
    "code",
    [
        "InternalServerError",
        "ServiceUnavailable",
        "SlowDown",
        "ExpiredTokenException",
        "ExpiredToken",
        "RequestTimeTooSkewed",
        "TooManyRequestsException",
        "KMS.ThrottlingException",
    ],
)
def test_trouble_of_the_moment_is_temporary(code: str) -> None:
    assert isinstance(raised(reply(code)), ServiceTrouble)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_an_unknown_code_with_a_status_of_the_moment_is_temporary(status: int) -> None:
    assert isinstance(raised(reply("Whatever", status)), ServiceTrouble)


@pytest.mark.parametrize("code", ["BadDigest", "XAmzContentChecksumMismatch"])
def test_bytes_that_were_damaged_on_their_way_are_sent_again(code: str) -> None:
    assert isinstance(raised(reply(code)), CorruptReply)


@pytest.mark.parametrize(
    "error",
    [
        boto.EndpointConnectionError(endpoint_url="http://x"),
        boto.ReadTimeoutError(endpoint_url="http://x"),
        boto.ConnectionClosedError(endpoint_url="http://x"),
        boto.CredentialRetrievalError(provider="x", error_msg="x"),
        boto.MetadataRetrievalError(error_msg="x"),
        ResponseParserError("not json"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_network_and_a_failed_refresh_are_temporary(error: Exception) -> None:
    assert isinstance(raised(error), Temporary)


def test_no_credentials_at_all_are_final() -> None:
    assert isinstance(raised(boto.NoCredentialsError()), AccessDenied)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("ResourceNotFoundException", "table"), ("NoSuchBucket", "bucket"), ("NoSuchKey", "key")],
)
def test_what_is_missing_is_named(code: str, kind: str) -> None:
    error = raised(reply(code))

    assert isinstance(error, NotFound)
    assert (kind, RESOURCE.removeprefix(f"{kind} ")) == (error.kind, error.name)


@pytest.mark.parametrize("place", ["ThrottlingReasons", "throttlingReasons"])
@pytest.mark.parametrize("nested", [False, True], ids=["beside", "inside Error"])
def test_e9_reasons_are_read_under_both_spellings(place: str, nested: bool) -> None:
    arn = "arn:aws:dynamodb:us-east-1:1:table/orders/index/by-city"
    entries = [{"reason": "IndexReadProvisionedThroughputExceeded", "resource": arn}]
    error = reply("ThrottlingException")
    response: dict[str, Any] = error.response["Error"] if nested else error.response  # type: ignore[assignment]
    response[place] = entries

    found = raised(error)

    assert isinstance(found, Throttled)
    assert [("IndexReadProvisionedThroughputExceeded", arn)] == list(found.reasons)
    assert arn in str(found)


def test_e9_no_reason_is_no_reason() -> None:
    found = raised(reply("ProvisionedThroughputExceededException"))

    assert isinstance(found, Throttled)
    assert [] == list(found.reasons)


def test_a_refused_request_says_what_to_check() -> None:
    error = raised(reply("ValidationException", message="Invalid FilterExpression"))

    assert isinstance(error, UnexpectedReply)
    assert "Invalid FilterExpression" in str(error)
    assert "HINT: DynamoDB refused the request itself: check expressions" in str(error)


@pytest.mark.parametrize("code", ["ValidationException", "SerializationException"])
@pytest.mark.parametrize("operation", ["BatchWriteItem", "PutItem", "DeleteItem"])
def test_an_invalid_write_is_a_refused_item(operation: str, code: str) -> None:
    error = raised(reply(code, message="the key is empty"), f"dynamodb:{operation}")

    assert ItemRefused is type(error)
    assert f"dynamodb:{operation} on table orders: {code}: the key is empty" == str(error)


def test_an_invalid_read_is_not() -> None:
    assert UnexpectedReply is type(raised(reply("ValidationException"), "dynamodb:Scan"))


@pytest.mark.parametrize(
    ("members", "item"),
    [
        ({}, None),
        ({"Item": {}}, None),
        ({"Item": {"pk": {"B": b"\xff"}, "s": {"S": "\x0b"}}}, b'{"pk":{"B":"/w=="},"s":{"S":"\\u000B"}}'),
        ({"Item": {"l": {"L": []}}}, b'{"l":{"L":[]}}'),
    ],
)
def test_a_failed_condition_tells_the_item_it_met_where_the_reply_has_it(
    members: dict[str, Any], item: bytes | None
) -> None:
    error = reply("ConditionalCheckFailedException", **members)

    with pytest.raises(ConditionFailed) as caught, translated("dynamodb:PutItem", RESOURCE):
        raise error

    assert item == caught.value.item


ECHO = (
    "The request signature we calculated does not match the signature you provided. "
    "The Canonical String for this request should have been\n'POST\n/\nx-amz-security-token:SECRET'"
)


@pytest.mark.parametrize(
    "error",
    [
        reply("InvalidSignatureException", 403, ECHO),
        reply("AccessDenied", 403, "refused: Authorization: AWS4-HMAC-SHA256 SECRET"),
        boto.EndpointConnectionError(endpoint_url="https://me:SECRET@proxy/"),
    ],
    ids=["what was signed", "a header", "a URL"],
)
def test_a3_what_is_repeated_of_a_request_is_neither_in_the_error_nor_in_its_cause(error: Exception) -> None:
    assert "SECRET" in str(error)

    with pytest.raises(PipelineError) as caught, translated(ACTION, RESOURCE):
        raise error

    assert "SECRET" not in str(caught.value)
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


def test_words_without_a_secret_are_kept_as_they_are() -> None:
    words = "User: arn:aws:sts::1:assumed-role/x is not authorized, see https://aws.example/a@b"

    assert words == redacted(words)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (boto.NoRegionError(), "region_name: You must specify a region\n"),
        (boto.InvalidRegionError(region_name="a b"), "region_name: Provided region_name 'a b' doesn't match"),
        (boto.ProfileNotFound(profile="nobody"), "profile: The config profile (nobody) could not be found\n"),
    ],
)
def test_what_no_call_can_be_made_with_is_a_setting_that_is_refused(error: Exception, said: str) -> None:
    ours = raised(error, "sts:AssumeRole", "connection aws_default")

    assert isinstance(ours, InvalidRequest)
    assert said in str(ours)
    assert "AssumeRole" not in str(ours)


def test_where_no_region_is_set_the_hint_names_every_place_for_it() -> None:
    (problem,) = raised(boto.NoRegionError()).problems  # type: ignore[attr-defined]

    assert [] == [
        name
        for name in ("connection", "task", "--region-name", "AWS_DEFAULT_REGION")
        if name not in problem.hint
    ]
