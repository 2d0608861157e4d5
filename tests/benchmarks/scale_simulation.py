"""An export by many workers on a virtual clock: pages as events, without threads, items or bytes.

Real are the throttle of each worker, its page sizer, the sharing of the rate, which segments are whose, and
the capacity model of the fault harness with its partitions. Made up are the table, its skew, and how long a
reply takes. One event follows the other by time, so millions of pages take a minute.

A table that takes days is thinned: every segment keeps one page in so many, and the time it takes to begin
a range is divided by as much. Ranges, workers, the rate and the shares of the partitions stay as they are,
so the ends of ranges and the skew weigh what they would; the hours are the simulated ones times the thinning.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from airflow_dynamo_pipeline.engine.backoff import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
from airflow_dynamo_pipeline.engine.capacity import MAX_THREADS
from airflow_dynamo_pipeline.engine.ranges import in_order, numbers_of
from airflow_dynamo_pipeline.engine.scale import Scale
from airflow_dynamo_pipeline.engine.sizing import FULL_PAGE_UNITS, PageSizer
from airflow_dynamo_pipeline.engine.throttle import Booking, Throttle
from tests.benchmarks.scale_table import Piece, Skew, pieces_of, take
from tests.benchmarks.scale_workers import START, EventClock, NotYet, Reader, Worker
from tests.benchmarks.weather import REFUSAL_SECONDS, SPREAD
from tests.benchmarks.windows import Ledger
from tests.faults.dynamodb.capacity import KEY_RANGE, Capacity, OnDemand, Provisioned

SAVED_SECONDS = 60.0  # of unused provisioned capacity, of 300 that DynamoDB may keep
ALONE_SECONDS, UNIT_SECONDS = 0.01, 0.2 / FULL_PAGE_UNITS  # a full page takes 210 ms in the mean
BEGIN_SECONDS = 15.0  # until a worker that ended a range reads the first page of the next
PART_UNITS = 11_000.0  # of a segment, from one entry in its checkpoint to the next


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    """A worker that is gone at a moment, and whose range goes on in its place a while later."""

    worker: int
    at_seconds: float
    away_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """One simulated export."""

    scale: Scale
    thinning: float = 1.0
    ranges: int | None = None  # None: as on paper
    segments: int | None = None  # likewise
    skew: Skew = field(default_factory=Skew)
    others: float = 0.0  # units per second that others read from the partition in the middle
    lost: Lost | None = None
    seed: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulated:
    """What came of it."""

    course: Course
    seconds: float  # simulated, from the first call to the last reply
    pages: int
    units: float  # consumed, thinned, with what was read twice
    refused: int  # for a partition
    refused_for_all: int  # for the whole table
    ledger: Ledger

    @property
    def hours(self) -> float:
        """Of the whole table."""
        return self.seconds * self.course.thinning / 3600.0

    @property
    def held(self) -> float:
        """Share of the rate."""
        return self.units / (self.seconds * self.course.scale.rate)

    def worst(self, window: float) -> float:
        """The worst window, over all workers and less one full page, as a share of the rate."""
        return self.ledger.worst(window).share - FULL_PAGE_UNITS / (self.course.scale.rate * window)


class Simulation:
    """All workers of one export."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self._scale = scale = course.scale
        self._clock = EventClock()
        self._never = threading.Event()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._chance = Random(course.seed)
        self._ledger = Ledger()
        self._ledger.target.set(START, scale.rate)
        self._capacity = Capacity(
            throughput_of(scale), at=START, partitions=scale.partitions, can_split=False
        )
        ranges = course.ranges or scale.ranges
        self._segments = pieces_of(
            scale, course.segments or scale.segments, course.thinning, course.skew, Random(course.seed)
        )
        self._ranges = deque((number, self._queue(number, ranges)) for number in range(ranges))
        self._left = ranges
        self._refused = self._refused_for_all = 0
        self._ended = START
        share = scale.sharing.rate(scale.rate)
        self._workers = [Worker(number, share) for number in range(scale.workers)]
        self._per_item = scale.units / scale.item_count

    def run(self) -> Simulated:
        """From the first page to the last."""
        for worker in self._workers:
            self._begin_range(worker)
        if self.course.others:
            self._others()
        if self.course.lost is not None:
            lost = self.course.lost
            self._after(lost.at_seconds, lambda: self._lose(self._workers[lost.worker], lost))
        while self._left:
            self._clock.time, _, happens = heapq.heappop(self._events)
            happens()
        return Simulated(
            course=self.course,
            seconds=self._ended - START,
            pages=len(self._ledger.units),
            units=sum(self._ledger.units),
            refused=self._refused,
            refused_for_all=self._refused_for_all,
            ledger=self._ledger,
        )

    def _after(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self._clock.time + seconds, next(self._numbers), happens))

    def _queue(self, number: int, ranges: int) -> deque[tuple[int, deque[Piece]]]:
        numbers = in_order(numbers_of(number, ranges, len(self._segments)), number)
        return deque((segment, deque(self._segments[segment])) for segment in numbers)

    def _begin_range(self, worker: Worker) -> None:
        """A new attempt: as ``export_range`` makes it, with a page's debt."""
        if not self._ranges:
            return
        worker.range, worker.segments = self._ranges.popleft()
        scale = self._scale
        worker.sizer = PageSizer(
            consistent_read=False,
            size_bytes=scale.size_bytes,
            item_count=scale.item_count,
            page_units=scale.sharing.page_units,
        )
        debt = worker.sizer.page_target(worker.rate)
        worker.throttle = Throttle(worker.rate, self._clock, self._never, debt=debt)
        readers = min(MAX_THREADS, len(worker.segments))
        worker.readers = [Reader(worker, worker.life) for _ in range(readers)]
        for reader in list(worker.readers):
            self._next_segment(reader)
        self._serve(worker)

    def _next_segment(self, reader: Reader) -> None:
        worker = reader.worker
        if worker.segments:
            reader.begin(*worker.segments.popleft())
            worker.waiting.append(reader)
            return
        worker.readers.remove(reader)
        if not worker.readers:
            self._left -= 1
            self._ended = self._clock.time
            self._after(BEGIN_SECONDS / self.course.thinning, lambda: self._begin_range(worker))

    def _serve(self, worker: Worker) -> None:
        """Give turns to who waits, first come, first served, until the throttle would wait."""
        while worker.waiting:
            limit = worker.sizer.limit(worker.throttle.units_per_second)
            try:
                booking = worker.throttle.reserve(worker.sizer.most_units(limit))
            except NotYet as later:
                at = self._clock.time + later.seconds
                if not self._clock.time < worker.wakes_at <= at:
                    worker.wakes_at = at
                    self._after(later.seconds, partial(self._wake, worker, at))
                return
            self._call(worker.waiting.popleft(), booking, limit)

    def _wake(self, worker: Worker, at: float) -> None:
        if worker.wakes_at == at:
            worker.wakes_at = float("inf")
            self._serve(worker)

    def _call(self, reader: Reader, booking: Booking, limit: int | None) -> None:
        now, piece = self._clock.time, reader.pieces[0]
        place = (piece.partition + 0.5) / self._scale.partitions
        reason = self._capacity.refusal(at=now, place=place)
        if reason is not None:
            self._after(REFUSAL_SECONDS, lambda: self._refuse(reader, booking, reason))
            return
        most = FULL_PAGE_UNITS if limit is None else min(FULL_PAGE_UNITS, limit * self._per_item)
        read = min(most, sum(each.units for each in reader.pieces))
        units = max(0.5, -(-read * 2 // 1) / 2)
        self._capacity.pay(units, at=now, shares={place: 1.0})
        self._ledger.read(now, units)
        mean = ALONE_SECONDS + UNIT_SECONDS * units
        seconds = mean * self._chance.lognormvariate(-SPREAD * SPREAD / 2, SPREAD)
        self._after(seconds, lambda: self._reply(reader, booking, read, units))

    def _refuse(self, reader: Reader, booking: Booking, reason: str) -> None:
        """As the scanner has it: one partition's refusal pauses its segment only."""
        worker = reader.worker
        if reader.life != worker.life:
            return
        worker.throttle.refused(booking)
        if reason == KEY_RANGE:
            self._refused += 1
        else:
            self._refused_for_all += 1
            worker.throttle.slow_down()
        reader.pause = min(LONGEST_PAUSE_SECONDS, 2 * reader.pause or FIRST_PAUSE_SECONDS)
        self._after(self._chance.uniform(0.0, reader.pause), lambda: self._again(reader))
        self._serve(worker)

    def _again(self, reader: Reader) -> None:
        if reader.life == reader.worker.life:
            reader.worker.waiting.append(reader)
            self._serve(reader.worker)

    def _reply(self, reader: Reader, booking: Booking, read: float, units: float) -> None:
        worker = reader.worker
        if reader.life != worker.life:
            return
        worker.throttle.settle(booking, units)
        worker.sizer.observe(max(1, round(read / self._per_item)), units)
        reader.pause = 0.0
        reader.since_part = (reader.since_part + read) % PART_UNITS
        take(reader.pieces, read)
        if reader.pieces:
            worker.waiting.append(reader)
        else:
            self._next_segment(reader)
        self._serve(worker)

    def _others(self) -> None:
        """What others read in a second, of the partition in the middle."""
        middle = {(self._scale.partitions // 2 + 0.5) / self._scale.partitions: 1.0}
        self._capacity.pay(self.course.others / 10, at=self._clock.time, shares=middle)
        self._after(0.1, self._others)

    def _lose(self, worker: Worker, lost: Lost) -> None:
        """Its segments go back to what the checkpoint has of them."""
        for reader in worker.readers:
            reader.pieces.appendleft(Piece(reader.pieces[0].partition, reader.since_part))
            worker.segments.append((reader.segment, reader.pieces))
        self._ranges.appendleft((worker.range, worker.segments))
        worker.life += 1
        worker.waiting.clear()
        worker.wakes_at = float("inf")
        self._after(lost.away_seconds, lambda: self._begin_range(worker))


def throughput_of(scale: Scale) -> Provisioned | OnDemand:
    """What the table gives."""
    if scale.on_demand:
        return OnDemand(warm=scale.capacity, table_quota=scale.capacity)
    return Provisioned(units_per_second=scale.capacity, saved_seconds=SAVED_SECONDS)
