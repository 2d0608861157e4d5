"""The rate held in real time, and the worst second, from 25 to 10,000 units per second."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import boto3

from airflow_dynamo_pipeline.adapters.wiring import engine_config, export_ports
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.ports import ScanCall, TableDescription, TableReader
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.sizing import BYTES_PER_UNIT
from airflow_dynamo_pipeline.engine.table_export import export_table
from airflow_dynamo_pipeline.items.page import ReplyText, cut_page
from tests.benchmarks.endpoint import Endpoint
from tests.benchmarks.report import Report, Table, Verdict
from tests.benchmarks.worker import BUCKET

RUNS = ((25, 1, 20), (25, 4, 20), (200, 4, 20), (1000, 4, 20), (5000, 4, 15), (10_000, 8, 15))
ITEM_BYTES = 353  # of the endpoint's items, as DynamoDB counts
WITHIN = 0.01
Call = tuple[float, float]  # when it was sent, and the units it cost


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What one run asked for and what came of it."""

    asked: float
    segments: int
    held: float
    worst_second: float  # units
    largest_page: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """A table that notes when each page was asked for and what it cost."""

    inner: TableReader
    calls: list[Call] = field(default_factory=list)

    def describe(self) -> TableDescription:
        """Describe the table."""
        return self.inner.describe()

    def scan(self, call: ScanCall) -> ReplyText:
        """Read one page."""
        sent_at = time.monotonic()
        body = self.inner.scan(call)
        self.calls.append((sent_at, cut_page(body).units or 0.0))
        return body


def run_rates(endpoint: Endpoint) -> list[Held]:
    """Export at each rate for some seconds."""
    return [run(endpoint, *one) for one in RUNS]


def run(endpoint: Endpoint, asked: int, segments: int, seconds: int) -> Held:
    """Export a table that takes so many seconds at this rate."""
    session = boto3.Session(
        aws_access_key_id="bench",
        aws_secret_access_key="bench",
        region_name="eu-west-1",
    )
    request = ExportRequest(
        table_name=f"std-{asked * seconds * BYTES_PER_UNIT // ITEM_BYTES}",
        s3_uri=f"s3://{BUCKET}/rate-{asked}-{segments}",
        units_per_second=asked,
        segments=segments,
    )

    def client(service: str) -> Any:
        return session.client(service, endpoint_url=endpoint.url, config=engine_config(None))  # type: ignore[call-overload]

    ports = export_ports(client, request, stop=threading.Event(), say=_drop, warn=_drop)
    table = Recorded(ports.table)
    work = Work(run="rate", generation="0", began_at=datetime.now(UTC))
    result = export_table(request, work, replace(ports, table=table), Reports(_drop))
    return Held(
        asked=asked,
        segments=segments,
        held=result.units_per_second_held,
        worst_second=worst_window(table.calls, 1.0),
        largest_page=max(units for _, units in table.calls),
    )


def worst_window(calls: Iterable[Call], seconds: float) -> float:
    """The most units of calls sent within any so many seconds.

    >>> worst_window([(0.0, 5.0), (0.5, 1.0), (1.0, 7.0)], 1.0)
    8.0
    """
    in_order = sorted(calls)
    worst = total = 0.0
    first = 0
    for sent_at, units in in_order:
        total += units
        while sent_at - in_order[first][0] >= seconds:
            total -= in_order[first][1]
            first += 1
        worst = max(worst, total)
    return worst


def report(runs: Sequence[Held]) -> Report:
    """Put the rates and the verdicts together."""
    columns = ["units/s asked", "segments", "held %", "worst second %", "... less one page %", "largest page"]
    return Report(
        mode="rate",
        notes=["worst second: calls sent within any second, whatever their replies took"],
        table=Table(columns, [row(one) for one in runs]),
        verdicts=verdicts(runs),
    )


def row(one: Held) -> list[str]:
    """One line of the table."""
    shares = (one.held, one.worst_second, one.worst_second - one.largest_page)
    return [
        f"{one.asked:,}",
        str(one.segments),
        *(f"{100 * share / one.asked:.2f}" for share in shares),
        f"{one.largest_page:g}",
    ]


def verdicts(runs: Sequence[Held]) -> list[Verdict]:
    """Within one percent over each run, and never above the rate by more than a page in a second."""
    lowest = min(one.held / one.asked for one in runs)
    highest = max(one.held / one.asked for one in runs)
    above = max((one.worst_second - one.largest_page) / one.asked for one in runs)
    return [
        Verdict(
            "rate held, of the rate asked",
            f"{lowest:.4f} to {highest:.4f}",
            f"1 +- {WITHIN:g}",
            1 - WITHIN <= lowest <= highest <= 1 + WITHIN,
        ),
        Verdict("worst second less one page, of the rate asked", f"{above:.4f}", "<= 1", above <= 1),
    ]


def _drop(_: object) -> None:
    """Nobody listens."""
