"""Exit codes for every error, and clients made the way boto3 makes them."""

from __future__ import annotations

import pytest

from airflow_dynamo_pipeline import errors
from airflow_dynamo_pipeline.cli.running import clients, exit_code, exiting_by_code, stopping_on_signals
from airflow_dynamo_pipeline.errors import PipelineError


def kinds(root: type[PipelineError] = PipelineError) -> list[type[PipelineError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in kinds(child))]


REFUSED = {
    errors.CapacityRefused,
    errors.Refused,
    errors.InvalidRequest,
    errors.PreflightFailed,
    errors.ImportRefused,
    errors.InvalidSetting,
}


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_error_has_its_exit_code(kind: type[PipelineError]) -> None:
    expected = {errors.LeaseHeld: 11, errors.Stopped: 130, **dict.fromkeys(REFUSED, 10)}.get(kind, 1)

    assert expected == exit_code(kind.__new__(kind))


def test_an_error_of_another_kind_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), exiting_by_code():
        raise ZeroDivisionError


def test_a_client_is_made_for_the_region_asked_for_and_does_not_retry_by_itself() -> None:
    client = clients(None, "eu-west-1")("dynamodb")

    assert "eu-west-1" == client.meta.region_name
    assert 1 == client.meta.config.retries["total_max_attempts"]


def test_a_profile_that_is_not_there_is_named() -> None:
    with pytest.raises(PipelineError, match="nobody"):
        clients("nobody", None)


def test_a_missing_region_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    with pytest.raises(PipelineError, match="region"):
        clients(None, None)("dynamodb")


def test_handlers_of_signals_are_put_back_after_an_error() -> None:
    import signal
    import threading

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    with pytest.raises(ZeroDivisionError), stopping_on_signals(threading.Event()):
        raise ZeroDivisionError

    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
