"""The file of rejected items: what was wrong where, and the text to mend and import again.

One JSON object a line: ``{"rejected": {"file", "line", "reason"}, "reader", "text"}``. A person mends
``text``; ``reader`` says how it is read. Bytes that are no UTF-8 stand in ``base64`` instead of ``text``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from airflow_dynamo_pipeline.formats.lines import NotAnItem, cut_lines, read_one_by_one
from airflow_dynamo_pipeline.formats.reading import Block, Content, ItemReader, ReadSettings
from airflow_dynamo_pipeline.items.typed_text import ItemText

MARK = b'{"rejected":'  # how every line of such a file begins


class _Where(msgspec.Struct):
    file: str
    line: int
    reason: str


class RejectLine(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One line of the file."""

    rejected: _Where
    reader: str
    text: str = ""
    base64: str = ""

    @property
    def content(self) -> bytes:
        """What is to be read; raises ValueError."""
        return base64.b64decode(self.base64, validate=True) if self.base64 else self.text.encode()


def encode_rejects(rejects: Iterable[tuple[str, int, str, str, bytes]]) -> bytes:
    """Write (file, line, reason, reader, text) of each rejected item."""
    return msgspec.json.Encoder().encode_lines([_line(*one) for one in rejects])


def _line(file: str, line: int, reason: str, reader: str, text: bytes) -> RejectLine:
    where = _Where(file, line, reason)
    try:
        return RejectLine(where, reader, text=text.decode())
    except UnicodeDecodeError:
        return RejectLine(where, reader, base64=base64.b64encode(text).decode())


_decode = msgspec.json.Decoder(RejectLine).decode


@dataclass(slots=True)
class RejectsReader:
    """Reads a file of rejected items, each by the reader it names."""

    readers: Callable[[], Mapping[str, ItemReader]]  # a function, for this reader is one of them
    name: str = "rejects"

    def check_available(self) -> None:
        """Never raises."""

    def check_settings(self, settings: ReadSettings) -> Iterator[str]:
        """Settings are looked at by the readers that the lines name."""
        del settings
        return iter(())

    def blocks(self, content: Content, settings: ReadSettings) -> Iterator[Block]:
        """Read the items that were mended; those that were not are bad lines again."""

        def read(line: bytes) -> tuple[ItemText, bool]:
            return self._item(_decode(line), settings)

        for lines in cut_lines(content.chunks()):
            yield read_one_by_one(lines, read)

    def _item(self, line: RejectLine, settings: ReadSettings) -> tuple[ItemText, bool]:
        reader = self.readers().get(line.reader)
        if reader is None or line.reader == self.name:
            raise NotAnItem(f"its reader is {line.reader!r}; expected one of {', '.join(self.readers())}")
        if line.reader == "csv" and not settings.csv_columns:
            raise NotAnItem(
                "a row of CSV alone does not say its columns: give csv_columns, "
                "or put a line of DynamoDB JSON for the text and dynamodb_json for the reader"
            )
        blocks = list(reader.blocks(_Text(line.content), settings))
        bad = [one for block in blocks for one in block.bad]
        if bad:
            raise NotAnItem(bad[0].reason)
        found = [(item, bool(block.deletes)) for block in blocks for item in block.items]
        if len(found) != 1:
            raise NotAnItem(f"its text holds {len(found)} items, not one")
        return found[0]


@dataclass(slots=True)
class _Text:
    """The text of one rejected item as a file."""

    text: bytes
    name: str = "text"

    def chunks(self) -> Iterator[bytes]:
        yield self.text

    def size(self) -> int:
        return len(self.text)

    def range(self, start: int, length: int) -> bytes:
        return self.text[start : start + length]
