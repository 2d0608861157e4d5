from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime

import pytest

from airflow_dynamo_pipeline import errors
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    CapacityRefused,
    CorruptReply,
    CredentialsExpired,
    ImportFailed,
    ImportRefused,
    InvalidExport,
    InvalidRequest,
    InvalidSetting,
    ItemRefused,
    LeaseHeld,
    LookupRefused,
    MissingLibrary,
    NativeJobConflict,
    NativeJobFailed,
    NotFound,
    PipelineError,
    PreflightFailed,
    Problem,
    RecoveryUnavailable,
    Refused,
    ServiceTrouble,
    StaleAttempt,
    Stopped,
    TableChanged,
    TableDiffers,
    Temporary,
    Throttled,
    UnexpectedReply,
    UnknownVersion,
    with_hint,
)

PROBLEMS = [Problem("ratio", "is odd"), Problem("s3_uri", "is gone", "make it")]
EXAMPLES: list[PipelineError] = [
    InvalidSetting("ratio", "abc", "a number"),
    Refused(PROBLEMS),
    InvalidRequest(PROBLEMS),
    PreflightFailed(iter(PROBLEMS)),
    CapacityRefused(PROBLEMS, datetime(2026, 1, 2, tzinfo=UTC)),
    AccessDenied("s3:PutObject", "arn:aws:s3:::b/k", "explicit deny"),
    NotFound("table", "orders", "check the region"),
    TableChanged("deleted"),
    UnknownVersion("plan.json", 9, 1),
    InvalidExport("s3://b/manifest-summary.json", PROBLEMS),
    ImportRefused(PROBLEMS),
    LookupRefused(PROBLEMS),
    ImportFailed("3 items were rejected, max_rejected is 0"),
    ItemRefused("an item has an empty key"),
    TableDiffers("s3://b/manifest-summary.json", "orders", PROBLEMS, counts=(1, 2, 3), rest="more"),
    StaleAttempt("superseded"),
    RecoveryUnavailable("gap", "changes have left the window", "make a new full export"),
    NativeJobFailed("arn:aws:dynamodb:e", "FAILED", "S3AccessDenied", "denied", "mend it"),
    NativeJobConflict("client token 1 is in use"),
    MissingLibrary("zstandard", "zstd"),
    UnexpectedReply("html"),
    Temporary("later"),
    Throttled("slow", [("TableReadKeyRangeThroughputExceeded", "arn")]),
    ServiceTrouble("503"),
    CorruptReply("crc"),
    CredentialsExpired("the token has expired"),
    LeaseHeld("busy"),
    Stopped("told to"),
]
IDS = [type(error).__name__ for error in EXAMPLES]


def everything(kind: type[PipelineError]) -> set[type[PipelineError]]:
    return {kind, *(found for below in kind.__subclasses__() for found in everything(below))}


def ours() -> set[type[PipelineError]]:
    return {kind for kind in everything(PipelineError) if kind.__module__ == errors.__name__}


def test_every_error_has_an_example_here_and_a_line_in_the_tree() -> None:
    assert ours() - {PipelineError} == {type(error) for error in EXAMPLES}
    assert errors.__doc__ is not None
    for kind in ours():
        assert f" {kind.__name__} " in errors.__doc__ + " " or f"\n{kind.__name__} " in errors.__doc__, kind
        assert f"{kind.__name__} " in errors.__doc__, kind


@pytest.mark.parametrize("error", EXAMPLES, ids=IDS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickling(error: PipelineError, protocol: int) -> None:
    found = pickle.loads(pickle.dumps(error, protocol))

    assert type(error) is type(found)
    assert (str(error), error.args, error.__dict__) == (str(found), found.args, found.__dict__)


@pytest.mark.parametrize("error", EXAMPLES, ids=IDS)
def test_an_error_survives_copying(error: PipelineError) -> None:
    assert str(error) == str(copy.copy(error))


@pytest.mark.parametrize("error", EXAMPLES, ids=IDS)
def test_messages_start_in_lower_case_and_carry_no_full_stop(error: PipelineError) -> None:
    for line in str(error).splitlines():
        assert not line.endswith(".")
    assert not str(error)[0].isupper()


@pytest.mark.parametrize("error", EXAMPLES, ids=IDS)
def test_a_hint_stands_on_a_line_of_its_own(error: PipelineError) -> None:
    for line in str(error).splitlines():
        assert "HINT:" not in line or line.startswith("HINT: ")


def test_the_class_says_whether_a_retry_can_help() -> None:
    temporary = {Temporary, Throttled, ServiceTrouble, CredentialsExpired, CorruptReply, LeaseHeld, Stopped}

    assert temporary == {kind for kind in ours() if issubclass(kind, Temporary)}


def test_a_setting_that_cannot_work_is_a_value_error() -> None:
    error = InvalidSetting("ratio", "abc", "a number")

    assert isinstance(error, ValueError)
    assert "ratio is 'abc'; expected a number" == str(error)
    assert ("ratio", "abc", "a number") == (error.name, error.value, error.expected)


def test_a_refusal_names_every_problem_with_its_hint() -> None:
    assert (
        "preflight failed before the first Scan: 2 problems\n"
        "ratio: is odd\n"
        "s3_uri: is gone\n"
        "HINT: make it" == str(PreflightFailed(PROBLEMS))
    )
    assert str(PreflightFailed(PROBLEMS, "nothing was done")).startswith("nothing was done: 2 problems\n")
    assert str(InvalidRequest(PROBLEMS[:1])).startswith(
        "the settings were refused before any call: 1 problem\n"
    )


def test_problems_given_as_an_iterator_are_all_kept() -> None:
    assert tuple(PROBLEMS) == PreflightFailed(iter(PROBLEMS)).problems
    assert tuple(PROBLEMS) == InvalidExport("m", iter(PROBLEMS)).problems
    assert "m: 2 problems" == str(InvalidExport("m", iter(PROBLEMS))).splitlines()[0]


def test_a_denied_call_names_action_and_resource() -> None:
    error = AccessDenied("s3:PutObject", "arn:aws:s3:::b/k", "explicit deny")

    assert ("s3:PutObject", "arn:aws:s3:::b/k") == (error.action, error.resource)
    assert "access denied: s3:PutObject on arn:aws:s3:::b/k (explicit deny)" == str(error).splitlines()[0]
    assert "HINT: allow s3:PutObject on arn:aws:s3:::b/k" in str(error)


def test_what_is_not_there_is_named_by_kind() -> None:
    error = NotFound("index", "by_date")

    assert ("index", "by_date", "no such index: by_date") == (error.kind, error.name, str(error))


def test_an_unknown_version_says_what_to_upgrade() -> None:
    error = UnknownVersion("plan.json", 9, 1)

    assert (9, 1) == (error.found, error.known)
    assert (
        "plan.json has version 9; this package reads up to 1\nHINT: upgrade airflow-dynamo-pipeline"
        in str(error)
    )


def test_a_missing_library_names_the_extra() -> None:
    assert 'zstandard is not installed\nHINT: pip install "airflow-dynamo-pipeline[zstd]"' == str(
        MissingLibrary("zstandard", "zstd")
    )


def test_reasons_of_a_throttled_call_are_kept_and_may_be_unknown() -> None:
    assert (("r", "a"),) == Throttled("slow", iter([("r", "a")])).reasons
    assert () == Throttled("slow").reasons


def test_no_hint_adds_no_line() -> None:
    assert "x" == with_hint("x", None)
    assert "x" == with_hint("x", "")
    assert "a: x\nHINT: h" == str(Problem("a", "x", "h"))
