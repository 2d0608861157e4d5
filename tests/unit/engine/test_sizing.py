from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.engine.sizing import PageSizer


def sizer(*, consistent: bool = False, size: int = 0, count: int = 0) -> PageSizer:
    return PageSizer(consistent_read=consistent, size_bytes=size, item_count=count)


def test_the_mean_is_seeded_from_describe_table() -> None:
    assert 0.5 == sizer(size=4096_000, count=1000).units_per_item
    assert 1.0 == sizer(size=4096_000, count=1000, consistent=True).units_per_item


@pytest.mark.parametrize(("size", "count"), [(0, 0), (0, 5), (5, 0)])
def test_nothing_is_known_of_a_table_described_as_empty(size: int, count: int) -> None:
    assert sizer(size=size, count=count).units_per_item is None
    assert 10 == sizer(size=size, count=count).limit(20.0)


def test_a_page_costs_about_a_quarter_second_of_the_rate() -> None:
    assert 50 == sizer(size=4096_000, count=1000).limit(100.0)


def test_a_high_rate_takes_pages_as_full_as_scan_makes_them() -> None:
    found = sizer(size=4096_000, count=1000)

    assert found.limit(514.0) is None
    assert found.limit(513.0) is not None


def test_consistent_pages_are_full_at_twice_the_units() -> None:
    found = sizer(size=4096_000, count=1000, consistent=True)

    assert found.limit(1027.0) is not None
    assert found.limit(1028.0) is None
    assert 257.0 == found.most_units(None)


def test_the_limit_is_never_below_one_item() -> None:
    assert 1 == sizer(size=400 * 1024, count=1).limit(1.0)


def test_the_most_a_page_can_cost_is_its_largest_items_or_a_full_page() -> None:
    assert 100.0 == sizer().most_units(2)
    assert 128.5 == sizer().most_units(3)
    assert 128.5 == sizer().most_units(None)


def test_each_reply_moves_the_mean_by_three_tenths() -> None:
    found = sizer(size=8192, count=1)
    found.observe(scanned=10, units=20.0)

    assert found.units_per_item == pytest.approx(0.7 * 1.0 + 0.3 * 2.0)


def test_the_first_reply_sets_a_mean_that_was_unknown() -> None:
    found = sizer()
    found.observe(scanned=10, units=20.0)

    assert 2.0 == found.units_per_item


@pytest.mark.parametrize(("scanned", "units"), [(0, 0.5), (5, 0.0)])
def test_an_empty_reply_teaches_nothing(scanned: int, units: float) -> None:
    found = sizer(size=8192, count=1)
    found.observe(scanned=scanned, units=units)

    assert 1.0 == found.units_per_item


def test_a_page_dearer_than_expected_raises_what_is_reserved() -> None:
    found = sizer()
    found.observe(scanned=1000, units=131.0)

    assert 131.0 == found.most_units(None)


def test_a_page_of_tiny_items_is_cut_before_it_is_many_objects() -> None:
    tiny = sizer(size=7_000_000, count=1_000_000)

    assert 25_000 == tiny.limit(1_000_000.0)
    assert 25_000 == tiny.limit(500.0)
    assert 128.5 == tiny.most_units(25_000)
    assert sizer(size=42_000_000, count=1_000_000).limit(1_000_000.0) == 25_000
    assert sizer(size=43_000_000, count=1_000_000).limit(1_000_000.0) is None
