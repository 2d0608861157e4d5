"""The rate of all workers of one import together, as the table's own meter sees it, on virtual time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine import lease, throttle, workers
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.errors import ImportRefused
from tests.faults.attempts import BUCKET, Item
from tests.faults.dynamodb.admission import MeterSettings
from tests.faults.dynamodb.metering import EPSILON
from tests.faults.endpoint import FakeAws, Killed
from tests.faults.import_backups import Laid, files
from tests.faults.import_range_attempts import Worker, committing, planning, range_of, ranging
from tests.faults.import_world import TARGET, ImportWorld
from tests.faults.script import Fault, Kind
from tests.step_clock import StepClock

INDEX = "by-g"
FULL_CALL = 25.0  # items of a unit


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


def laid(count: int, parts: int, size: int = 40) -> Laid:
    """So many items in so many files."""
    held = [
        {"pk": {"S": f"{n:05}"}, "g": {"S": f"g{n}"}, "t": {"S": "x" * (size - 20)}} for n in range(count)
    ]
    return files(*(held[number::parts] for number in range(parts)))


def world(clock: StepClock, source: Laid, *, write: int, **table: Any) -> ImportWorld:
    """A metered table, and a source."""
    one = ImportWorld(source, table={"write": write, **table}, aws=FakeAws(clock))
    one.aws.dynamodb.meter(TARGET, MeterSettings(saved_seconds=1))
    return one


def together(
    one: ImportWorld,
    clock: StepClock,
    parts: Sequence[RangeWork],
    faults: Mapping[int, Fault] | None = None,
    **settings: Any,
) -> list[Worker]:
    """All ranges at the same time, each by a worker of its own; some with a fault."""
    struck = faults or {}
    found = [
        Worker(one, range_of(part), settings, (struck[part.number],) if part.number in struck else ())
        for part in parts
    ]
    threads = [clock.threading.Thread(target=worker.run) for worker in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def worst(one: ImportWorld, seconds: float, name: str | None = None) -> float:
    return one.aws.dynamodb.metering.worst_window(TARGET, seconds, index=name, kind="write")


def assert_held(one: ImportWorld, rate: float, name: str | None = None, call: float = FULL_CALL) -> None:
    """No window has more than the rate and one call of 25 items."""
    assert worst(one, 1.0, name) <= rate + call + EPSILON
    assert worst(one, 60.0, name) <= 60 * rate + call + EPSILON
    assert [] == [entry.reason for entry in one.aws.dynamodb.metering.log if entry.reason]


def assert_all_written(one: ImportWorld, part: RangeWork, **settings: Any) -> ImportResult:
    result = committing(one, part, **settings)
    assert isinstance(result, ImportResult), repr(result)
    assert one.laid.lines == result.read == result.written == len(one.items)
    return result


RATIO: dict[str, Any] = {"ratio": 0.5, "units_per_second": None, "segments": 2}


@pytest.mark.parametrize("count", [2, 4, 16])
def test_all_workers_together_hold_the_rate_and_one_call(clock: StepClock, count: int) -> None:
    one = world(clock, laid(1600, count), write=40)
    parts = planning(one, ranges=count, **RATIO)

    together(one, clock, parts, **RATIO)

    result = assert_all_written(one, parts[0], **RATIO)
    assert_held(one, 20.0)
    assert worst(one, 60.0) >= 0.9 * 60 * 20
    assert 0.9 * 20 <= result.units_per_second_held <= 20 + EPSILON
    assert 20.0 == result.units_per_second_asked


@pytest.mark.parametrize("count", [2, 4, 16])
def test_at_a_high_rate_calls_are_full_and_a_little_of_the_rate_is_left_unused(
    clock: StepClock, count: int
) -> None:
    settings: dict[str, Any] = {"units_per_second": 800.0}
    one = world(clock, laid(9000, count), write=4000)
    parts = planning(one, ranges=count, **settings)

    together(one, clock, parts, **settings)

    result = assert_all_written(one, parts[0], **settings)
    assert worst(one, 1.0) <= 800 + FULL_CALL + EPSILON
    assert worst(one, 10.0) >= 0.9 * 10 * 800
    assert 0.9 * 800 <= result.units_per_second_held <= 800


@pytest.mark.parametrize("count", [2, 4, 16])
def test_a_global_index_gets_its_own_share_from_all_workers_together(clock: StepClock, count: int) -> None:
    one = world(clock, laid(900, count), write=80, **index(write=20))
    parts = planning(one, ranges=count, **RATIO)

    together(one, clock, parts, **RATIO)

    assert_all_written(one, parts[0], **RATIO)
    assert_held(one, 10.0, INDEX)
    assert_held(one, 10.0)
    assert worst(one, 60.0, INDEX) >= 0.9 * 60 * 10


@pytest.mark.parametrize("count", [4, 16])
def test_i2_workers_killed_and_tried_again_hold_the_rate_with_those_that_go_on(
    clock: StepClock, count: int
) -> None:
    one = world(clock, laid(1200, count), write=40)
    parts = planning(one, ranges=count, **RATIO)
    kills = {
        number: Fault(Kind.KILL, 5 + number, on="BatchWriteItem", after=True) for number in range(0, count, 2)
    }

    killed = together(one, clock, parts, kills, **RATIO)
    assert len(kills) == sum(isinstance(worker.outcome, Killed) for worker in killed)
    again = together(one, clock, parts, **RATIO)

    assert {"resume", "adopt"} == {worker.outcome.start for worker in again}
    assert_all_written(one, parts[0], **RATIO)
    assert_held(one, 20.0)


def test_i2_a_worker_that_takes_over_while_the_others_write_does_not_add_to_the_rate(
    clock: StepClock,
) -> None:
    one = world(clock, laid(1200, 4), write=40)
    parts = planning(one, ranges=4, **RATIO)
    kill = Fault(Kind.KILL, 10, on="BatchWriteItem", after=True)
    first = Worker(one, range_of(parts[0]), RATIO, (kill,))

    def twice() -> None:
        first.run()
        ranging(one, parts[0], **RATIO)

    retried = clock.threading.Thread(target=twice)
    retried.start()
    together(one, clock, parts[1:], **RATIO)
    retried.join()

    assert isinstance(first.outcome, Killed)
    assert_all_written(one, parts[0], **RATIO)
    assert_held(one, 20.0)


@pytest.mark.parametrize("size", [40, 900, 1500])
def test_ranges_that_follow_each_other_at_a_place_pay_for_what_went_before(
    clock: StepClock, size: int
) -> None:
    """All are started at once, and never more than three work."""
    one = world(clock, laid(720, 12, size), write=40)
    parts = planning(one, ranges=12, at_once=3, **RATIO)

    found = together(one, clock, parts, **RATIO)

    assert any("places are taken: waiting for one" in line for worker in found for line in worker.said)
    result = assert_all_written(one, parts[0], **RATIO)
    assert_held(one, 20.0)
    assert result.units_per_second_held <= 20.05  # rounded by each range


def test_of_items_larger_than_a_call_each_worker_may_be_one_ahead_and_no_more(clock: StepClock) -> None:
    one = world(clock, laid(24, 8, 100_000), write=400)
    parts = planning(one, ranges=8, at_once=4, **RATIO)

    together(one, clock, parts, **RATIO)

    assert_all_written(one, parts[0], **RATIO)
    assert_held(one, 200.0, call=4 * 98.0)


def test_more_workers_than_calls_of_an_item_each_allow_are_refused(clock: StepClock) -> None:
    one = world(clock, laid(80, 40), write=4000)
    before = one.aws.s3.objects(BUCKET)

    refused = planning(one, ranges=40, units_per_second=100.0)

    assert isinstance(refused, ImportRefused), refused
    assert ["at_once"] == [problem.where for problem in refused.problems]
    assert "at most 30" in str(refused)
    assert before == one.aws.s3.objects(BUCKET)


def test_as_many_workers_as_are_allowed_hold_the_rate(clock: StepClock) -> None:
    settings: dict[str, Any] = {"units_per_second": 90.0, "segments": 1}
    one = world(clock, laid(1160, 29), write=4000)
    parts = planning(one, ranges=29, **settings)

    together(one, clock, parts, **settings)

    assert_all_written(one, parts[0], **settings)
    assert_held(one, 90.0)
    assert worst(one, 10.0) >= 0.9 * 10 * 90
