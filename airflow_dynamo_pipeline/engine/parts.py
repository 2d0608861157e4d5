"""One file of an export, written as pages come and visible only when it is whole."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from airflow_dynamo_pipeline.engine.ports import ObjectStore
from airflow_dynamo_pipeline.engine.records import Part
from airflow_dynamo_pipeline.formats.compression import Compression


class Encoding(Protocol):
    """What makes lines of items."""

    def encode(self, items: Sequence[msgspec.Raw]) -> Iterable[bytes]:
        """One line for each item, in chunks."""
        ...


class PartWriter:
    """Items -> lines -> compressed bytes -> a streamed object, counted and hashed on the way.

    Holds one compressor's window and what the store buffers (5 MiB), whatever the part's size.
    """

    def __init__(self, store: ObjectStore, key: str, file_format: Encoding, compression: Compression) -> None:
        self.key = key
        self.item_count = 0
        self.bytes = 0
        self.stored_bytes = 0
        self._format = file_format
        self._out = store.create(key)
        self._compressor = compression.open()
        self._md5 = hashlib.md5(usedforsecurity=False)

    def write(self, items: Sequence[msgspec.Raw]) -> None:
        """Append items as lines."""
        self._store(self._compressed(items))
        self.item_count += len(items)

    def close(self) -> Part:
        """Finish the file; from now on it is visible."""
        self._store(self._compressor.flush())
        etag = self._out.close()
        return Part(
            key=self.key,
            item_count=self.item_count,
            bytes=self.bytes,
            stored_bytes=self.stored_bytes,
            md5=base64.b64encode(self._md5.digest()).decode(),
            etag=etag,
        )

    def abort(self) -> None:
        """Drop the file."""
        self._out.abort()

    def _compressed(self, items: Sequence[msgspec.Raw]) -> bytes:
        """The page's lines, compressed; the lines themselves do not stay in memory while that is uploaded."""
        done = []
        for chunk in self._format.encode(items):
            self.bytes += len(chunk)
            done.append(self._compressor.compress(chunk))
        return b"".join(done)

    def _store(self, data: bytes) -> None:
        if data:
            self.stored_bytes += len(data)
            self._md5.update(data)
            self._out.write(data)
