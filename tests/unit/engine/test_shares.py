from __future__ import annotations

import doctest
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dynamo_pipeline.engine import ranges, shares
from airflow_dynamo_pipeline.engine.shares import ALONE, MOST_SLACK, Sharing, most_workers, sharing_of
from airflow_dynamo_pipeline.engine.sizing import FULL_PAGE_UNITS, PageSizer

RATES = st.floats(1.0, 1e6)
WORKERS = st.integers(2, 1024)
LEAST = st.floats(1.0, 50.0)


@pytest.mark.parametrize("module", [shares, ranges], ids=["shares", "ranges"])
def test_the_examples_in_the_docstrings_are_true(module: ModuleType) -> None:
    done = doctest.testmod(module)

    assert 0 == done.failed
    assert 0 < done.attempted


def test_one_worker_has_all_of_the_rate_and_full_pages() -> None:
    assert ALONE == sharing_of(10_000.0, 1)
    assert 10_000.0 == ALONE.rate(10_000.0)
    assert 128.5 == ALONE.page_units(10_000.0, 128.5)


def test_at_a_low_rate_nothing_is_left_unused() -> None:
    assert Sharing(workers=16, slack=0.0) == sharing_of(512.0, 16)


def test_slack_makes_up_for_what_the_pages_together_are_larger_than_a_full_one() -> None:
    """At 40,000 units per second pages are full: three more than one fit into a second's slack."""
    found = sharing_of(40_000.0, 4)

    assert pytest.approx(3 * 128.5 / 40_000) == found.slack
    assert pytest.approx(128.5 / 4 + 3 * 128.5 / 4) == found.page_units(found.rate(40_000.0), 128.5)


def test_no_more_than_a_twentieth_is_left_unused() -> None:
    found = sharing_of(1000.0, 16)

    assert MOST_SLACK == found.slack
    assert pytest.approx(1000.0 * 0.95 / 16) == found.rate(1000.0)
    assert pytest.approx(128.5 / 16 + 50 / 16) == found.page_units(found.rate(1000.0), 128.5)


def test_items_larger_than_such_pages_take_their_slack() -> None:
    assert 0.0 == sharing_of(400.0, 16).slack
    assert pytest.approx((16 * 9 - 128.5) / 400) == sharing_of(400.0, 16, least_page=9.0).slack


@given(rate=RATES, workers=WORKERS, least=LEAST)
def test_e8_all_shares_and_a_page_of_each_are_the_rate_and_one_full_page(
    rate: float, workers: int, least: float
) -> None:
    workers = min(workers, most_workers(rate, least))
    sharing = sharing_of(rate, workers, least_page=least)
    own = sharing.rate(rate)
    page = max(least, min(0.25 * own, sharing.page_units(own, FULL_PAGE_UNITS)))

    assert workers * (own + page) <= (rate + FULL_PAGE_UNITS) * (1 + 1e-6) or 1 == workers
    assert workers * own >= 0.95 * rate * (1 - 1e-9)


def test_so_many_workers_that_each_has_a_unit_and_a_page_together() -> None:
    assert 1 == most_workers(1.5)
    assert 4 == most_workers(4.9)
    assert 128 == most_workers(200.0, full_page=118.5)  # and 10 units of slack
    assert 2 == most_workers(10.0, least_page=50.0)
    assert 1 == most_workers(1.0, least_page=200.0)


@pytest.mark.parametrize(("workers", "first"), [(1, 10), (2, 1), (16, 1)])
def test_where_nothing_is_known_of_the_items_several_workers_begin_with_one_each(
    workers: int, first: int
) -> None:
    sizer = PageSizer(
        consistent_read=False, size_bytes=0, item_count=0, page_units=Sharing(workers=workers).page_units
    )

    assert first == sizer.limit(100.0)


def test_a_page_is_as_large_as_the_share_of_a_full_one() -> None:
    sizer = PageSizer(
        consistent_read=False,
        size_bytes=8192,
        item_count=1,
        page_units=Sharing(workers=4, slack=0.05).page_units,
    )

    assert 42 == sizer.limit(190.0)  # 128.5 / 4 and the 10 units of 800 that are spare
