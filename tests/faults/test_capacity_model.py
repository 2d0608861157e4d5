"""The capacity model by itself: buckets, bursts, partitions, on-demand limits and their growth."""

from __future__ import annotations

import random

import pytest

from tests.faults.dynamodb.capacity import (
    ACCOUNT_LIMIT,
    BURST_SECONDS,
    GROWTH_SECONDS,
    KEY_RANGE,
    MAX_ON_DEMAND,
    PROVISIONED,
    Bucket,
    Capacity,
    OnDemand,
    Provisioned,
)

PAGE = 128.5


def provisioned(rate: float, **more: float) -> Capacity:
    return Capacity(Provisioned(units_per_second=rate, **more), at=0.0, partitions=10)


def on_demand(**settings: float) -> Capacity:
    throughput = OnDemand(**{"warm": 12_000.0, **settings})
    return Capacity(throughput, at=0.0, partitions=4)


# --- buckets --------------------------------------------------------------------------------------


def test_a_bucket_keeps_what_comes_up_to_its_depth() -> None:
    bucket = Bucket(10, 50, at=0.0, level=0.0)

    assert 30 == bucket.level(3.0)
    assert 50 == bucket.level(1000.0)


def test_a_bucket_in_debt_is_out_of_it_when_the_debt_has_come_in() -> None:
    bucket = Bucket(10, 50, at=0.0)

    bucket.pay(80, at=0.0)

    assert bucket.in_debt(2.9)
    assert not bucket.in_debt(3.0)


def test_a_bucket_does_not_fill_backwards() -> None:
    bucket = Bucket(10, 50, at=0.0, level=0.0)
    bucket.pay(5, at=10.0)

    bucket.pay(5, at=9.0)

    assert 40 == bucket.level(10.0)


def test_a_bucket_goes_on_at_another_rate_from_the_change_on() -> None:
    bucket = Bucket(10, 100, at=0.0, level=0.0)

    bucket.change(20, 100, at=2.0)

    assert 20 + 20 == bucket.level(3.0)


def test_a_debt_outlives_a_change() -> None:
    bucket = Bucket(10, 100, at=0.0, level=-50)

    bucket.change(100, 1000, at=0.0)

    assert bucket.in_debt(0.4)
    assert not bucket.in_debt(0.5)


# --- provisioned ----------------------------------------------------------------------------------


def test_a_page_that_costs_more_than_there_is_passes_and_the_next_waits_for_it() -> None:
    capacity = provisioned(10)

    assert capacity.refusal(at=0.0) is None
    capacity.pay(PAGE, at=0.0)

    assert PROVISIONED == capacity.refusal(at=12.8)
    assert capacity.refusal(at=12.85) is None


def test_five_minutes_of_unused_capacity_are_kept_and_no_more() -> None:
    capacity = provisioned(10)

    capacity.pay(10 * BURST_SECONDS, at=10 * BURST_SECONDS)
    assert capacity.refusal(at=10 * BURST_SECONDS) is None
    capacity.pay(1, at=10 * BURST_SECONDS)

    assert PROVISIONED == capacity.refusal(at=10 * BURST_SECONDS)


def test_a_new_table_has_saved_nothing_unless_told_so() -> None:
    assert PROVISIONED == after_paying(provisioned(10), 1)
    assert after_paying(provisioned(10, saved_seconds=60), 600) is None
    assert PROVISIONED == after_paying(provisioned(10, saved_seconds=60), 601)


def after_paying(capacity: Capacity, units: float) -> str | None:
    capacity.pay(units, at=0.0)
    return capacity.refusal(at=0.0)


def test_without_a_burst_nothing_is_kept() -> None:
    capacity = provisioned(10, burst_seconds=0)

    capacity.pay(1, at=1000.0)

    assert PROVISIONED == capacity.refusal(at=1000.0)
    assert capacity.refusal(at=1000.1) is None


@pytest.mark.parametrize("seed", range(20))
def test_no_window_gets_more_than_its_rate_the_burst_and_one_page(seed: int) -> None:
    """However a client pushes, what passes is bounded."""
    dice = random.Random(seed)
    rate, burst = 100.0, 5.0
    capacity = provisioned(rate, burst_seconds=burst)
    passed: list[tuple[float, float]] = []
    now = 0.0
    while now < 60:
        now += dice.choice([0.0, 0.01, 0.1, dice.random() * 10])
        if capacity.refusal(at=now, place=dice.random()) is None:
            passed.append((now, dice.uniform(0.5, PAGE)))
            capacity.pay(passed[-1][1], at=now)

    assert len(passed) > 20
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            units = sum(each for _, each in passed[first : last + 1])
            seconds = passed[last][0] - passed[first][0]
            assert units <= rate * (seconds + burst) + PAGE + 1e-6


def test_raised_units_count_from_the_change_on() -> None:
    capacity = provisioned(10)
    capacity.pay(100, at=0.0)

    capacity.change(Provisioned(units_per_second=100), at=5.0)

    assert PROVISIONED == capacity.refusal(at=5.4)
    assert capacity.refusal(at=5.5) is None


# --- partitions -----------------------------------------------------------------------------------


def test_one_partition_gives_3000_units_a_second_whatever_the_table_has() -> None:
    capacity = provisioned(30_000)

    capacity.pay(3_001, at=100.0, shares={0.05: 1.0})

    assert KEY_RANGE == capacity.refusal(at=100.0, place=0.09)
    assert capacity.refusal(at=100.0, place=0.1) is None
    assert capacity.refusal(at=100.001, place=0.05) is None


def test_a_partition_saves_one_second_only() -> None:
    capacity = Capacity(Provisioned(units_per_second=1e6), at=0.0, partition_units=1_000)

    capacity.pay(1_000, at=300.0)
    assert capacity.refusal(at=300.0) is None
    capacity.pay(500, at=300.0)

    assert KEY_RANGE == capacity.refusal(at=300.4)
    assert capacity.refusal(at=300.5) is None


def test_a_page_over_several_partitions_is_shared_out_by_what_it_read_there() -> None:
    capacity = provisioned(1e6)

    capacity.pay(4_000, at=1.0, shares={0.0: 3_900.0, 0.11: 100.0})

    assert KEY_RANGE == capacity.refusal(at=1.0, place=0.0)
    assert capacity.refusal(at=1.0, place=0.11) is None


def test_what_has_no_place_is_borne_by_all_partitions() -> None:
    capacity = provisioned(1e6)

    capacity.pay(29_990, at=1.0)
    assert [None] * 10 == [capacity.refusal(at=1.0, place=number / 10) for number in range(10)]
    capacity.pay(20, at=1.0)

    assert [KEY_RANGE] * 10 == [capacity.refusal(at=1.0, place=number / 10) for number in range(10)]


def test_a_partition_splits_into_two_that_owe_what_it_owed() -> None:
    capacity = Capacity(Provisioned(units_per_second=1e6), at=0.0, partitions=2)
    capacity.pay(6_000, at=1.0, shares={0.0: 1.0})

    capacity.split(4, at=1.0)

    assert 4 == capacity.partition_count
    refusals = [capacity.refusal(at=1.0, place=place) for place in (0.0, 0.25, 0.5, 0.75)]
    assert [KEY_RANGE, KEY_RANGE, None, None] == refusals
    capacity.split(3, at=1.0)
    assert 4 == capacity.partition_count


def test_partitions_that_a_test_has_counted_do_not_split() -> None:
    capacity = Capacity(Provisioned(units_per_second=1e6), at=0.0, partitions=2, can_split=False)

    capacity.split(4, at=1.0)

    assert 2 == capacity.partition_count


# --- on demand ------------------------------------------------------------------------------------


def test_an_on_demand_table_takes_at_once_what_is_warm() -> None:
    capacity = on_demand(warm=12_000)

    capacity.pay(12_000, at=0.0)
    assert capacity.refusal(at=0.0) is None
    capacity.pay(6_000, at=0.0)

    assert KEY_RANGE == capacity.refusal(at=0.49)
    assert capacity.refusal(at=0.5) is None


def test_its_own_maximum_comes_first() -> None:
    capacity = on_demand(maximum=100)

    capacity.pay(150, at=0.0)

    assert MAX_ON_DEMAND == capacity.refusal(at=0.49)
    assert capacity.refusal(at=0.5) is None


def test_the_accounts_quota_for_a_table_holds_whatever_is_warm() -> None:
    capacity = on_demand(warm=100_000, table_quota=40_000)

    capacity.pay(40_001, at=0.0)

    assert ACCOUNT_LIMIT == capacity.refusal(at=0.0)


def use_for_a_minute(capacity: Capacity, rate: float, *, start: float) -> None:
    for second in range(60):
        assert capacity.refusal(at=start + second) is None
        capacity.pay(rate, at=start + second)


def test_twice_a_peak_is_ready_half_an_hour_later() -> None:
    capacity = on_demand(warm=12_000)
    use_for_a_minute(capacity, 10_000, start=0.0)
    early, late = GROWTH_SECONDS - 1, GROWTH_SECONDS

    capacity.pay(12_001, at=early)
    assert KEY_RANGE == capacity.refusal(at=early)
    assert capacity.refusal(at=late) is None
    capacity.pay(19_999, at=late + 1)
    assert capacity.refusal(at=late + 1) is None
    capacity.pay(100, at=late + 1)

    assert KEY_RANGE == capacity.refusal(at=late + 1)
    assert 7 == capacity.partition_count


def test_a_peak_below_half_of_what_is_ready_changes_nothing() -> None:
    capacity = on_demand(warm=12_000)
    use_for_a_minute(capacity, 5_000, start=0.0)

    capacity.pay(12_001, at=GROWTH_SECONDS)

    assert KEY_RANGE == capacity.refusal(at=GROWTH_SECONDS)


def test_a_table_warmed_up_takes_more_at_once() -> None:
    capacity = on_demand(warm=12_000)

    capacity.change(OnDemand(warm=30_000), at=0.0)
    assert capacity.refusal(at=1.0) is None
    capacity.pay(30_000, at=1.0)

    assert capacity.refusal(at=1.0) is None
    capacity.pay(1, at=1.0)
    assert KEY_RANGE == capacity.refusal(at=1.0)


def test_a_table_that_changes_its_billing_has_the_limits_of_the_new_one() -> None:
    capacity = provisioned(10)
    capacity.pay(1_000, at=0.0)

    capacity.change(OnDemand(warm=12_000), at=0.0)
    assert capacity.refusal(at=1.0) is None
    capacity.change(Provisioned(units_per_second=10), at=1.0)
    capacity.pay(1, at=1.0)

    assert PROVISIONED == capacity.refusal(at=1.0)
