"""A job is begun once for its work, whoever asks and however often."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from airflow_dynamo_pipeline.adapters.emr_jobs import (
    ENDING,
    FAILED,
    SUCCEEDED,
    UNDER_WAY,
    EmrJob,
    EmrJobFailed,
    SparkSubmit,
    begin,
    check_succeeded,
    job_from,
    jobs_prefix,
)
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.ranges import RangeWork, range_works
from airflow_dynamo_pipeline.engine.shares import Sharing
from airflow_dynamo_pipeline.errors import AccessDenied, Problem, ServiceTrouble, Temporary

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def part(run: str = "run", generation: str = "0", id_: str = "export 1") -> RangeWork:
    return range_works(Work(run=run, generation=generation, began_at=NOW), id_, 2, Sharing())[0]


@dataclass
class Place:
    """Jobs in memory, the newest first."""

    made: list[EmrJob] = field(default_factory=list)
    asked: list[SparkSubmit] = field(default_factory=list)
    trouble: Exception | None = None  # of every look

    def problems(self) -> Iterator[Problem]:
        yield from ()

    def jobs(self, since: datetime) -> Iterator[EmrJob]:
        assert since <= NOW
        yield from reversed(self.made)

    def submit(self, job: SparkSubmit) -> str:
        self.asked.append(job)
        self.made.append(EmrJob(job_id=str(len(self.made)), name=job.name, status="RUNNING", phase=UNDER_WAY))
        return self.made[-1].job_id

    def look(self, job_id: str) -> EmrJob:
        if self.trouble is not None:
            raise self.trouble
        return next(job for job in self.made if job.job_id == job_id)

    def cancel(self, job_id: str) -> None:
        self.end(int(job_id), FAILED)

    def end(self, number: int, phase: str) -> None:
        self.made[number] = dataclasses.replace(self.made[number], phase=phase)


UNDER_WAY_ALREADY = EmrJob(
    job_id="0", name=f"{jobs_prefix('export', part())}0", status="RUNNING", phase=UNDER_WAY
)


def as_it_is(job: EmrJob) -> EmrJob:
    return job


def begun(
    place: Place, which: RangeWork | None = None, settled: Callable[[EmrJob], EmrJob] = as_it_is
) -> EmrJob:
    def make(name: str, token: str) -> SparkSubmit:
        return SparkSubmit(name=name, token=token, entry_point="job.py", arguments=[], conf={})

    return begin(place, "export", which or part(), NOW, make, lambda _: None, settled=settled)


def test_a_job_that_runs_is_adopted() -> None:
    place = Place()

    assert begun(place) == begun(place)
    assert 1 == len(place.made)


@pytest.mark.parametrize("phase", [FAILED, ENDING, SUCCEEDED])
def test_after_a_job_that_ended_or_will_another_is_submitted_by_another_token(phase: str) -> None:
    place = Place()
    begun(place)
    place.end(0, phase)
    begun(place)

    names = [job.name.rpartition("-")[2] for job in place.made]
    assert ["0", "1"] == names
    assert 2 == len({job.token for job in place.asked})


@pytest.mark.parametrize(
    ("seen", "jobs"),
    [
        ({"phase": ENDING, "status": "CANCEL_PENDING"}, 2),
        ({"phase": FAILED, "status": "CANCELLED"}, 2),
        ({"phase": FAILED, "status": "FAILED"}, 1),
        ({"phase": SUCCEEDED, "status": "COMPLETED"}, 1),
        ({}, 1),
    ],
)
def test_in_place_of_an_adopted_job_that_was_being_cancelled_another_is_submitted(
    seen: dict[str, str], jobs: int
) -> None:
    place = Place()
    begun(place)
    found = begun(place, settled=lambda job: dataclasses.replace(job, **seen))

    assert (jobs, str(jobs - 1)) == (len(place.made), found.job_id)


def test_a_job_that_was_just_submitted_is_not_looked_at_until_it_settles() -> None:
    asked: list[EmrJob] = []

    def settled(job: EmrJob) -> EmrJob:
        asked.append(job)
        return job

    begun(Place(), settled=settled)
    assert [] == asked
    begun(Place([UNDER_WAY_ALREADY]), settled=settled)
    assert [UNDER_WAY_ALREADY] == asked


def test_trouble_with_the_first_look_is_no_reason_to_give_up_a_job() -> None:
    found = begun(Place(trouble=ServiceTrouble("503")))

    assert ("0", UNDER_WAY, False) == (found.job_id, found.phase, found.ended)


def test_where_no_look_is_allowed_the_job_is_named() -> None:
    with pytest.raises(AccessDenied, match="job 0 was not cancelled and goes on; Clear adopts it"):
        begun(Place(trouble=AccessDenied("elasticmapreduce:DescribeStep", "step 0")))


def test_two_attempts_that_see_no_job_ask_by_the_same_token() -> None:
    here, there = Place(), Place()
    begun(here)
    begun(there)

    assert here.asked == there.asked


@pytest.mark.parametrize("other", [part(run="another"), part(id_="export 2")], ids=["run", "export"])
def test_jobs_of_other_work_are_left_alone(other: RangeWork) -> None:
    place = Place()
    begun(place, other)
    begun(place)

    assert 2 == len({job.name for job in place.made})


def test_a_job_that_outlived_its_task_is_adopted_after_clear() -> None:
    place = Place()

    assert begun(place) == begun(place, part(generation="1"))


def test_names_and_tokens_are_what_every_service_takes() -> None:
    place = Place()
    begun(place)

    (asked,) = place.asked
    assert 64 >= len(asked.name)
    assert 64 == len(asked.token)
    assert asked.name.replace("-", "").isalnum()
    assert asked.name.startswith(jobs_prefix("export", part()))


def test_a_failure_has_the_reason_the_place_of_the_logs_and_what_is_left() -> None:
    job = EmrJob(
        job_id="s-1",
        name="n",
        status="FAILED",
        phase=FAILED,
        reason="out of memory",
        logs_uri="s3://logs/s-1/",
    )
    with pytest.raises(EmrJobFailed) as caught:
        check_succeeded(job, "1 of 2 ranges are not finished: 1")

    assert (
        "job s-1 is FAILED: out of memory; 1 of 2 ranges are not finished: 1\n"
        "HINT: look at its logs below s3://logs/s-1/"
    ) == str(caught.value)
    check_succeeded(dataclasses.replace(job, phase=SUCCEEDED))


def test_a_failure_is_tried_again_and_survives_pickling() -> None:
    error = EmrJobFailed("s-1", "FAILED", "no space.\nleft.", logs_uri="s3://logs/")
    found = pickle.loads(pickle.dumps(error))

    assert isinstance(error, Temporary)
    assert (str(error), error.__dict__) == (str(found), found.__dict__)
    assert "job s-1 is FAILED: no space. left\nHINT: look at its logs below s3://logs/" == str(error)


def test_a_job_survives_json() -> None:
    job = EmrJob(job_id="s-1", name="n", status="RUNNING", phase=UNDER_WAY)

    assert job == job_from(job.to_json())
