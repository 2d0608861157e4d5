"""Peak memory of our import: a small file, a big one, and as much in many."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.endpoint import Endpoint
from tests.benchmarks.memory import MB, above
from tests.benchmarks.report import Report, Table, Verdict
from tests.benchmarks.runs import GB, Measurement, measure

SHAPES = ((0.1, 1), (1.0, 1), (1.0, 500))  # GB of lines, files
SEGMENTS = 4
CEILING_BYTES = 80 * MB
LINE_BYTES = 11  # what a line has around its item: {"Item": and }, and its end


def run_shapes(endpoint: Endpoint) -> list[Measurement]:
    """Import each shape."""
    stats = endpoint.stats()
    items_per_gb = GB / (stats.page_json_bytes / stats.items_per_page + LINE_BYTES - 1)  # a page has commas
    return [
        measure(endpoint, "import", items=round(size * items_per_gb), segments=SEGMENTS, files=files)
        for size, files in SHAPES
    ]


def report(runs: Sequence[Measurement]) -> Report:
    """Put the peaks and the verdicts together."""
    columns = ["GB of lines", "files", "items", "loaded RSS MB", "peak RSS MB", "above loaded MB", "CPU s/M"]
    pairs = list(zip(SHAPES, runs, strict=True))
    return Report(
        mode="import-memory",
        notes=[
            "MB is 1e6 bytes; loaded: the interpreter with Airflow and our operator, nothing imported yet",
            f"peak: VmHWM of Linux, reset after the warm-up; {SEGMENTS} batches at a time",
        ],
        table=Table(columns, [row(size, files, run) for (size, files), run in pairs]),
        verdicts=[verdict(size, files, run) for (size, files), run in pairs],
    )


def row(size: float, files: int, run: Measurement) -> list[str]:
    """One line of the table."""
    return [
        f"{size:.1f}",
        f"{files:,}",
        f"{run.items:,}",
        f"{run.loaded_rss_bytes / MB:.0f}",
        f"{run.peak_rss_bytes / MB:.0f}",
        f"{above(run) / MB:.0f}",
        f"{run.cpu_per_million:.2f}",
    ]


def verdict(size: float, files: int, run: Measurement) -> Verdict:
    """Small, whatever the shape."""
    name = f"MB above the interpreter with Airflow loaded, {size:g} GB in {files:,} file{'s' * (files > 1)}"
    ceiling = f"< {CEILING_BYTES / MB:g}"
    return Verdict(name, f"{above(run) / MB:.0f}", ceiling, above(run) < CEILING_BYTES)
