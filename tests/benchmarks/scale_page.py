"""The tables of docs/explanation/scale.md, from what the engine computes on paper.

``python -m tests.benchmarks.scale_page`` writes them into the page; a test holds the page to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from airflow_dynamo_pipeline.engine.prices import GB, prices_for
from airflow_dynamo_pipeline.engine.scale import Scale
from airflow_dynamo_pipeline.engine.scale_cost import TB, cost_of, emr_tools, glue_connector, machine_prices

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "scale.md"
RATIOS = (0.25, 0.5, 1.0)
ITEM_BYTES = 368  # as measured
DAY_HOURS = 48  # beyond, days are said


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A table of the page, with the capacity it has in each mode."""

    name: str
    size_bytes: int
    provisioned: float
    on_demand: float

    def scale(self, ratio: float, *, on_demand: bool) -> Scale:
        """Its export at a ratio."""
        return Scale(
            size_bytes=self.size_bytes,
            item_count=self.size_bytes // ITEM_BYTES,
            capacity=self.on_demand if on_demand else self.provisioned,
            on_demand=on_demand,
            ratio=ratio,
        )


EXAMPLES = (
    Example(name="100 GB", size_bytes=100 * GB, provisioned=4_000, on_demand=12_000),
    Example(name="1 TB", size_bytes=TB, provisioned=10_000, on_demand=40_000),
    Example(name="20 TB", size_bytes=20 * TB, provisioned=100_000, on_demand=40_000),
    Example(name="500 TB", size_bytes=500 * TB, provisioned=1_000_000, on_demand=400_000),
)


def scales(*, on_demand: bool) -> Iterator[tuple[str, Scale]]:
    """Every row of a table."""
    for example in EXAMPLES:
        for ratio in RATIOS:
            yield example.name, example.scale(ratio, on_demand=on_demand)


def sizes(*, on_demand: bool) -> str:
    """Rates, workers and hours."""
    columns = [
        "table",
        "ratio",
        "units/s",
        "partitions",
        "workers",
        "ranges",
        "segments",
        "executors",
        "takes",
    ]
    rows = [
        [
            name,
            f"{scale.ratio:g}",
            f"{scale.rate:,.0f}",
            *(f"{count:,}" for count in (scale.partitions, scale.workers, scale.ranges, scale.segments)),
            f"{scale.executors:,}",
            hours(scale.hours),
        ]
        for name, scale in scales(on_demand=on_demand)
    ]
    return markdown(columns, rows)


def machines(*, on_demand: bool) -> str:
    """Dollars by where it runs."""
    columns = ["table", "ratio", "MWAA", "EMR on EC2", "EMR Serverless", "Glue"]
    rows = []
    for name, scale in scales(on_demand=on_demand):
        cost = cost_of(scale)
        dollars = (cost.mwaa, cost.emr, cost.emr_serverless, cost.glue)
        rows.append([name, f"{scale.ratio:g}", *map(money, dollars)])
    return markdown(columns, rows)


def services() -> str:
    """Dollars that depend on the size alone."""
    columns = ["table", "read units", "on-demand", "share of provisioned", "S3 requests", "S3 for a month"]
    columns += ["native export", "PITR for a month"]
    rows = []
    for example in EXAMPLES:
        scale = example.scale(0.5, on_demand=True)
        cost, provisioned = cost_of(scale), cost_of(example.scale(0.5, on_demand=False))
        scan = (cost.dynamodb, provisioned.paid_anyway, cost.s3_requests, cost.s3_month)
        dollars = (*scan, cost.native, cost.recovery_month)
        rows.append([example.name, f"{scale.units / 1e6:,.0f} million", *map(money, dollars)])
    return markdown(columns, rows)


def others(*, on_demand: bool) -> str:
    """The same scan by other tools, at half the capacity, which is the default of both."""
    columns = ["table", "ours", "on EMR", "EMR tools", "mappers", "on EMR", "Glue", "splits", "on Glue"]
    rows = []
    for example in EXAMPLES:
        scale = example.scale(0.5, on_demand=on_demand)
        tools, glue = emr_tools(scale), glue_connector(scale)
        row = [example.name, hours(scale.hours), money(cost_of(scale).emr)]
        for tool in (tools, glue):
            row += [hours(tool.hours), f"{tool.readers:,}", money(tool.machines)]
        rows.append(row)
    return markdown(columns, rows)


def sources() -> str:
    """Every price of a machine, and where it was found."""
    prices = machine_prices()
    rows = [[f"`{kind}`", f"{price:g}", prices.sources[kind]] for kind, price in prices.by_kind.items()]
    listed = prices_for(prices.region)
    for kind in ("read_request_million", "read_capacity_hour", "export_gb"):
        source = f"[Prices](../reference/prices.md), {listed.as_of}"
        rows.append([f"`{kind}`", f"{listed.by_kind[kind]:g}", source])
    return markdown(["price", "dollars", "source"], rows, left=3)


TABLES: dict[str, Callable[[], str]] = {
    "sizes provisioned": lambda: sizes(on_demand=False),
    "sizes on-demand": lambda: sizes(on_demand=True),
    "services": services,
    "machines provisioned": lambda: machines(on_demand=False),
    "machines on-demand": lambda: machines(on_demand=True),
    "others provisioned": lambda: others(on_demand=False),
    "others on-demand": lambda: others(on_demand=True),
    "sources": sources,
}


def marks(name: str) -> tuple[str, str]:
    """What stands before and after a table in the page."""
    return f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"


def filled(page: str) -> str:
    """The page with every table as it is computed; raises ValueError where a mark is missing."""
    for name, table in TABLES.items():
        begin, end = marks(name)
        before, rest = page.split(begin)
        page = f"{before}{begin}\n{table()}\n{end}{rest.split(end)[1]}"
    return page


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """A table whose first columns are words and whose others are figures."""
    rules = ["---" if number < left else "--:" for number in range(len(columns))]
    lines = [f"| {' | '.join(row)} |\n" for row in (columns, *rows)]
    return f"{lines[0]}|{'|'.join(rules)}|\n{''.join(lines[1:])}"


def hours(count: float) -> str:
    """Hours, or days where they are many."""
    return f"{count:,.1f} h" if count <= DAY_HOURS else f"{count / 24:,.1f} days"


def money(dollars: float | None) -> str:
    """Dollars; nothing where they are not known."""
    if dollars is None:
        return ""
    return f"{dollars:,.2f}" if dollars < 100 else f"{dollars:,.0f}"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
