"""Spark jobs on a standalone cluster of two workers, from DynamoDB Local to moto's S3 and back."""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import psutil  # type: ignore[import-untyped]  # of Airflow's own requirements
import pytest
from pyspark import SparkConf, SparkContext

from airflow_dynamo_pipeline.adapters.import_wiring import import_ports
from airflow_dynamo_pipeline.adapters.verify_wiring import verify_ports
from airflow_dynamo_pipeline.engine.export_ranges import plan_export
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_ranges import plan_import
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.table_verify import verify_table
from airflow_dynamo_pipeline.engine.verify_request import VerifyRequest
from airflow_dynamo_pipeline.spark.bundle import job_file, package_zip
from airflow_dynamo_pipeline.spark.document import SparkJob
from airflow_dynamo_pipeline.spark.driver import run_and_tell
from tests.integration.world import QUICK, Item, World, create_table, fill, multiset
from tests.services.spark import Spark, bare_python, dependencies_of_this_python, spark_cluster

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.slow

COUNT = 400
SLOW = 50  # units per second: a large table takes sixteen seconds
DEADLINE_SECONDS = 240.0
RANGES = 4
MIB = 1024 * 1024
LARGE = 15_000  # characters in an item of a large table


def items(count: int = COUNT, filler: int = 200) -> list[Item]:
    return [
        {
            "pk": {"S": f"customer é {number}"},
            "n": {"N": f"{number}.50"},
            "text": {"S": "😀\u2028" + "x" * filler},
            "words": {"SS": ["b", "a", f"w{number}"]},
            "map": {"M": {"a": {"L": [{"NULL": True}, {"BOOL": False}]}, "b": {"M": {}}}},
        }
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Spark]:
    with spark_cluster() as found:
        yield found


@pytest.fixture(scope="module")
def package(cluster: Spark) -> Path:
    """The package as it is uploaded."""
    bundle = package_zip()
    path = cluster.home / bundle.name
    path.write_bytes(bundle.body)
    return path


@pytest.fixture(scope="module")
def context(cluster: Spark, package: Path) -> Iterator[SparkContext]:
    """A driver in this process, which sends slow tasks to a second executor as well."""
    speculation = {"interval": "200ms", "minTaskRuntime": "3s", "multiplier": "1.2", "quantile": "0.5"}
    settings = cluster.settings(speculation="true", submit_pyFiles=str(package))
    settings |= {f"spark.speculation.{name}": value for name, value in speculation.items()}
    with mock.patch.dict(os.environ, cluster.environment):
        made = SparkContext(conf=SparkConf().setAll(list(settings.items())).setAppName("tests"))
    try:
        yield made
    finally:
        gateway: Any = SparkContext._gateway
        made.stop()
        gateway.shutdown()
        gateway.proc.terminate()  # or the JVM lives as long as this process
        gateway.proc.wait()
        SparkContext._gateway = SparkContext._jvm = None


@pytest.fixture
def table(world: World, dynamodb: DynamoDBClient) -> str:
    name = create_table(dynamodb)
    fill(world.dynamodb_url, name, items())
    return name


@pytest.fixture
def large_table(world: World, dynamodb: DynamoDBClient) -> str:
    """A table that takes seconds to be read at SLOW units per second."""
    name = create_table(dynamodb)
    fill(world.dynamodb_url, name, items(filler=LARGE))
    return name


def work() -> Work:
    return Work(run="spark", generation=secrets.token_hex(8), began_at=datetime.now(UTC))


def endpoints(world: World) -> dict[str, str]:
    other = dict.fromkeys(("s3", "cloudwatch", "service-quotas"), world.moto_url)
    return {"dynamodb": world.dynamodb_url, **other}


def export_job(world: World, table: str, ranges: int = RANGES, **settings: Any) -> SparkJob:
    """What the plan of an export hands to Spark."""
    request = world.request(table, **{"segments": 8, **settings})
    part = plan_export(request, work(), world.ports(request), ranges=ranges)[0]
    return SparkJob(kind="export", settings=settings_of(request), work=part, endpoints=endpoints(world))


def slow_job(world: World, table: str) -> SparkJob:
    """Two ranges of a segment each, whose first parts are there before their end."""
    return export_job(world, table, ranges=2, segments=2, units_per_second=SLOW, part_bytes=MIB)


def import_job(world: World, table: str, uri: str) -> SparkJob:
    """What the plan of an import hands to Spark."""
    request = ImportRequest.from_settings(
        {"table_name": table, "s3_uri": uri, "units_per_second": QUICK, "allow_protected": True}
    )
    said: Any = {"say": world.said.append, "warn": world.warned.append}
    ports = import_ports(world.fresh_client, request, stop=threading.Event(), **said)
    part = plan_import(request, work(), ports, ranges=2)[0]
    return SparkJob(kind="import", settings=settings_of(request), work=part, endpoints=endpoints(world))


def settings_of(request: Any) -> dict[str, Any]:
    return dict(SparkJob.of(request, work=None).settings)  # type: ignore[arg-type]


def run(context: SparkContext, job: SparkJob, capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The result that a job prints."""
    enough = threading.Timer(DEADLINE_SECONDS, context.cancelAllJobs)
    enough.start()
    code = run_and_tell(context, [job.to_text()])
    enough.cancel()
    said = capfd.readouterr()
    assert 0 == code, said.err
    found: dict[str, Any] = json.loads(said.out.splitlines()[-1])["result"]
    return found


def assert_whole(world: World, table: str, uri: str, expected: list[Item]) -> None:
    """One export, each item once, no file beside those it lists, and no checkpoint."""
    assert [uri] == [f"s3://{world.bucket}/{key}" for key in world.manifests()]
    assert multiset(expected) == multiset(world.items(uri))
    assert set(world.data_keys()) == {entry["dataFileS3Key"] for entry in world.file_entries(uri)}
    assert [] == [key for key in world.listed() if "/_checkpoint/" in key]
    assert [] == world.uploads()


def until(said: Callable[[], Any]) -> Any:
    """What a look finds, once it finds something."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if found := said():
            return found
        time.sleep(0.1)
    pytest.fail(f"nothing was found for {DEADLINE_SECONDS:g} s")


def reader(cluster: Spark, export_id: str, number: int) -> psutil.Process:
    """The executor's JVM that works on a range of an export."""

    def found() -> list[psutil.Process]:
        said = f"range {number} of {export_id}"
        folders = [folder for folder, text in cluster.logs().items() if said in text]
        return [each for each in cluster.executors() if each.cwd() in folders]

    (only,) = until(found)
    process: psutil.Process = only
    return process


def holder(world: World, job: SparkJob) -> str:
    """Which attempt has range 0; empty once the export is complete."""
    keys = [key for key in world.listed() if key.endswith(f"{job.work.id}/_checkpoint/ranges/0000.json")]
    return "".join(str(json.loads(world.get(key))["attempt"]) for key in keys)


def in_the_middle(world: World) -> bool:
    """Whether a part of segment 0, which is range 0 of a slow job, is there, and the rest of it not yet."""
    return any(
        state.get("segment") == 0 and state.get("parts") and not state["done"]
        for state in world.checkpoints()
    )


def test_e1_an_export_by_spark_is_the_workers_export_and_imports_again(
    context: SparkContext,
    world: World,
    table: str,
    dynamodb: DynamoDBClient,
    capfd: pytest.CaptureFixture[str],
) -> None:
    found = run(context, export_job(world, table), capfd)

    uri = found["manifest_uri"]
    assert COUNT == found["item_count"]
    assert_whole(world, table, uri, items())
    by_worker = world.export(table, s3_uri=f"s3://{world.bucket}/worker", segments=8)
    assert sorted(world.lines(by_worker.manifest_uri)) == sorted(world.lines(uri))
    assert world.summary(by_worker.manifest_uri).keys() == world.summary(uri).keys()
    assert {frozenset(one) for one in world.file_entries(by_worker.manifest_uri)} == {
        frozenset(one) for one in world.file_entries(uri)
    }

    copy = create_table(dynamodb)
    imported = run(context, import_job(world, copy, uri), capfd)

    assert (COUNT, COUNT, 0) == (imported["read"], imported["written"], imported["rejected"])
    assert COUNT == identical_items(world, uri, copy)


def identical_items(world: World, uri: str, table: str) -> int:
    request = VerifyRequest.from_settings(
        {"manifest_uri": uri, "table_name": table, "units_per_second": QUICK}
    )
    said: Any = {"say": world.said.append, "warn": world.warned.append}
    ports = verify_ports(world.fresh_client, request, stop=threading.Event(), **said)
    result = verify_table(request, ports, Reports(world.reports.append))
    assert result.identical
    return result.item_count


def test_every_error_is_said_once_and_without_a_stack_trace(
    context: SparkContext,
    world: World,
    table: str,
    dynamodb: DynamoDBClient,
    capfd: pytest.CaptureFixture[str],
) -> None:
    job = export_job(world, table)
    dynamodb.delete_table(TableName=table)

    code = run_and_tell(context, [job.to_text()])

    said = capfd.readouterr().err
    assert 1 == code
    assert f"{RANGES} of {RANGES} ranges of the export failed" in said
    assert 1 == said.count(f"ranges 0 to {RANGES - 1}: ") == said.count(table)
    assert "Traceback" not in said
    assert "Py4J" not in said


def test_e1_an_executor_that_is_killed_in_the_middle_costs_nothing_but_time(
    context: SparkContext,
    cluster: Spark,
    world: World,
    large_table: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    job = slow_job(world, large_table)
    killed: list[int] = []

    def kill() -> None:
        until(lambda: in_the_middle(world))
        victim = reader(cluster, job.work.id, 0)
        victim.kill()
        killed.append(victim.pid)

    thread = threading.Thread(target=kill)
    thread.start()
    found = run(context, job, capfd)
    thread.join()

    assert 1 == len(killed)
    assert COUNT == found["item_count"]
    assert_whole(world, large_table, found["manifest_uri"], items(filler=LARGE))


def test_e5_a_range_that_is_stuck_is_read_by_a_second_attempt_and_there_is_one_export(
    context: SparkContext,
    cluster: Spark,
    world: World,
    large_table: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The first attempt is frozen, so that its lease is silent; it is woken when another has the range."""
    job = slow_job(world, large_table)
    frozen: list[psutil.Process] = []

    def freeze_and_wake() -> None:
        until(lambda: in_the_middle(world))
        first = holder(world, job)
        frozen.extend(reader(cluster, job.work.id, 0).children(recursive=True))
        for each in frozen:
            each.suspend()
        until(lambda: holder(world, job) != first)
        for each in frozen:
            each.resume()

    thread = threading.Thread(target=freeze_and_wake)
    thread.start()
    found = run(context, job, capfd)
    thread.join()

    assert frozen
    assert COUNT == found["item_count"]
    assert_whole(world, large_table, found["manifest_uri"], items(filler=LARGE))


def test_e1_a_job_whose_driver_was_killed_is_submitted_again_and_ends_in_one_export(
    cluster: Spark, package: Path, world: World, large_table: str
) -> None:
    """By spark-submit, on a Python that has nothing installed: all that is needed comes in two zip files."""
    job = slow_job(world, large_table)
    dependencies_of_this_python(cluster.home / "deps.zip")
    (cluster.home / "job.py").write_bytes(job_file().body)
    world.put("jobs/one.json", job.to_text().encode())
    archives = f"{cluster.home / 'deps.zip'}#deps"
    settings = cluster.settings(submit_pyFiles=str(package), archives=archives)
    python = bare_python(cluster.home)

    def submit() -> Any:
        where = [f"s3://{world.bucket}/jobs/one.json"]
        own = {"AWS_ENDPOINT_URL_S3": world.moto_url}
        return cluster.submit(cluster.home / "job.py", where, settings, python=python, environment=own)

    with submit() as first:
        try:
            until(lambda: in_the_middle(world))
        finally:
            os.killpg(first.pid, signal.SIGKILL)
    with submit() as second:
        enough = threading.Timer(DEADLINE_SECONDS, os.killpg, (second.pid, signal.SIGKILL))
        enough.start()
        out, err = second.communicate()
        enough.cancel()

    assert 0 == second.returncode, err[-3000:]
    found = json.loads(out.splitlines()[-1])
    assert ("export", COUNT, "resume") == (
        found["kind"],
        *(found["result"][n] for n in ("item_count", "start")),
    )
    assert_whole(world, large_table, found["result"]["manifest_uri"], items(filler=LARGE))
