"""The ports of EMR against moto: what a service answers is what the adapters understand.

moto's states do not change: a first step runs, a job run on EKS too, one of EMR Serverless has succeeded.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.emr_cluster import emr_cluster_for
from airflow_dynamo_pipeline.adapters.emr_jobs import (
    FAILED,
    SUCCEEDED,
    UNDER_WAY,
    EmrJobs,
    SparkSubmit,
    begin,
)
from airflow_dynamo_pipeline.adapters.emr_platforms import jobs_of
from airflow_dynamo_pipeline.adapters.emr_settings import EmrSettings
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.ranges import RangeWork, range_works
from airflow_dynamo_pipeline.engine.shares import Sharing
from airflow_dynamo_pipeline.errors import NotFound
from tests.services import Services, aws_client

ROLE = "arn:aws:iam::123456789012:role/Job"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
CONF = {"spark.a": "two words"}
Make = Callable[[str], Any]


@pytest.fixture
def client(services: Services) -> Make:
    make: Callable[..., Any] = aws_client
    return functools.partial(make, url=services.moto_url)


def of(client: Make, service: str, **where: Any) -> EmrJobs:
    return jobs_of(EmrSettings(ranges=2, code_s3_uri="s3://code", **where), client(service))


def cluster(client: Make, **more: Any) -> EmrJobs:
    made = emr_cluster_for(name="test", size_bytes=0, units_per_second=1, **more)
    return of(client, "emr", job_flow_id=client("emr").run_job_flow(**made)["JobFlowId"])


def application(client: Make) -> EmrJobs:
    """One that ran a job before: of another moto has no list."""
    token = uuid.uuid4().hex
    emr = client("emr-serverless")
    made = emr.create_application(name="test", releaseLabel="emr-7.5.0", type="SPARK", clientToken=token)
    where = {"application_id": made["applicationId"], "execution_role_arn": ROLE}
    emr.start_job_run(
        applicationId=where["application_id"], executionRoleArn=ROLE, clientToken=token, name="x"
    )
    return of(client, "emr-serverless", log_uri="s3://logs/emr", **where)


def virtual_cluster(client: Make) -> EmrJobs:
    provider = {"id": "eks", "type": "EKS", "info": {"eksInfo": {"namespace": uuid.uuid4().hex}}}
    made = client("emr-containers").create_virtual_cluster(name="test", containerProvider=provider)
    where = {"execution_role_arn": ROLE, "release_label": "emr-7.5.0-latest", "log_uri": "s3://logs/emr"}
    return of(client, "emr-containers", virtual_cluster_id=made["id"], **where)


def a_part() -> RangeWork:
    work = Work(run=uuid.uuid4().hex, generation="0", began_at=datetime.now(UTC))
    return range_works(work, "an export", 2, Sharing())[0]


def submitted(jobs: EmrJobs, part: RangeWork, conf: Mapping[str, str] = CONF) -> Any:
    def make(name: str, token: str) -> SparkSubmit:
        return SparkSubmit(
            name=name,
            token=token,
            entry_point="s3://code/job.py",
            arguments=["s3://code/job.json"],
            conf=dict(conf),
        )

    return begin(jobs, "export", part, SINCE, make, lambda _: None)


@pytest.mark.parametrize("place", [cluster, virtual_cluster])
def test_a_job_that_runs_is_found_again_by_its_name(client: Make, place: Callable[[Make], EmrJobs]) -> None:
    jobs, part = place(client), a_part()

    first, again = submitted(jobs, part), submitted(jobs, part)

    assert first == again
    assert UNDER_WAY == first.phase
    assert 1 == len([job for job in jobs.jobs(SINCE) if job.name == first.name])


def test_a_job_of_emr_serverless_that_ended_is_followed_by_another(client: Make) -> None:
    jobs, part = application(client), a_part()

    first, second = submitted(jobs, part), submitted(jobs, part)

    assert SUCCEEDED == first.phase
    assert ("0", "1") == (first.name[-1], second.name[-1])
    assert first.logs_uri.startswith("s3://logs/emr/applications/")


@pytest.mark.parametrize("place", [application, virtual_cluster])
def test_a_job_run_is_cancelled_and_once_more_is_no_error(
    client: Make, place: Callable[[Make], EmrJobs]
) -> None:
    jobs = place(client)
    job = submitted(jobs, a_part())

    jobs.cancel(job.job_id)
    jobs.cancel(job.job_id)

    assert (FAILED, "CANCELLED") == (jobs.look(job.job_id).phase, jobs.look(job.job_id).status)


def test_jobs_that_are_older_than_the_run_are_not_read(client: Make) -> None:
    jobs = cluster(client)
    submitted(jobs, a_part())

    assert [] == list(jobs.jobs(datetime.now(UTC) + timedelta(days=1)))


def test_a_step_runs_spark_in_its_own_process_and_leaves_the_cluster_when_it_fails(client: Make) -> None:
    jobs: Any = cluster(client, LogUri="s3n://logs/emr/")
    job = submitted(jobs, a_part())

    told = {"ClusterId": jobs.settings.job_flow_id, "StepId": job.job_id}
    step = client("emr").describe_step(**told)["Step"]
    assert "CONTINUE" == step["ActionOnFailure"]
    assert ["spark-submit", "--deploy-mode", "client", "--conf", "spark.a=two words"] == step["Config"][
        "Args"
    ][:5]
    assert ["s3://code/job.py", "s3://code/job.json"] == step["Config"]["Args"][5:]
    assert f"s3://logs/emr/{told['ClusterId']}/steps/{job.job_id}/" == job.logs_uri


@pytest.mark.parametrize("place", [application, virtual_cluster])
def test_settings_of_spark_need_no_quotes(client: Make, place: Callable[[Make], EmrJobs]) -> None:
    """What would need them goes another way: how the services read quotes is not documented."""
    jobs: Any = place(client)
    job = submitted(jobs, a_part(), {"spark.a": "two words", "spark.archives": "s3://code/deps.zip#deps"})

    if place is application:
        reply = client("emr-serverless").get_job_run(
            applicationId=jobs.settings.application_id, jobRunId=job.job_id
        )
    else:
        reply = client("emr-containers").describe_job_run(
            virtualClusterId=jobs.settings.virtual_cluster_id, id=job.job_id
        )
    (driver,) = reply["jobRun"]["jobDriver"].values()
    assert "--conf spark.archives=s3://code/deps.zip#deps" == driver["sparkSubmitParameters"]
    (defaults,) = reply["jobRun"]["configurationOverrides"]["applicationConfiguration"]
    expected = ("spark-defaults", {"spark.a": "two words"})
    assert expected == (defaults["classification"], defaults["properties"])


def test_a_cluster_that_was_ended_can_run_nothing(client: Make) -> None:
    jobs: Any = cluster(client)
    assert [] == list(jobs.problems())
    client("emr").terminate_job_flows(JobFlowIds=[jobs.settings.job_flow_id])

    (problem,) = jobs.problems()
    assert "job_flow_id" == problem.where


@pytest.mark.parametrize("place", [application, virtual_cluster])
def test_a_place_that_is_alive_has_no_problem(client: Make, place: Callable[[Make], EmrJobs]) -> None:
    assert [] == list(place(client).problems())


def test_an_application_that_is_not_there_is_named(client: Make) -> None:
    jobs = of(client, "emr-serverless", application_id="00none", execution_role_arn=ROLE)

    with pytest.raises(NotFound, match="no such application: 00none"):
        list(jobs.problems())
