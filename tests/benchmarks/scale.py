"""How long exports by many workers take, and what rate they hold: on paper and simulated side by side.

Each row of docs/explanation/scale.md is simulated (``scale_simulation``), large tables thinned. Then one
table meets what the paper leaves out: a worker that is lost, a partition that others read, partitions of
unequal size, a heap of items below one key, fewer ranges, and segments that do not come out even.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

from airflow_dynamo_pipeline.engine.plan_cost import HOUR
from airflow_dynamo_pipeline.engine.scale import Scale
from airflow_dynamo_pipeline.engine.sizing import FULL_PAGE_UNITS
from tests.benchmarks.report import Report, Table, Verdict
from tests.benchmarks.scale_page import EXAMPLES, scales
from tests.benchmarks.scale_simulation import Course, Lost, Simulated, Simulation
from tests.benchmarks.scale_table import Skew

WINDOWS = (1.0, 60.0)
LEAST_SECONDS = 66.0  # of a sample: longer than a window
LEAST_PAGES = 25_000
CLOSE = 0.10  # simulated hours to those on paper
ROUNDING = 1e-5  # a turn may come a microsecond early
CLOSE_TO_IT = 0.85  # a minute that used less of the rate proves nothing
SMALL, MEDIUM = EXAMPLES[0], EXAMPLES[1]
LOST = Lost(worker=1, at_seconds=300, away_seconds=300)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One row: what was simulated, and whether the paper's hours are to hold for it."""

    name: str
    simulated: Simulated
    worst: Sequence[float]  # by window
    on_paper: bool

    @property
    def to_paper(self) -> float:
        """Simulated hours, times those on paper."""
        return self.simulated.hours / self.simulated.course.scale.hours


def thinning(scale: Scale) -> float:
    """One page of so many, so that the sample has pages and seconds enough."""
    seconds = max(LEAST_SECONDS, LEAST_PAGES * FULL_PAGE_UNITS / scale.rate)
    return max(1.0, scale.hours * HOUR / seconds)


def rows_on_paper() -> Iterator[tuple[str, Course]]:
    """Every row of the page."""
    for on_demand in (False, True):
        for name, scale in scales(on_demand=on_demand):
            mode = "on-demand" if on_demand else "provisioned"
            yield f"{name} {mode} {scale.ratio:g}", Course(scale=scale, thinning=thinning(scale))


def rows_beside() -> Iterator[tuple[str, Course]]:
    """What the paper leaves out: the small table by three workers, every page of it, and one larger."""
    scale = SMALL.scale(0.75, on_demand=True)
    yield "small", Course(scale=scale)
    yield "a worker lost for 5 min", Course(scale=scale, lost=LOST)
    yield "a partition others read", Course(scale=scale, others=2_400.0)
    yield "partitions unequal by 30 %", Course(scale=scale, skew=Skew(spread=0.3))
    yield "5 % below one key", Course(scale=scale, skew=Skew(heap=0.05))
    few = Course(scale=scale, ranges=scale.workers)
    yield "1 range for each worker", few
    yield "the same, and one lost", replace(few, lost=LOST)
    yield "the same, others on a partition", replace(few, others=2_400.0)
    yield "the same, 5 % below one key", replace(few, skew=Skew(heap=0.05))
    larger = MEDIUM.scale(1.0, on_demand=False)
    yield "1 TB, 192 segments", Course(scale=larger, thinning=thinning(larger))
    yield "1 TB, 103 segments", Course(scale=larger, thinning=thinning(larger), segments=103)


def find(name: str, course: Course, *, on_paper: bool) -> Found:
    """Simulate one course. Small objects live for a moment each: the collector would only cost."""
    gc.disable()
    try:
        simulated = Simulation(course).run()
        worst = [simulated.worst(window) for window in WINDOWS]
    finally:
        gc.enable()
    return Found(name=name, simulated=simulated, worst=worst, on_paper=on_paper)


def run_all() -> list[Found]:
    """Simulate all rows, as many at a time as there are cores."""
    with ProcessPoolExecutor() as pool:
        paper = [pool.submit(find, *one, on_paper=True) for one in rows_on_paper()]
        beside = [pool.submit(find, *one, on_paper=False) for one in rows_beside()]
        return [each.result() for each in (*paper, *beside)]


def report(found: Sequence[Found]) -> Report:
    """Put the figures and the verdicts together."""
    columns = ["export", "workers", "segments", "1 in", "pages", "paper h", "here h", "to paper %", "held %"]
    columns += ["refused", "1 s %", "60 s %"]
    return Report(
        mode="scale",
        notes=[
            "1 in: one page of so many was read; here h: the sample's hours times as many",
            "held: units consumed, of the rate from the first page to the last",
            "refused: for want of a partition's capacity",
            "1 s, 60 s: the worst second and minute over all workers, less one full page, of the rate",
        ],
        table=Table(columns, [row(one) for one in found]),
        verdicts=verdicts(found),
    )


def row(one: Found) -> list[str]:
    """One line of the table."""
    simulated, course = one.simulated, one.simulated.course
    return [
        one.name,
        f"{course.scale.workers:,}",
        f"{course.segments or course.scale.segments:,}",
        f"{course.thinning:,.0f}",
        f"{simulated.pages:,}",
        f"{course.scale.hours:,.2f}",
        f"{simulated.hours:,.2f}",
        f"{100 * one.to_paper:.1f}",
        f"{100 * simulated.held:.1f}",
        f"{simulated.refused:,}",
        *(f"{100 * share:.2f}" for share in one.worst),
    ]


def verdicts(found: Sequence[Found]) -> list[Verdict]:
    """The hours of the page are right, and no window passes the rate by more than a page."""
    on_paper = [one for one in found if one.on_paper]
    furthest = max((one.to_paper for one in on_paper), key=lambda share: abs(share - 1.0))
    made = [
        Verdict(
            "simulated hours to those on paper, furthest",
            f"{furthest:.3f}",
            f"{1 - CLOSE:g} to {1 + CLOSE:g}",
            abs(furthest - 1.0) <= CLOSE,
        )
    ]
    for number, window in enumerate(WINDOWS):
        worst = max(one.worst[number] for one in found)
        name = f"worst window of {window:g} s over all workers, less one page (E8)"
        made.append(Verdict(name, f"{worst:.4f}", "<= 1", worst <= 1 + ROUNDING))
    fullest = min(one.worst[-1] for one in on_paper)
    name = f"the same at {WINDOWS[-1]:g} s in the row that came least close to it"
    made.append(Verdict(name, f"{fullest:.4f}", f">= {CLOSE_TO_IT:g}", fullest >= CLOSE_TO_IT))
    refused = sum(one.simulated.refused_for_all for one in on_paper)
    return [*made, Verdict("calls refused for want of the table's capacity", f"{refused}", "0", refused == 0)]
