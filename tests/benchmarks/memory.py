"""Peak memory of our export as the table grows, and at eight segments."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.endpoint import Endpoint
from tests.benchmarks.report import Report, Table, Verdict
from tests.benchmarks.runs import GB, Measurement, measure

MB = 1e6
SIZES_GB = (1, 5, 10)
SEGMENTS = 4
FLAT = 1.10  # what an allocator's chance may add
MANY_SEGMENTS = 8
MANY_SEGMENTS_GB = 2
CEILING_BYTES = 200 * MB


def run_sizes(endpoint: Endpoint) -> list[Measurement]:
    """Export tables of rising size at four segments, then one at eight."""
    runs = [(size, SEGMENTS) for size in SIZES_GB] + [(MANY_SEGMENTS_GB, MANY_SEGMENTS)]
    stats = endpoint.stats()
    items_per_gb = GB * stats.items_per_page / stats.page_json_bytes
    return [
        measure(endpoint, "ours", items=round(size * items_per_gb), segments=segments)
        for size, segments in runs
    ]


def report(runs: Sequence[Measurement]) -> Report:
    """Put the peaks and the verdicts together."""
    columns = [
        "GB of JSON",
        "segments",
        "items",
        "loaded RSS MB",
        "peak RSS MB",
        "above loaded MB",
        "CPU s/GB",
    ]
    return Report(
        mode="memory",
        notes=[
            "MB is 1e6 bytes; loaded: the interpreter with Airflow and our operator, nothing exported yet",
            "peak: VmHWM of Linux, reset after the warm-up; part size is the default",
        ],
        table=Table(columns, [row(run) for run in runs]),
        verdicts=verdicts(runs),
    )


def row(run: Measurement) -> list[str]:
    """One line of the table."""
    return [
        f"{run.scan_bytes / GB:.1f}",
        str(run.segments),
        f"{run.items:,}",
        f"{run.loaded_rss_bytes / MB:.0f}",
        f"{run.peak_rss_bytes / MB:.0f}",
        f"{above(run) / MB:.0f}",
        f"{run.cpu_per_gb:.2f}",
    ]


def above(run: Measurement) -> int:
    """What the export needed beyond what was there before it."""
    return run.peak_rss_bytes - run.loaded_rss_bytes


def verdicts(runs: Sequence[Measurement]) -> list[Verdict]:
    """Flat from the smallest size to the largest, and small at eight segments."""
    *sizes, many = runs
    growth = sizes[-1].peak_rss_bytes / sizes[0].peak_rss_bytes
    flat = f"peak RSS at {SIZES_GB[-1]} GB, times that at {SIZES_GB[0]} GB"
    small = f"MB above the interpreter with Airflow loaded, {MANY_SEGMENTS} segments"
    ceiling = f"< {CEILING_BYTES / MB:g}"
    return [
        Verdict(flat, f"{growth:.2f}", f"<= {FLAT:g}", growth <= FLAT),
        Verdict(small, f"{above(many) / MB:.0f}", ceiling, above(many) < CEILING_BYTES),
    ]
