from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from airflow_dynamo_pipeline.engine.native_export_request import NativeExportRequest
from airflow_dynamo_pipeline.engine.native_windows import (
    LONGEST,
    SHORTEST,
    Recovery,
    check_instant,
    check_reaches_back,
    recoverable_from_to,
    windows_between,
)
from airflow_dynamo_pipeline.errors import InvalidRequest, RecoveryUnavailable

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def recovery(earliest: datetime, latest: datetime = NOW, period_days: int | None = 35) -> Recovery:
    return Recovery(
        table_name="orders", enabled=True, earliest_at=earliest, latest_at=latest, period_days=period_days
    )


@pytest.mark.parametrize(
    ("length", "count"),
    [
        (-SHORTEST, 0),
        (timedelta(0), 0),
        (SHORTEST - timedelta(seconds=1), 0),
        (SHORTEST, 1),
        (LONGEST, 1),
        (LONGEST + timedelta(seconds=1), 2),
        (timedelta(days=35), 35),
        (timedelta(days=35, seconds=1), 36),
    ],
)
def test_windows_are_as_few_as_can_be_contiguous_and_of_a_length_that_is_taken(
    length: timedelta, count: int
) -> None:
    windows = windows_between(NOW, NOW + length)

    assert count == len(windows)
    assert all(one[1] == other[0] for one, other in pairwise(windows))
    assert all(SHORTEST <= end - begin <= LONGEST for begin, end in windows)
    assert all(0 == at.microsecond for window in windows for at in window)
    if windows:
        assert (NOW, NOW + length) == (windows[0][0], windows[-1][1])


def test_the_recoverable_window_is_cut_to_whole_seconds_that_lie_inside_it() -> None:
    half = timedelta(seconds=0.5)

    assert (NOW + timedelta(seconds=1), NOW + MINUTE) == recoverable_from_to(
        recovery(NOW + half, NOW + MINUTE + half)
    )


def test_an_instant_is_recoverable_soon_recoverable_or_never() -> None:
    known = recovery(NOW - 10 * MINUTE, NOW - 5 * MINUTE)

    assert check_instant(NOW - 5 * MINUTE, known, NOW)
    assert not check_instant(NOW - 4 * MINUTE, known, NOW)
    for never in (NOW - 11 * MINUTE, NOW + MINUTE):
        with pytest.raises(RecoveryUnavailable) as caught:
            check_instant(never, known, NOW)
        assert "time" == caught.value.reason


@pytest.mark.parametrize(
    ("earliest", "period_days", "reason"),
    [
        (NOW - timedelta(days=35), 35, "gap"),
        (NOW - timedelta(days=35), None, "gap"),
        (NOW - timedelta(days=7), 7, "gap"),
        (NOW - timedelta(days=7), 35, "reset"),
        (NOW - timedelta(hours=1), 35, "reset"),
    ],
)
def test_changes_that_can_no_longer_be_exported_are_a_gap_or_a_reset(
    earliest: datetime, period_days: int | None, reason: str
) -> None:
    known = recovery(earliest, NOW, period_days)
    check_reaches_back(earliest, known)

    with pytest.raises(RecoveryUnavailable) as caught:
        check_reaches_back(earliest - timedelta(seconds=1), known)
    assert reason == caught.value.reason


def test_everything_wrong_with_a_request_is_said_at_once() -> None:
    wrong = {
        "s3_uri": "backups",
        "export_type": "half",
        "export_time": "soon",
        "s3_bucket_owner": "me",
        "on_gapp": "full",
    }
    with pytest.raises(InvalidRequest) as caught:
        NativeExportRequest.from_settings(wrong)

    assert {*wrong, "table_name"} == {problem.where for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"s3_sse_kms_key_id": "key"}, "s3_sse_kms_key_id"),
        ({"s3_sse_kms_key_id": "key", "s3_sse_algorithm": "AES256"}, "s3_sse_kms_key_id"),
        ({"on_gap": "full"}, "on_gap"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, str], where: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        NativeExportRequest.from_settings({"table_name": "orders", "s3_uri": "s3://b", **settings})

    assert [where] == [problem.where for problem in caught.value.problems]


def test_an_account_keeps_its_leading_zeros_and_an_instant_whole_seconds() -> None:
    given = {"s3_bucket_owner": 12345678901, "export_time": "2026-03-01T12:00:00.9+02:00"}
    request = NativeExportRequest.from_settings({"table_name": "orders", "s3_uri": "s3://b", **given})

    assert "012345678901" == request.s3_bucket_owner
    assert datetime(2026, 3, 1, 10, tzinfo=UTC) == request.export_time
