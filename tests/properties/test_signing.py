"""Our signatures are botocore's, whatever is signed."""

from __future__ import annotations

import time
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_dynamo_pipeline.adapters.signing import Signer

VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
KEYS = st.text(VISIBLE.filter(lambda char: char not in "/,"), min_size=1, max_size=40)
TOKENS = st.none() | st.text(VISIBLE, min_size=1, max_size=1200)
NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
HOSTS = st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9](\.[a-z0-9]{1,10}){0,3}", fullmatch=True) | st.just(
    "[::1]"
)
ADDRESSES = st.tuples(
    st.sampled_from([("http", 80), ("https", 443)]), HOSTS, st.none() | st.integers(1, 65535)
)
OPERATIONS = st.sampled_from(["Scan", "BatchWriteItem", "PutItem", "DeleteItem"])
OTHERS = st.dictionaries(
    NAMES.map("x-{}".format).filter(lambda name: name not in ("x-amz-date", "x-amzn-trace-id")),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30),
    max_size=3,
)
STAMPS = st.integers(0, 4_000_000_000).map(lambda at: time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at)))
Address = tuple[tuple[str, int], str, int | None]


def by_botocore(
    url: str, headers: dict[str, str], body: bytes, credentials: Any, scope: tuple[str, str], stamp: str
) -> str:
    """What ``add_auth`` does, at a moment of our choice."""
    region, service = scope
    signer = SigV4Auth(credentials, service, region)
    token = {} if credentials.token is None else {"X-Amz-Security-Token": credentials.token}
    request = AWSRequest("POST", url, {**headers, "X-Amz-Date": stamp, **token}, body)
    request.context["timestamp"] = stamp
    text = signer.string_to_sign(request, signer.canonical_request(request))
    names = signer.signed_headers(signer.headers_to_sign(request))
    credential, signature = signer.scope(request), signer.signature(text, request)
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"


@given(KEYS, KEYS, TOKENS, ADDRESSES, OPERATIONS, OTHERS, STAMPS, NAMES, NAMES, st.binary(max_size=300))
@example(
    "AKID",
    "secret",
    None,
    (("http", 80), "localhost", 80),
    "Scan",
    {},
    "20260102T030405Z",
    "r",
    "s",
    b"",
)
def test_a_signature_is_the_one_botocore_makes(
    access_key: str,
    secret_key: str,
    token: str | None,
    address: Address,
    operation: str,
    others: dict[str, str],
    stamp: str,
    region: str,
    service: str,
    body: bytes,
) -> None:
    (scheme, usual_port), name, port = address
    url = f"{scheme}://{name}/" if port is None else f"{scheme}://{name}:{port}/"
    host = name if port in (None, usual_port) else f"{name}:{port}"
    credentials: Any = ReadOnlyCredentials(access_key, secret_key, token)
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": f"DynamoDB_20120810.{operation}",
        **others,
    }

    found = Signer(region, service, {**headers, "host": host}).authorization(credentials, stamp, body)

    assert by_botocore(url, headers, body, credentials, (region, service), stamp) == found


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("ab"), st.sampled_from([None, "t"]), STAMPS),
        max_size=6,
    )
)
def test_a_signer_forgets_what_it_knew_when_credentials_or_the_day_change(
    calls: list[tuple[str, str, str | None, str]],
) -> None:
    kept = Signer("eu-west-1", "dynamodb", {"host": "h"})

    for access_key, secret_key, token, stamp in calls:
        credentials: Any = ReadOnlyCredentials(access_key, secret_key, token)
        fresh = Signer("eu-west-1", "dynamodb", {"host": "h"})
        assert fresh.authorization(credentials, stamp, b"x") == kept.authorization(credentials, stamp, b"x")


def test_the_header_is_put_together_as_botocore_does_it() -> None:
    credentials: Any = ReadOnlyCredentials("AKID", "secret", "token")
    request = AWSRequest("POST", "http://localhost:8000/", {"x-amz-target": "Scan"}, b"{}")
    SigV4Auth(credentials, "dynamodb", "eu-west-1").add_auth(request)

    found = Signer("eu-west-1", "dynamodb", {"host": "localhost:8000", "x-amz-target": "Scan"}).authorization(
        credentials, request.headers["X-Amz-Date"], b"{}"
    )

    assert request.headers["Authorization"] == found
