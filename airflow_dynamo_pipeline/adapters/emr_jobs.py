"""A Spark job on EMR: begun once for each piece of work, found again by its name, judged by its state."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.errors import PipelineError, Problem, Temporary, with_hint

UNDER_WAY, ENDING, SUCCEEDED, FAILED = "under way", "ending", "succeeded", "failed"
CANCELLED = "CANCELLED"  # as all three services call it


class EmrJobFailed(Temporary):
    """A Spark job on EMR ended without success; the next attempt submits one that goes on after it.

    ``unfinished`` says what is left to do, by the checkpoints; ``logs_uri`` is where the job's logs are.
    """

    def __init__(
        self, job_id: str, status: str, reason: str, *, logs_uri: str = "", unfinished: str = ""
    ) -> None:
        why = " ".join(reason.split()).rstrip(".") or "no reason was given"
        said = f"job {job_id} is {status}: {why}"
        text = f"{said}; {unfinished}" if unfinished else said
        where = f"look at its logs below {logs_uri}" if logs_uri else "look at its logs"
        super().__init__(with_hint(text, where))
        self.job_id, self.status, self.logs_uri = job_id, status, logs_uri


@dataclass(frozen=True, kw_only=True, slots=True)
class EmrJob:
    """What one look at a job has shown, whatever it runs on."""

    job_id: str
    name: str
    status: str  # as the service calls it
    phase: str  # under way; ending, where it was cancelled and has not stopped yet; succeeded; failed
    reason: str = ""  # why it failed, in the service's words
    logs_uri: str = ""  # where its logs are, or will be

    def to_json(self) -> JsonObject:
        """The record as a JSON object."""
        return asdict(self)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in (SUCCEEDED, FAILED)

    @property
    def cancelled(self) -> bool:
        """Whether somebody has asked for its end."""
        return self.phase == ENDING or self.status == CANCELLED

    @property
    def seen(self) -> str:
        """A line for the log."""
        why = f": {self.reason}" if self.reason else ""
        waiting = "" if self.ended else "; waiting until it ends"
        return f"job {self.job_id} ({self.name}) is {self.status}{why}{waiting}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SparkSubmit:
    """What Spark is to run."""

    name: str
    token: str  # the same for every attempt at submitting the same job
    entry_point: str  # URI of a Python file
    arguments: Sequence[str]
    conf: Mapping[str, str]

    def parameters(self) -> list[str]:
        """The options of spark-submit.

        >>> SparkSubmit(
        ...     name="n", token="t", entry_point="e", arguments=[], conf={"spark.task.maxFailures": "8"}
        ... ).parameters()
        ['--conf', 'spark.task.maxFailures=8']
        """
        return [part for name, value in self.conf.items() for part in ("--conf", f"{name}={value}")]


class EmrJobs(Protocol):
    """One place where Spark jobs run: a cluster, an application or a virtual cluster."""

    def problems(self) -> Iterable[Problem]:
        """Why no job can run here now; raises AccessDenied and what is temporary."""
        ...

    def jobs(self, since: datetime) -> Iterable[EmrJob]:
        """The jobs that were submitted since then, of everybody."""
        ...

    def submit(self, job: SparkSubmit) -> str:
        """Submit a job and return its id."""
        ...

    def look(self, job_id: str) -> EmrJob:
        """Look at a job once."""
        ...

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job; one that has ended already is left as it is."""
        ...


def jobs_prefix(kind: str, part: RangeWork) -> str:
    """What the names of all jobs for a plan begin with; a number follows."""
    which = hashlib.sha256(f"{part.run or ''}\n{part.id}".encode()).hexdigest()[:16]
    return f"dynamo-pipeline-{kind}-{which}-"


def begin(
    jobs: EmrJobs,
    kind: str,
    part: RangeWork,
    since: datetime,
    make: Callable[[str, str], SparkSubmit],
    say: Callable[[str], None],
    *,
    settled: Callable[[EmrJob], EmrJob] = lambda job: job,
) -> EmrJob:
    """Adopt the job of this work that is under way, or submit one.

    ``settled`` looks at a job that is to be adopted until it is clear that nobody is cancelling it; where
    somebody is, another one is submitted.

    The token of a new job is made of the run, the generation, the plan and the number of jobs for it that
    came before, so that an attempt whose reply was lost does not make another. ``make`` gives what is to
    run, by name and token, after it has put it there.
    """
    prefix = jobs_prefix(kind, part)
    earlier = [job for job in jobs.jobs(since) if job.name.startswith(prefix)]
    running = [job for job in earlier if job.phase == UNDER_WAY]
    if running:
        newest = max(running, key=lambda job: _number(job, prefix))
        say(f"adopted: {newest.seen}")
        newest = settled(newest)
        if not newest.cancelled:
            return newest
        say(f"job {newest.job_id} is {newest.status}: it was being cancelled; another takes its place")
    number = 1 + max((_number(job, prefix) for job in earlier), default=-1)
    token = hashlib.sha256(f"{part.run or ''}\n{part.generation}\n{part.id}\n{number}".encode()).hexdigest()
    name = f"{prefix}{number}"
    job_id = jobs.submit(make(name, token))
    with left_running(job_id):
        return _first_look(jobs, job_id, name, say)


def _first_look(jobs: EmrJobs, job_id: str, name: str, say: Callable[[str], None]) -> EmrJob:
    """What was just submitted; trouble of the moment is no reason to give up a job that runs."""
    try:
        found = jobs.look(job_id)
    except Temporary as error:
        found = EmrJob(job_id=job_id, name=name, status="SUBMITTED", phase=UNDER_WAY)
        say(f"submitted: {found.seen}; it could not be looked at yet: {error}")
    else:
        say(f"submitted: {found.seen}")
    return found


@contextmanager
def left_running(job_id: str) -> Iterator[None]:
    """Add to an error that no retry can help what becomes of the job: nobody has cancelled it."""
    try:
        yield
    except PipelineError as error:
        if not isinstance(error, Temporary):
            error.args = (f"{error}\njob {job_id} was not cancelled and goes on; Clear adopts it",)
        raise


def check_succeeded(job: EmrJob, unfinished: str = "") -> None:
    """Raise EmrJobFailed for a job that ended without success; ``unfinished`` says what is left to do."""
    if job.phase == FAILED:
        raise EmrJobFailed(job.job_id, job.status, job.reason, logs_uri=job.logs_uri, unfinished=unfinished)


def start_of(job: EmrJob) -> str:
    """How the work of a job began: new, or resume where jobs for it came before.

    >>> start_of(EmrJob(job_id="s-1", name="dynamo-pipeline-export-0123456789abcdef-1", status="", phase=""))
    'resume'
    """
    return "new" if job.name.endswith("-0") else "resume"


def job_from(given: Mapping[str, Any]) -> EmrJob:
    """Read what ``EmrJob.to_json`` wrote."""
    return EmrJob(**given)


def _number(job: EmrJob, prefix: str) -> int:
    tail = job.name.removeprefix(prefix)
    return int(tail) if tail.isdecimal() else 0
