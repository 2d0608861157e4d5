"""A stored file of a backup as readers see it: decompressed by what it is, counted, and bounded."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from airflow_dynamo_pipeline.formats.compression import MAGIC_BYTES, compression_of

FREE_BYTES = 64 * 1024 * 1024  # of content, whatever its ratio

# Content to stored bytes. Measured on items of 480 bytes that differ in their keys alone: gzip 60 to 73,
# zstd 170 to 254; on items of 4 KB that are one letter: gzip 145 to 500, zstd 1,120 to 1,540. A bomb comes
# near 1,030 with gzip and 32,000 with zstd, which are the most that these can do.
MAX_RATIOS = {"gzip": 600, "zstd": 3000}


@dataclass(slots=True)
class StoredContent:
    """One stored file, decompressed as its first bytes say, whatever it is called.

    ``read`` streams the stored bytes from the beginning, each time it is called; ``stored_range`` takes
    start and length. After the end of ``chunks()`` the properties describe what was read last.
    """

    name: str
    read: Callable[[], Iterator[bytes]]
    stored_size: Callable[[], int]
    stored_range: Callable[[int, int], bytes]
    _count: _Count | None = field(default=None, init=False)

    def chunks(self) -> Iterator[bytes]:
        """Its content; raises ValueError when it is damaged or swells like a bomb."""
        self._count = count = _Count()
        first, stored = _peek(count.counted(self.read()), MAGIC_BYTES)
        compression = compression_of(first)
        content = compression.decompress(stored)
        return self._bounded(content, count, MAX_RATIOS.get(compression.name))

    def size(self) -> int:
        """Its stored size in bytes."""
        return self.stored_size()

    def range(self, start: int, length: int) -> bytes:
        """Some of its stored bytes."""
        return self.stored_range(start, length)

    @property
    def stored_bytes(self) -> int:
        """How many stored bytes have been read; 0 before ``chunks()``."""
        return 0 if self._count is None else self._count.size

    @property
    def md5(self) -> str:
        """The MD5 of the stored bytes read so far, in base64 as in manifests; "" before ``chunks()``."""
        return "" if self._count is None else base64.b64encode(self._count.digest.digest()).decode()

    def _bounded(self, content: Iterable[bytes], count: _Count, most: int | None) -> Iterator[bytes]:
        size = 0
        for chunk in content:
            size += len(chunk)
            if most is not None and size > max(FREE_BYTES, most * count.size):
                raise ValueError(
                    f"{self.name} swells to more than {size // count.size:,} times its stored size; "
                    f"files of items stay below {most:,}"
                )
            yield chunk


class _Count:
    def __init__(self) -> None:
        self.size = 0
        self.digest = hashlib.md5(usedforsecurity=False)

    def counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.size += len(chunk)
            self.digest.update(chunk)
            yield chunk


def _peek(chunks: Iterator[bytes], length: int) -> tuple[bytes, Iterator[bytes]]:
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= length:
            break
    return first[:length], chain([first], chunks)
