"""What is looked at before a job run is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from airflow_dynamo_pipeline.adapters.emr_job_runs import ServerlessJobs
from airflow_dynamo_pipeline.adapters.emr_settings import EmrSettings


@dataclass(frozen=True)
class Serverless:
    """A client of EMR Serverless that knows one application."""

    architecture: str

    def get_application(self, **_: str) -> dict[str, dict[str, str]]:
        said = {"architecture": self.architecture} if self.architecture else {}
        return {"application": {"state": "CREATED", "type": "Spark", **said}}


def problems(application: str, architecture: str, dependencies: str = "fetch") -> list[str]:
    given = EmrSettings(
        ranges=2,
        code_s3_uri="s3://code",
        application_id="00f1",
        execution_role_arn="arn:aws:iam::111122223333:role/Job",
        architecture=architecture,
        dependencies=dependencies,
    )
    return [str(problem) for problem in ServerlessJobs(Serverless(application), given).problems()]


@pytest.mark.parametrize(
    ("application", "ours", "other"), [("X86_64", "x86_64", "arm64"), ("ARM64", "arm64", "x86_64")]
)
def test_dependencies_are_not_fetched_for_other_machines_than_the_application_has(
    application: str, ours: str, other: str
) -> None:
    assert [] == problems(application, ours)
    (problem,) = problems(application, other)
    assert problem.startswith(f"architecture: is {other}, and application 00f1 is {ours}")


def test_an_application_that_does_not_say_is_of_the_service_s_default() -> None:
    assert [] == problems("", "x86_64")
    assert 1 == len(problems("", "arm64"))


@pytest.mark.parametrize("dependencies", ["none", "s3://code/deps.zip"])
def test_what_is_not_fetched_is_for_the_machines_that_a_person_chose(dependencies: str) -> None:
    assert [] == problems("ARM64", "x86_64", dependencies)
