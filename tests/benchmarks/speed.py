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
PEER_SHARE = 60  # the peer exports a sixtieth of the items, or a round would take minutes
OPERATOR_FLOOR = 38.0
DOWNLOAD_CEILING = 2.0
ENDPOINT_CEILING = 0.35  # over HTTPS it encrypts what clients decrypt
MB = 1e6

Key = tuple[str, int, bool]  # client, segments, and whether over HTTPS
Round = dict[Key, Measurement]
KEYS: Sequence[Key] = [
    (client, segments, tls) for tls in (True, False) for segments in SEGMENTS for client in CLIENTS
]


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
    """Measure every client at every number of segments, over HTTPS and over HTTP, round after round."""
    return [run_round(endpoint, items) for _ in range(rounds)]


def run_round(endpoint: Endpoint, items: int) -> Round:
    """Measure every client once."""
    return {
        (client, segments, tls): measure(
            endpoint, client, items=items_for(client, items), segments=segments, tls=tls
        )
        for client, segments, tls in KEYS
    }


def items_for(client: str, items: int) -> int:
    """How many items a client exports."""
    return items // PEER_SHARE if client == "operator" else items


def report(rounds: Sequence[Round], items: int) -> Report:
    """Put medians and verdicts together."""
    columns = ["client", "over", "segments", "CPU s/M", "CPU s/GB", "items/CPU s", "wall s", "items"]
    columns += ["sent MB", "RSS MB", "endpoint s/GB", "CPU vs ours"]
    return Report(
        mode="speed",
        notes=notes(items),
        table=Table(columns, [row(rounds, key) for key in KEYS]),
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
        "the limits hold over HTTPS, as AWS is called; only over HTTP does botocore hash what it stores",
        "CPU is user + system after imports and a small warm-up; the endpoint's own is not in it",
    ]


def row(rounds: Sequence[Round], key: Key) -> list[str]:
    """One line of the table."""
    client, segments, tls = key
    runs = [each[key] for each in rounds]
    cpu = median(run.cpu_per_million for run in runs)
    return [
        LABELS[client],
        "HTTPS" if tls else "HTTP",
        str(segments),
        f"{cpu:.2f}",
        f"{median(run.cpu_per_gb for run in runs):.2f}",
        f"{1e6 / cpu:,.0f}",
        f"{median(run.wall_seconds for run in runs):.1f}",
        f"{runs[0].items:,}",
        f"{median(run.uploaded_bytes for run in runs) / MB:.0f}",
        f"{median(run.peak_rss_bytes for run in runs) / MB:.0f}",
        f"{median(run.endpoint_cpu_per_gb for run in runs):.2f}",
        f"{cpu_ratio(rounds, key, ('ours', segments, tls)).median:.2f}",
    ]


def cpu_ratio(rounds: Sequence[Round], one: Key, other: Key) -> Ratio:
    """A client's CPU for each item as a multiple of another's, round by round."""
    return Ratio([each[one].cpu_per_million / each[other].cpu_per_million for each in rounds])


def verdicts(rounds: Sequence[Round]) -> list[Verdict]:
    """The acceptance numbers, and that the endpoint did not matter."""
    found = []
    for segments in SEGMENTS:
        peer = cpu_ratio(rounds, ("operator", segments, True), ("ours", segments, True))
        name = f"items per CPU second, times the amazon operator's, {segments} segments"
        found.append(Verdict(name, str(peer), f">= {OPERATOR_FLOOR:g}", peer.median >= OPERATOR_FLOOR))
    for segments in SEGMENTS:
        floor = cpu_ratio(rounds, ("ours", segments, True), ("download", segments, True))
        name = f"CPU, times that of download + gzip, {segments} segments"
        found.append(Verdict(name, str(floor), f"<= {DOWNLOAD_CEILING:g}", floor.median <= DOWNLOAD_CEILING))
    ours = [each["ours", segments, True] for each in rounds for segments in SEGMENTS]
    share = Ratio([run.endpoint_cpu_seconds / run.cpu_seconds for run in ours])
    name = "the endpoint's own CPU, as a share of ours"
    return [*found, Verdict(name, str(share), f"<= {ENDPOINT_CEILING:g}", share.median <= ENDPOINT_CEILING)]
