"""How far each segment has come, written so that no attempt can harm another.

All writes are conditional on the version last read. A segment's checkpoints thus form one
chain whoever writes them: an attempt that lost the race drops the part it had open, and
nothing is lost or doubled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.ports import ABSENT, ObjectStore, VersionConflict
from airflow_dynamo_pipeline.engine.records import SegmentState
from airflow_dynamo_pipeline.errors import StaleAttempt


class Checkpoint:
    """The checkpoints of all segments of one export, as one attempt sees them."""

    def __init__(self, store: ObjectStore, layout: ExportLayout, attempt: str, segments: int) -> None:
        self._store = store
        self._layout = layout
        self.attempt = attempt
        self.segments = segments

    def create_missing(self, each: Callable[[], object], segments: range | None = None) -> None:
        """Give segments (None: all) a first checkpoint, so that claiming one never has to create it.

        ``each`` is called between two of them. A range does not look which are there: a listing would be
        of all the ranges' checkpoints.
        """
        is_range = segments is not None and len(segments) < self.segments
        present = set() if is_range else set(self._store.keys(self._layout.checkpoint_prefix))
        for segment in self._all(segments):
            each()
            key = self._layout.segment_key(segment)
            if key in present:
                continue
            try:
                self._store.put(key, records.encode(self._first(segment)), expect=ABSENT)
            except VersionConflict:
                continue  # another attempt was faster; its checkpoint is as good

    def read(self, segment: int) -> tuple[SegmentState, str]:
        """The state of a segment and its version; raises StaleAttempt when the checkpoint is gone."""
        key = self._layout.segment_key(segment)
        found = self._store.get(key)
        if found is None:
            raise StaleAttempt(f"{key} is gone: another attempt has finished or removed this export")
        return records.decode(found.body, SegmentState, key), found.version

    def read_all(self, each: Callable[[], object], segments: range | None = None) -> Iterator[SegmentState]:
        """The states of segments (None: all), fresh from the store; ``each`` is called between two."""
        for segment in self._all(segments):
            each()
            yield self.read(segment)[0]

    def may_name(self, segment: int, part_key: str) -> bool:
        """Whether a part belongs to the export although our own write of the checkpoint conflicted.

        Our write may have taken effect, its reply lost, before another attempt went on from it. A part
        that the newest state does not name is named by no later one.
        """
        found = self._store.get(self._layout.segment_key(segment))
        if found is not None:
            state = records.decode(found.body, SegmentState, self._layout.segment_key(segment))
            return any(part.key == part_key for part in state.parts)
        files = self._store.get(self._layout.files_key)
        return files is None or part_key.encode() in files.body

    def claim(self, segment: int) -> SegmentCheckpoint:
        """Make a segment ours: from now on another attempt's write to it fails; raises VersionConflict."""
        state, version = self.read(segment)
        claimed = SegmentCheckpoint(self._store, self._layout.segment_key(segment), state, version)
        if not state.done:
            claimed.advance(msgspec.structs.replace(state, attempt=self.attempt))
        return claimed

    def _all(self, segments: range | None) -> range:
        return range(self.segments) if segments is None else segments

    def _first(self, segment: int) -> SegmentState:
        return SegmentState(attempt=self.attempt, segment=segment)


class SegmentCheckpoint:
    """One claimed segment's state and the version its next write depends on."""

    def __init__(self, store: ObjectStore, key: str, state: SegmentState, version: str) -> None:
        self._store = store
        self._key = key
        self._version = version
        self.state = state

    def advance(self, state: SegmentState) -> None:
        """Write the next state; raises VersionConflict when another attempt wrote meanwhile."""
        self._version = self._store.put(self._key, records.encode(state), expect=self._version)
        self.state = state
