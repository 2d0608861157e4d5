"""Which windows of changes come next, and when changes cannot follow on what there is.

A window means from its first instant, which is in it, to its last, which is not; both are whole seconds.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_dynamo_pipeline.errors import RecoveryUnavailable

SHORTEST = timedelta(minutes=15)
LONGEST = timedelta(hours=24)
MOST_DAYS = 35  # of a recovery period that does not say how long it is
SLIDING_SLACK = timedelta(days=1)  # how far from its period's beginning a window may begin that only slid
MEND_GAP = 'make a new full export, or set on_gap="full", which does it'

Window = tuple[datetime, datetime]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovery:
    """What DescribeContinuousBackups says of a table's point-in-time recovery."""

    table_name: str
    enabled: bool
    earliest_at: datetime | None = None  # the window; None: there is none yet
    latest_at: datetime | None = None
    period_days: int | None = None


def recoverable_from_to(recovery: Recovery) -> Window:
    """The window in whole seconds that lie inside it; raises RecoveryUnavailable when it is off."""
    earliest, latest = recovery.earliest_at, recovery.latest_at
    if not recovery.enabled or earliest is None or latest is None:
        raise RecoveryUnavailable(
            "off",
            f"point-in-time recovery of table {recovery.table_name} is off",
            "switch it on (UpdateContinuousBackups); native exports read from it",
        )
    first = floor(earliest)
    return (first if first == earliest else first + timedelta(seconds=1)), floor(latest)


def check_instant(wanted: datetime, recovery: Recovery, now: datetime) -> bool:
    """Whether a wanted instant is in the window already: False means that it soon will be.

    Raises RecoveryUnavailable for an instant before the window, and for one that lies ahead.
    """
    earliest, latest = recoverable_from_to(recovery)
    if wanted < earliest:
        raise RecoveryUnavailable(
            "time",
            f"export_time is {said(wanted)}, and table {recovery.table_name} can be recovered from "
            f"{said(earliest)} on",
            "that instant has left the window, or recovery was switched on after it; choose a later one",
        )
    if wanted > now:
        raise RecoveryUnavailable(
            "time",
            f"export_time is {said(wanted)}, which is still to come",
            "it is {{ data_interval_end }} of a run",
        )
    return wanted <= latest


def windows_between(begin: datetime, end: datetime) -> list[Window]:
    """Contiguous windows of equal length, as few as there can be; none where it is too short for one.

    >>> day = datetime(2026, 1, 1, tzinfo=UTC)
    >>> [len(windows_between(day, day + timedelta(minutes=each))) for each in (14, 15, 1440, 1441, 2881)]
    [0, 1, 1, 2, 3]
    """
    if end - begin < SHORTEST:
        return []
    count = -((begin - end) // LONGEST)
    cuts = [floor(begin + (end - begin) * number / count) for number in range(count + 1)]
    return list(itertools.pairwise(cuts))


def check_reaches_back(begin: datetime, recovery: Recovery) -> None:
    """Raise RecoveryUnavailable when changes from ``begin`` on can no longer be exported."""
    earliest, latest = recoverable_from_to(recovery)
    if begin >= earliest:
        return
    missing = f"the changes of table {recovery.table_name} from {said(begin)} to {said(earliest)}"
    oldest = latest - timedelta(days=recovery.period_days or MOST_DAYS)
    if earliest - oldest > SLIDING_SLACK:
        raise RecoveryUnavailable(
            "reset",
            f"point-in-time recovery was switched off and on, or the table restored: {missing} are lost",
            MEND_GAP,
        )
    raise RecoveryUnavailable(
        "gap", f"{missing} have left the recovery window before they were exported", MEND_GAP
    )


def floor(at: datetime) -> datetime:
    """The whole second at or before an instant, in UTC."""
    return at.astimezone(UTC).replace(microsecond=0)


def said(at: datetime) -> str:
    """An instant as logs show it."""
    return at.astimezone(UTC).isoformat(timespec="seconds")
