from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from botocore.exceptions import EndpointConnectionError

from airflow_dynamo_pipeline.airflow_versions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    Context,
)
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.sensors.s3 import S3KeyExistsSensor, S3PrefixNotEmptySensor
from tests.unit.airflow_parts import RecordedLog, deferral_of
from tests.unit.scripted_aws import Reply, Scripted, Scripts

NO_CONTEXT = Context()
THERE: Reply = (200, b"")
NOT_THERE: Reply = (404, b"")
FORBIDDEN: Reply = (403, b"")
NO_BUCKET: Reply = (404, b"<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Scripts:
    """Give every hook a client that answers from a script."""

    def use(*replies: Reply) -> Scripted:
        aws = Scripted("s3", *replies)
        monkeypatch.setattr(S3Hook, "get_conn", lambda _: aws.client)
        monkeypatch.setattr(DynamoDBPipelineHook, "client_for", lambda _, __: aws.client)
        return aws

    return use


def listing(*entries: tuple[str, int]) -> Reply:
    """A reply to ListObjectsV2: keys and sizes."""
    contents = "".join(f"<Contents><Key>{key}</Key><Size>{size}</Size></Contents>" for key, size in entries)
    return 200, f"<ListBucketResult>{contents}</ListBucketResult>".encode()


def sensor(key: str | list[str] = "s3://exports/done", **settings: Any) -> S3KeyExistsSensor:
    return S3KeyExistsSensor(task_id="wait", bucket_key=key, poke_interval=30, aws_conn_id=None, **settings)


def test_it_pokes_until_the_key_is_there(script: Scripts, naps: list[float]) -> None:
    aws = script(NOT_THERE, THERE, THERE)

    sensor().execute(NO_CONTEXT)

    assert ["HeadObject", "HeadBucket", "HeadObject"] == aws.calls
    assert [30] == naps


@pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
@pytest.mark.parametrize(
    ("replies", "says"),
    [
        ([FORBIDDEN], "access denied: s3:GetObject and s3:ListBucket on s3://exports/done"),
        ([NOT_THERE, NOT_THERE], "no such bucket: exports"),
    ],
)
def test_it_fails_at_once_when_waiting_cannot_help(
    script: Scripts, naps: list[float], replies: list[Reply], says: str, deferrable: bool
) -> None:
    aws = script(*replies)

    with pytest.raises(AirflowFailException, match=says):
        sensor(deferrable=deferrable).execute(NO_CONTEXT)

    assert (len(replies), []) == (len(aws.calls), naps)


def test_a_missing_bucket_is_noticed_in_a_listing(script: Scripts, naps: list[float]) -> None:
    script(NO_BUCKET)

    with pytest.raises(AirflowFailException, match="no such bucket"):
        sensor("s3://exports/done/*", wildcard_match=True).execute(NO_CONTEXT)

    assert [] == naps


def test_each_bucket_is_looked_at_once(script: Scripts) -> None:
    aws = script(NOT_THERE, NOT_THERE, NOT_THERE, THERE)

    assert not sensor(["s3://b/1", "s3://a/1", "s3://b/2"]).poke(NO_CONTEXT)
    assert [*["HeadObject"] * 3, "HeadBucket", "HeadBucket"] == aws.calls


def test_a_bucket_that_may_not_be_looked_at_is_no_failure(script: Scripts) -> None:
    """A policy may allow listing under a prefix only; the look at the key was answered, and that decides."""
    script(NOT_THERE, FORBIDDEN)

    assert not sensor().poke(NO_CONTEXT)


def test_trouble_is_logged_and_waited_out(
    script: Scripts, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RecordedLog()
    monkeypatch.setattr(S3KeyExistsSensor, "log", log)
    script((503, b""), THERE)

    sensor().execute(NO_CONTEXT)

    assert [30] == naps
    assert "looking again in 30.0 s" in log.text
    assert "s3://exports/done is there" in log.text


def test_a_key_that_head_says_nothing_about_is_listed(script: Scripts) -> None:
    """A reply to HEAD has no body: 400 are expired credentials, or an object with a key of its owner's."""
    aws = script((400, b""), listing(("done", 1)))

    assert sensor().poke(NO_CONTEXT)
    assert "ListObjectsV2" == aws.calls[-1]


@pytest.mark.parametrize(
    ("keys", "expected"), [([("done/1", 1)], False), ([("done/1", 1), ("done/a.csv", 1)], True), ([], False)]
)
@pytest.mark.parametrize("pattern", [{"wildcard_match": True}, {"use_regex": True}])
def test_one_key_that_matches_is_enough(
    script: Scripts, pattern: dict[str, bool], keys: list[tuple[str, int]], expected: bool
) -> None:
    script(listing(*keys), THERE)
    key = "s3://exports/done/*.csv" if "wildcard_match" in pattern else r"s3://exports/done/.+\.csv"

    assert expected == sensor(key, **pattern).poke(NO_CONTEXT)


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("s3://exports/(", {"use_regex": True}),
        ("s3://exports/done", {"bucket_name": "other"}),
        ("done", {}),
    ],
)
def test_a_key_that_can_never_be_found_fails_before_any_call(
    script: Scripts, key: str, settings: dict[str, Any]
) -> None:
    aws = script(THERE)

    with pytest.raises(AirflowFailException, match="bucket_key"):
        sensor(key, **settings).poke(NO_CONTEXT)

    assert [] == aws.calls


def test_a_check_of_the_authors_own_is_asked_when_the_keys_are_there(script: Scripts) -> None:
    aws = script(NOT_THERE, THERE, THERE)
    asked: list[list[dict[str, Any]]] = []

    def check(files: list[dict[str, Any]]) -> bool:
        asked.append(files)
        return False

    waiting = sensor(check_fn=check)

    assert [False, False] == [waiting.poke(NO_CONTEXT), waiting.poke(NO_CONTEXT)]
    assert 1 == len(asked)
    assert ["HeadObject", "HeadBucket", "HeadObject", "HeadObject"] == aws.calls


def test_trouble_after_the_keys_were_seen_is_waited_out(
    script: Scripts, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a check of the author's own the amazon provider's sensor looks once more, for the sizes."""
    log = RecordedLog()
    monkeypatch.setattr(S3KeyExistsSensor, "log", log)
    aws = script(THERE, (503, b""), THERE)

    sensor(check_fn=lambda files, **_: bool(files)).execute(NO_CONTEXT)

    assert [30] == naps
    assert ["HeadObject"] * 4 == aws.calls
    assert "looking again in 30.0 s" in log.text


def test_a_denied_access_after_the_keys_were_seen_fails_at_once(script: Scripts, naps: list[float]) -> None:
    script(THERE, FORBIDDEN)

    with pytest.raises(AirflowFailException, match="access denied: s3:GetObject"):
        sensor(check_fn=lambda files, **_: bool(files)).execute(NO_CONTEXT)

    assert [] == naps


def test_a_network_that_fails_at_the_look_at_the_bucket_is_waited_out(
    script: Scripts, naps: list[float]
) -> None:
    aws = script(NOT_THERE, THERE)
    looks: list[str] = []

    def cut_once(**_: object) -> None:
        looks.append("HeadBucket")
        if len(looks) == 1:
            raise EndpointConnectionError(endpoint_url="https://exports.example")

    aws.client.meta.events.register("before-call.s3.HeadBucket", cut_once)

    sensor().execute(NO_CONTEXT)

    assert [30] == naps
    assert ["HeadBucket"] == looks
    assert ["HeadObject", "HeadObject"] == aws.calls


@pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
def test_a_failure_can_be_a_skip(script: Scripts, deferrable: bool) -> None:
    script(FORBIDDEN)

    with pytest.raises(AirflowSkipException):
        sensor(deferrable=deferrable, soft_fail=True).execute(NO_CONTEXT)


def test_it_defers_with_its_own_settings(script: Scripts) -> None:
    script(listing(), THERE)

    deferral = deferral_of(sensor("done/*", bucket_name="exports", wildcard_match=True, deferrable=True))

    assert {
        "condition": "keys_exist",
        "arguments": {"uris": ["s3://exports/done/*"], "match": "wildcard"},
        "poke_interval": 30,
        "aws_conn_id": None,
        "region_name": None,
        "verify": None,
        "botocore_config": None,
    } == deferral.trigger.serialize()[1]


def test_with_a_check_of_the_authors_own_it_defers_to_the_amazon_providers_trigger(script: Scripts) -> None:
    """Functions cannot be stored: that trigger comes back to a worker to ask it."""
    script(NOT_THERE, THERE)

    deferral = deferral_of(sensor(deferrable=True, check_fn=lambda _: True))

    assert "S3KeyTrigger" == type(deferral.trigger).__name__


@pytest.mark.parametrize("files_are_good", [False, True])
def test_what_the_amazon_providers_trigger_found_is_checked(files_are_good: bool) -> None:
    waiting = sensor(deferrable=True, check_fn=lambda files, **_: files_are_good and bool(files))
    event = {"status": "running", "files": [{"Size": 1}]}

    if files_are_good:
        waiting.execute_complete(NO_CONTEXT, event)
    else:
        with pytest.raises(BaseException) as raised:  # noqa: PT011  its place differs between Airflow's versions
            waiting.execute_complete(NO_CONTEXT, event)
        assert "TaskDeferred" == type(raised.value).__name__


@pytest.mark.parametrize(
    ("replies", "kind", "says"),
    [
        ([FORBIDDEN], AirflowFailException, "access denied"),
        ([NOT_THERE, NOT_THERE], AirflowFailException, "no such bucket"),
        ([NOT_THERE, THERE], AirflowException, "what the trigger said"),
    ],
)
def test_the_triggers_error_is_looked_into(
    script: Scripts, replies: list[Reply], kind: type[Exception], says: str
) -> None:
    script(*replies)

    with pytest.raises(kind, match=says) as raised:
        sensor().execute_complete(NO_CONTEXT, {"status": "error", "message": "what the trigger said"})

    assert kind is type(raised.value)


def test_a_key_that_is_there_after_all_ends_the_task(script: Scripts) -> None:
    script(THERE)

    sensor().execute_complete(NO_CONTEXT, {"status": "error", "message": "what the trigger said"})


def test_the_triggers_success_costs_no_call(script: Scripts) -> None:
    aws = script(THERE)

    sensor().execute_complete(NO_CONTEXT, {"status": "success"})

    assert [] == aws.calls


def prefix(uri: str = "s3://exports/orders/", **settings: Any) -> S3PrefixNotEmptySensor:
    return S3PrefixNotEmptySensor(task_id="wait", s3_uri=uri, poke_interval=30, aws_conn_id=None, **settings)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], False),
        ([("orders/", 0)], False),
        ([("orders/", 0), ("orders/2026/", 0)], False),
        ([("orders/", 0), ("orders/a", 0)], True),
        ([("orders/", 7)], True),
    ],
)
def test_a_prefix_is_not_empty_when_it_has_more_than_marks_of_folders(
    script: Scripts, entries: list[tuple[str, int]], expected: bool
) -> None:
    aws = script(listing(*entries))

    assert expected == prefix().poke(NO_CONTEXT)
    assert ["ListObjectsV2"] == aws.calls


def test_an_empty_prefix_is_waited_for_and_named(
    script: Scripts, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RecordedLog()
    monkeypatch.setattr(S3PrefixNotEmptySensor, "log", log)
    script(listing(), listing(("orders/a", 1)))

    prefix().execute(NO_CONTEXT)

    assert [30] == naps
    assert "there is nothing at s3://exports/orders/; waiting for an object\n" in log.text
    assert "there is s3://exports/orders/a\n" in log.text


@pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
@pytest.mark.parametrize(
    ("uri", "reply", "says"),
    [
        ("s3://exports/orders/", NO_BUCKET, "no such bucket: exports"),
        (
            "s3://exports/orders/",
            (403, b"<Error><Code>AccessDenied</Code></Error>"),
            "access denied: s3:ListBucket",
        ),
        ("exports/orders/", THERE, "s3_uri"),
    ],
)
def test_a_prefix_that_can_never_be_found_fails_at_once(
    script: Scripts, naps: list[float], uri: str, reply: Reply, says: str, deferrable: bool
) -> None:
    script(reply)

    with pytest.raises(AirflowFailException, match=says):
        prefix(uri, deferrable=deferrable).execute(NO_CONTEXT)

    assert [] == naps
