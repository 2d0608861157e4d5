"""Runs a client in fresh processes and joins what it used with what the endpoint saw."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmarks.backups import Backup
from tests.benchmarks.endpoint import ROOT, Endpoint, Stats
from tests.benchmarks.worker import WARM_UP_ITEMS, WRITERS, Job, Outcome

LOG_TAIL = 2000
MILLION = 1e6
GB = 1e9


class ClientFailed(Exception):
    """A client did not finish, or did not read or write each item once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One client's run: CPU is the sum over its processes, memory that of the biggest."""

    client: str
    segments: int
    items: int
    cpu_seconds: float
    wall_seconds: float
    loaded_rss_bytes: int
    peak_rss_bytes: int
    endpoint_cpu_seconds: float
    scan_bytes: int
    uploaded_bytes: int
    writes: int
    write_bytes: int
    returned_items: int

    @property
    def cpu_per_million(self) -> float:
        """CPU seconds for a million items."""
        return self.cpu_seconds / self.items * MILLION

    @property
    def cpu_per_gb(self) -> float:
        """CPU seconds for 1e9 bytes of Scan response JSON."""
        return self.cpu_seconds / self.scan_bytes * GB

    @property
    def endpoint_cpu_per_gb(self) -> float:
        """The endpoint's own CPU seconds for the same; not part of the client's."""
        return self.endpoint_cpu_seconds / self.scan_bytes * GB


def measure(
    endpoint: Endpoint, client: str, *, items: int, segments: int, tls: bool = False, **more: Any
) -> Measurement:
    """Run a client over so many items and check that each was read, or written, once; ``more`` as in Job."""
    url, certificate = (endpoint.tls_url, str(endpoint.certificate)) if tls else (endpoint.url, "")
    job = Job(client=client, url=url, certificate=certificate, items=items, segments=segments, **more)
    prepare(endpoint, job)
    jobs = jobs_of(job)
    before = endpoint.stats()
    outcomes = run_together(jobs)
    after = endpoint.stats()
    check(jobs, outcomes, before, after)
    return Measurement(
        client=client,
        segments=segments,
        items=items,
        cpu_seconds=sum(outcome.cpu_seconds for outcome in outcomes),
        wall_seconds=max(outcome.wall_seconds for outcome in outcomes),
        loaded_rss_bytes=max(outcome.loaded_rss_bytes for outcome in outcomes),
        peak_rss_bytes=max(outcome.peak_rss_bytes for outcome in outcomes),
        endpoint_cpu_seconds=after.cpu_seconds - before.cpu_seconds,
        scan_bytes=after.scan_bytes - before.scan_bytes,
        uploaded_bytes=after.uploaded_bytes - before.uploaded_bytes,
        writes=after.writes - before.writes,
        write_bytes=after.write_bytes - before.write_bytes,
        returned_items=after.returned_items - before.returned_items,
    )


def prepare(endpoint: Endpoint, job: Job) -> None:
    """Have the backups made that a client reads, for its warm-up and for its run."""
    if job.client in WRITERS or job.client == "verify":
        for items, files in ((WARM_UP_ITEMS, 1), (job.items, job.files)):
            endpoint.make(Backup(items, files, scanned=job.client not in WRITERS))


def jobs_of(job: Job) -> list[Job]:
    """One job, or for the operator, which knows no segments, one for each."""
    if job.client != "operator" or job.segments == 1:
        return [job]
    return [replace(job, segment=segment) for segment in range(job.segments)]


def check(jobs: Sequence[Job], outcomes: Sequence[Outcome], before: Stats, after: Stats) -> None:
    """Refuse a figure whose client moved or reported another number of items than there are."""
    items, client = jobs[0].items, jobs[0].client
    scanned, written = after.scan_items - before.scan_items, after.written_items - before.written_items
    moved = (written if client in WRITERS else scanned) - WARM_UP_ITEMS * len(jobs)
    stated = [outcome.items for outcome in outcomes if outcome.items is not None]
    if moved != items or (stated and sum(stated) != items):
        raise ClientFailed(f"{client} moved {moved} and stated {stated} of {items} items")


def run_together(jobs: Sequence[Job]) -> list[Outcome]:
    """Run all jobs at the same time, each in a fresh process."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        files = [Path(folder) / f"{number}.json" for number in range(len(jobs))]
        pairs = zip(jobs, files, strict=True)
        processes = [stack.enter_context(worker(job, file)) for job, file in pairs]
        for job, process in zip(jobs, processes, strict=True):
            output, _ = process.communicate()
            if process.returncode:
                raise ClientFailed(f"{job.client} ended with {process.returncode}:\n{output[-LOG_TAIL:]}")
        return [Outcome(**json.loads(file.read_text())) for file in files]


@contextmanager
def worker(job: Job, outcome: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a worker, and end it if the others fail."""
    command = [sys.executable, "-m", "tests.benchmarks.worker", json.dumps(asdict(job)), str(outcome)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
