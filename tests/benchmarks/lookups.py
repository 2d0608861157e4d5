"""Nightly mirrors beside a plain reload: CPU for each key, the peak of memory, and what is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.lookup_endpoint import Counts, LookupEndpoint
from tests.benchmarks.lookup_items import KEYS_PER_BLOCK, blocks_for, changes_in
from tests.benchmarks.memory import MB
from tests.benchmarks.report import Report, Table, Verdict
from tests.benchmarks.runs import MILLION, ClientFailed, run_together
from tests.benchmarks.worker import WARM_UP_ITEMS, Job, Outcome

KEYS = 10_000_000
RELOADED = 100_000  # of them by the peer: all would take a quarter of an hour
RELOAD = "lookup-reload"
PREPARE = "lookup-prepare"
OURS = ("lookup-table", "lookup-digests", "lookup-unload", "lookup-unload-digests")
LABELS = {
    "lookup-table": "mirror, against the table",
    "lookup-digests": "mirror, against digests",
    "lookup-unload": "mirror, UNLOADed rows, against the table",
    "lookup-unload-digests": "mirror, UNLOADed rows, against digests",
    RELOAD: "reload by boto3 batch_writer",
}
FLOOR = 10.0
CEILING_BYTES = 200 * MB
MOST_OVER = 1.01  # writes, times the least that would do


@dataclass(frozen=True, slots=True)
class Night:
    """One client's run, and what the endpoint saw of it, warm-up included."""

    client: str
    outcome: Outcome
    keys: int
    writes: int
    wrong: int
    requests: int

    @property
    def cpu_per_key(self) -> float:
        """CPU microseconds for a key."""
        return self.outcome.cpu_seconds / self.keys * MILLION

    @property
    def fewest(self) -> int:
        """The writes without which the table would not equal the rows, warm-up included."""
        blocks = self.keys // KEYS_PER_BLOCK + blocks_for(WARM_UP_ITEMS)
        return sum(changes_in(blocks).values())

    @property
    def times_fewest(self) -> float:
        """The writes, as a multiple of the fewest."""
        return self.writes / self.fewest


Pair = tuple[Night, Night]
"""A mirror, and the reload that was measured right before it."""


def run_pairs(endpoint: LookupEndpoint, keys: int, reloaded: int = RELOADED) -> list[Pair]:
    """Measure each of ours after a reload; yesterday's load, which leaves the digests, is in no figure."""
    pairs = []
    for client in OURS:
        if client.endswith("digests"):
            run_night(endpoint, PREPARE, keys)
        reload = run_night(endpoint, RELOAD, reloaded)
        pairs.append((run_night(endpoint, client, keys), reload))
    return pairs


def run_night(endpoint: LookupEndpoint, client: str, keys: int) -> Night:
    """Measure one client in a fresh process."""
    before = endpoint.counts()
    (outcome,) = run_together([Job(client=client, url=endpoint.url, items=keys)])
    return checked(client, keys, outcome, before, endpoint.counts())


def checked(client: str, keys: int, outcome: Outcome, before: Counts, after: Counts) -> Night:
    """Refuse a figure whose client took another number of rows, or wrote none that it should."""
    rows = keys if client == RELOAD else blocks_for(keys) * KEYS_PER_BLOCK
    writes = after.writes - before.writes
    reloaded = after.reloaded_items - before.reloaded_items
    expected = keys + WARM_UP_ITEMS if client == RELOAD else 0
    if outcome.items != rows or reloaded != expected:
        raise ClientFailed(f"{client} took {outcome.items} of {rows} rows, reloaded {reloaded} of {expected}")
    return Night(
        client=client,
        outcome=outcome,
        keys=rows,
        writes=writes,
        wrong=after.wrong_writes - before.wrong_writes,
        requests=after.requests - before.requests,
    )


def report(pairs: Sequence[Pair]) -> Report:
    """Put figures and verdicts together."""
    columns = ["client", "keys", "CPU us/key", "keys/CPU s", "wall s", "loaded RSS MB", "peak RSS MB"]
    columns += ["writes", "fewest", "requests", "reload's CPU"]
    rows = [line for ours, reload in pairs for line in (row(ours, reload), row(reload, reload))]
    verdicts = [verdict for ours, reload in pairs for verdict in verdicts_of(ours, reload)]
    return Report(mode="lookup", notes=notes(), table=Table(columns, rows), verdicts=verdicts)


def notes() -> list[str]:
    """What a reader must know to judge the figures."""
    return [
        "one key of a hundred has changed: a third each is new, gone, updated; items of 170 bytes of JSON",
        f"the reload writes {RELOADED:,} of the same rows, each of our runs stands beside the one before it",
        "all of the load counts: rows, items, comparison, change set, writes; without Airflow, one process",
        "rows: Python values as a cursor's, made on the way, or Parquet files in the bucket, by pyarrow",
        "writes, fewest and requests include a warm-up of one page, CPU does not; nor the endpoint's own",
    ]


def row(night: Night, reload: Night) -> list[str]:
    """One line of the table."""
    mirrors = night.client != RELOAD
    return [
        LABELS[night.client],
        f"{night.keys:,}",
        f"{night.cpu_per_key:.2f}",
        f"{MILLION / night.cpu_per_key:,.0f}",
        f"{night.outcome.wall_seconds:.1f}",
        f"{night.outcome.loaded_rss_bytes / MB:.0f}",
        f"{night.outcome.peak_rss_bytes / MB:.0f}",
        f"{night.writes:,}" if mirrors else f"{night.keys:,}",
        f"{night.fewest:,}" if mirrors else "",
        f"{night.requests:,}" if mirrors else "",
        f"{reload.cpu_per_key / night.cpu_per_key:.1f} times" if mirrors else "",
    ]


def verdicts_of(night: Night, reload: Night) -> list[Verdict]:
    """The acceptance numbers of one way to mirror."""
    label = LABELS[night.client]
    ratio = reload.cpu_per_key / night.cpu_per_key
    peak = night.outcome.peak_rss_bytes
    exact = night.wrong == 0 and 1 <= night.times_fewest <= MOST_OVER
    return [
        Verdict(
            f"keys per CPU second, times a reload's: {label}",
            f"{ratio:.1f}",
            f">= {FLOOR:g}",
            ratio >= FLOOR,
        ),
        Verdict(
            f"peak RSS in MB: {label}",
            f"{peak / MB:.0f}",
            f"< {CEILING_BYTES / MB:g}",
            peak < CEILING_BYTES,
        ),
        Verdict(
            f"writes, times the fewest, none wrong: {label}",
            f"{night.times_fewest:.4f}, {night.wrong} wrong",
            f"1 to {MOST_OVER}",
            exact,
        ),
    ]
