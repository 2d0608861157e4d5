"""Which export a run works on: found again by a retry, never mistaken for another run's.

An export id is ``YYYY-MM-dd-HH-mm-ss-<8 hex>``: the run's instant and a hash of the work.
Airflow knows its run, so its ids can be computed. A command line does not; it looks for
exports whose hash is that of the same arguments.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

STAMP = "%Y-%m-%d-%H-%M-%S"


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """Who asks for an export.

    ``run`` names the logical run (dag, task, map index, run id); None on a command line.
    ``generation`` changes when a person asks anew for work that was done (Airflow: Clear), not when
    a retry repeats it. ``began_at`` is the run's logical date, or now.
    """

    run: str | None
    generation: str
    began_at: datetime


def work_hash(run: str | None, fingerprint: str, number: int = 0) -> str:
    """Eight hex digits that name the work: the run, what is exported, and which one of its exports."""
    return hashlib.sha256(f"{run or ''}\n{fingerprint}\n{number}".encode()).hexdigest()[:8]


def candidates(work: Work, fingerprint: str, existing: Iterable[str]) -> Iterator[str]:
    """Export ids this work may have, oldest first, then ids that are free.

    ``existing`` are the folder names at the target; only a work without a run needs them.
    """
    if work.run is not None:
        for number in itertools.count():
            yield f"{_stamp(work.began_at)}-{work_hash(work.run, fingerprint, number)}"
    tail = work_hash(None, fingerprint)
    yield from sorted(name for name in existing if name.endswith(f"-{tail}"))
    for second in itertools.count():
        yield f"{_stamp(work.began_at + timedelta(seconds=second))}-{tail}"


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime(STAMP)
