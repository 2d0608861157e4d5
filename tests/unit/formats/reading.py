"""What the tests of readers share: a file in memory, and a reader's whole output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.formats.reading import BadLine, ReadSettings


@dataclass
class Text:
    """A file that is not compressed."""

    text: bytes
    chunk_bytes: int = 1 << 20
    name: str = "backup/0000"

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self.text), self.chunk_bytes):
            yield self.text[start : start + self.chunk_bytes]

    def size(self) -> int:
        return len(self.text)

    def range(self, start: int, length: int) -> bytes:
        return self.text[start : start + length]


@dataclass
class Found:
    """All that a reader found in a file."""

    raw: list[bytes]
    lines: list[int]
    bad: list[BadLine]
    deletes: list[int]
    lines_read: int

    @property
    def items(self) -> list[Any]:
        return [json.loads(item) for item in self.raw]

    @property
    def reasons(self) -> dict[int, str]:
        return {one.line: one.reason for one in self.bad}


def read(reader: str, text: bytes, chunk_bytes: int = 1 << 20, settings: ReadSettings | None = None) -> Found:
    found = Found([], [], [], [], 0)
    for block in READERS[reader].blocks(Text(text, chunk_bytes), settings or ReadSettings()):
        assert len(block.items) == len(block.lines)
        found.deletes += [len(found.raw) + at for at in block.deletes]
        found.raw += [bytes(item) for item in block.items]
        found.lines += block.lines
        found.bad += block.bad
        found.lines_read = block.lines_read
    return found
