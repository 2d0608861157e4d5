"""The items of an export, file by file, checked against the manifest in the same pass."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

from airflow_dynamo_pipeline.engine.manifest import FileEntry
from airflow_dynamo_pipeline.engine.progress import Totals
from airflow_dynamo_pipeline.engine.verify import (
    ExportCheck,
    FoundFile,
    file_problems,
    missing_file,
)
from airflow_dynamo_pipeline.errors import NotFound, Problem, Stopped
from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.formats.reading import ItemReader, ReadSettings
from airflow_dynamo_pipeline.items.typed_text import ItemText

BAD_LINES = 5  # named, of each file
READER_OF = {  # by the manifest's outputFormat
    "DYNAMODB_JSON": "dynamodb_json",
    "DATA_PIPELINE_JSON": "data_pipeline",
    "ION": "ion",
}
FULL = "FULL_EXPORT"  # a manifest's exportType, where it has one
Take = Callable[[Sequence[ItemText]], None]
NO_SETTINGS = ReadSettings()


def reader_of(check: ExportCheck) -> ItemReader | None:
    """What reads the files of the export; None when nothing can."""
    return READERS.get(READER_OF.get(check.summary.output_format, ""))


def uncomparable(check: ExportCheck) -> Iterator[Problem]:
    """Why the items of an export cannot be those of a table."""
    ours, where = check.summary.ours, "manifest_uri"
    if not ours.lossless:
        yield Problem(
            where,
            f"{ours.file_format} is lossy: its items are not the table's",
            "verify without a table, or compare an export in another format",
        )
    elif reader_of(check) is None:
        yield Problem(where, f"exports in format {check.summary.output_format} cannot be read as items")
    if check.summary.export_type not in (None, FULL):
        yield Problem(where, f"it is an {check.summary.export_type}: it holds changes, not a table's items")
    if ours.index_name:
        yield Problem(where, f"it is an export of index {ours.index_name}, not of a table")
    if ours.filtered:
        yield Problem(where, "the export was filtered: it does not hold all items or attributes of a table")


class ExportFiles:
    """The files of one export, each read once by whichever thread comes for it."""

    def __init__(self, check: ExportCheck, reader: ItemReader, totals: Totals, stop: threading.Event) -> None:
        self._check = check
        self._reader = reader
        self._totals = totals
        self._stop = stop
        self._unread = len(check.entries)
        self._lock = threading.Lock()
        self._left: queue.SimpleQueue[FileEntry] = queue.SimpleQueue()
        for entry in check.entries:
            self._left.put(entry)

    def read(self, take: Take) -> None:
        """Read files until none is left; ``take`` gets their items.

        What is wrong with a file becomes a finding of the check. Raises Stopped, and InvalidExport when all
        files are read and there are findings.
        """
        while True:
            try:
                entry = self._left.get_nowait()
            except queue.Empty:
                return
            found, problems = self._file(entry, take)
            self._check.add(found, problems)
            self._totals.part(found.stored_bytes)
            self._totals.segment()
            with self._lock:
                self._unread -= 1
                is_last = not self._unread
            if is_last:
                self._check.result()

    def _file(self, entry: FileEntry, take: Take) -> tuple[FoundFile, list[Problem]]:
        key = entry.data_file_s3_key
        reading = self._check.reading(key)
        items, bad = 0, list[Problem]()
        try:
            for block in self._reader.blocks(reading, NO_SETTINGS):
                self._refuse_if_stopped()
                take(block.items)
                items += len(block.items) + len(block.bad)
                bad += [Problem(f"{key} line {one.line}", one.reason) for one in block.bad]
                self._totals.page(
                    items=len(block.items), scanned=len(block.items), written=sum(map(len, block.items))
                )
                del bad[BAD_LINES:]
        except NotFound:
            return FoundFile(), [missing_file(key)]
        except ValueError as problem:
            return reading.found, [Problem(key, f"cannot be read: {problem}")]
        return reading.found, file_problems(entry, reading.checksum, items) or bad

    def _refuse_if_stopped(self) -> None:
        if self._stop.is_set():
            raise Stopped("told to stop while reading the export")
