"""How far an export or import has come that others work on: told by its checkpoints, not by their logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import msgspec

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.import_place import ImportPlace
from airflow_dynamo_pipeline.engine.import_records import Accounts, ImportRecord, ImportState
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.ports import Clock, JsonObject
from airflow_dynamo_pipeline.engine.ranges import numbers_of
from airflow_dynamo_pipeline.engine.records import SegmentState, StoredPlan

MOST_READS = 500  # of records in one look; the others wait for the next one
NAMED = 10  # unfinished ranges that a message names


@dataclass(frozen=True, kw_only=True, slots=True)
class RangesProgress:
    """One record of progress over all ranges; sums include what earlier attempts did."""

    items: int
    bytes: int  # before compression; of an import 0
    rejected: int  # of an export 0
    ranges: int
    ranges_done: int
    unfinished: tuple[int, ...]  # the numbers of ranges that are not done
    share_done: float  # 0 to 1: of an export by items, of an import by ranges
    consumed_units: float
    units_per_second_asked: float
    units_per_second_held: float  # since the last look, by what checkpoints tell
    elapsed_seconds: float  # of this watch
    eta_seconds: float | None

    def to_json(self) -> JsonObject:
        """A small JSON object with rounded figures, without the list of ranges."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
            if name != "unfinished"
        }

    def line(self) -> str:
        """One line for a log."""
        eta = "unknown" if self.eta_seconds is None else f"{self.eta_seconds:,.0f} s"
        size = f", {self.bytes / 1e6:,.1f} MB" if self.bytes else ""
        return (
            f"{self.share_done:.0%}: {self.items:,} items{size}, {self.rejected:,} rejected, "
            f"{self.ranges_done}/{self.ranges} ranges; rate asked {self.units_per_second_asked:,.1f} "
            f"held {self.units_per_second_held:,.1f} units/s, {self.consumed_units:,.1f} units; ETA {eta}"
        )

    def left(self) -> str:
        """Which ranges are not done, for a message.

        >>> said_of([0, 2], 4)
        '2 of 4 ranges are not finished: 0, 2'
        """
        return said_of(self.unfinished, self.ranges)


def said_of(unfinished: Sequence[int], ranges: int) -> str:
    """A part of a message; empty where nothing is left.

    >>> said_of(range(12), 16)
    '12 of 16 ranges are not finished: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more'
    """
    if not unfinished:
        return ""
    more = f" and {len(unfinished) - NAMED:,} more" if len(unfinished) > NAMED else ""
    named = ", ".join(map(str, unfinished[:NAMED]))
    return f"{len(unfinished):,} of {ranges:,} ranges are not finished: {named}{more}"


@dataclass(frozen=True, slots=True)
class Records:
    """Where checkpoints lie: ``versions`` lists keys below a prefix with something that changes with each."""

    versions: Callable[[str], Mapping[str, str]]
    get: Callable[[str], bytes | None]


@dataclass
class ChangedRecords:
    """Records below a prefix, of which a look reads only those that changed since the last one."""

    source: Records
    prefix: str
    _read: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def look(self, wanted: Callable[[str], bool], most: int | None = MOST_READS) -> dict[str, bytes]:
        """The bodies of wanted records; None as ``most``: reads everything that changed.

        Else those go first that have not been read for longest.
        """
        versions = {key: version for key, version in self.source.versions(self.prefix).items() if wanted(key)}
        self._read = {key: kept for key, kept in self._read.items() if key in versions}
        new = [key for key in versions if key not in self._read]
        changed = [key for key, (version, _) in self._read.items() if versions[key] != version]
        for key in (new + changed)[:most]:
            body = self.source.get(key)
            if body is not None:
                self._read.pop(key, None)
                self._read[key] = (versions[key], body)  # at the end: the order is that of the last reads
        return {key: body for key, (_, body) in self._read.items()}


@dataclass(frozen=True, slots=True)
class _Sums:
    """What all records together say."""

    items: int
    bytes: int
    rejected: int
    units: float
    share: float
    unfinished: tuple[int, ...]
    ranges: int


@dataclass
class _Pace:
    """What is known of the time between two looks."""

    clock: Clock
    asked: float
    _began_at: float = 0.0
    _first: _Sums | None = None
    _last: tuple[float, float] = (0.0, 0.0)

    def record(self, sums: _Sums) -> RangesProgress:
        now = self.clock.monotonic()
        if self._first is None:
            self._first, self._began_at, self._last = sums, now, (now, sums.units)
        seconds, units = now - self._last[0], sums.units - self._last[1]
        self._last = (now, sums.units)
        gained, elapsed = sums.share - self._first.share, now - self._began_at
        eta = elapsed * (1.0 - sums.share) / gained if gained > 0 else None
        return RangesProgress(
            items=sums.items,
            bytes=sums.bytes,
            rejected=sums.rejected,
            ranges=sums.ranges,
            ranges_done=sums.ranges - len(sums.unfinished),
            unfinished=sums.unfinished,
            share_done=sums.share,
            consumed_units=sums.units,
            units_per_second_asked=self.asked,
            units_per_second_held=max(0.0, units / seconds) if seconds > 0 else 0.0,
            elapsed_seconds=elapsed,
            eta_seconds=0.0 if sums.share >= 1.0 else eta,
        )


Look = Callable[[int | None], RangesProgress | None]  # takes how many records to read at most; None: all


def export_progress(
    source: Records, layout: ExportLayout, clock: Clock, *, item_count: int, units_per_second: float
) -> Look:
    """A function that looks at the checkpoints of an export; it returns None where there are none.

    There are none before the plan, and after the commit. ``item_count`` is about how many items there are
    (0: unknown), ``units_per_second`` the rate that all workers share.
    """
    changed, pace = ChangedRecords(source, layout.checkpoint_prefix), _Pace(clock, units_per_second)

    def look(most: int | None = MOST_READS) -> RangesProgress | None:
        found = changed.look(lambda key: key == layout.plan_key or _is_segment(key, layout), most)
        body = found.pop(layout.plan_key, None) or source.get(layout.plan_key)
        if body is None:
            return None
        plan = records.decode(body, StoredPlan, layout.plan_key)
        states = [records.decode(each, SegmentState, key) for key, each in found.items()]
        return pace.record(_sum_of_segments(plan, states, item_count))

    return look


def import_progress(
    source: Records, place: ImportPlace, clock: Clock, *, ranges: int, units_per_second: float
) -> Look:
    """A function that looks at what an import's ranges left so far; it returns None where that is nothing."""
    prefix = place.range_place(0).location.key() + "/"
    changed, pace = ChangedRecords(source, prefix), _Pace(clock, units_per_second)
    places = [place.range_place(number) for number in range(ranges)]

    def look(most: int | None = MOST_READS) -> RangesProgress | None:
        names = ("/import.json", "/checkpoint.json")
        found = changed.look(lambda key: key.endswith(names), most)
        return pace.record(_sum_of_imports(found, places)) if found else None

    return look


def _is_segment(key: str, layout: ExportLayout) -> bool:
    """A segment's checkpoint is a number; leases of ranges and places lie in folders."""
    return key.removeprefix(layout.checkpoint_prefix).removesuffix(".json").isdecimal()


def _sum_of_segments(plan: StoredPlan, states: Sequence[SegmentState], item_count: int) -> _Sums:
    done = {state.segment for state in states if state.done}
    parts = [part for state in states for part in state.parts]
    unfinished = tuple(
        number
        for number in range(plan.ranges)
        if any(segment not in done for segment in numbers_of(number, plan.ranges, plan.segments))
    )
    scanned = sum(state.scanned_count for state in states)
    by_items = scanned / item_count if item_count > 0 else len(done) / plan.segments
    return _Sums(
        items=sum(part.item_count for part in parts),
        bytes=sum(part.bytes for part in parts),
        rejected=0,
        units=sum(state.units for state in states),
        share=min(0.99, by_items) if unfinished else 1.0,
        unfinished=unfinished,
        ranges=plan.ranges,
    )


def _sum_of_imports(found: Mapping[str, bytes], places: Sequence[ImportPlace]) -> _Sums:
    each = [_of_range(found, place) for place in places]
    unfinished = tuple(number for number, (_, _, is_done) in enumerate(each) if not is_done)
    accounts = sum((one for one, _, _ in each), Accounts())
    return _Sums(
        items=accounts.read,
        bytes=0,
        rejected=accounts.rejected,
        units=sum(units for _, units, _ in each),
        share=1.0 - len(unfinished) / len(places),
        unfinished=unfinished,
        ranges=len(places),
    )


def _of_range(found: Mapping[str, bytes], place: ImportPlace) -> tuple[Accounts, float, bool]:
    """What became of a range's items so far, the units that took, and whether it is done."""
    for record in _decoded(found, place.record_key, ImportRecord):
        if record.finished_at is not None:
            result = ImportResult(**msgspec.json.decode(record.result))
            counts = {name: getattr(result, name) for name in Accounts.__struct_fields__}
            return Accounts(**counts), result.consumed_units, True
    for state in _decoded(found, place.state_key, ImportState):
        return sum((file.accounts for file in state.files), Accounts()), state.units, False
    return Accounts(), 0.0, False


def _decoded(found: Mapping[str, bytes], key: str, kind: type[records.Record]) -> Iterator[records.Record]:
    if key in found:
        yield records.decode(found[key], kind, key)
