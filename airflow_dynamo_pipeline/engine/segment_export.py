"""One segment from its checkpoint to its end, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from airflow_dynamo_pipeline.engine.checkpoint import Checkpoint, SegmentCheckpoint
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.lease import Held
from airflow_dynamo_pipeline.engine.parts import PartWriter
from airflow_dynamo_pipeline.engine.ports import Clock, ObjectStore, VersionConflict
from airflow_dynamo_pipeline.engine.progress import Totals
from airflow_dynamo_pipeline.engine.records import NO_KEY, SegmentState
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.scan import Scanner
from airflow_dynamo_pipeline.engine.sizing import BYTES_PER_UNIT
from airflow_dynamo_pipeline.errors import PipelineError, Stopped
from airflow_dynamo_pipeline.formats import FORMATS
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS
from airflow_dynamo_pipeline.items.page import Page

PART_SECONDS = 900.0  # at a low rate a part is closed after this long, so that a kill costs little
READ_PER_WRITTEN = 8  # and when a filter drops most of what is read, after this many part sizes read


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentExporter:
    """Exports segments of one export for one attempt; one instance serves all threads."""

    request: ExportRequest
    layout: ExportLayout
    store: ObjectStore
    scanner: Scanner
    checkpoint: Checkpoint
    lease: Held
    totals: Totals
    clock: Clock
    say: Callable[[str], None]

    def export(self, segment: int) -> None:
        """Bring a segment to its end; raises Stopped after closing the part that was open.

        A conflict means that another attempt wrote this segment's checkpoint. If that attempt has
        the lease this one stops (StaleAttempt); else the segment goes on from what was written.
        """
        while not self._reached_the_end(segment):
            self.lease.check()
            self.say(f"segment {segment}: a superseded attempt wrote its checkpoint; going on from there")

    def _reached_the_end(self, segment: int) -> bool:
        try:
            claimed = self.checkpoint.claim(segment)
            if claimed.state.done:
                self.totals.segment()
            else:
                SegmentRun(self, claimed).go_on()
        except VersionConflict:
            return False
        return True


class SegmentRun:
    """The state of one segment while a thread works on it."""

    def __init__(self, job: SegmentExporter, checkpoint: SegmentCheckpoint) -> None:
        self._job = job
        self._checkpoint = checkpoint
        self._state = checkpoint.state  # as of the last page; the checkpoint's is as of the last part
        self._part: PartWriter | None = None
        self._checkpointed_at = job.clock.monotonic()
        self._units = 0.0  # read since then

    def go_on(self) -> None:
        """Read to the end of the segment."""
        pages = self._job.scanner.pages(self._state.segment, self._state.start_key)
        try:
            while (page := self._next(pages)) is not None:
                self._take(page)
        except BaseException:
            self._drop_part()
            raise

    def _next(self, pages: Iterator[Page]) -> Page | None:
        """The next page. Only between two pages do part and state agree, so only here is a stop kept."""
        try:
            return next(pages, None)
        except Stopped:
            if self._state is not self._checkpoint.state:
                self._close_part(done=False)
            raise

    def _take(self, page: Page) -> None:
        written = self._write(page)
        now = self._job.clock.now()
        self._job.totals.page(items=len(page.Items), scanned=page.ScannedCount, written=written)
        self._state = _after(self._state, page, now)
        self._units += page.units or 0.0
        if page.last_key is None:
            self._close_part(done=True)
            self._job.totals.segment()
        elif self._is_due():
            self._close_part(done=False)

    def _write(self, page: Page) -> int:
        if not page.Items:
            return 0
        part = self._part = self._part or self._open_part()
        before = part.bytes
        part.write(page.Items)
        return part.bytes - before

    def _open_part(self) -> PartWriter:
        request, state = self._job.request, self._state
        form, compression = FORMATS[request.file_format], COMPRESSIONS[request.compression]
        key = self._job.layout.part_key(
            state.segment, state.parts_made, self._job.checkpoint.attempt, form.suffix + compression.suffix
        )
        self._state = msgspec.structs.replace(state, parts_made=state.parts_made + 1)
        return PartWriter(self._job.store, key, form, compression)

    def _is_due(self) -> bool:
        """Whether the part is large enough, or too much time or reading would be lost by a kill."""
        request = self._job.request
        written = self._part.bytes if self._part else 0
        read = self._units * BYTES_PER_UNIT / (2 if request.consistent_read else 1)
        age = self._job.clock.monotonic() - self._checkpointed_at
        return (
            written >= request.part_bytes
            or read >= READ_PER_WRITTEN * request.part_bytes
            or age >= PART_SECONDS
        )

    def _close_part(self, *, done: bool) -> None:
        """Make the part visible, then let the checkpoint name it; a part nobody names is removed."""
        state, part = self._state, self._part
        if part is not None:
            finished = part.close()
            state = msgspec.structs.replace(state, parts=(*state.parts, finished))
        state = msgspec.structs.replace(state, done=done)
        try:
            self._checkpoint.advance(state)
        except VersionConflict:
            if part is not None and not self._job.checkpoint.may_name(state.segment, part.key):
                self._job.store.delete([part.key])
            raise
        if part is not None:
            self._job.totals.part(part.stored_bytes)
        self._state, self._part, self._units = state, None, 0.0
        self._checkpointed_at = self._job.clock.monotonic()

    def _drop_part(self) -> None:
        """Abort the open upload; trouble with that must not hide why the segment ended."""
        if self._part is None:
            return
        try:
            self._part.abort()
        except PipelineError as error:
            self._job.say(f"could not abort the upload of {self._part.key}, the commit will: {error}")


def _after(state: SegmentState, page: Page, now: datetime) -> SegmentState:
    """The segment's state once a page is written."""
    return msgspec.structs.replace(
        state,
        last_evaluated_key=NO_KEY if page.last_key is None else msgspec.Raw(page.last_key),
        pages=state.pages + 1,
        scanned_count=state.scanned_count + page.ScannedCount,
        units=state.units + (page.units or 0.0),
        first_page_at=state.first_page_at or now,
        last_page_at=now,
    )
