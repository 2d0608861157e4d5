"""Steps of a cluster: their logs, and cancellations that EMR refuses in a reply that is no error."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.stub import Stubber

from airflow_dynamo_pipeline.adapters.emr_jobs import SparkSubmit
from airflow_dynamo_pipeline.adapters.emr_settings import EmrSettings
from airflow_dynamo_pipeline.adapters.emr_steps import ClusterSteps
from airflow_dynamo_pipeline.errors import UnexpectedReply

ALIVE = {"Cluster": {"Status": {"State": "WAITING"}, "LogUri": "s3n://logs/emr/"}}
CANCEL = {"ClusterId": "j-1", "StepIds": ["s-1"], "StepCancellationOption": "SEND_INTERRUPT"}
SUBMIT = SparkSubmit(name="n", token="t", entry_point="s3://code/job.py", arguments=[], conf={})


@pytest.fixture
def emr() -> Iterator[tuple[Any, Stubber]]:
    """A client that knows EMR's model and makes no call."""
    client: Any = boto3.client("emr", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


def steps(client: Any, **more: Any) -> ClusterSteps:
    return ClusterSteps(client, EmrSettings(ranges=2, code_s3_uri="s3://code", job_flow_id="j-1", **more))


def a_step(state: str, **more: Any) -> dict[str, Any]:
    return {"Step": {"Id": "s-1", "Name": "n", "Status": {"State": state}, **more}}


def refused(stub: Stubber, state: str) -> None:
    info = {"StepId": "s-1", "Status": "FAILED", "Reason": "no such state"}
    stub.add_response("cancel_steps", {"CancelStepsInfoList": [info]}, CANCEL)
    stub.add_response("describe_step", a_step(state))
    stub.add_response("describe_cluster", ALIVE)


def test_a_cancellation_that_emr_refuses_in_its_reply_is_an_error(emr: tuple[Any, Stubber]) -> None:
    client, stub = emr
    refused(stub, "RUNNING")

    with pytest.raises(UnexpectedReply, match="CancelSteps on step s-1 of cluster j-1: no such state"):
        steps(client).cancel("s-1")


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELLED", "CANCEL_PENDING"])
def test_a_step_that_has_ended_or_will_is_left_as_it_is(emr: tuple[Any, Stubber], state: str) -> None:
    client, stub = emr
    refused(stub, state)

    steps(client).cancel("s-1")


def refused_by_an_error(stub: Stubber, state: str) -> None:
    stub.add_client_error("cancel_steps", "InvalidRequestException", "no such option", expected_params=CANCEL)
    stub.add_response("describe_step", a_step(state))
    stub.add_response("describe_cluster", ALIVE)


def test_an_error_by_which_emr_refuses_a_cancellation_is_one_while_the_step_runs(
    emr: tuple[Any, Stubber],
) -> None:
    client, stub = emr
    refused_by_an_error(stub, "RUNNING")

    with pytest.raises(UnexpectedReply, match=r"CancelSteps on step s-1 of cluster j-1: .*no such option"):
        steps(client).cancel("s-1")


@pytest.mark.parametrize("state", ["COMPLETED", "CANCELLED"])
def test_an_error_by_which_emr_refuses_a_cancellation_is_none_of_a_step_that_ended(
    emr: tuple[Any, Stubber], state: str
) -> None:
    client, stub = emr
    refused_by_an_error(stub, state)

    steps(client).cancel("s-1")


STEP = Loader().load_service_model("emr", "service-2")["shapes"]["StepConfig"]["members"]
of_newer_boto3 = pytest.mark.skipif(
    "StepMonitoringConfiguration" not in STEP, reason="this boto3 knows no logs of a step's own"
)


@of_newer_boto3
def test_logs_go_where_a_person_asked_for_them(emr: tuple[Any, Stubber]) -> None:
    client, stub = emr
    args = ["spark-submit", "--deploy-mode", "client", "s3://code/job.py"]
    step = {
        "Name": "n",
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": args},
        "StepMonitoringConfiguration": {"S3MonitoringConfiguration": {"LogUri": "s3://mine/logs/"}},
    }
    stub.add_response("add_job_flow_steps", {"StepIds": ["s-1"]}, {"JobFlowId": "j-1", "Steps": [step]})

    assert "s-1" == steps(client, log_uri="s3://mine/logs").submit(SUBMIT)


@of_newer_boto3
@pytest.mark.parametrize(
    ("own", "shown"),
    [({"LogUri": "s3://mine/logs/"}, "s3://mine/logs/"), ({}, "s3://logs/emr/j-1/steps/s-1/")],
)
def test_logs_are_shown_where_the_step_puts_them_whatever_the_task_asks_for_by_now(
    emr: tuple[Any, Stubber], own: dict[str, str], shown: str
) -> None:
    client, stub = emr
    stub.add_response("describe_step", a_step("RUNNING", **own))
    stub.add_response("describe_cluster", ALIVE)

    assert shown == steps(client, log_uri="s3://another").look("s-1").logs_uri


def test_a_boto3_that_knows_no_logs_of_steps_is_a_problem_before_any_job() -> None:
    older = copy.deepcopy(Loader().load_service_model("emr", "service-2"))
    older["shapes"]["StepConfig"]["members"].pop("StepMonitoringConfiguration", None)
    meta = SimpleNamespace(service_model=ServiceModel(older))
    client = SimpleNamespace(meta=meta, describe_cluster=lambda **_: ALIVE)

    (problem,) = steps(client, log_uri="s3://mine/logs").problems()
    assert "log_uri" == problem.where
    assert [] == list(steps(client).problems())


@of_newer_boto3
def test_a_boto3_that_knows_them_is_none(emr: tuple[Any, Stubber]) -> None:
    client, stub = emr
    stub.add_response("describe_cluster", ALIVE)

    assert [] == list(steps(client, log_uri="s3://mine/logs").problems())
