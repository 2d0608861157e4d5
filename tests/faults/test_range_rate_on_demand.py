"""Workers that share out an on-demand table by ratio: its only figure counts what they consume themselves.

Ranges that begin late, are tried again, or look at the table while they run must not take the others of their
work for other people; and what other people consume is left to them all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Self

import pytest

from airflow_dynamo_pipeline.engine import lease, throttle, workers
from airflow_dynamo_pipeline.engine.export_ranges import RangeResult
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.sizing import FULL_PAGE_UNITS
from airflow_dynamo_pipeline.errors import ImportRefused, PreflightFailed
from tests.clock import EPOCH
from tests.faults.attempts import BUCKET, PREFIX, TABLE, Attempt, World, assert_whole
from tests.faults.dynamodb.metering import EPSILON, Metered
from tests.faults.endpoint import FakeAws, Killed
from tests.faults.import_range_attempts import Worker, planning, range_of
from tests.faults.import_range_attempts import committing as committing_import
from tests.faults.import_world import TARGET, ImportWorld
from tests.faults.range_attempts import committing, planned, ranging
from tests.faults.script import Fault, Kind
from tests.faults.test_export_range_rate import persistent, together, world
from tests.faults.test_import_range_rate import FULL_CALL, laid
from tests.step_clock import StepClock

CAPACITY = 20.0  # units per second, of which each of two workers has a half
SETTINGS: dict[str, Any] = {"ratio": 1.0, "segments": None, "part_bytes": 1_000_000}
IMPORTING: dict[str, Any] = {"ratio": 1.0, "units_per_second": None, "segments": 1}
SEEN_SECONDS = 121.0  # until the minute of a change is over, and everybody has looked
GROWTH = 0.4 * CAPACITY  # of what others consume
HALF_OF_THEM = GROWTH / 2  # those that read have slowed down before a whole minute showed all of it


@pytest.fixture
def clock() -> Iterator[StepClock]:
    """Exact time: a call is sent at the moment its turn has come, however busy the machine is."""
    steps = StepClock()
    with steps.in_place_of_threads(throttle, lease, workers):
        yield steps


class Others:
    """Other people, who use a table once a second until all else is done."""

    def __init__(self, aws: FakeAws, table: str, kind: Any, clock: StepClock) -> None:
        self.units = 0.0  # per second
        self.over = clock.threading.Event()
        self._aws, self._table, self._kind, self._clock = aws, table, kind, clock
        self._thread = clock.threading.Thread(target=self._use)

    def for_seconds(self, seconds: float) -> None:
        """Let them alone for a while."""
        self._clock.wait(self._clock.threading.Event(), seconds)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._thread.join()

    def _use(self) -> None:
        while not self._clock.wait(self.over, 1.0):
            if self.units:
                self._aws.dynamodb.use(self._table, self._kind, self.units)


def on_demand(clock: StepClock, seconds: float) -> World:
    """A table that is read in so many seconds at its whole capacity; the rest of it is as good as free."""
    one = world(clock, int(CAPACITY * seconds / 0.75), read=None)
    one.aws.dynamodb.set_capacity(TABLE, max_read=CAPACITY)
    return one


def used(one: World | ImportWorld, begin: float, seconds: float) -> float:
    """Units that everybody consumed in some seconds."""
    table, kind = (TABLE, "read") if isinstance(one, World) else (TARGET, "write")
    entries = one.aws.dynamodb.metering.entries(table, kind=kind)
    return sum(entry.units for entry in entries if begin <= entry.at < begin + seconds)


def worst(one: World | ImportWorld, seconds: float) -> float:
    table, kind = (TABLE, "read") if isinstance(one, World) else (TARGET, "write")
    return one.aws.dynamodb.metering.worst_window(table, seconds, kind=kind)


def tasks(one: World, parts: Sequence[RangeWork], done: list[Attempt]) -> list[Callable[[], None]]:
    return [persistent(partial(ranging, one, part, **SETTINGS), done) for part in parts]


def finish(one: World, parts: Sequence[RangeWork], done: Sequence[Attempt]) -> None:
    assert all(isinstance(attempt.outcome, RangeResult) for attempt in done), [a.outcome for a in done]
    committing(one, parts[0], **SETTINGS).run()
    assert_whole(one)


def shares(done: Sequence[Attempt]) -> list[float]:
    """What attempts asked for at their beginning, and at each look at the table."""
    told = [report.units_per_second_asked for attempt in done for report in attempt.reports]
    return [attempt.outcome.units_per_second_asked for attempt in done] + told


# --- exports ------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", [0.0, 1.0])
def test_e8_ranges_of_three_waves_have_the_share_of_the_first(clock: StepClock, taken: float) -> None:
    """Each wave takes more than a minute, so the next one, and each look, sees what went before it."""
    one = on_demand(clock, 240.0)
    done: list[Attempt] = []
    with Others(one.aws, TABLE, "read", clock) as others:
        others.units = taken
        others.for_seconds(130.0)
        parts = planned(one, ranges=6, at_once=2, **SETTINGS)
        began_at = clock.monotonic()
        together(one, tasks(one, parts, done), at_once=2)
        seconds = clock.monotonic() - began_at

    assert [CAPACITY - taken] * 6 == pytest.approx([2 * share for share in shares(done)[:6]], rel=0.02)
    assert 0.95 * (CAPACITY - taken) / 2 <= min(shares(done))
    for window in (1.0, 60.0):
        assert worst(one, window) <= window * CAPACITY + FULL_PAGE_UNITS + EPSILON
    assert seconds <= 1.15 * 240.0 * CAPACITY / (CAPACITY - taken)
    finish(one, parts, done)


def test_e8_a_killed_range_is_tried_again_at_its_share(clock: StepClock) -> None:
    one = on_demand(clock, 200.0)
    parts = planned(one, ranges=2, **SETTINGS)
    ended: list[Attempt] = []
    kills = [Fault(Kind.KILL, 60, on="Scan", after=True)]

    def first() -> Attempt:
        return ranging(one, parts[0], *([kills.pop()] if kills else []), **SETTINGS)

    together(one, [persistent(first, ended), *tasks(one, parts[1:], ended)], at_once=2)

    retried = [attempt for attempt in ended if isinstance(attempt.outcome, RangeResult)]
    assert (3, 2) == (len(ended), len(retried))
    assert CAPACITY / 2 == pytest.approx(min(shares(retried)), rel=0.02)
    for window in (1.0, 60.0):
        assert worst(one, window) <= window * CAPACITY + FULL_PAGE_UNITS + EPSILON
    finish(one, parts, retried)


def test_what_others_begin_to_consume_is_left_to_them_by_those_that_read_and_those_that_begin(
    clock: StepClock,
) -> None:
    one = on_demand(clock, 300.0)
    done: list[Attempt] = []
    with Others(one.aws, TABLE, "read", clock) as others:
        parts = planned(one, ranges=6, at_once=2, **SETTINGS)
        began_at = clock.monotonic()

        def grow() -> None:
            others.for_seconds(30.0)
            others.units = GROWTH

        side = clock.threading.Thread(target=grow)
        side.start()
        together(one, tasks(one, parts, done), at_once=2)
        side.join()
        ended_at = clock.monotonic()

    seen_at = began_at + 30.0 + SEEN_SECONDS
    assert ended_at - seen_at > 120.0
    total = used(one, seen_at, ended_at - seen_at)
    left = CAPACITY + HALF_OF_THEM
    assert total <= left * (ended_at - seen_at) + FULL_PAGE_UNITS
    assert total >= 0.9 * CAPACITY * (ended_at - seen_at - 60.0)  # the last worker has only its own share
    assert (CAPACITY - HALF_OF_THEM) / 2 >= max(shares(done[2:]))
    finish(one, parts, done)


def test_what_others_consumed_while_nobody_read_for_more_than_an_hour_is_left_to_them(
    clock: StepClock,
) -> None:
    """A group that is cleared the next day: nothing of the figure is its own."""
    one = on_demand(clock, 60.0)
    done: list[Attempt] = []
    parts = planned(one, ranges=4, at_once=2, **SETTINGS)
    together(one, tasks(one, parts[:2], done), at_once=2)
    with Others(one.aws, TABLE, "read", clock) as others:
        others.units = 0.6 * CAPACITY
        others.for_seconds(3700.0)
        began_at = clock.monotonic()
        together(one, tasks(one, parts[2:], done), at_once=2)
        seconds = clock.monotonic() - began_at

    assert [0.4 * CAPACITY / 2] * 2 == pytest.approx(shares(done[2:])[:2], rel=0.02)
    assert used(one, began_at, seconds) <= CAPACITY * seconds + FULL_PAGE_UNITS
    finish(one, parts, done)


# --- imports ------------------------------------------------------------------------------------


def import_world(clock: StepClock, count: int, ranges: int) -> ImportWorld:
    one = ImportWorld(laid(count, ranges), aws=FakeAws(clock))
    one.aws.dynamodb.set_capacity(TARGET, max_write=CAPACITY)
    return one


def import_all(
    one: ImportWorld, clock: StepClock, parts: Sequence[RangeWork], *faults: Fault
) -> list[Worker]:
    """Two at a time; the first has the faults, and is tried again. Gives those that were not killed."""
    found: list[Worker] = []
    waiting = list(parts[::-1])

    def work() -> None:
        while waiting:
            part = waiting.pop()
            if part.number == 0 and faults:
                killed = Worker(one, range_of(part), IMPORTING, faults).run()
                assert isinstance(killed.outcome, Killed)
            found.append(Worker(one, range_of(part), IMPORTING).run())

    threads = [clock.threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def asked_by(found: Sequence[Worker]) -> list[float]:
    """What workers asked for at their beginning, and at each look at the table."""
    begun = [worker.outcome.units_per_second_asked for worker in found]
    lines = [line for worker in found for line in worker.said if line.startswith("rate now")]
    return begun + [float(line.split()[2]) for line in lines]


@pytest.mark.parametrize("taken", [0.0, 1.0])
def test_e8_ranges_of_three_waves_of_an_import_have_the_share_of_the_first(
    clock: StepClock, taken: float
) -> None:
    one = import_world(clock, int(240 * CAPACITY), 6)
    with Others(one.aws, TARGET, "write", clock) as others:
        others.units = taken
        others.for_seconds(130.0)
        parts = planning(one, ranges=6, at_once=2, **IMPORTING)
        began_at = clock.monotonic()
        found = import_all(one, clock, parts)
        seconds = clock.monotonic() - began_at

    assert all(isinstance(worker.outcome, ImportResult) for worker in found), [w.outcome for w in found]
    assert 0.95 * (CAPACITY - taken) / 2 <= min(asked_by(found))
    for window in (1.0, 60.0):
        assert worst(one, window) <= window * CAPACITY + FULL_CALL + EPSILON
    assert seconds <= 1.2 * 240.0 * CAPACITY / (CAPACITY - taken)
    assert isinstance(committing_import(one, parts[0], **IMPORTING), ImportResult)


def test_e8_a_killed_range_of_an_import_is_tried_again_at_its_share(clock: StepClock) -> None:
    one = import_world(clock, int(200 * CAPACITY), 2)
    parts = planning(one, ranges=2, **IMPORTING)

    found = import_all(one, clock, parts, Fault(Kind.KILL, 300, on="BatchWriteItem", after=True))

    assert 0.95 * CAPACITY / 2 <= min(asked_by(found))
    for window in (1.0, 60.0):
        assert worst(one, window) <= window * CAPACITY + FULL_CALL + EPSILON


def test_what_others_begin_to_consume_is_left_to_them_by_the_ranges_of_an_import(clock: StepClock) -> None:
    one = import_world(clock, int(300 * CAPACITY), 6)
    with Others(one.aws, TARGET, "write", clock) as others:
        parts = planning(one, ranges=6, at_once=2, **IMPORTING)
        began_at = clock.monotonic()

        def grow() -> None:
            others.for_seconds(30.0)
            others.units = GROWTH

        side = clock.threading.Thread(target=grow)
        side.start()
        import_all(one, clock, parts)
        side.join()
        ended_at = clock.monotonic()

    seen_at = began_at + 30.0 + SEEN_SECONDS
    seconds = ended_at - seen_at
    assert seconds > 120.0
    assert used(one, seen_at, seconds) <= (CAPACITY + HALF_OF_THEM) * seconds + FULL_CALL
    assert used(one, seen_at, seconds) >= 0.9 * CAPACITY * (seconds - 60.0)


# --- the rate and the table after a wait --------------------------------------------------------


def occupied(one: World | ImportWorld, clock: StepClock, key: str, change: Callable[[], None]) -> Any:
    """Somebody who lives has a place for 100 seconds; half-way something is changed."""

    def hold() -> None:
        for beat in range(1, 25):
            _put_lease(one, key, beat, released=False)
            clock.wait(clock.threading.Event(), 4.0)
            if beat == 12:
                change()
        _put_lease(one, key, 25, released=True)

    _put_lease(one, key, 0, released=False)
    thread = clock.threading.Thread(target=hold)
    thread.start()
    return thread


def _put_lease(one: World | ImportWorld, key: str, beat: int, *, released: bool) -> None:
    at = EPOCH.isoformat().replace("+00:00", "Z")
    word = "true" if released else "false"
    body = f'{{"version":1,"attempt":"other","beats":{beat},"beatAt":"{at}","released":{word}}}'
    one.aws.s3.put(BUCKET, key, body.encode())


def first_use(one: World | ImportWorld, after: float) -> Metered:
    table, kind = (TABLE, "read") if isinstance(one, World) else (TARGET, "write")
    return next(e for e in one.aws.dynamodb.metering.entries(table, kind=kind) if e.at >= after)


def test_e8_a_range_that_waited_for_its_place_begins_at_the_rate_of_now(clock: StepClock) -> None:
    one = world(clock, 200, read=1000)
    settings = {**SETTINGS, "ratio": 0.5}
    (first, _) = planned(one, ranges=2, at_once=1, **settings)
    key = ExportLayout(S3Location(BUCKET, PREFIX), first.id).place_key(0)
    thread = occupied(one, clock, key, lambda: one.aws.dynamodb.set_capacity(TABLE, read=10))
    began_at = clock.monotonic()

    attempt = ranging(one, first, **settings).run()
    thread.join()

    assert any("places are taken" in line for line in attempt.said)
    assert first_use(one, began_at).at - began_at > 90.0
    assert 5.0 == attempt.outcome.units_per_second_asked
    assert any(line.startswith("rate now 5.0 read units") for line in attempt.said)
    assert worst(one, 10.0) <= 10 * 5.0 + FULL_PAGE_UNITS + EPSILON


def test_a_range_that_waited_reads_nothing_of_a_table_made_anew_meanwhile(clock: StepClock) -> None:
    one = world(clock, 200, read=1000)
    (first, _) = planned(one, ranges=2, at_once=1, **SETTINGS)
    key = ExportLayout(S3Location(BUCKET, PREFIX), first.id).place_key(0)
    thread = occupied(one, clock, key, lambda: made_anew(one, TABLE))

    attempt = ranging(one, first, **SETTINGS).run()
    thread.join()

    assert isinstance(attempt.outcome, PreflightFailed), attempt.outcome
    assert "was deleted and made anew since" in str(attempt.outcome)
    assert "Scan" not in attempt.operations


def made_anew(one: World | ImportWorld, table: str) -> None:
    with one.aws.door() as door:
        door.client("dynamodb").delete_table(TableName=table)
    one.aws.dynamodb.create_table(table)


def import_place_key(one: ImportWorld) -> str:
    (record,) = [key for key in one.objects if key.endswith("/import.json")]
    return record.replace("import.json", "places/0000.json")


def test_e8_a_range_of_an_import_that_waited_for_its_place_begins_at_the_rate_of_now(
    clock: StepClock,
) -> None:
    one = ImportWorld(laid(100, 2), table={"write": 1000}, aws=FakeAws(clock))
    settings = {**IMPORTING, "ratio": 0.5}
    (first, _) = planning(one, ranges=2, at_once=1, **settings)
    key = import_place_key(one)
    thread = occupied(one, clock, key, lambda: one.aws.dynamodb.set_capacity(TARGET, write=10))
    began_at = clock.monotonic()

    worker = Worker(one, range_of(first), settings).run()
    thread.join()

    assert any("places are taken" in line for line in worker.said)
    assert first_use(one, began_at).at - began_at > 90.0
    assert 5.0 == worker.outcome.units_per_second_asked
    assert worst(one, 1.0) <= 5.0 + FULL_CALL + EPSILON


@pytest.mark.parametrize("protected", [False, True])
def test_a_range_of_an_import_that_waited_writes_nothing_to_another_table_or_one_protected_meanwhile(
    clock: StepClock, *, protected: bool
) -> None:
    one = ImportWorld(laid(100, 2), aws=FakeAws(clock))
    (first, _) = planning(one, ranges=2, at_once=1, **IMPORTING)

    def protect() -> None:
        with one.aws.door() as door:
            door.client("dynamodb").update_table(TableName=TARGET, DeletionProtectionEnabled=True)

    thread = occupied(
        one, clock, import_place_key(one), protect if protected else partial(made_anew, one, TARGET)
    )

    worker = Worker(one, range_of(first), IMPORTING).run()
    thread.join()

    message = "is protected against deletion" if protected else "was deleted and made anew since"
    worker.failed(ImportRefused, message)
    assert [] == one.items
