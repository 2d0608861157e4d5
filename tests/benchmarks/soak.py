"""Twenty million items through one process at full speed, to see whether anything grows.

A thread of this process looks at the exporting one in ``/proc`` all the while. What it saw is put together
by how much of the table had been read: a start (every segment has closed its second part, and the allocator
has got what it will keep), a middle and an end.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.benchmarks.endpoint import Endpoint
from tests.benchmarks.report import Report, Table, Verdict
from tests.benchmarks.runs import GB, LOG_TAIL, ClientFailed, check, worker
from tests.benchmarks.worker import WARM_UP_ITEMS, Job, Outcome

ITEMS = 20_000_000
SEGMENTS = 8
SAMPLE_SECONDS = 0.2
STAGES = {"start": (0.2, 0.3), "middle": (0.45, 0.55), "end": (0.88, 0.98)}  # shares of the table
GROWTH = 1.10  # of memory: what an allocator's chance may add
CLIENTS = 2  # DynamoDB's and S3's, each with a pool of connections
MB = 1e6
PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What a process held at one moment, or the most of several."""

    rss_bytes: int
    threads: int
    sockets: int
    files: int
    others: int  # pipes and what else a descriptor can be


@dataclass(frozen=True, kw_only=True, slots=True)
class Soaked:
    """What the export used, and the samples with the share of the table that had been read."""

    items: int
    outcome: Outcome
    scan_bytes: int
    samples: Sequence[tuple[float, Sample]]

    def most(self, first: float, last: float) -> Sample:
        """The most that was seen while the share read was between these."""
        inside = [sample for share, sample in self.samples if first <= share <= last]
        if not inside:
            raise ClientFailed(f"nothing was seen between {first:.0%} and {last:.0%} of the table")
        return most_of(inside)


def most_of(samples: Sequence[Sample]) -> Sample:
    """The highest of each figure."""
    return Sample(**{name: max(getattr(sample, name) for sample in samples) for name in Sample.__slots__})


def look_at(process: Path) -> Sample:
    """Look at a process by its folder under /proc; raises OSError when it has ended."""
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    kinds = Counter(kind_of(link) for link in (process / "fd").iterdir())
    return Sample(
        rss_bytes=int(status["VmRSS"].split()[0]) * 1024,
        threads=int(status["Threads"]),
        sockets=kinds["socket"],
        files=kinds["file"],
        others=kinds["other"],
    )


def kind_of(link: Path) -> str:
    """What an open descriptor is: socket, file, other, or gone by now."""
    try:
        target = str(link.readlink())
    except FileNotFoundError:
        return "gone"
    if target.startswith("socket:"):
        return "socket"
    return "file" if target.startswith("/") else "other"


def run(endpoint: Endpoint, items: int = ITEMS) -> Soaked:
    """Export a table of so many items in a fresh process, and watch it."""
    job = Job(client="ours", url=endpoint.url, items=items, segments=SEGMENTS)
    before = endpoint.stats()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "outcome.json"
        with worker(job, file) as process, Watcher(endpoint, items, PROC / str(process.pid)) as watcher:
            output, _ = process.communicate()
        if process.returncode:
            raise ClientFailed(f"the export ended with {process.returncode}:\n{output[-LOG_TAIL:]}")
        outcome = Outcome(**json.loads(file.read_text()))
    after = endpoint.stats()
    check([job], [outcome], before, after)
    scan_bytes = after.scan_bytes - before.scan_bytes
    return Soaked(items=items, outcome=outcome, scan_bytes=scan_bytes, samples=watcher.samples)


class Watcher:
    """A thread that looks at a process until the block ends or the process does."""

    def __init__(self, endpoint: Endpoint, items: int, process: Path) -> None:
        self.samples: list[tuple[float, Sample]] = []
        self._endpoint = endpoint
        self._items = items
        self._process = process
        self._read_before = endpoint.stats().scan_items + WARM_UP_ITEMS
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            read = self._endpoint.stats().scan_items - self._read_before
            try:
                self.samples.append((read / self._items, look_at(self._process)))
            except (OSError, KeyError):  # the process has ended; one that nobody waited for has no memory
                return


def report(soaked: Soaked) -> Report:
    """Put the stages and the verdicts together."""
    stages = {name: soaked.most(*shares) for name, shares in STAGES.items()}
    used = soaked.outcome
    cpu_per_gb = used.cpu_seconds / soaked.scan_bytes * GB
    columns = ["stage", "of the items", "RSS MB", "threads", "sockets", "files", "pipes and others"]
    return Report(
        mode="soak",
        notes=[
            f"{soaked.items:,} items, {soaked.scan_bytes / GB:.1f} GB of Scan replies, {SEGMENTS} segments",
            f"{used.wall_seconds:.0f} s, {cpu_per_gb:.2f} CPU s/GB",
            f"the most seen in each stage, looked at every {SAMPLE_SECONDS:g} s; MB is 1e6 bytes",
            f"the interpreter with Airflow loaded: {used.loaded_rss_bytes / MB:.0f} MB",
            f"peak of the whole export: {used.peak_rss_bytes / MB:.0f} MB",
        ],
        table=Table(columns, [row(name, sample) for name, sample in stages.items()]),
        verdicts=verdicts(stages["start"], stages["end"]),
    )


def row(name: str, sample: Sample) -> list[str]:
    """One line of the table."""
    first, last = STAGES[name]
    counts = (sample.threads, sample.sockets, sample.files, sample.others)
    return [name, f"{first:.0%} to {last:.0%}", f"{sample.rss_bytes / MB:.0f}", *map(str, counts)]


def verdicts(start: Sample, end: Sample) -> list[Verdict]:
    """Memory is flat and nothing is left open.

    How many connections the two clients keep depends on how many threads happened to call at once: up to
    one for each thread and client.
    """
    growth = end.rss_bytes / start.rss_bytes
    limit = f"<= {GROWTH:g}"
    return [
        Verdict("RSS at the end, times that at the start", f"{growth:.2f}", limit, growth <= GROWTH),
        _at_most("sockets", end.sockets, max(start.sockets, CLIENTS * start.threads)),
        *(
            _at_most(name, getattr(end, name), getattr(start, name))
            for name in ("threads", "files", "others")
        ),
    ]


def _at_most(name: str, count: int, limit: int) -> Verdict:
    return Verdict(f"{name} at the end", str(count), f"<= {limit}", count <= limit)
