"""How a lookup reads: how long answers are kept, how fast the table is asked, how patiently."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupSettings:
    """Refused as a whole, with every problem, where it cannot work."""

    ttl_seconds: float = 60.0  # how long a key that was found is believed to be there; 0: not kept
    negative_ttl_seconds: float = 60.0  # how long a key that was not found is believed to be absent
    max_entries: int = 100_000  # answers kept, the least recently used going first
    consistent_read: bool = False  # twice the units
    units_per_second: float | None = None  # read capacity units; None: no limit
    patience_seconds: float = 60.0  # how long a call is tried again before its error is raised
    generations: bool = False  # the table's keys are <generation>#<key>, and a pointer item says which counts
    pointer_ttl_seconds: float = 30.0  # how long a pointer that was read is believed

    def __post_init__(self) -> None:
        """Refuse with every problem found."""
        problems = list(_problems(self))
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def from_settings(cls, given: Mapping[str, object]) -> LookupSettings:
        """Coerce values as templates and forms deliver them; raises InvalidRequest with all problems."""
        return settings.build(cls, given, COERCIONS, required={}, what="a lookup")


COERCIONS: Mapping[str, settings.Coercion] = {
    "ttl_seconds": settings.number,
    "negative_ttl_seconds": settings.number,
    "max_entries": settings.whole_number,
    "consistent_read": settings.flag,
    "units_per_second": settings.number,
    "patience_seconds": settings.number,
    "generations": settings.flag,
    "pointer_ttl_seconds": settings.number,
}

assert {item.name for item in fields(LookupSettings)} == set(COERCIONS)  # noqa: S101  one table, never half


def _problems(asked: LookupSettings) -> Iterator[Problem]:
    for name in ("ttl_seconds", "negative_ttl_seconds", "patience_seconds", "pointer_ttl_seconds"):
        seconds = getattr(asked, name)
        if not 0 <= seconds < math.inf:
            yield Problem(name, f"{seconds:g} is not 0 or more, and finite")
    if asked.max_entries < 0:
        yield Problem("max_entries", f"{asked.max_entries:,} is negative", "0 keeps no answers")
    if asked.units_per_second is not None and not 1 <= asked.units_per_second < math.inf:
        yield Problem("units_per_second", f"{asked.units_per_second:g} is not 1 or more, and finite")
