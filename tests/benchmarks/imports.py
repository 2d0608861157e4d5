"""CPU for each item written, side by side, in interleaved rounds; and proof that each is written once."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from tests.benchmarks.endpoint import Endpoint, Stats, running_endpoint
from tests.benchmarks.report import Report, Table, Verdict
from tests.benchmarks.runs import Measurement, measure
from tests.benchmarks.speed import Ratio
from tests.benchmarks.worker import WARM_UP_ITEMS

ITEMS = 1_000_000
SHARES = {"import": 1, "import-botocore": 10, "batch-writer": 50, "hook": 50}  # of the items: one in so many
FILES = 8
SEGMENTS = 1  # the peers write from one thread, too
PERCENT = 5  # of every batch, handed back in the second run of each client
LABELS = {
    "import": "our import operator",
    "import-botocore": "ours on botocore",
    "batch-writer": "boto3 batch_writer",
    "hook": "amazon write_batch_data",
}
FLOORS = {"batch-writer": 30.0, "hook": 35.0}
ENDPOINT_CEILING = 0.25
CHECKED_ITEMS = 3_000
MB = 1e6

Key = tuple[str, int]  # client, and how many of a hundred items come back
Round = dict[Key, Measurement]
KEYS: Sequence[Key] = (
    ("import", 0),
    ("batch-writer", 0),
    ("hook", 0),
    ("import-botocore", 0),
    ("import", PERCENT),
    ("batch-writer", PERCENT),
    ("hook", PERCENT),
)


def run_rounds(endpoint: Endpoint, *, items: int, rounds: int) -> list[Round]:
    """Measure every client, with and without items that come back, round after round."""
    return [{key: run_client(endpoint, key, items_for(key[0], items)) for key in KEYS} for _ in range(rounds)]


def run_client(endpoint: Endpoint, key: Key, items: int) -> Measurement:
    """Measure one client once."""
    client, percent = key
    return measure(endpoint, client, items=items, segments=SEGMENTS, files=FILES, unprocessed=percent)


def items_for(client: str, items: int) -> int:
    """How many items a client writes."""
    return items // SHARES[client]


def run_checked() -> dict[Key, bool]:
    """Whether each client writes a few items once and unchanged, to an endpoint that parses them."""
    return {key: check_client(key) for key in KEYS}


def check_client(key: Key) -> bool:
    """Run one client against an endpoint of its own."""
    with running_endpoint(pages=1, checks=True) as endpoint:
        run_client(endpoint, key, CHECKED_ITEMS)
        return is_exact(endpoint.stats(), CHECKED_ITEMS)


def is_exact(stats: Stats, items: int) -> bool:
    """Whether an endpoint that has seen one run has seen every item of it, and of its warm-up, just once."""
    expected = items + WARM_UP_ITEMS
    counted = expected == stats.written_items == stats.distinct_items
    return counted and not stats.repeated_items and not stats.wrong_items


def report(rounds: Sequence[Round], checked: dict[Key, bool]) -> Report:
    """Put medians and verdicts together."""
    columns = ["client", "unproc.", "CPU s/M", "items/CPU s", "wall s", "items", "requests"]
    columns += ["returned", "sent MB", "RSS MB", "endpoint", "vs ours"]
    return Report(
        mode="import",
        notes=notes(),
        table=Table(columns, [row(rounds, key) for key in KEYS]),
        verdicts=verdicts(rounds, checked),
    )


def notes() -> list[str]:
    """What a reader must know to judge the figures."""
    return [
        "medians; M: a million items, of about 540 bytes of JSON each; from a gzip backup in DynamoDB JSON",
        "the slower clients write fewer items, or a round would take minutes",
        f"ours: {SEGMENTS} batches at a time in one process; the peers know one at a time",
        "the peers gunzip line by line, json.loads, boto3's TypeDeserializer: they take Python values",
        "write_batch_data is DynamoDBHook's; on botocore: the fallback of the lean transport",
        f"unproc.: {PERCENT} % of every batch comes back and is sent again",
        "requests, returned and sent include a warm-up of 200 items, CPU does not; nor the endpoint's own",
        "endpoint: its CPU as a share of the client's; vs ours: CPU for each item",
    ]


def row(rounds: Sequence[Round], key: Key) -> list[str]:
    """One line of the table."""
    client, percent = key
    runs = [each[key] for each in rounds]
    cpu = median(run.cpu_per_million for run in runs)
    return [
        LABELS[client],
        f"{percent} %",
        f"{cpu:.2f}",
        f"{1e6 / cpu:,.0f}",
        f"{median(run.wall_seconds for run in runs):.1f}",
        f"{runs[0].items:,}",
        f"{median(run.writes for run in runs):,.0f}",
        f"{median(run.returned_items for run in runs):,.0f}",
        f"{median(run.write_bytes for run in runs) / MB:.0f}",
        f"{median(run.peak_rss_bytes for run in runs) / MB:.0f}",
        f"{endpoint_share(runs).median:.2f}",
        f"{times_ours(rounds, key).median:.2f}",
    ]


def times_ours(rounds: Sequence[Round], key: Key) -> Ratio:
    """A client's CPU for each item as a multiple of ours in the same condition, round by round."""
    ours = ("import", key[1])
    return Ratio([each[key].cpu_per_million / each[ours].cpu_per_million for each in rounds])


def endpoint_share(runs: Sequence[Measurement]) -> Ratio:
    """The endpoint's CPU as a share of a client's."""
    return Ratio([run.endpoint_cpu_seconds / run.cpu_seconds for run in runs])


def verdicts(rounds: Sequence[Round], checked: dict[Key, bool]) -> list[Verdict]:
    """The acceptance numbers, that each item was written once, and that the endpoint did not matter."""
    found = []
    for percent in (0, PERCENT):
        for client, floor in FLOORS.items():
            ratio = times_ours(rounds, (client, percent))
            name = f"items per CPU second, times {LABELS[client]}, {percent} % unprocessed"
            found.append(Verdict(name, str(ratio), f">= {floor:g}", ratio.median >= floor))
    exact = f"runs that wrote each of {CHECKED_ITEMS:,} items once and unchanged"
    found.append(Verdict(exact, f"{sum(checked.values())}", f"all {len(checked)}", all(checked.values())))
    share = endpoint_share([each["import", 0] for each in rounds])
    name = "the endpoint's own CPU, as a share of ours"
    return [*found, Verdict(name, str(share), f"<= {ENDPOINT_CEILING:g}", share.median <= ENDPOINT_CEILING)]
