"""The rate over simulated hours: what the worst second and the worst minute held, of what was promised.

The whole engine runs on a virtual clock (``tests.step_clock``) against a simulated table and bucket, with
slow and lost replies, bursts of throttling, changes of capacity, and attempts that are killed or stopped and
resumed. The promise (E8): no window of 1 s or 60 s holds more than the target and one page. The target is
the rate that the table's capacity gave when it was last looked at, and a window may hold its integral; the
pages of all attempts count, each at the moment it was asked for.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryStore
from airflow_dynamo_pipeline.adapters.retrying import RetryingStore, RetryingTable
from airflow_dynamo_pipeline.engine import lease, throttle, workers
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.plan import Ports
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.table_export import ExportResult, export_table
from airflow_dynamo_pipeline.errors import Stopped
from tests.benchmarks.report import Report, Table, Verdict
from tests.benchmarks.simulated import Killed, Life, Shape, SimulatedTable, SlowStore
from tests.benchmarks.weather import Weather
from tests.benchmarks.windows import Ledger, Worst
from tests.clock import EPOCH
from tests.step_clock import StepClock

RATIO = 0.25
WINDOWS = (1.0, 60.0)
ROUNDING = 1e-5  # a turn may come a microsecond early
CLOSE_TO_IT = 0.9
PAUSES = (0.0, 0.0, 1.0, 30.0)  # seconds from the end of an attempt to the next one


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """One simulated run."""

    target: float  # units per second, by the table's first capacity
    hours: float  # that the table would take at this rate
    segments: int
    reply_seconds: float  # the median; eight replies at a time must suffice for the rate
    life_seconds: float = 1200.0  # of an attempt, in the mean
    seed: int = 1

    @property
    def shape(self) -> Shape:
        """The table that takes so long."""
        units = self.target * self.hours * 3600.0
        return Shape(units=units, segments=self.segments, capacity=self.target / RATIO, seed=self.seed)


COURSES = (
    Course(target=25, hours=3, segments=4, reply_seconds=0.06),
    Course(target=1_000, hours=3, segments=8, reply_seconds=0.06),
    Course(target=40_000, hours=1, segments=16, reply_seconds=0.007, life_seconds=600.0),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Soaked:
    """What came of one run."""

    target: float
    hours: float  # simulated
    pages: int
    refused: int
    changes: int  # of the capacity
    kills: int
    stops: int
    held: float  # share of what the target allowed while attempts read
    worst: Sequence[Worst]  # by window


class Soak:
    """One export, attempt after attempt, until its manifest is written."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.weather = Weather(course.seed, course.reply_seconds)
        self.clock = StepClock(self.weather.late_seconds)
        self.ledger = Ledger()
        self.kills = self.stops = 0
        self._store = MemoryStore()
        self._request = ExportRequest(
            table_name="orders", s3_uri="s3://backups/daily", ratio=RATIO, segments=course.segments
        )
        self._allowed = 0.0

    def run(self) -> Soaked:
        """Run to the end."""
        never = self.clock.threading.Event()
        with self.clock.in_place_of_threads(throttle, lease, workers), same_chance(self.course.seed):
            while self._attempt() is None:
                self.clock.wait(never, self.weather.chance.choice(PAUSES))
        return Soaked(
            target=self.course.target,
            hours=(self.ledger.instants[-1] - self.ledger.instants[0]) / 3600.0,
            pages=len(self.ledger.units),
            refused=self.weather.refusals,
            changes=len(self.ledger.target.instants) - 1,
            kills=self.kills,
            stops=self.stops,
            held=sum(self.ledger.units) / self._allowed,
            worst=[self.ledger.worst(window) for window in WINDOWS],
        )

    def _attempt(self) -> ExportResult | None:
        """One process: it ends the export, or is ended; None in that case."""
        life, over = Life(self.clock), self.clock.threading.Event()
        reaper = self.clock.threading.Thread(target=self._reap, args=(life, over))
        reaper.start()
        read_before = len(self.ledger.instants)
        try:
            work = Work(run="soak", generation="0", began_at=EPOCH)
            return export_table(self._request, work, self._ports(life), Reports(_drop))
        except (Stopped, Killed):
            return None
        finally:
            over.set()
            reaper.join()
            self._count_allowed(read_before)

    def _reap(self, life: Life, over: threading.Event) -> None:
        """Kill the attempt after a while, or tell it to stop."""
        chance = self.weather.chance
        seconds, kills = chance.expovariate(1.0 / self.course.life_seconds), chance.random() < 0.5
        if self.clock.wait(over, seconds):
            return
        self.kills, self.stops = self.kills + kills, self.stops + (not kills)
        if kills:
            life.kill()
        else:
            life.stop.set()

    def _ports(self, life: Life) -> Ports:
        """The world by the wrappers that a real export has, too."""
        table = SimulatedTable(self.course.shape, self._request, life, self.weather, self.ledger)
        store = SlowStore(self._store, life, self.weather)
        return Ports(
            table=RetryingTable(table, life, life.stop, _drop),
            store=RetryingStore(store, life, life.stop, _drop),
            capacity=FixedCapacity(),
            clock=life,
            stop=life.stop,
            say=_drop,
            warn=_drop,
        )

    def _count_allowed(self, read_before: int) -> None:
        instants = self.ledger.instants[read_before:]
        if instants:
            self._allowed += self.ledger.target.units_between(instants[0], instants[-1])


def run_courses(courses: Sequence[Course] = COURSES) -> list[Soaked]:
    """Run each course."""
    return [Soak(course).run() for course in courses]


@contextmanager
def same_chance(seed: int) -> Iterator[None]:
    """Let the module ``random``, by which the engine draws its pauses, begin with a seed."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


def report(runs: Sequence[Soaked]) -> Report:
    """Put the windows and the verdicts together."""
    columns = ["units/s", "hours", "pages", "refused", "changes", "kills", "stops", "held %"]
    for window in WINDOWS:
        columns += [f"worst {window:g} s %", "less one page %"]
    return Report(
        mode="rate-soak",
        notes=[
            "hours are simulated; changes: of the target in force; kills and stops: each was resumed from",
            "100 %: the integral of the target over the window; one page: the window's largest",
            "held: of what the target allowed while attempts read, so refusals, stalls and small pages cost",
        ],
        table=Table(columns, [row(one) for one in runs]),
        verdicts=verdicts(runs),
    )


def row(one: Soaked) -> list[str]:
    """One line of the table."""
    counts = (one.pages, one.refused, one.changes, one.kills, one.stops)
    shares = [share for worst in one.worst for share in (worst.share, worst.less_page)]
    return [
        f"{one.target:,}",
        f"{one.hours:.1f}",
        *(f"{count:,}" for count in counts),
        f"{100 * one.held:.1f}",
        *(f"{100 * share:.2f}" for share in shares),
    ]


def verdicts(runs: Sequence[Soaked]) -> list[Verdict]:
    """No window above the promise, and all of them close enough to it for that to mean something."""
    found = []
    for number, window in enumerate(WINDOWS):
        worst = max(one.worst[number].less_page for one in runs)
        name = f"worst window of {window:g} s less one page, of the target"
        found.append(Verdict(name, f"{worst:.4f}", "<= 1", worst <= 1 + ROUNDING))
    fullest = min(one.worst[-1].less_page for one in runs)
    name = f"the same at {WINDOWS[-1]:g} s in the run that came least close to it"
    return [*found, Verdict(name, f"{fullest:.4f}", f">= {CLOSE_TO_IT:g}", fullest >= CLOSE_TO_IT)]


def _drop(_: object) -> None:
    """Nobody listens."""
