"""A Parquet file of the store, opened by pyarrow and read by batches: never whole in memory."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from typing import Any, Protocol

from airflow_dynamo_pipeline.errors import MissingLibrary

BATCH_BYTES = 1024 * 1024
MAX_BATCH_ROWS = 512
BUFFER_BYTES = 256 * 1024  # read at once of each column


class Stored(Protocol):
    """A stored file that is read here and there."""

    def size(self) -> int:
        """Its stored size in bytes."""
        ...

    def range(self, start: int, length: int) -> bytes:
        """Some of its stored bytes."""
        ...


def pyarrow_module() -> Any:
    """The library; raises MissingLibrary where it is not installed."""
    try:
        return importlib.import_module("pyarrow")
    except ImportError as exc:
        raise MissingLibrary("pyarrow", "parquet") from exc


def opened(pyarrow: Any, stored: Stored, **settings: Any) -> Any:
    """A ``pyarrow.parquet.ParquetFile``, whose own settings ``settings`` are."""
    from pyarrow import parquet

    source = pyarrow.PythonFile(_Seekable(stored), mode="r")
    return parquet.ParquetFile(source, buffer_size=BUFFER_BYTES, pre_buffer=False, **settings)


def batches(file: Any, *, most_rows: int = MAX_BATCH_ROWS, most_bytes: int = BATCH_BYTES) -> Iterator[Any]:
    """Record batches in the order of the file, fewer rows in one where they are wide."""
    for group in range(file.metadata.num_row_groups):
        found = file.metadata.row_group(group)
        row_bytes = found.total_byte_size // max(1, found.num_rows)
        rows = max(1, min(most_rows, most_bytes // max(1, row_bytes)))
        yield from file.iter_batches(batch_size=rows, row_groups=[group], use_threads=False)


class _Seekable(io.RawIOBase):
    """A file of the store as pyarrow reads files."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._size = stored.size()
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._at)
        length = left if size < 0 else min(size, left)
        found = self._stored.range(self._at, length) if length else b""
        self._at += len(found)
        return found
