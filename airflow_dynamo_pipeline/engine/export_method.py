"""Which way to export: a throttled scan, a native export of everything, or native exports of the changes.

What a way cannot do rules it out. Of those that are left, and that are expected in time, the cheapest wins;
at the same price the scan, for it shows the table as it is now and its progress is seen.

How long a native export takes is nowhere promised: DynamoDB's documentation of ExportTableToPointInTime
gives no figure. So a scan that is expected within an hour counts as the fastest way, for its time is the
only one that can be told; beyond that a native export does, which by experience takes minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_dynamo_pipeline.engine.estimate import Estimate
from airflow_dynamo_pipeline.engine.native_windows import (
    SHORTEST,
    Recovery,
    check_reaches_back,
    recoverable_from_to,
    said,
    windows_between,
)
from airflow_dynamo_pipeline.engine.plan_cost import Cost, duration, money, rounded
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import RecoveryUnavailable

SCAN, FULL, INCREMENTAL = "scan", "full", "incremental"
LONG_SCAN_SECONDS = 3600.0
UNPROMISED = "a native export usually takes minutes, though DynamoDB promises no time"
TOLD = "the only way whose time can be told"
LEAST_BILLED = 10 * 1024**2  # bytes of each incremental export, "DynamoDB data export to Amazon S3"
UNCOUNTED = "DynamoDB has not counted the table yet, so no price is known"
BY_WRITES = "by the write units since the last native export"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sights:
    """What was seen of a table beside its size."""

    recovery: Recovery | None = None
    recovery_unknown: str = ""  # why it could not be read
    target_unreadable: str = ""  # why it could not be seen what was exported natively before
    chain_end: datetime | None = None  # up to when native exports below the target have all changes
    chain_unknown: str = "there is no full native export of the table below the target"
    written_bytes: float | None = None  # since then, by the write units of the table; None: unknown


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way to export. ``dollars`` and ``seconds`` are None where nobody can tell."""

    method: str  # scan, full or incremental
    refused: str | None = None  # why it cannot be gone
    dollars: float | None = None
    seconds: float | None = None
    cost: Cost | None = None  # of a scan, what its units cost
    price_by: str = ""  # what the dollars go by, if that is no figure of DynamoDB's

    @property
    def price(self) -> float:
        """For comparing: what nobody can tell is taken for the dearest."""
        return float("inf") if self.dollars is None else round(self.dollars, 4)

    def to_json(self) -> JsonObject:
        """The way as a JSON object."""
        return {
            "method": self.method,
            "refused": self.refused,
            "dollars": rounded(self.dollars),
            "seconds": self.seconds,
        }

    def __str__(self) -> str:
        """Say the way in a few words."""
        if self.refused:
            return f"{self.method}: not possible, {self.refused}"
        cost = money(self.dollars) if self.cost is None else str(self.cost)
        if self.price_by and self.dollars is not None:
            cost += f" {self.price_by}"
        return f"{self.method}: {cost}, {self._time}"

    @property
    def _time(self) -> str:
        if self.seconds is not None:
            return f"about {duration(self.seconds)}"
        return "an unknown time" if self.method == SCAN else "no time is promised"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The way to go, why, and all ways that were looked at, the scan first."""

    method: str
    reason: str
    ways: Sequence[Way] = ()
    estimate: Estimate | None = None  # of the scan; None where nobody looked

    @property
    def possible(self) -> Sequence[Way]:
        """The ways that can be gone."""
        return [way for way in self.ways if way.refused is None]

    @property
    def cheapest(self) -> str | None:
        """The method that adds least to the bill; None where no price is known, or not the scan's size."""
        if self._uncounted:
            return None
        priced = [way for way in self.possible if way.dollars is not None]
        return min(priced, key=lambda way: way.price).method if priced else None

    @property
    def fastest(self) -> tuple[str, str] | None:
        """The method that is expected to end first, and what that goes by; None where nobody can tell."""
        if not self.ways or self._uncounted:
            return None
        native = next((way.method for way in reversed(self.possible) if way.method != SCAN), None)
        if native is not None and (self.ways[0].seconds or 0.0) > LONG_SCAN_SECONDS:
            return native, UNPROMISED
        return SCAN, TOLD

    def lines(self) -> Iterator[str]:
        """Lines for a log."""
        yield f"method {self.method}: {self.reason}"
        if self.estimate is not None:
            items, size = self.estimate.items, self.estimate.bytes
            yield self._uncounted or f"{items:,} items and {size:,} bytes, as DynamoDB counted them"
        yield from map(str, self.ways)
        if self.ways:
            fastest = ", ".join(self.fastest or ["not known"])
            yield f"cheapest: {self.cheapest or 'not known'}; fastest: {fastest}"

    @property
    def _uncounted(self) -> str:
        return "" if self.estimate is None else self.estimate.uncounted

    def figures(self) -> JsonObject:
        """The estimate as a JSON object, empty where nobody looked."""
        return {} if self.estimate is None else self.estimate.to_json()

    def to_json(self) -> JsonObject:
        """The choice as members of a JSON object."""
        fastest, why = self.fastest or (None, None)
        return {
            "method": self.method,
            "method_reason": self.reason,
            "methods": [way.to_json() for way in self.ways],
            "cheapest": self.cheapest,
            "fastest": fastest,
            "fastest_reason": why,
        }


def choose_method(request: ExportRequest, estimate: Estimate, sights: Sights) -> Choice:
    """Choose, whatever ``request.method`` says, by the prices that the estimate was made with."""
    ways = [
        Way(method=SCAN, dollars=estimate.cost.dollars, seconds=estimate.seconds, cost=estimate.cost),
        _full(request, estimate, sights),
        _incremental(request, estimate, sights),
    ]
    possible = [way for way in ways if way.refused is None]
    limit = request.finish_within_seconds
    in_time = [way for way in possible if limit is None or (way.seconds is not None and way.seconds <= limit)]
    natives = [way for way in possible if way.method != SCAN]
    if not natives:
        return Choice(method=SCAN, reason="nothing else is possible", ways=ways, estimate=estimate)
    if in_time:
        best = min(in_time, key=lambda way: way.price)
        reason = _why_cheapest(best, estimate)
        if limit is not None:
            reason += f", that is expected within {limit:,.0f} seconds"
    else:
        best = min(natives, key=lambda way: way.price)
        scan = "nobody knows how long the scan takes, for DynamoDB has not counted the table yet"
        if ways[0].seconds is not None:
            scan = f"the scan would take {ways[0].seconds:,.0f} seconds and not {limit or 0:,.0f}"
        reason = f"{scan}; {UNPROMISED}"
    return Choice(method=best.method, reason=reason, ways=ways, estimate=estimate)


def _why_cheapest(best: Way, estimate: Estimate) -> str:
    if estimate.uncounted:
        return UNCOUNTED if best.dollars is None else f"{UNCOUNTED} but its own, by {estimate.prices.source}"
    if best.dollars is None:
        return estimate.prices.source
    if not estimate.prices.known:
        return "the cheapest: its units are paid for anyway"
    return f"the cheapest, by {estimate.prices.source}"


def beside_a_scan(request: ExportRequest, estimate: Estimate) -> str:
    """What else there may be, in words, where only the scan's own figures were looked at."""
    names = unknown_to_natives(request)
    if names:
        return f"no native export knows {', '.join(names)}"
    price = money(estimate.native_dollars)
    return f"a full native export, where point-in-time recovery is on: {price}, no time is promised"


def _full(request: ExportRequest, estimate: Estimate, sights: Sights) -> Way:
    refused = next(_native_cannot(request, sights), None)
    return Way(method=FULL, refused=refused, dollars=estimate.native_dollars)


def _incremental(request: ExportRequest, estimate: Estimate, sights: Sights) -> Way:
    refused = next(_native_cannot(request, sights), None) or next(_changes_cannot(sights), None)
    billed = _billed_of_changes(sights)
    dollars = None if billed is None else estimate.prices.native_export(billed)
    return Way(method=INCREMENTAL, refused=refused, dollars=dollars, price_by=BY_WRITES)


def _billed_of_changes(sights: Sights) -> float | None:
    """The bytes that incremental exports will about be billed for; None: unknown."""
    if sights.written_bytes is None or sights.chain_end is None or sights.recovery is None:
        return None
    latest = sights.recovery.latest_at or sights.chain_end
    return max(sights.written_bytes, len(windows_between(sights.chain_end, latest)) * float(LEAST_BILLED))


def unknown_to_natives(request: ExportRequest) -> list[str]:
    """The settings that DynamoDB's own exports cannot follow."""
    asked = {
        "index_name": request.index_name is not None,
        "filter_expression": request.filter_expression is not None,
        "projection_expression": request.projection_expression is not None,
        "consistent_read": request.consistent_read,
        f"file_format={request.file_format}": request.file_format != "dynamodb_json",
        f"compression={request.compression}": request.compression != "gzip",
        f"on_existing={request.on_existing}": request.on_existing != "resume",
        "save_table_definition": request.save_table_definition,
    }
    return [name for name, is_asked in asked.items() if is_asked]


def _native_cannot(request: ExportRequest, sights: Sights) -> Iterator[str]:
    """Why DynamoDB's own exports cannot do what is asked."""
    names = unknown_to_natives(request)
    if names:
        yield f"it knows no {', '.join(names)}"
    if sights.target_unreadable:
        yield sights.target_unreadable
    if sights.recovery is None:
        yield sights.recovery_unknown or "point-in-time recovery was not looked at"
        return
    try:
        recoverable_from_to(sights.recovery)
    except RecoveryUnavailable as off:
        yield str(off).partition("\n")[0]


def _changes_cannot(sights: Sights) -> Iterator[str]:
    """Why changes cannot follow on what there is below the target."""
    begin, recovery = sights.chain_end, sights.recovery
    if begin is None or recovery is None:
        yield sights.chain_unknown
        return
    try:
        check_reaches_back(begin, recovery)
        _, latest = recoverable_from_to(recovery)
    except RecoveryUnavailable as gap:
        yield str(gap).partition("\n")[0]
        return
    if not windows_between(begin, latest):
        yield f"all changes until {said(begin)} are exported, less than {SHORTEST.seconds // 60} minutes ago"
