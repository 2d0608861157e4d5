"""What sensors wait for, decided from values that were already read.

Poke and trigger ask the same function, so they cannot disagree. What can never come true is
raised, not waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_dynamo_pipeline.engine.ports import JsonObject, TableDescription
from airflow_dynamo_pipeline.engine.settings import is_given
from airflow_dynamo_pipeline.errors import InvalidSetting, TableChanged, with_hint

GONE = ("DELETING", "ARCHIVING", "ARCHIVED")  # states a table does not come back from by itself


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition is met, and a line for the log: what was seen and what is waited for."""

    met: bool
    seen: str
    value: JsonObject | None = None  # what later tasks want to know of what was found, if anything


@dataclass(frozen=True, kw_only=True, slots=True)
class Backups:
    """What DescribeContinuousBackups says of a table's point-in-time recovery."""

    table_name: str
    status: str  # ENABLED or DISABLED
    earliest_at: datetime | None = None  # the window a restore can choose from; None: there is none yet
    latest_at: datetime | None = None


def provisioned_mode(table: TableDescription) -> Verdict:
    """Whether the table's capacity is provisioned and no change of the table is under way.

    Raises TableChanged when the table is being deleted or archived.
    """
    if table.status in GONE:
        raise TableChanged(f"table {table.name} is {table.status}; it will not become provisioned and ACTIVE")
    mode = "on-demand" if table.on_demand else "provisioned"
    seen = f"table {table.name} is {mode} and {table.status}"
    if not table.on_demand and table.status == "ACTIVE":
        return Verdict(met=True, seen=seen)
    return Verdict(met=False, seen=f"{seen}; waiting for provisioned and ACTIVE")


def point_in_time_recovery(backups: Backups, wanted_at: datetime | None = None) -> Verdict:
    """Whether point-in-time recovery is on and, if an instant is wanted, can restore to it.

    Raises InvalidSetting for an instant before the window: the window only ever moves on.
    """
    if backups.status != "ENABLED":
        wanted = "ENABLED" if wanted_at is None else f"ENABLED and {_text(wanted_at)} in its window"
        return Verdict(met=False, seen=f"{_recovery_of(backups)} is {backups.status}; waiting for {wanted}")
    if wanted_at is None:
        return Verdict(met=True, seen=f"{_recovery_of(backups)} is ENABLED")
    earliest, latest = backups.earliest_at, backups.latest_at
    if earliest is None or latest is None:
        seen = f"{_recovery_of(backups)} is ENABLED but has no window yet"
        return Verdict(met=False, seen=f"{seen}; waiting for {_text(wanted_at)} in it")
    if wanted_at < earliest:
        raise InvalidSetting("wanted_at", _text(wanted_at), _not_before(backups.table_name, earliest))
    seen = f"{_recovery_of(backups)} reaches from {_text(earliest)} to {_text(latest)}"
    if wanted_at > latest:
        return Verdict(met=False, seen=f"{seen}; waiting for {_text(wanted_at)}")
    return Verdict(met=True, seen=f"{seen}; {_text(wanted_at)} is in it")


def instant(name: str, value: object) -> datetime | None:
    """An instant in UTC from a datetime or ISO 8601 text; None for nothing, "" and "None".

    Without a time zone it is taken as UTC, as Airflow's own dates are.

    >>> instant("wanted_at", "2026-03-01T12:00:00+02:00").isoformat()
    '2026-03-01T10:00:00+00:00'
    """
    if not is_given(value):
        return None
    expected = "a datetime or ISO 8601 text such as 2026-03-01T12:00:00+00:00"
    found = value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            raise InvalidSetting(name, value, expected) from None
    if not isinstance(found, datetime):
        raise InvalidSetting(name, value, expected)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _recovery_of(backups: Backups) -> str:
    return f"point-in-time recovery of table {backups.table_name}"


def _not_before(table_name: str, earliest: datetime) -> str:
    return with_hint(
        f"{_text(earliest)} or later, the earliest table {table_name} can be restored to",
        "that instant has left the window, or recovery was switched on after it; choose a later one",
    )


def _text(instant_at: datetime) -> str:
    return instant_at.astimezone(UTC).isoformat(timespec="seconds")
