"""The driver of a Spark job: one partition for each range, then the commit."""

from __future__ import annotations

import functools
import json
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_dynamo_pipeline.adapters.import_wiring import import_ports
from airflow_dynamo_pipeline.adapters.wiring import export_ports, reading_store
from airflow_dynamo_pipeline.engine.export_ranges import commit_export
from airflow_dynamo_pipeline.engine.import_ranges import commit_import
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.requests import ExportRequest, S3Location
from airflow_dynamo_pipeline.errors import (
    InvalidRequest,
    NotFound,
    PipelineError,
    Problem,
    ServiceTrouble,
    with_hint,
)
from airflow_dynamo_pipeline.spark.attempt import Outcome
from airflow_dynamo_pipeline.spark.clients import clients_of, make_client
from airflow_dynamo_pipeline.spark.document import SparkJob
from airflow_dynamo_pipeline.spark.executor import run_partition

if TYPE_CHECKING:  # where Spark is, pyspark is; elsewhere this module must load without it
    from pyspark import SparkContext

USUAL_FAILURES = 4  # spark.task.maxFailures where it is not set
ONE_PROCESS = re.compile(r"local(\[[^,]*\])?")  # a master that tries no task twice
DONE, FAILED = 0, 1
AGAIN = "run the job again: what finished parts hold is not read or written again"


def run_and_tell(context: SparkContext, arguments: Sequence[str]) -> int:
    """Run a job and print its result as one line of JSON, or on stderr why there is none; the exit code."""
    try:
        job = read_job(arguments)
        result = run(context, job)
    except PipelineError as error:
        sys.stderr.write(f"error: {error}\n")
        return FAILED
    sys.stdout.write(json.dumps({"kind": job.kind, "result": result}) + "\n")
    return DONE


def read_job(arguments: Sequence[str]) -> SparkJob:
    """The job that the only argument is, as JSON, or whose S3 URI it is; raises InvalidRequest, NotFound."""
    if len(arguments) != 1:
        what = f"{len(arguments)} arguments were given"
        raise InvalidRequest([Problem("job", what, "one: the job as JSON, or the s3:// URI of its JSON")])
    (given,) = arguments
    if not given.startswith("s3://"):
        return SparkJob.from_json(given)
    location = S3Location.parse(given, "job")
    found = reading_store(make_client, location, _say).get(location.prefix)
    if found is None:
        raise NotFound("key", given)
    return SparkJob.from_json(found.body)


def run(context: SparkContext, job: SparkJob) -> JsonObject:
    """Bring every range to its end on the executors, and commit; returns the result of the commit.

    Raises PipelineError naming every range that failed, ServiceTrouble when Spark gave the job up, and
    the errors of the commit.
    """
    if not job.work.finished:
        _refuse_failed(job, [Outcome.from_text(text) for text in _run_ranges(context, job)])
    return _commit(job)


def _run_ranges(context: SparkContext, job: SparkJob) -> list[str]:
    from py4j.protocol import Py4JError

    ranges = context.parallelize(range(job.work.ranges), job.work.ranges)
    run_one = functools.partial(run_partition, job.to_text(), _allowed_failures(context))
    try:
        return ranges.mapPartitionsWithIndex(run_one).collect()
    except Py4JError as error:
        raise ServiceTrouble(with_hint(f"Spark gave the {job.kind} up: {_reason(error)}", AGAIN)) from error


def _allowed_failures(context: SparkContext) -> int:
    """How often a task may fail before Spark gives all of the job up."""
    usual = 1 if ONE_PROCESS.fullmatch(str(context.master)) else USUAL_FAILURES
    return int(context.getConf().get("spark.task.maxFailures") or usual)


def _reason(error: Exception) -> str:
    """What Spark says, without the stack traces after it."""
    java = getattr(error, "java_exception", None)
    return str(java.getMessage() if java else error).partition("\n")[0]


def _refuse_failed(job: SparkJob, outcomes: Sequence[Outcome]) -> None:
    failed: dict[str, list[int]] = {}
    for outcome in outcomes:
        if outcome.error:
            failed.setdefault(outcome.error, []).append(outcome.number)
    if failed:
        count = sum(map(len, failed.values()))
        head = f"{count:,} of {job.work.ranges:,} ranges of the {job.kind} failed; {AGAIN}"
        raise PipelineError("\n".join([head, *_lines(failed)]))


def _lines(failed: Mapping[str, Sequence[int]]) -> list[str]:
    """Every error once, with the ranges it ended.

    >>> _lines({"no such table: orders": [0, 1, 2, 5], "access denied": [3]})
    ['ranges 0 to 2, 5: no such table: orders', 'range 3: access denied']
    """
    return [f"range{'s' * (len(each) > 1)} {_spans(each)}: {error}" for error, each in failed.items()]


def _spans(numbers: Sequence[int]) -> str:
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first} to {last}" for first, last in spans)


def _commit(job: SparkJob) -> JsonObject:
    request, part = job.request, job.work
    wired: Any = {"stop": threading.Event(), "say": _say, "warn": _say}
    if isinstance(request, ExportRequest):
        return commit_export(request, export_ports(clients_of(job), request, **wired), part).to_json()
    return commit_import(request, import_ports(clients_of(job), request, **wired), part).to_json()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
