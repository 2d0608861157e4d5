"""Reading with declared attributes: a reader's whole output, up to where it gives up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.formats.reading import Attribute, Block, ReadSettings
from tests.unit.formats.reading import Found, Text


def declared(**columns: str) -> dict[str, Attribute]:
    """Declare columns as attributes of the same names."""
    return {name: Attribute(name, tag) for name, tag in columns.items()}


def read_mapped(reader: str, text: bytes, chunk_bytes: int = 1 << 20, **settings: Any) -> Found:
    return gathered(READERS[reader].blocks(Text(text, chunk_bytes), ReadSettings(**settings)))


def read_until_refused(reader: str, text: bytes, reason: str, **settings: Any) -> Found:
    """Read a file whose rest cannot be read for a reason; what came before it."""
    blocks: list[Block] = []
    with pytest.raises(ValueError, match=reason):
        blocks.extend(READERS[reader].blocks(Text(text), ReadSettings(**settings)))
    return gathered(iter(blocks))


def gathered(blocks: Iterator[Block]) -> Found:
    found = Found([], [], [], [], 0)
    for block in blocks:
        found.raw += [bytes(item) for item in block.items]
        found.lines += block.lines
        found.bad += block.bad
        found.lines_read = block.lines_read
    return found


def problems(reader: str, **settings: Any) -> list[str]:
    return list(READERS[reader].check_settings(ReadSettings(**settings)))
