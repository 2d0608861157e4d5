"""The rate of an import as the table's own meter sees it, over the wire, on virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine import lease, throttle, workers
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from tests.faults.calls import Call
from tests.faults.dynamodb.admission import MeterSettings
from tests.faults.dynamodb.metering import EPSILON, Metered
from tests.faults.endpoint import FakeAws, Killed
from tests.faults.import_files import TABLE, Attempt, Files, lines
from tests.faults.script import Fault, Kind
from tests.step_clock import StepClock

Item = dict[str, Any]
INDEX = "by-g"


@pytest.fixture
def clock() -> Iterator[StepClock]:
    """Exact time: a call is sent at the moment its turn has come, however busy the machine is."""
    steps = StepClock()
    with steps.in_place_of_threads(throttle, lease, workers):
        yield steps


def index(write: int) -> Item:
    """Settings of a table with one global index."""
    return {
        "AttributeDefinitions": [{"AttributeName": "g", "AttributeType": "S"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": INDEX,
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": write},
            }
        ],
    }


def some(count: int, size: int = 60) -> list[Item]:
    """Items of one unit, or of more."""
    return [
        {"pk": {"S": f"{n:05}"}, "g": {"S": f"g{n}"}, "t": {"S": "x" * (size - 20)}} for n in range(count)
    ]


def world(clock: StepClock, held: list[Item], *, write: int, files: int = 3, **settings: Any) -> Files:
    """A metered table and its items in some files."""
    one = Files(aws=FakeAws(clock), write=write, table_settings=settings)
    one.aws.dynamodb.meter(TABLE, MeterSettings(saved_seconds=1))
    for number in range(files):
        one.put(f"part-{number}", lines(held[number::files]))
    return one


def entries(one: Files, name: str | None = None) -> list[Metered]:
    return list(one.aws.dynamodb.metering.entries(TABLE, name, "write"))


def largest_batch(one: Files, name: str | None = None) -> float:
    """Units of the most that was consumed at one moment, at which never more than one call was made."""
    used = [entry for entry in entries(one, name) if entry.units]
    return max(sum(entry.units for entry in batch) for _, batch in groupby(used, key=lambda entry: entry.at))


def worst(one: Files, seconds: float, name: str | None = None) -> float:
    return one.aws.dynamodb.metering.worst_window(TABLE, seconds, index=name, kind="write")


def refused(one: Files) -> list[str]:
    return [entry.reason for entry in one.aws.dynamodb.metering.log if entry.reason]


def assert_held(one: Files, units_per_second: float, name: str | None = None) -> None:
    """No window has more than the rate and one batch, and no batch more than a quarter second or one item."""
    batch = largest_batch(one, name)
    assert worst(one, 1.0, name) <= units_per_second + batch + EPSILON
    assert worst(one, 60.0, name) <= 60 * units_per_second + batch + EPSILON


def assert_one_call_at_a_time(attempt: Attempt) -> None:
    assert len(attempt.writes) == len({call.at for call in attempt.writes})


@pytest.mark.parametrize("segments", [1, 4])
@pytest.mark.parametrize(("count", "size", "largest"), [(900, 60, 2.0), (9, 100_000, 98.0)])
def test_a_provisioned_table_never_sees_more_than_its_share_and_one_batch(
    clock: StepClock, segments: int, count: int, size: int, largest: float
) -> None:
    held = some(count, size)
    one = world(clock, held, write=40)

    attempt = one.attempt(ratio=0.25, segments=segments)

    assert count == attempt.result.written
    assert_one_call_at_a_time(attempt)
    assert largest == largest_batch(one)
    assert_held(one, 10.0)
    assert worst(one, 60.0) >= 0.9 * 60 * 10
    assert [] == refused(one)
    assert 0.95 * 10 <= attempt.result.units_per_second_held <= 10 + EPSILON
    assert sum(entry.units for entry in entries(one)) == attempt.result.consumed_units
    assert sorted(item["pk"]["S"] for item in held) == sorted(item["pk"]["S"] for item in one.items)


@pytest.mark.parametrize("on_conflict", ["skip", "newer"])
def test_items_written_one_by_one_keep_to_the_rate_whether_they_are_there_or_not(
    clock: StepClock, on_conflict: str
) -> None:
    held = [{**item, "v": {"N": "1"}} for item in some(300)]
    one = world(clock, held, write=40)
    one.aws.dynamodb.put_items(TABLE, held[:150])
    more = {"version_attribute": "v"} if on_conflict == "newer" else {}

    attempt = one.attempt(ratio=0.25, segments=2, on_conflict=on_conflict, **more)

    assert (150, 150) == (attempt.result.written, attempt.result.skipped)
    assert_held(one, 10.0)
    assert worst(one, 20.0) >= 0.9 * 20 * 10
    assert [] == refused(one)


def test_an_index_of_smaller_capacity_gets_its_own_share_and_is_named(clock: StepClock) -> None:
    one = world(clock, some(300), write=40, **index(write=10))

    attempt = one.attempt(ratio=0.5, segments=2)

    assert 300 == attempt.result.written
    assert any(f"index {INDEX} has 10 units and counts 4 times" in line for line in attempt.said)
    assert_held(one, 5.0, INDEX)
    assert_held(one, 5.0)
    assert worst(one, 30.0, INDEX) >= 0.9 * 30 * 5
    assert [] == refused(one)


def test_items_that_no_index_holds_are_written_at_the_tables_share(clock: StepClock) -> None:
    held = [{"pk": item["pk"]} for item in some(900)]
    one = world(clock, held, write=40, **index(write=10))

    attempt = one.attempt(ratio=0.5, segments=2)

    assert 900 == attempt.result.written
    assert [] == entries(one, INDEX)
    assert_held(one, 20.0)
    assert worst(one, 20.0) >= 0.8 * 20 * 20


def test_an_index_that_cannot_keep_up_is_named_and_all_items_are_written_all_the_same(
    clock: StepClock,
) -> None:
    one = world(clock, some(400), write=1000, **index(write=5))

    attempt = one.attempt(units_per_second=200, segments=2)

    assert 400 == attempt.result.written
    assert {"IndexWriteProvisionedThroughputExceeded"} == set(refused(one))
    named = [line for line in attempt.warned if f"index {INDEX} cannot keep up" in line]
    assert named
    assert all("IndexWriteProvisionedThroughputExceeded" in line for line in named)
    seconds = attempt.result.seconds
    assert len(named) <= seconds / 60 + 1
    assert len(attempt.writes) <= 6 * seconds  # no storm
    assert 400 == len(one.items)


def test_an_absolute_rate_counts_the_units_of_the_table_and_its_indexes_together(clock: StepClock) -> None:
    one = world(clock, some(300), write=1000, **index(write=1000))

    attempt = one.attempt(units_per_second=20, segments=2)

    assert 600 == attempt.result.consumed_units
    assert_held(one, 10.0)
    assert_held(one, 10.0, INDEX)
    assert worst(one, 25.0) >= 0.9 * 25 * 10


def test_the_rate_follows_the_capacity_up_and_down(clock: StepClock) -> None:
    one = world(clock, some(3000), write=8)
    changes = {100.0: 16, 250.0: 4}  # after so many seconds: write units of the table
    began = clock.monotonic()
    request = ImportRequest.from_settings(
        {"table_name": TABLE, "s3_uri": "s3://backups/old", "ratio": 0.5, "segments": 2}
    )
    attempt = Attempt(one, request)
    with one.aws.door() as door:

        def others(call: Call) -> None:
            for after in [seconds for seconds in changes if call.at - began >= seconds]:
                one.aws.dynamodb.set_capacity(TABLE, write=changes.pop(after))

        door.before = others
        attempt.through(door)

    assert 3000 == attempt.result.written
    rates = [float(line.split()[2].replace(",", "")) for line in attempt.said if line.startswith("rate now")]
    assert [8.0, 2.0] == rates
    assert_held(one, 8.0)
    late = [entry for entry in entries(one) if entry.at >= began + 250 + 61]
    assert sum(entry.units for entry in late) <= 2 * (late[-1].at - late[0].at) + 2 * largest_batch(one)


def test_killed_and_resumed_all_attempts_together_hold_the_rate(clock: StepClock) -> None:
    for at in (30, 75, 120):
        one = world(clock, some(400), write=20)
        killed = one.attempt(Fault(Kind.KILL, at, on="BatchWriteItem", after=True), ratio=0.25, segments=2)
        assert isinstance(killed.outcome, Killed)

        result = one.attempt(ratio=0.25, segments=2).result

        assert ("resume", 400) == (result.start, result.written)
        assert 400 == len(one.items)
        assert_held(one, 5.0)
        assert [] == refused(one)


def test_what_was_not_processed_is_sent_again_until_it_is_written(clock: StepClock) -> None:
    one = world(clock, some(200), write=1000)

    attempt = one.attempt(
        Fault(Kind.UNPROCESSED, 2, on="BatchWriteItem", times=12), units_per_second=400, segments=1
    )

    assert (200, 200) == (attempt.result.read, attempt.result.written)
    assert 200 == len(one.items)
    assert 200 == attempt.result.consumed_units  # what was not processed was not charged
    assert worst(one, 1.0) <= 400 + largest_batch(one)
    assert len(attempt.writes) < 8 + 2 * 12


def test_a_table_asked_for_more_than_it_has_is_written_at_what_it_has(clock: StepClock) -> None:
    one = world(clock, some(1200), write=20)

    attempt = one.attempt(units_per_second=80, segments=2)

    assert 1200 == attempt.result.written
    assert {"TableWriteProvisionedThroughputExceeded"} == set(refused(one))
    assert attempt.result.seconds <= 3 * 1200 / 20
    assert len(attempt.writes) <= 6 * attempt.result.seconds  # no storm
    assert 1200 == len(one.items)
