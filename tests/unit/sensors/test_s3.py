from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from airflow_dynamo_pipeline.airflow_versions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    Context,
)
from airflow_dynamo_pipeline.errors import ServiceTrouble
from airflow_dynamo_pipeline.sensors.s3 import S3KeyExistsSensor
from tests.unit.airflow_parts import deferral_of
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
        return aws

    return use


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
    aws = script(NOT_THERE, THERE)

    assert not sensor(["s3://b/1", "s3://a/1", "s3://b/2"]).poke(NO_CONTEXT)
    assert ["HeadObject", "HeadBucket", "HeadBucket"] == aws.calls


def test_a_bucket_that_may_not_be_looked_at_is_no_failure(script: Scripts) -> None:
    """A policy may allow listing under a prefix only; the look at the key was answered, and that decides."""
    script(NOT_THERE, FORBIDDEN)

    assert not sensor().poke(NO_CONTEXT)


def test_trouble_is_left_to_airflows_retries(script: Scripts) -> None:
    script((503, b""))

    with pytest.raises(ServiceTrouble):
        sensor().execute(NO_CONTEXT)


@pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])
def test_a_failure_can_be_a_skip(script: Scripts, deferrable: bool) -> None:
    script(FORBIDDEN)

    with pytest.raises(AirflowSkipException):
        sensor(deferrable=deferrable, soft_fail=True).execute(NO_CONTEXT)


def test_it_defers_to_the_amazon_providers_trigger(script: Scripts) -> None:
    script(NOT_THERE, THERE)

    deferral = deferral_of(sensor(deferrable=True))

    assert "S3KeyTrigger" == type(deferral.trigger).__name__


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
