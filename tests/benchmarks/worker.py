"""One client in one fresh process: import, warm up, measure, report.

CPU is user and system time of the process and its children between the end of a warm-up (one small
run, so that imports and the loading of botocore's service models are in nobody's figure) and the end.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import tempfile
import time
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

BUCKET = "bench"
REGION = "eu-west-1"
CREDENTIALS: dict[str, Any] = {
    "region_name": REGION,
    "aws_access_key_id": "AKIABENCH",
    "aws_secret_access_key": "bench",
}
WARM_UP_ITEMS = 200
UNITS_PER_SECOND = 1e9  # of our side: a rate that holds nothing back
READERS = {
    "ours": "tests.benchmarks.ours",
    "operator": "tests.benchmarks.peers",
    "download": "tests.benchmarks.download",
    "verify": "tests.benchmarks.verify_ours",
}
WRITERS = {
    "import": "tests.benchmarks.import_ours",
    "import-botocore": "tests.benchmarks.import_botocore",
    "batch-writer": "tests.benchmarks.import_batch_writer",
    "hook": "tests.benchmarks.import_hook",
}
LOOKUPS = {
    "lookup-table": "tests.benchmarks.lookup_ours",
    "lookup-prepare": "tests.benchmarks.lookup_ours",
    "lookup-digests": "tests.benchmarks.lookup_ours",
    "lookup-unload": "tests.benchmarks.lookup_ours",
    "lookup-unload-digests": "tests.benchmarks.lookup_ours",
    "lookup-reload": "tests.benchmarks.lookup_reload",
}
CLIENTS = READERS | WRITERS | LOOKUPS


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What one process exports, imports or verifies."""

    client: str
    url: str  # of the endpoint, which speaks both protocols
    items: int  # the table's length
    kind: str = "std"  # or small: what its items are
    segments: int = 1
    segment: int | None = None  # this one only, for clients that need a process for each
    part_bytes: int | None = None  # None: the client's default
    files: int = 1  # of the backup, for clients that read one
    certificate: str = ""  # of an endpoint that speaks HTTPS; empty: it does not
    unprocessed: int = 0  # how many of a hundred items come back to clients that write

    @property
    def table(self) -> str:
        """The table's name says what it holds, and what it hands back."""
        return f"{self.kind}-{self.items}" + (f"-u{self.unprocessed}" if self.unprocessed else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one process did and used."""

    items: int | None  # as the client says; None: it does not say
    cpu_seconds: float
    wall_seconds: float
    loaded_rss_bytes: int  # after imports, before anything was done
    peak_rss_bytes: int


def main() -> None:
    """Run the job given as JSON and write the outcome to a file, because Airflow logs to stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", type=lambda text: Job(**json.loads(text)))
    parser.add_argument("outcome", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        if arguments.job.certificate:
            os.environ["AWS_CA_BUNDLE"] = arguments.job.certificate
        configure_airflow(home, arguments.job.url)
        outcome = measured(arguments.job)
    arguments.outcome.write_text(json.dumps(asdict(outcome)))


def configure_airflow(home: str, url: str) -> None:
    """Point Airflow's default AWS connection to the endpoint; before Airflow is imported."""
    services = {name: {"endpoint_url": url} for name in ("dynamodb", "s3", "sts", "cloudwatch")}
    connection = {
        "conn_type": "aws",
        "login": CREDENTIALS["aws_access_key_id"],
        "password": CREDENTIALS["aws_secret_access_key"],
        "extra": {"region_name": REGION, "service_config": services},
    }
    os.environ["AIRFLOW_HOME"] = home
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)


def bare_context(task_id: str) -> Any:
    """As much of Airflow's context as our operators ask for; each call is a run of its own."""
    instance = SimpleNamespace(
        dag_id="bench",
        task_id=task_id,
        map_index=-1,
        run_id=uuid.uuid4().hex,
        max_tries=0,
        xcom_push=lambda **_: None,
    )
    return {"ti": instance, "logical_date": datetime.now(UTC)}


def measured(job: Job) -> Outcome:
    """Run the job's client and measure it."""
    run = importlib.import_module(CLIENTS[job.client]).run
    loaded = memory("VmRSS")
    run(replace(job, items=WARM_UP_ITEMS, segments=1, segment=None, files=1))
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
