from __future__ import annotations

from typing import Any

import pytest
from py4j.protocol import Py4JError

from airflow_dynamo_pipeline.errors import InvalidRequest
from airflow_dynamo_pipeline.spark import driver
from airflow_dynamo_pipeline.spark.attempt import Outcome
from airflow_dynamo_pipeline.spark.driver import read_job, run_and_tell
from tests.unit.spark.jobs import JOB


class Ranges:
    """As much of an RDD as the driver asks for: every range ends as it was told to."""

    def __init__(self, outcomes: list[Outcome] | Exception) -> None:
        self.outcomes = outcomes

    def mapPartitionsWithIndex(self, _function: Any) -> Ranges:  # noqa: N802  pyspark's name
        return self

    def collect(self) -> list[str]:
        if isinstance(self.outcomes, Exception):
            raise self.outcomes
        return [outcome.to_text() for outcome in self.outcomes]


class Context:
    """As much of a SparkContext."""

    def __init__(self, outcomes: list[Outcome] | Exception, master: str = "yarn", **settings: str) -> None:
        self.ranges, self.master, self.settings = Ranges(outcomes), master, settings

    def getConf(self) -> dict[str, str]:  # noqa: N802  pyspark's name
        return {name.replace("_", "."): value for name, value in self.settings.items()}

    def parallelize(self, _items: Any, _parts: int) -> Ranges:
        return self.ranges


def told(outcomes: list[Outcome] | Exception, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    context: Any = Context(outcomes)
    code = run_and_tell(context, [JOB.to_text()])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_every_error_is_said_once_with_the_ranges_it_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(driver, "_commit", lambda _job: pytest.fail("nothing may be committed"))
    denied = "access denied: dynamodb:Scan"
    errors = [
        Outcome(number=0, error=denied),
        Outcome(number=1, error="a bug"),
        Outcome(number=2, error=denied),
    ]

    code, out, err = told(errors, capsys)

    assert (1, "") == (code, out)
    head, *lines = err.splitlines()
    assert head.startswith("error: 3 of 3 ranges of the export failed; ")
    assert [f"ranges 0, 2: {denied}", "range 1: a bug"] == lines


def test_the_result_of_the_commit_is_one_line_of_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(driver, "_commit", lambda job: {"export_id": job.work.id})

    code, out, err = told([Outcome(number=number) for number in range(3)], capsys)

    assert (0, "") == (code, err)
    assert f'{{"kind": "export", "result": {{"export_id": "{JOB.work.id}"}}}}\n' == out


def test_a_job_that_spark_gives_up_ends_with_sparks_first_line_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = told(Py4JError("Job aborted: executor lost\n\tat org.apache.spark..."), capsys)

    assert (1, "") == (code, out)
    assert "error: Spark gave the export up: Job aborted: executor lost" == err.splitlines()[0]
    assert "org.apache" not in err


@pytest.mark.parametrize("arguments", [[], ["{}", "{}"], ["{}"], ["s3://"], ["orders.json"]])
def test_an_argument_that_is_no_job_is_refused(arguments: list[str]) -> None:
    with pytest.raises((InvalidRequest, ValueError), match=r"job|kind"):
        read_job(arguments)


@pytest.mark.parametrize(
    ("master", "settings", "failures"),
    [
        ("yarn", {}, 4),
        ("local", {}, 1),
        ("local[2]", {}, 1),
        ("local-cluster[2,1,512]", {}, 4),
        ("yarn", {"spark_task_maxFailures": "9"}, 9),
    ],
)
def test_a_task_may_fail_as_often_as_spark_lets_it(
    master: str, settings: dict[str, str], failures: int
) -> None:
    context: Any = Context([], master, **settings)

    assert failures == driver._allowed_failures(context)
