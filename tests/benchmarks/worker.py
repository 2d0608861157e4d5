"""One client in one fresh process: import, warm up, measure, report.

CPU is user and system time of the process and its children between the end of a warm-up (one small
export, so that imports and the loading of botocore's service models are in nobody's figure) and the end.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

BUCKET = "bench"
WARM_UP_ITEMS = 200
CLIENTS = {
    "ours": "tests.benchmarks.ours",
    "operator": "tests.benchmarks.peers",
    "download": "tests.benchmarks.download",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What one process exports."""

    client: str
    url: str  # of the endpoint, which speaks both protocols
    items: int  # the table's length
    kind: str = "std"  # or small: what its items are
    segments: int = 1
    segment: int | None = None  # this one only, for clients that need a process for each
    part_bytes: int | None = None  # None: the client's default

    @property
    def table(self) -> str:
        """The table's name says what it holds."""
        return f"{self.kind}-{self.items}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one process did and used."""

    items: int | None  # as the client says; None: it does not say
    cpu_seconds: float
    wall_seconds: float
    loaded_rss_bytes: int  # after imports, before anything was exported
    peak_rss_bytes: int


def main() -> None:
    """Run the job given as JSON and write the outcome to a file, because Airflow logs to stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", type=lambda text: Job(**json.loads(text)))
    parser.add_argument("outcome", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        configure_airflow(home, arguments.job.url)
        outcome = measured(arguments.job)
    arguments.outcome.write_text(json.dumps(asdict(outcome)))


def configure_airflow(home: str, url: str) -> None:
    """Point Airflow's default AWS connection to the endpoint; before Airflow is imported."""
    services = {name: {"endpoint_url": url} for name in ("dynamodb", "s3", "sts", "cloudwatch")}
    connection = {
        "conn_type": "aws",
        "login": "AKIABENCH",
        "password": "bench",
        "extra": {"region_name": "eu-west-1", "service_config": services},
    }
    os.environ["AIRFLOW_HOME"] = home
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)


def measured(job: Job) -> Outcome:
    """Run the job's client and measure it."""
    run = importlib.import_module(CLIENTS[job.client]).run
    loaded = memory("VmRSS")
    run(replace(job, items=WARM_UP_ITEMS, segments=1, segment=None))
    forget_peak()
    cpu, wall = cpu_seconds(), time.perf_counter()
    items = run(job)
    return Outcome(
        items=items,
        cpu_seconds=cpu_seconds() - cpu,
        wall_seconds=time.perf_counter() - wall,
        loaded_rss_bytes=loaded,
        peak_rss_bytes=memory("VmHWM"),
    )


def cpu_seconds() -> float:
    """User and system time of this process and the children it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def memory(field: str) -> int:
    """One line of Linux's account of this process's memory (VmRSS: now, VmHWM: the peak)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def forget_peak() -> None:
    """Let VmHWM begin again at the present use."""
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    main()
