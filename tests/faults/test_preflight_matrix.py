"""What cannot work is found before the first Scan: every call before it is refused once, in every way."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import AccessDenied, CredentialsExpired, NotFound, PreflightFailed
from tests.faults.attempts import BUCKET, TABLE, Attempt, World, asked, items
from tests.faults.conftest import Tally
from tests.faults.script import Fault, Kind
from tests.faults.strikes import KEY

ACTIONS = {  # what a person has to allow, where it is not the operation's own name
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "CreateMultipartUpload": "s3:PutObject",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "DeleteObjects": "s3:DeleteObject",
    "DescribeTable": "dynamodb:DescribeTable",
    "GetMetricStatistics": "cloudwatch:GetMetricStatistics",
}
TOLERATED = {
    "HeadBucket",
    "GetServiceQuota",
}  # a policy limited to a prefix; the default quota, with a warning
SETTINGS: dict[str, dict[str, Any]] = {"absolute": {}, "ratio": {"ratio": 0.5}}


def world() -> World:
    one = World(items(10))
    one.aws.dynamodb.set_capacity(TABLE, max_read=1000)
    return one


def calls_before_the_first_scan(settings: dict[str, Any]) -> list[str]:
    operations = world().export(**settings).operations
    return operations[: operations.index("Scan")]


def preflight_calls(settings: dict[str, Any]) -> list[str]:
    """Those before anything is written, which is ``_started``."""
    before = calls_before_the_first_scan(settings)
    return before[: before.index("PutObject")]


def action_of(operation: str) -> str:
    return ACTIONS.get(operation, f"s3:{operation}")


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
def test_e10_a_permission_that_is_missing_is_named_before_anything_is_written_or_read(
    settings: dict[str, Any], tally: Tally
) -> None:
    calls = preflight_calls(settings)
    assert {"DescribeTable", "HeadBucket", "ListObjectsV2", "CreateMultipartUpload"} <= set(calls)
    for at, operation in enumerate(calls, start=1):
        one = world()
        attempt = one.export(Fault(Kind.DENY, at), **settings)
        tally(len(attempt.struck))
        if operation in TOLERATED:
            assert len(one.held) == attempt.result.item_count
            continue
        assert isinstance(attempt.outcome, (PreflightFailed, AccessDenied)), operation
        assert action_of(operation) in str(attempt.outcome), operation
        assert "Scan" not in attempt.operations
        assert {} == one.objects, operation


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
def test_e10_every_other_call_before_the_first_scan_fails_the_attempt_before_it_too(
    settings: dict[str, Any], tally: Tally
) -> None:
    calls = calls_before_the_first_scan(settings)
    first = len(preflight_calls(settings)) + 1
    for at in range(first, len(calls) + 1):
        one = world()
        attempt = one.export(Fault(Kind.DENY, at), **settings)
        tally(len(attempt.struck))
        assert isinstance(attempt.outcome, AccessDenied), f"{calls[at - 1]} at {at}"
        assert action_of(calls[at - 1]) in str(attempt.outcome)
        assert "Scan" not in attempt.operations


def test_e10_a_key_that_may_not_be_used_is_named_before_anything_is_written_or_read(tally: Tally) -> None:
    for at, operation in enumerate(preflight_calls({}), start=1):
        one = world()
        attempt = one.export(Fault(Kind.DENY_KEY, at))
        tally(len(attempt.struck))
        if not attempt.struck:
            continue
        assert isinstance(attempt.outcome, (PreflightFailed, AccessDenied)), operation
        assert "kms:GenerateDataKey" in str(attempt.outcome), operation
        assert KEY in str(attempt.outcome), operation
        assert "Scan" not in attempt.operations
        assert {} == one.objects


def test_e10_credentials_that_have_expired_end_the_attempt_before_the_first_scan(tally: Tally) -> None:
    for at in range(1, len(preflight_calls({})) + 1):
        one = world()
        attempt = one.export(Fault(Kind.EXPIRED, at, times=10_000))
        tally(len(attempt.struck))
        assert isinstance(attempt.outcome, CredentialsExpired), at
        assert "Scan" not in attempt.operations
        assert {} == one.objects


def test_e10_a_bucket_in_another_region_is_refused_with_both_regions(tally: Tally) -> None:
    one = world()
    one.aws.s3.create_bucket("elsewhere", region="eu-west-1")
    request = asked()
    attempt = Attempt(one, type(request)(**{**_fields(request), "s3_uri": "s3://elsewhere/daily"})).run()

    tally(1)
    assert isinstance(attempt.outcome, PreflightFailed)
    assert "eu-west-1" in str(attempt.outcome)
    assert "us-east-1" in str(attempt.outcome)
    assert "Scan" not in attempt.operations
    assert {} == one.aws.s3.objects("elsewhere")


def test_e10_everything_that_is_wrong_is_found_at_once(tally: Tally) -> None:
    one = world()
    request = asked()
    fields = {**_fields(request), "table_name": "no-such-table", "s3_uri": "s3://no-such-bucket/daily"}
    attempt = Attempt(one, type(request)(**fields)).run()

    tally(2)
    assert isinstance(attempt.outcome, PreflightFailed)
    assert "no-such-table" in str(attempt.outcome)
    assert "no-such-bucket" in str(attempt.outcome)
    assert {} == one.aws.s3.objects(BUCKET)
    assert not isinstance(attempt.outcome, NotFound)


def _fields(request: Any) -> dict[str, Any]:
    return {name: getattr(request, name) for name in type(request).__dataclass_fields__}
