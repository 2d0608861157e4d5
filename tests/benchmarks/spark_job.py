"""A Spark job beside one worker: CPU for each gigabyte, and what a second executor gains."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import psutil  # type: ignore[import-untyped]  # of Airflow's own requirements

from airflow_dynamo_pipeline.adapters.wiring import export_ports
from airflow_dynamo_pipeline.engine.export_ranges import plan_export
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.spark.bundle import job_file, package_zip
from airflow_dynamo_pipeline.spark.document import SparkJob
from tests.benchmarks.endpoint import Endpoint
from tests.benchmarks.report import Report, Table, Verdict
from tests.benchmarks.runs import GB, ClientFailed, Measurement, measure
from tests.benchmarks.worker import BUCKET, CREDENTIALS, REGION, UNITS_PER_SECOND
from tests.services.spark import Spark, bare_python, dependencies_of_this_python, spark_cluster

ITEMS = 48_000_000  # a size that Spark is for: the start of its JVMs is part of what is compared
SMALL_SHARE = 8  # of the items, for what does not need them all
SEGMENTS = 4
RANGES = 2
SCAN_SECONDS = 0.21  # a reply to a full page, as docs/explanation/scale.md has it
LATE_SEGMENTS = 16  # so many threads as a worker may have, for each of two
CPU_CEILING = 1.3
EXECUTORS_FLOOR = 1.7
LOOK_SECONDS = 0.2
COLUMNS = ["what", "items", "GB", "CPU s", "CPU s/GB", "wall s", "of CPU: JVMs", "reading s"]
OWN_SETTINGS = {"spark.executor.memory": "1g"}


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRun:
    """One Spark job: CPU is that of all its processes, JVMs included; the cluster's own is not in it."""

    name: str
    executors: int
    items: int
    scan_bytes: int
    cpu_seconds: float
    jvm_seconds: float  # of the CPU: driver's and executors' JVMs
    wall_seconds: float
    reading_seconds: float  # from the first page to the last


@dataclass(frozen=True, kw_only=True, slots=True)
class Runs:
    """What is compared."""

    worker: Measurement
    job: JobRun
    two: JobRun
    one: JobRun
    late_two: JobRun
    late_one: JobRun

    @property
    def cpu_ratio(self) -> float:
        """CPU of the whole job for a GB, JVMs and their start with it, times one worker's."""
        return self.job.cpu_seconds / self.job.scan_bytes * GB / self.worker.cpu_per_gb

    @property
    def gain(self) -> float:
        """How many times as fast two executors read as one, where pages take their time."""
        return self.late_one.reading_seconds / self.late_two.reading_seconds

    @property
    def grows_per_gb(self) -> float:
        """CPU seconds that a gigabyte more costs."""
        more = (self.job.scan_bytes - self.two.scan_bytes) / GB
        return (self.job.cpu_seconds - self.two.cpu_seconds) / more

    @property
    def each_job(self) -> float:
        """CPU seconds that a job costs, however small its table is."""
        return self.two.cpu_seconds - self.grows_per_gb * self.two.scan_bytes / GB


def run_all(near: Endpoint, late: Endpoint, items: int) -> Runs:
    """One worker, then jobs on two executors and on one; ``late`` takes ``SCAN_SECONDS`` for each page."""
    worker = measure(near, "ours", items=items, segments=SEGMENTS)
    fewer = items // SMALL_SHARE
    with spark_cluster() as cluster:
        return Runs(
            worker=worker,
            job=run_job("Spark, 2 executors", near, cluster, items, 2),
            two=run_job("2 executors", near, cluster, fewer, 2),
            one=run_job("1 executor", near, cluster, fewer, 1),
            late_two=run_job("2 executors, latency", late, cluster, fewer, 2, LATE_SEGMENTS),
            late_one=run_job("1 executor, latency", late, cluster, fewer, 1, LATE_SEGMENTS),
        )


def run_job(
    name: str, endpoint: Endpoint, cluster: Spark, items: int, executors: int, segments: int = SEGMENTS
) -> JobRun:
    """Submit one job and measure it from outside."""
    job = planned(endpoint.url, items, segments)
    before, began = endpoint.stats(), time.perf_counter()
    result, cpu, jvm = submitted(cluster, job, executors)
    wall = time.perf_counter() - began
    if result["item_count"] != items:
        raise ClientFailed(f"the Spark job states {result['item_count']} of {items} items")
    return JobRun(
        name=name,
        executors=executors,
        items=items,
        scan_bytes=endpoint.stats().scan_bytes - before.scan_bytes,
        cpu_seconds=cpu,
        jvm_seconds=jvm,
        wall_seconds=wall,
        reading_seconds=result["consumed_units"] / result["units_per_second_held"],
    )


def planned(url: str, items: int, segments: int) -> SparkJob:
    """The job that exports a table of so many items, planned as an operator does."""
    request = ExportRequest(
        table_name=f"std-{items}",
        s3_uri=f"s3://{BUCKET}/spark/{secrets.token_hex(8)}",
        units_per_second=UNITS_PER_SECOND,
        segments=segments,
    )
    session = boto3.Session(**CREDENTIALS)

    def client(service: str) -> Any:
        make: Any = session.client
        return make(service, endpoint_url=url)

    quiet: Any = {"say": lambda _: None, "warn": lambda _: None}
    ports = export_ports(client, request, stop=threading.Event(), **quiet)
    work = Work(run="bench", generation=secrets.token_hex(8), began_at=datetime.now(UTC))
    part = plan_export(request, work, ports, ranges=RANGES)[0]
    endpoints = dict.fromkeys(("dynamodb", "s3", "cloudwatch", "service-quotas"), url)
    made = SparkJob.of(request, part, region_name=REGION)
    return SparkJob(**{**made.to_json(), "work": part, "endpoints": endpoints})


def submitted(cluster: Spark, job: SparkJob, executors: int) -> tuple[dict[str, Any], float, float]:
    """The result of a job, the CPU seconds of its processes, looked at while it ran, and of its JVMs."""
    package = files(cluster)
    settings = cluster.settings(
        submit_pyFiles=str(package), archives=f"{cluster.home}/deps.zip#deps", cores_max=str(executors)
    )
    process = cluster.submit(
        cluster.home / "job.py",
        [job.to_text()],
        settings | OWN_SETTINGS,
        python=cluster.home / "bare-python",
        environment={},
    )
    cpu: dict[tuple[int, bool], float] = {}  # by process, and whether it is a JVM
    ended = threading.Event()
    watch = threading.Thread(target=watch_cpu, args=(cluster, cpu, ended))
    watch.start()
    out, err = process.communicate()
    ended.set()
    watch.join()
    if process.returncode:
        raise ClientFailed(f"the Spark job ended with {process.returncode}:\n{err[-2000:]}")
    jvm = sum(seconds for (_, is_jvm), seconds in cpu.items() if is_jvm)
    return json.loads(out.splitlines()[-1])["result"], sum(cpu.values()), jvm


def files(cluster: Spark) -> Path:
    """What the job needs, as it is uploaded; the package's path."""
    package = cluster.home / package_zip().name
    if not package.exists():
        package.write_bytes(package_zip().body)
        (cluster.home / "job.py").write_bytes(job_file().body)
        dependencies_of_this_python(cluster.home / "deps.zip")
        bare_python(cluster.home)
    return package


def watch_cpu(cluster: Spark, cpu: dict[tuple[int, bool], float], ended: threading.Event) -> None:
    """Keep the last that was seen of each process."""
    while not ended.wait(LOOK_SECONDS):
        for each in cluster.processes():
            with contextlib.suppress(psutil.Error):
                used = each.cpu_times()
                cpu[each.pid, each.name() == "java"] = used.user + used.system


def report(runs: Runs) -> Report:
    """The figures and the acceptance numbers."""
    jobs = (runs.job, runs.two, runs.one, runs.late_two, runs.late_one)
    growth = runs.grows_per_gb / runs.worker.cpu_per_gb
    busy = runs.one.reading_seconds / runs.two.reading_seconds
    return Report(
        mode="spark",
        notes=[
            "GB: 1e9 bytes of Scan response JSON; over HTTP; the endpoint runs on the same machine",
            "CPU of a job: driver, executors and their Pythons from their first moment, read every 0.2 s",
            "reading: from the first page to the last; the rest of the wall time is the start of JVMs",
            f"each job costs {runs.each_job:.1f} CPU seconds; a further GB {growth:.2f} times one worker's",
            f"latency: a page takes {1000 * SCAN_SECONDS:.0f} ms, {LATE_SEGMENTS // RANGES} come at a time",
            f"without it executors and endpoint want the same cores: two are {busy:.2f} times as fast as one",
        ],
        table=Table(COLUMNS, [row("one worker", runs.worker), *(row(job.name, job) for job in jobs)]),
        verdicts=[
            Verdict(
                "CPU of the whole job for a GB, times one worker's",
                f"{runs.cpu_ratio:.2f}",
                f"<= {CPU_CEILING:g}",
                runs.cpu_ratio <= CPU_CEILING,
            ),
            Verdict(
                "reading with two executors, times as fast as with one",
                f"{runs.gain:.2f}",
                f">= {EXECUTORS_FLOOR:g}",
                runs.gain >= EXECUTORS_FLOOR,
            ),
        ],
    )


def row(name: str, run: Measurement | JobRun) -> list[str]:
    """One line of the table."""
    size, cpu = run.scan_bytes / GB, run.cpu_seconds
    of_job = [f"{run.jvm_seconds:.1f}", f"{run.reading_seconds:.1f}"] if isinstance(run, JobRun) else ["", ""]
    figures = [f"{size:.2f}", f"{cpu:.1f}", f"{cpu / size:.2f}", f"{run.wall_seconds:.1f}"]
    return [name, f"{run.items:,}", *figures, *of_job]
