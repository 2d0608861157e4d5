"""Which way to export: a throttled scan, a native export of everything, or native exports of the changes.

What a way cannot do rules it out. Of those that are left, and that are expected in time, the cheapest wins;
at the same price the scan, for it shows the table as it is now and its progress is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
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
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.prices import GB, NATIVE_EXPORT_GB_DOLLARS, READ_UNIT_DOLLARS, REGION
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import RecoveryUnavailable

SCAN, FULL, INCREMENTAL = "scan", "full", "incremental"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sights:
    """What was seen of a table beside its size."""

    on_demand: bool
    recovery: Recovery | None = None
    recovery_unknown: str = ""  # why it could not be read
    target_unreadable: str = ""  # why it could not be seen what was exported natively before
    chain_end: datetime | None = None  # up to when native exports below the target have all changes
    chain_unknown: str = "there is no full native export of the table below the target"
    changed_bytes: float | None = None  # since then, at most; None: unknown


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way to export. ``dollars`` and ``seconds`` are None where nobody can tell."""

    method: str  # scan, full or incremental
    refused: str | None = None  # why it cannot be gone
    dollars: float | None = None
    seconds: float | None = None

    @property
    def price(self) -> float:
        """For comparing: what nobody can tell is taken for the dearest."""
        return float("inf") if self.dollars is None else round(self.dollars, 4)

    def __str__(self) -> str:
        """Say the way in a few words."""
        if self.refused:
            return f"{self.method}: not possible, {self.refused}"
        cost = "an unknown price" if self.dollars is None else f"about {self.dollars:,.2f} dollars"
        time = "no time is promised" if self.seconds is None else f"about {self.seconds:,.0f} seconds"
        return f"{self.method}: {cost}, {time}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The way to go, why, and all ways that were looked at."""

    method: str
    reason: str
    ways: Sequence[Way] = ()

    def lines(self) -> Iterator[str]:
        """Lines for a log."""
        yield f"method {self.method}: {self.reason}"
        yield from map(str, self.ways)

    def to_json(self) -> JsonObject:
        """The choice as members of a JSON object."""
        return {
            "method": self.method,
            "method_reason": self.reason,
            "methods": [asdict(way) for way in self.ways],
        }


def choose_method(request: ExportRequest, estimate: Estimate, sights: Sights) -> Choice:
    """Choose, whatever ``request.method`` says; prices are list prices of one region."""
    ways = [
        _scan(estimate, sights),
        _full(request, estimate, sights),
        _incremental(request, sights),
    ]
    possible = [way for way in ways if way.refused is None]
    limit = request.finish_within_seconds
    in_time = [way for way in possible if limit is None or (way.seconds is not None and way.seconds <= limit)]
    natives = [way for way in possible if way.method != SCAN]
    if not natives:
        reason = "nothing else is possible"
    elif in_time:
        possible = in_time
        reason = f"the cheapest, by list prices of {REGION}"
        if limit is not None:
            reason += f", that is expected within {limit:,.0f} seconds"
    else:
        possible = natives
        reason = (
            f"the scan would take {ways[0].seconds or 0:,.0f} seconds and not {limit or 0:,.0f}; "
            "a native export usually takes minutes, though DynamoDB promises no time"
        )
    best = min(possible, key=lambda way: way.price)
    return Choice(method=best.method, reason=reason, ways=ways)


def _scan(estimate: Estimate, sights: Sights) -> Way:
    """Provisioned units are paid for whether they are used or not."""
    dollars = estimate.read_units * READ_UNIT_DOLLARS if sights.on_demand else 0.0
    return Way(method=SCAN, dollars=dollars, seconds=estimate.seconds)


def _full(request: ExportRequest, estimate: Estimate, sights: Sights) -> Way:
    refused = next(_native_cannot(request, sights), None)
    return Way(method=FULL, refused=refused, dollars=estimate.bytes / GB * NATIVE_EXPORT_GB_DOLLARS)


def _incremental(request: ExportRequest, sights: Sights) -> Way:
    refused = next(_native_cannot(request, sights), None) or next(_changes_cannot(sights), None)
    changed = sights.changed_bytes
    dollars = None if changed is None else changed / GB * NATIVE_EXPORT_GB_DOLLARS
    return Way(method=INCREMENTAL, refused=refused, dollars=dollars)


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
