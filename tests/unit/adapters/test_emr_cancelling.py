"""Cancelling job runs: a refusal is believed only of a job that has ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.emr_platforms import jobs_of
from airflow_dynamo_pipeline.adapters.emr_settings import EmrSettings
from airflow_dynamo_pipeline.errors import UnexpectedReply

SAID = "the parameter jobRunId is not as it should be"
ROLE = "arn:aws:iam::111122223333:role/Job"
PLACES: dict[str, dict[str, str]] = {
    "serverless": {"application_id": "app1", "execution_role_arn": ROLE},
    "eks": {"virtual_cluster_id": "vc1", "execution_role_arn": ROLE, "release_label": "emr-7.5.0-latest"},
}


def refusing(state: str) -> Any:
    """A client of either service that cancels nothing."""

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ValidationException", "Message": SAID}}, "CancelJobRun")

    run = {"id": "run1", "state": state}
    look: dict[str, Any] = {"jobRun": run}
    return SimpleNamespace(
        cancel_job_run=refuse, get_job_run=lambda **_: look, describe_job_run=lambda **_: look
    )


def cancel(place: str, state: str) -> None:
    emr = EmrSettings.from_settings({"ranges": 2, "code_s3_uri": "s3://code/jobs", **PLACES[place]})
    jobs_of(emr, refusing(state)).cancel("run1")


@pytest.mark.parametrize("place", PLACES)
def test_a_job_that_runs_on_is_not_called_cancelled(place: str) -> None:
    with pytest.raises(UnexpectedReply, match=SAID):
        cancel(place, "RUNNING")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("serverless", "eks"), [("SUCCESS", "COMPLETED"), ("CANCELLING", "CANCEL_PENDING")])
def test_a_job_that_has_ended_or_will_is_left_as_it_is(place: str, serverless: str, eks: str) -> None:
    cancel(place, {"serverless": serverless, "eks": eks}[place])
