from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.engine.plan_cost import (
    Cost,
    cost_of_reading,
    cost_of_writing,
    duration,
    money,
    read_units_of,
)
from airflow_dynamo_pipeline.engine.prices import parse_prices, prices_for

LIST = prices_for("us-east-1")


def test_on_demand_units_cost_what_a_million_of_them_costs() -> None:
    assert Cost(dollars=0.25, on_demand_dollars=0.25) == cost_of_reading(2e6, LIST, on_demand=True)
    assert Cost(dollars=1.25, on_demand_dollars=1.25) == cost_of_writing(2e6, LIST, on_demand=True)


def test_provisioned_units_cost_nothing_more() -> None:
    assert {
        "dollars": 0.0,
        "on_demand_dollars": 0.45,
        "paid_anyway_dollars": 0.13,
    } == cost_of_reading(3_600_000, LIST, on_demand=False).to_json()
    assert 0.65 == cost_of_writing(3_600_000, LIST, on_demand=False).paid_anyway_dollars


def test_where_the_price_of_capacity_is_not_known_it_is_still_paid_for_anyway() -> None:
    some = prices_for("mars-north-1", parse_prices('{"export_gb": 1}', "ours.json"))

    assert "only provisioned capacity that is paid for anyway" == str(
        cost_of_reading(100, some, on_demand=False)
    )
    assert "an unknown price" == str(cost_of_reading(100, some, on_demand=True))


def test_nothing_costs_nothing() -> None:
    assert "about 0.00 dollars" == str(cost_of_reading(0, LIST, on_demand=False))


def test_a_record_has_hundredths_of_a_cent() -> None:
    assert {
        "dollars": 0.1235,
        "on_demand_dollars": None,
        "paid_anyway_dollars": 0.0,
    } == Cost(dollars=0.123456, on_demand_dollars=None, paid_anyway_dollars=0.000049).to_json()


@pytest.mark.parametrize(
    ("size", "consistent", "units"),
    [(0, False, 0.0), (1, False, 0.5), (8192, False, 1.0), (8193, False, 1.5), (8192, True, 2.0)],
)
def test_read_units_are_half_units_rounded_up(size: int, consistent: bool, units: float) -> None:
    assert units == read_units_of(size, consistent_read=consistent)


@pytest.mark.parametrize(
    ("dollars", "words"),
    [
        (None, "an unknown price"),
        (0.0, "about 0.00 dollars"),
        (0.0099, "less than 0.01 dollars"),
        (0.01, "about 0.01 dollars"),
        (1234.567, "about 1,234.57 dollars"),
    ],
)
def test_dollars_in_words(dollars: float | None, words: str) -> None:
    assert words == money(dollars)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (0.2, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7199, "120 minutes"),
        (7200, "2.0 hours"),
        (172_799, "48.0 hours"),
        (172_800, "2.0 days"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert words == duration(seconds)
