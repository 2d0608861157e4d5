"""The change set as files on S3: what is put, then what is deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from airflow_dynamo_pipeline.engine.parts import PartWriter
from airflow_dynamo_pipeline.engine.ports import KeyAttribute, ObjectStore
from airflow_dynamo_pipeline.errors import PipelineError
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS
from airflow_dynamo_pipeline.lookup.records import ChangeFile

FILE_BYTES = 64 * 1024 * 1024  # before compression; an import reads four files at a time
GZIP = COMPRESSIONS["gzip"]


class _Lines:
    """Lines that are made already, as a format of parts."""

    def encode(self, items: Sequence[msgspec.Raw]) -> Iterator[bytes]:
        """Put them together."""
        yield b"\n".join(map(bytes, items)) + b"\n"


class ChangeFiles:
    """Files of one kind of change, rolled when they are large."""

    def __init__(self, store: ObjectStore, prefix: str, attempt: str, file_bytes: int = FILE_BYTES) -> None:
        """``prefix`` ends in a slash; ``attempt`` tells files of one attempt from those of another."""
        self._store = store
        self._prefix = prefix
        self._attempt = attempt
        self._file_bytes = file_bytes
        self._open: PartWriter | None = None
        self.done: list[ChangeFile] = []

    def write(self, lines: Sequence[bytes]) -> None:
        """Append lines without their newlines."""
        if not lines:
            return
        if self._open is None:
            key = f"{self._prefix}{len(self.done):05}-{self._attempt}.jsonl{GZIP.suffix}"
            self._open = PartWriter(self._store, key, _Lines(), GZIP)
        self._open.write(list(map(msgspec.Raw, lines)))
        if self._open.bytes >= self._file_bytes:
            self.close()

    def close(self) -> None:
        """Finish the file that is open."""
        if self._open is not None:
            part = self._open.close()
            self._open = None
            self.done.append(ChangeFile(key=part.key, lines=part.item_count, md5=part.md5))

    def abort(self) -> None:
        """Drop everything; trouble with that hides nothing."""
        with suppress(PipelineError):
            if self._open is not None:
                self._open.abort()
            self._store.delete([file.key for file in self.done])


def typed_key(key: bytes, schema: Sequence[KeyAttribute]) -> bytes:
    """The key attributes as an item, of a key's text.

    >>> typed_key(b'["P1","2"]', [KeyAttribute("id", "S"), KeyAttribute("n", "N")])
    b'{"id":{"S":"P1"},"n":{"N":"2"}}'
    """
    held = msgspec.json.decode(key, type=list[str])
    found: Mapping[str, Any] = {
        attribute.name: {attribute.tag: text} for attribute, text in zip(schema, held, strict=True)
    }
    return msgspec.json.encode(found)


def shown_key(key: bytes) -> str:
    """A key's text for a person.

    >>> shown_key(b'["P1","2"]')
    'P1, 2'
    """
    return ", ".join(json.loads(key))
