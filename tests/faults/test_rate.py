"""The rate as the table's own meter sees it, over the wire, on virtual time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_dynamo_pipeline.engine import lease, throttle, workers
from tests.faults.attempts import TABLE, Attempt, World, asked, assert_whole, items
from tests.faults.calls import Call
from tests.faults.conftest import Tally
from tests.faults.dynamodb.metering import EPSILON
from tests.faults.endpoint import FakeAws, Killed
from tests.faults.script import Fault, Kind
from tests.step_clock import StepClock

LARGE = 6000  # bytes: an item costs three quarters of a unit
TABLE_REASONS = (
    "TableReadProvisionedThroughputExceeded",
    "TableReadMaxOnDemandThroughputExceeded",
    "TableReadAccountLimitExceeded",
)
KEY_RANGE = "TableReadKeyRangeThroughputExceeded"
THROTTLES = (Kind.THROTTLE, Kind.THROTTLE_ON_DEMAND)


@pytest.fixture
def clock() -> Iterator[StepClock]:
    """Exact time: a call is sent at the moment its turn has come, however busy the machine is."""
    steps = StepClock()
    with steps.in_place_of_threads(throttle, lease, workers):
        yield steps


def world(clock: StepClock, count: int, *, read: int | None = 100) -> World:
    return World(items(count, size=LARGE), page_items=None, read=read, aws=FakeAws(clock))


def largest_page(one: World) -> float:
    return max(entry.units for entry in one.aws.dynamodb.metering.entries(TABLE))


def worst(one: World, seconds: float) -> float:
    return one.aws.dynamodb.metering.worst_window(TABLE, seconds)


def refused(one: World) -> list[str]:
    return [entry.reason for entry in one.aws.dynamodb.metering.entries(TABLE) if entry.reason]


def assert_held(one: World, units_per_second: float) -> None:
    """E8 for a rate that did not change."""
    page = largest_page(one)
    assert worst(one, 1.0) <= units_per_second + page + EPSILON
    assert worst(one, 60.0) <= 60 * units_per_second + page + EPSILON


@pytest.mark.parametrize("segments", [1, 4])
def test_e8_the_table_never_sees_more_than_its_share_and_one_page(clock: StepClock, segments: int) -> None:
    one = world(clock, 1500, read=32)

    result = one.export(ratio=0.25, segments=segments, part_bytes=100_000).result

    assert_held(one, 8.0)
    assert worst(one, 60.0) >= 0.9 * 60 * 8  # there were whole minutes to look at
    assert [] == refused(one)
    assert 0.95 * 8 <= result.units_per_second_held <= 8
    assert_whole(one)


def test_e8_killed_and_resumed_all_attempts_together_hold_the_rate(clock: StepClock, tally: Tally) -> None:
    for at in (40, 90, 140, 190):
        one = world(clock, 1000)
        killed = one.export(
            Fault(Kind.KILL, at, on="Scan", after=True), units_per_second=5, segments=2, part_bytes=50_000
        )
        assert isinstance(killed.outcome, Killed)
        tally(1)

        one.export(units_per_second=5, segments=2, part_bytes=50_000)

        assert_held(one, 5.0)
        assert worst(one, 60.0) >= 0.85 * 60 * 5
        assert_whole(one)


def test_e8_the_rate_follows_the_capacity_up_and_down_within_a_minute(clock: StepClock) -> None:
    one = world(clock, 3600, read=8)
    changes = {100.0: 16, 250.0: 3, 400.0: 8}  # after so many seconds: read units of the table
    began = one.aws.clock.monotonic()
    attempt = Attempt(one, asked(ratio=0.5, segments=2, part_bytes=1_000_000), stop=one.new_event())
    with one.aws.door() as door:

        def others(call: Call) -> None:
            for after in [seconds for seconds in changes if call.at - began >= seconds]:
                one.aws.dynamodb.set_capacity(TABLE, read=changes.pop(after))

        door.before = others
        attempt.through(door)

    rates = [float(line.split()[2].replace(",", "")) for line in attempt.said if line.startswith("rate now")]
    assert [8.0, 1.5, 4.0] == rates
    assert {} == changes
    assert_held(one, max(rates))
    assert_windows_hold_their_own_rate(one, attempt)
    assert_whole(one)


def assert_windows_hold_their_own_rate(one: World, attempt: Attempt) -> None:
    """Where the rate stood for a while, windows hold that rate, not the highest."""
    found = [record.units_per_second_asked for record in attempt.reports]
    assert {4.0, 8.0, 1.5} == set(found)
    for earlier, later in zip(attempt.reports[1:], attempt.reports[2:], strict=False):
        if earlier.units_per_second_asked == later.units_per_second_asked:
            seconds = later.elapsed_seconds - earlier.elapsed_seconds
            units = later.consumed_units - earlier.consumed_units
            assert units <= later.units_per_second_asked * seconds + 2 * largest_page(one)


def test_e8_an_on_demand_table_leaves_its_readers_what_they_use(clock: StepClock) -> None:
    one = world(clock, 300, read=None)
    dynamodb = one.aws.dynamodb
    dynamodb.set_capacity(TABLE, max_read=100)
    for _ in range(60):  # an hour at 80 units per second
        dynamodb.use(TABLE, "read", 80 * 60.0)
        clock.wait(one.new_event(), 60)
    dynamodb.metering.used(TABLE, None, "read", 0.0)
    began = len(dynamodb.metering.log)

    result = one.export(ratio=0.5, segments=1, part_bytes=100_000).result

    del dynamodb.metering.log[:began]
    assert 20 == pytest.approx(result.units_per_second_asked)
    assert_held(one, 20.0)


# --- E9: what a refusal slows down --------------------------------------------------------------


def units(one: World, start: float, seconds: float) -> float:
    """What the table's reads consumed in some seconds."""
    entries = one.aws.dynamodb.metering.entries(TABLE)
    return sum(entry.units for entry in entries if start <= entry.at < start + seconds)


def struck_export(clock: StepClock, fault: Fault) -> tuple[World, Attempt, float]:
    """Export a table at 40 units per second; returns also when the fault struck."""
    one = world(clock, 5500, read=10_000)
    attempt = Attempt(one, asked(units_per_second=40, segments=2, part_bytes=1_000_000), stop=one.new_event())
    with one.aws.door(fault) as door:
        attempt.through(door)
    struck_at = [call.at for call in door.calls if call.operation == "Scan"][fault.at - 1]
    return one, attempt, struck_at


@pytest.mark.parametrize("kind", THROTTLES)
@pytest.mark.parametrize("reason", TABLE_REASONS)
def test_e9_a_refusal_for_the_tables_sake_lowers_the_whole_rate_and_it_recovers(
    clock: StepClock, kind: Kind, reason: str, tally: Tally
) -> None:
    one, attempt, at = struck_export(clock, Fault(kind, 20, on="Scan", reason=reason))
    tally(len(attempt.struck))
    before = units(one, at - 5, 5)
    after = units(one, at + 1, 5)

    assert after < 0.85 * before
    assert units(one, at + 80, 5) >= 0.9 * before
    assert any(reason in line for line in attempt.warned)
    assert_whole(one)


@pytest.mark.parametrize("kind", THROTTLES)
def test_e9_a_refusal_for_a_key_ranges_sake_pauses_one_segment_and_leaves_the_rate(
    clock: StepClock, kind: Kind, tally: Tally
) -> None:
    one, attempt, at = struck_export(clock, Fault(kind, 20, on="Scan", reason=KEY_RANGE))
    tally(len(attempt.struck))
    before = units(one, at - 5, 5)
    after = units(one, at + 1, 5)

    assert after >= 0.9 * before
    assert any(KEY_RANGE in line for line in attempt.warned)
    assert_whole(one)


def test_e9_a_table_asked_for_more_than_it_has_is_read_at_what_it_has(clock: StepClock) -> None:
    one = world(clock, 400, read=20)

    attempt = one.export(units_per_second=80, segments=2, part_bytes=100_000)

    assert attempt.result.item_count == 400
    assert set(refused(one)) == {"TableReadProvisionedThroughputExceeded"}
    assert len(refused(one)) < 40  # it learns: no storm of refused calls
    assert_whole(one)
