"""Signals handled only meanwhile, and clients made the way boto3 makes them."""

from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.cli.output import Output
from airflow_dynamo_pipeline.cli.running import clients, stopping_on_signals
from airflow_dynamo_pipeline.errors import InvalidRequest


def test_a_client_is_made_for_the_region_asked_for_and_does_not_retry_by_itself() -> None:
    client = clients(None, "eu-west-1")("dynamodb")

    assert "eu-west-1" == client.meta.region_name
    assert 1 == client.meta.config.retries["total_max_attempts"]


def test_a_profile_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidRequest, match="nobody"):
        clients("nobody", None)


def test_a_missing_region_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    with pytest.raises(InvalidRequest, match="region"):
        clients(None, None)("dynamodb")


def test_a_region_that_is_set_to_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "")

    with pytest.raises(InvalidRequest, match="region_name: You must specify a region"):
        clients(None, None)("dynamodb")


def test_handlers_of_signals_are_put_back_after_an_error() -> None:
    import signal
    import threading

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    with pytest.raises(ZeroDivisionError), stopping_on_signals(threading.Event(), Output()):
        raise ZeroDivisionError

    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
