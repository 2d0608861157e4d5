"""Work that several workers share out: which range is whose, in a record small enough for an XCom."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.shares import Sharing
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem

FEWEST_RANGES: Final = 2
MOST_RANGES: Final = 1024  # mapped tasks, by Airflow's default


@dataclass(frozen=True, kw_only=True, slots=True)
class RangeWork:
    """One range of an export or import, as the plan handed it out.

    Every worker goes by the plan's run and generation: its own would change when a person clears its task
    alone, and it must go on with the same export.
    """

    id: str  # of the export, or the import
    number: int  # of this range, from 0
    ranges: int
    at_once: int  # workers at the same time; the rate is divided by it
    slack: float  # share of the rate that nobody uses
    run: str | None
    generation: str
    began_at: str  # ISO 8601
    finished: bool = False  # the whole export, or import, was finished before: nothing is left to do

    def to_json(self) -> JsonObject:
        """The record as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> RangeWork:
        """Read what ``to_json`` wrote; raises InvalidRequest with every problem."""
        if not isinstance(given, Mapping):
            raise InvalidRequest([Problem("work", f"{given!r} is no JSON object", WHERE_FROM)])
        problems = list(_problems_of(given))
        if problems:
            raise InvalidRequest(problems)
        return cls(**given)

    @property
    def work(self) -> Work:
        """Who asked for all of it."""
        return Work(run=self.run, generation=self.generation, began_at=datetime.fromisoformat(self.began_at))

    @property
    def sharing(self) -> Sharing:
        """How the rate is shared out."""
        return Sharing(workers=self.at_once, slack=self.slack)


WHERE_FROM: Final = "it is what the plan of this export or import returned, one for each range"


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_instant(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


VALUES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "id": (lambda value: isinstance(value, str) and bool(value), "the name of an export or import"),
    "number": (lambda value: _is_whole(value) and value >= 0, "a whole number from 0"),
    "ranges": (lambda value: _is_whole(value) and 1 <= value <= MOST_RANGES, f"1 to {MOST_RANGES:,}"),
    "at_once": (lambda value: _is_whole(value) and 1 <= value <= MOST_RANGES, f"1 to {MOST_RANGES:,}"),
    "slack": (_is_share, "a share from 0 to below 1"),
    "run": (lambda value: value is None or isinstance(value, str), "a text, or null"),
    "generation": (lambda value: isinstance(value, str), "a text"),
    "began_at": (_is_instant, "an instant with its time zone, by ISO 8601"),
    "finished": (lambda value: isinstance(value, bool), "true or false"),
}


def _problems_of(given: Mapping[str, Any]) -> Iterator[Problem]:
    """What keeps a JSON object from being a range."""
    for name in [name for name in given if name not in VALUES]:
        yield Problem(f"work.{name}", "belongs to no range", WHERE_FROM)
    good: dict[str, Any] = {}
    for name, (is_good, expected) in VALUES.items():
        if name in given and is_good(given[name]):
            good[name] = given[name]
        elif name in given:
            yield Problem(f"work.{name}", f"{given[name]!r} is not {expected}", WHERE_FROM)
        elif name != "finished":
            yield Problem(f"work.{name}", "is missing", WHERE_FROM)
    yield from _contradictions(good)


def _contradictions(good: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with values each of which is good."""
    if "ranges" in good:
        ranges = good["ranges"]
        if good.get("number", 0) >= ranges:
            yield Problem("work.number", f"{good['number']:,} is not 0 to {ranges - 1:,}", WHERE_FROM)
        if good.get("at_once", 1) > ranges:
            yield Problem("work.at_once", f"{good['at_once']:,} is more than {ranges:,} ranges", WHERE_FROM)


def range_works(work: Work, id_: str, ranges: int, sharing: Sharing) -> tuple[RangeWork, ...]:
    """All ranges of an export or import."""
    return tuple(
        RangeWork(
            id=id_,
            number=number,
            ranges=ranges,
            at_once=sharing.workers,
            slack=sharing.slack,
            run=work.run,
            generation=work.generation,
            began_at=work.began_at.isoformat(),
        )
        for number in range(ranges)
    )


def numbers_of(number: int, ranges: int, count: int) -> range:
    """Which of so many segments belong to a range: as many as to any other, give or take one.

    Not neighbours: those lie in the same partitions of the table, and one worker alone would read them at
    more than their limit.

    >>> [list(numbers_of(number, 3, 8)) for number in range(3)]
    [[0, 3, 6], [1, 4, 7], [2, 5]]
    """
    return range(number, count, ranges)


def in_order(segments: Iterable[int], number: int) -> list[int]:
    """In which order a range reads its segments: in none, so that all partitions are read all the time.

    The same whenever it is asked; ranges side by side have orders of their own.
    """
    found = sorted(segments)
    random.Random(number).shuffle(found)  # noqa: S311  an order, not a secret
    return found


def range_problems(ranges: int, at_once: int | None) -> list[Problem]:
    """What is wrong with the numbers."""
    problems = []
    if not FEWEST_RANGES <= ranges <= MOST_RANGES:
        problems.append(Problem("ranges", f"{ranges:,} is not {FEWEST_RANGES} to {MOST_RANGES:,}"))
    if at_once is not None and not 1 <= at_once <= max(1, ranges):
        hint = "as many as your pool, or cluster, runs at the same time"
        problems.append(Problem("at_once", f"{at_once:,} is not 1 to {ranges:,}, the number of ranges", hint))
    return problems
