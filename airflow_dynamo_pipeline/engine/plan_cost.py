"""What units and bytes come to in dollars, and how dollars and durations are said."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.prices import Prices
from airflow_dynamo_pipeline.engine.sizing import BYTES_PER_UNIT

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
CENT = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What reading or writing costs.

    A provisioned table's units are paid for whether they are used or not, so they cost nothing more:
    ``dollars`` is 0. ``paid_anyway_dollars`` is then what the capacity that is used costs. None: not known.
    """

    dollars: float | None
    on_demand_dollars: float | None  # what the same units cost on-demand
    paid_anyway_dollars: float | None = None  # None for on-demand tables, too

    def to_json(self) -> JsonObject:
        """Members of a JSON object, rounded to a hundredth of a cent."""
        return {name: rounded(value) for name, value in asdict(self).items()}

    def __str__(self) -> str:
        """Say it in a few words."""
        if self.dollars != 0 or self.dollars == self.on_demand_dollars:
            return money(self.dollars)
        if self.paid_anyway_dollars is None:
            return "only provisioned capacity that is paid for anyway"
        return (
            f"only provisioned capacity that is paid for anyway, {money(self.paid_anyway_dollars)} of it"
            f"; on-demand {money(self.on_demand_dollars)}"
        )


def cost_of_reading(units: float, prices: Prices, *, on_demand: bool) -> Cost:
    """What read units cost at these prices."""
    requests = prices.read_requests(units)
    if on_demand:
        return Cost(dollars=requests, on_demand_dollars=requests)
    return Cost(dollars=0.0, on_demand_dollars=requests, paid_anyway_dollars=prices.read_capacity(units))


def cost_of_writing(units: float, prices: Prices, *, on_demand: bool) -> Cost:
    """What write units cost at these prices."""
    requests = prices.write_requests(units)
    if on_demand:
        return Cost(dollars=requests, on_demand_dollars=requests)
    return Cost(dollars=0.0, on_demand_dollars=requests, paid_anyway_dollars=prices.write_capacity(units))


UNKNOWN = Cost(dollars=None, on_demand_dollars=None)


def read_units_of(size_bytes: int, *, consistent_read: bool) -> float:
    """Read units for so many bytes, without the rounding of each page; half units are units."""
    return (2.0 if consistent_read else 1.0) * math.ceil(size_bytes / BYTES_PER_UNIT * 2) / 2


def rounded(dollars: float | None) -> float | None:
    """To a hundredth of a cent."""
    return None if dollars is None else round(dollars, 4)


def money(dollars: float | None) -> str:
    """Dollars in words.

    >>> money(1.638), money(0.0021), money(0.0), money(None)
    ('about 1.64 dollars', 'less than 0.01 dollars', 'about 0.00 dollars', 'an unknown price')
    """
    if dollars is None:
        return "an unknown price"
    if 0 < dollars < CENT:
        return "less than 0.01 dollars"
    return f"about {dollars:,.2f} dollars"


def counted(count: int, noun: str) -> str:
    """A number of things, of which one has no s.

    >>> counted(1, "segment"), counted(0, "segment"), counted(1200, "segment")
    ('1 segment', '0 segments', '1,200 segments')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Seconds in the unit that reads best.

    >>> duration(0.4), duration(90), duration(3600), duration(9000), duration(200_000)
    ('1 second', '90 seconds', '60 minutes', '2.5 hours', '2.3 days')
    """
    if seconds < 2 * MINUTE:
        return counted(math.ceil(seconds), "second")
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:,.0f} minutes"
    if seconds < 2 * DAY:
        return f"{seconds / HOUR:,.1f} hours"
    return f"{seconds / DAY:,.1f} days"
