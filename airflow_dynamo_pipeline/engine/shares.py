"""One rate for several workers, none of whom knows what the others do.

Each worker holds its share of the rate, and may be one page ahead of it, as a single one may. So that all of
them together are not further ahead of the whole rate than one full page, their pages are smaller; where
that would make pages tiny, a little of the rate is left unused to make up for larger ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.sizing import FULL_PAGE_UNITS, LEAST_PAGE_UNITS, PAGE_SECONDS

MOST_SLACK = 0.05  # of the rate, left unused


@dataclass(frozen=True, kw_only=True, slots=True)
class Sharing:
    """How many workers share a rate, and which share of it (``slack``) none of them uses.

    >>> Sharing(workers=4, slack=0.0).rate(100.0), Sharing(workers=4, slack=0.05).rate(100.0)
    (25.0, 23.75)
    """

    workers: int = 1
    slack: float = 0.0

    def rate(self, units_per_second: float) -> float:
        """A worker's share of a rate."""
        return units_per_second * (1.0 - self.slack) / self.workers

    def page_units(self, own_units_per_second: float, full_page: float) -> float:
        """What a worker's page may cost at its own rate.

        >>> Sharing(workers=4, slack=0.0).page_units(100.0, 128.0)
        32.0
        >>> Sharing(workers=4, slack=0.05).page_units(1900.0, 128.0)  # of 8,000, 400 are spare
        132.0
        """
        spared = own_units_per_second * self.slack / (1.0 - self.slack)
        return full_page if self.workers == 1 else full_page / self.workers + spared


ALONE = Sharing()


def sharing_of(
    units_per_second: float,
    workers: int,
    full_page: float = FULL_PAGE_UNITS,
    least_page: float = LEAST_PAGE_UNITS,
) -> Sharing:
    """Leave as much of the rate unused as pages of a quarter of a second need, and no more than MOST_SLACK.

    ``least_page`` is what a page costs however small it is meant to be: one item, at least.

    >>> sharing_of(400.0, 4)
    Sharing(workers=4, slack=0.0)
    >>> sharing_of(40_000.0, 4)
    Sharing(workers=4, slack=0.0096375)
    >>> sharing_of(100.0, 4, least_page=33.0)
    Sharing(workers=4, slack=0.035)
    """
    if workers == 1:
        return ALONE
    page = max(least_page, min(full_page, PAGE_SECONDS * units_per_second / workers))
    slack = max(0.0, workers * page - full_page) / units_per_second
    return Sharing(workers=workers, slack=round(min(MOST_SLACK, slack), 9))


def most_workers(
    units_per_second: float, least_page: float = LEAST_PAGE_UNITS, full_page: float = FULL_PAGE_UNITS
) -> int:
    """How many workers can share a rate and be a full page ahead of it together, with the slack there may be.

    >>> most_workers(1000.0), most_workers(1000.0, least_page=50.0)  # pages of a unit; items of 400 KB
    (178, 3)
    >>> most_workers(4.0)  # each needs a unit per second
    4
    """
    ahead = full_page + MOST_SLACK * units_per_second
    return max(1, int(min(units_per_second, ahead / least_page)))
