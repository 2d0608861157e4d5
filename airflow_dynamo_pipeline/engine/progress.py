"""What a run has done so far: counted by all threads, reported by one."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass

from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.records import SegmentState


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """One record of progress; sums include what earlier attempts did."""

    items: int
    bytes: int  # before compression
    stored_bytes: int  # after compression, of finished parts
    parts: int
    segments: int
    segments_done: int
    share_done: float  # 0 to 1; an estimate until all segments are done
    consumed_units: float
    units_per_second_asked: float
    units_per_second_held: float  # since the last record; in the last one: of the whole attempt
    elapsed_seconds: float  # of this attempt
    eta_seconds: float | None

    def to_json(self) -> JsonObject:
        """A small JSON object with rounded figures."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }

    def line(self) -> str:
        """One line for a log."""
        eta = "unknown" if self.eta_seconds is None else f"{self.eta_seconds:,.0f} s"
        return (
            f"{self.share_done:.0%}: {self.items:,} items, {self.bytes / 1e6:,.1f} MB, {self.parts} parts, "
            f"{self.segments_done}/{self.segments} segments; rate asked {self.units_per_second_asked:,.1f} "
            f"held {self.units_per_second_held:,.1f} units/s, {self.consumed_units:,.1f} units; ETA {eta}"
        )


class Totals:
    """Counters shared by the segments of a run."""

    def __init__(self, segments: int) -> None:
        self._lock = threading.Lock()
        self.segments = segments
        self.segments_done = 0
        self.items = 0
        self.bytes = 0
        self.stored_bytes = 0
        self.parts = 0
        self.pages = 0
        self.scanned = 0
        self.units = 0.0  # of earlier attempts; the throttle counts this one's

    def add(self, state: SegmentState) -> None:
        """Count what earlier attempts have finished of a segment."""
        self.segments_done += state.done
        self.scanned += state.scanned_count
        self.units += state.units
        self.parts += len(state.parts)
        self.items += sum(part.item_count for part in state.parts)
        self.bytes += sum(part.bytes for part in state.parts)
        self.stored_bytes += sum(part.stored_bytes for part in state.parts)

    def page(self, *, items: int, scanned: int, written: int) -> None:
        """A page was written to its part."""
        with self._lock:
            self.pages += 1
            self.items += items
            self.scanned += scanned
            self.bytes += written

    def part(self, stored_bytes: int) -> None:
        """A part was finished."""
        with self._lock:
            self.parts += 1
            self.stored_bytes += stored_bytes

    def segment(self) -> None:
        """A segment came to its end."""
        with self._lock:
            self.segments_done += 1

    def share(self, expected_items: int) -> float:
        """How much of the table was evaluated, by DescribeTable's item count where it has one."""
        if self.segments_done == self.segments:
            return 1.0
        if expected_items <= 0:
            return self.segments_done / self.segments
        return min(0.99, self.scanned / expected_items)
