"""Which fault points a test tries: all of them, or the share that there is time for.

``make promises`` tries every point and counts them. ``make test`` takes every fifth where a test enumerates
calls that others enumerate for other kinds of faults; each begins elsewhere, by its name, so that between
them they strike most calls, and the same ones every time.
"""

import os
import zlib
from collections.abc import Iterable, Iterator
from typing import TypeVar

EVERY_POINT = "EVERY_FAULT_POINT"  # in the environment: leave none out
ONE_IN = 5
Point = TypeVar("Point")


def some_of(points: Iterable[Point]) -> Iterator[Point]:
    """Every fifth point, and one if there are fewer; all of them if the environment says so."""
    test = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]  # without its phase
    passed_by: list[Point] = []
    is_taken = False
    for number, point in enumerate(points, start=zlib.crc32(test.encode())):
        if number % ONE_IN == 0 or os.environ.get(EVERY_POINT):
            is_taken = True
            yield point
        passed_by = [point]
    if not is_taken:
        yield from passed_by


def least(count: int) -> int:
    """How often at least a test must meet what all points meet so often: the share of it, and never 0.

    It can ask for one more than a fifth of the points has; which points a test tries never changes, and so
    neither does whether it holds.
    """
    return count if os.environ.get(EVERY_POINT) else count // ONE_IN + 1
