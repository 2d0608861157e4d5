"""CPU for each item, side by side, in interleaved rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.endpoint import Endpoint
from tests.benchmarks.report import Report, Table, Verdict
from tests.benchmarks.runs import Measurement, measure

SEGMENTS = (1, 4)
CLIENTS = ("download", "ours", "operator")
LABELS = {
    "ours": "our DynamoDBExportOperator",
    "operator": "amazon DynamoDBToS3Operator",
    "download": "download + gzip",
}
PEER_SHARE = 30  # the peer exports a thirtieth of the items, or a round would take minutes
OPERATOR_FLOOR = 38.0
DOWNLOAD_CEILING = 2.0
ENDPOINT_CEILING = 0.25
MB = 1e6

Round = dict[tuple[str, int], Measurement]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure in each round, and its median."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.values)

    def __str__(self) -> str:
        """Write the median, and the lowest and highest."""
        return f"{self.median:.2f} [{min(self.values):.2f} to {max(self.values):.2f}]"


def run_rounds(endpoint: Endpoint, *, items: int, rounds: int) -> list[Round]:
    """Measure every client at every number of segments, round after round."""
    return [run_round(endpoint, items) for _ in range(rounds)]


def run_round(endpoint: Endpoint, items: int) -> Round:
    """Measure every client once."""
    return {
        (client, segments): measure(endpoint, client, items=items_for(client, items), segments=segments)
        for segments in SEGMENTS
        for client in CLIENTS
    }


def items_for(client: str, items: int) -> int:
    """How many items a client exports."""
    return items // PEER_SHARE if client == "operator" else items


def report(rounds: Sequence[Round], items: int) -> Report:
    """Put medians and verdicts together."""
    keys = [(client, segments) for segments in SEGMENTS for client in CLIENTS]
    columns = ["client", "segments", "CPU s/M", "CPU s/GB", "items/CPU s", "wall s", "items"]
    columns += ["sent MB", "RSS MB", "endpoint s/GB", "CPU vs ours"]
    return Report(
        mode="speed",
        notes=notes(items),
        table=Table(columns, [row(rounds, *key) for key in keys]),
        verdicts=verdicts(rounds),
    )


def notes(items: int) -> list[str]:
    """What a reader must know to judge the figures."""
    return [
        "medians; M: a million items; GB: 1e9 bytes of Scan response JSON; items of about 540 bytes of JSON",
        "no sets and no binaries in the items: the amazon operator raises on both",
        "ours: default settings, so gzip; the amazon operator: file_size=1e8, and it cannot compress",
        f"the amazon operator exports {items_for('operator', items):,} items, the others {items:,}",
        "the amazon operator at 4 segments is 4 processes, each with its Segment; CPU is their sum",
        "download + gzip: http.client and isal level 1, output dropped; it finds the next key, no more",
        "CPU is user + system after imports and a small warm-up; the endpoint's own is not in it",
    ]


def row(rounds: Sequence[Round], client: str, segments: int) -> list[str]:
    """One line of the table."""
    runs = [each[client, segments] for each in rounds]
    cpu = median(run.cpu_per_million for run in runs)
    return [
        LABELS[client],
        str(segments),
        f"{cpu:.2f}",
        f"{median(run.cpu_per_gb for run in runs):.2f}",
        f"{1e6 / cpu:,.0f}",
        f"{median(run.wall_seconds for run in runs):.1f}",
        f"{runs[0].items:,}",
        f"{median(run.uploaded_bytes for run in runs) / MB:.0f}",
        f"{median(run.peak_rss_bytes for run in runs) / MB:.0f}",
        f"{median(run.endpoint_cpu_per_gb for run in runs):.2f}",
        f"{cpu_ratio(rounds, client, 'ours', segments).median:.2f}",
    ]


def cpu_ratio(rounds: Sequence[Round], client: str, other: str, segments: int) -> Ratio:
    """A client's CPU for each item as a multiple of another's, round by round."""
    pairs = [(each[client, segments], each[other, segments]) for each in rounds]
    return Ratio([one.cpu_per_million / two.cpu_per_million for one, two in pairs])


def verdicts(rounds: Sequence[Round]) -> list[Verdict]:
    """The acceptance numbers, and that the endpoint did not matter."""
    found = []
    for segments in SEGMENTS:
        peer = cpu_ratio(rounds, "operator", "ours", segments)
        name = f"items per CPU second, times the amazon operator's, {segments} segments"
        found.append(Verdict(name, str(peer), f">= {OPERATOR_FLOOR:g}", peer.median >= OPERATOR_FLOOR))
    for segments in SEGMENTS:
        floor = cpu_ratio(rounds, "ours", "download", segments)
        name = f"CPU, times that of download + gzip, {segments} segments"
        found.append(Verdict(name, str(floor), f"<= {DOWNLOAD_CEILING:g}", floor.median <= DOWNLOAD_CEILING))
    ours = [each["ours", segments] for each in rounds for segments in SEGMENTS]
    share = Ratio([run.endpoint_cpu_seconds / run.cpu_seconds for run in ours])
    name = "the endpoint's own CPU, as a share of ours"
    return [*found, Verdict(name, str(share), f"<= {ENDPOINT_CEILING:g}", share.median <= ENDPOINT_CEILING)]
