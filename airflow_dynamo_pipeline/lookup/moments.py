"""Timestamps, dates and times as texts in UTC or as epoch numbers, one by one or a column at once.

A timestamp without a zone is taken for UTC. Parts of a second (or of a millisecond) that an epoch number
cannot hold are dropped towards the past, also before 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NAIVE_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  for timestamps that have no zone either
FIRST_DAY: Final = EPOCH.toordinal()
DAY_SECONDS: Final = 86_400
UNITS: Final[Mapping[str, timedelta]] = {
    "epoch_seconds": timedelta(seconds=1),
    "epoch_milliseconds": timedelta(milliseconds=1),
}
LATEST_SECONDS: Final = 253_402_300_800  # the year 10000: a larger number was no number of seconds

_WITH_MICROSECONDS = len("2026-11-21T00:00:00.000000")
_encode = msgspec.json.Encoder().encode


def in_utc(value: datetime) -> datetime:
    """A timestamp in UTC; raises ValueError where that is out of the years 1 to 9999."""
    if value.utcoffset() is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("in UTC it is out of the years 1 to 9999") from exc


def timestamp_text(value: datetime) -> str:
    """Write a timestamp as ISO 8601 in UTC with microseconds.

    >>> timestamp_text(datetime(2026, 11, 21, 1, tzinfo=timezone(timedelta(hours=1))))
    '2026-11-21T00:00:00.000000Z'
    """
    return in_utc(value).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def time_text(value: time) -> str:
    """Write a time of day with microseconds, and with its offset if it has one.

    >>> time_text(time(12, 30)), time_text(time(12, 30, tzinfo=UTC))
    ('12:30:00.000000', '12:30:00.000000Z')
    """
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")


def duration_text(value: timedelta) -> str:
    """Write a duration as ISO 8601 with days and seconds.

    >>> duration_text(timedelta(days=1, hours=2)), duration_text(timedelta(seconds=-0.5))
    ('P1DT7200S', '-PT0.5S')
    """
    return str(msgspec.to_builtins(value))


def epoch(value: datetime | date, unit: str) -> int:
    """Count the units since 1970; ``unit`` is one of UNITS. A date is its midnight in UTC.

    >>> epoch(date(1970, 1, 2), "epoch_seconds")
    86400
    >>> epoch(datetime(1969, 12, 31, 23, 59, 59, 1), "epoch_seconds")
    -1
    """
    if isinstance(value, datetime):
        return (in_utc(value) - EPOCH) // UNITS[unit]
    return timedelta(days=value.toordinal() - FIRST_DAY) // UNITS[unit]


def parsed(text: str, kind: str) -> datetime | date | time:
    """Read what a driver gave as text for a column of a kind; raises ValueError.

    >>> parsed("2026-11-21 00:00:00+00", "timestamptz")
    datetime.datetime(2026, 11, 21, 0, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        return _PARSERS[kind](text.strip())
    except ValueError as exc:
        raise ValueError(f"it is no {kind} as ISO 8601 writes it") from exc


def timestamp_texts(values: Sequence[Any]) -> list[str]:
    """Write timestamps of one column as JSON strings; raises ValueError where they have to be read singly."""
    zones = {value.tzinfo for value in values}
    if zones == {None}:
        texts = _texts(values)
    elif all(isinstance(zone, timezone | ZoneInfo) for zone in zones):
        found = values if zones == {UTC} else [value.astimezone(UTC) for value in values]
        texts = [text[:-1] for text in _texts(found)]
    else:
        raise ValueError("with a zone and without")
    return [f'"{text}Z"' if len(text) == _WITH_MICROSECONDS else f'"{text}.000000Z"' for text in texts]


def epochs(unit: str) -> Callable[[Sequence[Any]], list[int]]:
    """What counts the units since 1970 for a column of timestamps."""
    size = UNITS[unit]

    def counted(values: Sequence[Any]) -> list[int]:
        if {value.tzinfo for value in values} == {None}:
            return [(value - NAIVE_EPOCH) // size for value in values]
        return [epoch(value, unit) for value in values]

    return counted


def _texts(values: Sequence[Any]) -> list[str]:
    return _encode(values)[2:-2].decode().split('","')


_PARSERS: Final[Mapping[str, Callable[[str], datetime | date | time]]] = {
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
}
