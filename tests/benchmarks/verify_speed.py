"""CPU for each item of a verification with a table, beside that of the export, in interleaved rounds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from tests.benchmarks.endpoint import Endpoint
from tests.benchmarks.memory import MB, above
from tests.benchmarks.report import Report, Table, Verdict
from tests.benchmarks.runs import Measurement, measure
from tests.benchmarks.speed import Ratio

ITEMS = 1_000_000
SEGMENTS = 4
FILES = 8
READS = 2  # of every item: in the table, and in a file
CEILING = 2.0
LABELS = {"ours": "our DynamoDBExportOperator", "verify": "our DynamoDBVerifyOperator, with a table"}

Round = dict[str, Measurement]


def run_rounds(endpoint: Endpoint, *, items: int, rounds: int) -> list[Round]:
    """Export and verify, round after round."""
    return [run_round(endpoint, items) for _ in range(rounds)]


def run_round(endpoint: Endpoint, items: int) -> Round:
    """Export a table, and compare an export of it with it."""
    return {
        client: measure(endpoint, client, items=items, segments=SEGMENTS, files=FILES) for client in LABELS
    }


def report(rounds: Sequence[Round]) -> Report:
    """Put medians and verdicts together."""
    ratio = Ratio([each["verify"].cpu_per_million / READS / each["ours"].cpu_per_million for each in rounds])
    name = "verify reads at export speed: its CPU for each item read, times the export's"
    return Report(
        mode="verify",
        notes=[
            "medians; M: a million items of about 540 bytes of JSON; the same table and pages for both",
            "verify reads every item twice, in the table and in the export's files, and digests both",
        ],
        table=Table(
            ["client", "segments", "CPU s/M", "items/CPU s", "wall s", "items", "above loaded MB"],
            [row(client, [each[client] for each in rounds]) for client in LABELS],
        ),
        verdicts=[Verdict(name, str(ratio), f"<= {CEILING:g}", ratio.median <= CEILING)],
    )


def row(client: str, runs: Sequence[Measurement]) -> list[str]:
    """One line of the table."""
    cpu = median(run.cpu_per_million for run in runs)
    return [
        LABELS[client],
        str(SEGMENTS),
        f"{cpu:.2f}",
        f"{1e6 / cpu:,.0f}",
        f"{median(run.wall_seconds for run in runs):.1f}",
        f"{runs[0].items:,}",
        f"{median(above(run) for run in runs) / MB:.0f}",
    ]
