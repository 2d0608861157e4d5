"""A file's content cut into blocks of whole lines, with bounded memory whatever the file holds."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from airflow_dynamo_pipeline.formats.reading import KEPT_BYTES, MAX_LINE_BYTES, BadLine, Block
from airflow_dynamo_pipeline.items.typed_text import ItemText

BLOCK_BYTES = 128 * 1024
PIECE_BYTES = 64 * 1024  # what a block may exceed BLOCK_BYTES by
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class NotAnItem(ValueError):
    """A line is not what its format says; the message is the reason, without line number or text."""


@dataclass(frozen=True, slots=True)
class Lines:
    r"""Some whole lines of a file, blank ones included, or one line that is too long to be kept.

    Every line of ``data`` ends with ``\n``, without ``\r`` before it; ``rows`` are the same lines one by
    one. ``first`` is the number of the first.
    """

    data: bytes
    rows: Sequence[bytes]
    first: int
    bad: tuple[BadLine, ...] = ()

    @property
    def count(self) -> int:
        """How many lines these are."""
        return len(self.rows) or len(self.bad)

    @property
    def last(self) -> int:
        """The number of the last line."""
        return self.first + self.count - 1

    def numbered(self) -> Iterator[tuple[int, bytes]]:
        """Each line that is not blank, without its end, with its number."""
        for number, row in enumerate(self.rows, start=self.first):
            if not row.isspace():
                yield number, row[:-1]


def cut_lines(chunks: Iterable[bytes]) -> Iterator[Lines]:
    r"""Cut chunks into blocks of whole lines; how the bytes are chunked does not change the lines.

    A last line needs no ``\n``. A byte order mark at the start is passed over. A line of more than
    MAX_LINE_BYTES is skipped as it comes and reported as a BadLine with its first KEPT_BYTES.

    >>> [(block.data, block.first, block.count) for block in cut_lines([b"one\r\n\ntw", b"o"])]
    [(b'one\n\ntwo\n', 1, 3)]
    """
    cutter = _Cutter()
    for chunk in chunks:
        view = memoryview(chunk)
        for start in range(0, len(view), PIECE_BYTES):
            yield from cutter.take(bytes(view[start : start + PIECE_BYTES]))
    yield from cutter.end()


class _Cutter:
    """Holds the lines of a block and the beginning of the line after them, or the start of one it skips."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._held = 0  # bytes in _pieces
        self._whole = 0  # of them, those up to the end of the last whole line
        self._skipped: bytes | None = None  # what is kept of a line that is too long
        self._line = 1  # the first held

    def take(self, piece: bytes) -> Iterator[Lines]:
        if self._skipped is None and self._is_too_long(piece):
            self._skipped = b"".join([*self._pieces, piece])[:KEPT_BYTES]
            self._hold(b"")
        if self._skipped is not None:
            end = piece.find(b"\n")
            if end < 0:
                return
            yield self._skip()
            piece = piece[end + 1 :]
        self._append(piece)
        if self._held >= BLOCK_BYTES and self._whole:
            yield self._cut()

    def end(self) -> Iterator[Lines]:
        if self._skipped is not None:
            yield self._skip()
        elif self._held:
            if self._whole < self._held:
                self._append(b"\n")
            yield self._cut()

    def _is_too_long(self, piece: bytes) -> bool:
        if self._whole:  # the line begun after it is shorter than a block
            return False
        end = piece.find(b"\n") if self._held + len(piece) > MAX_LINE_BYTES else 0
        return self._held + (len(piece) if end < 0 else end) > MAX_LINE_BYTES

    def _skip(self) -> Lines:
        reason = f"longer than {MAX_LINE_BYTES:,} bytes"
        bad = BadLine(self._line, reason, self._skipped or b"")
        self._skipped = None
        self._line += 1
        return Lines(b"", (), bad.line, (bad,))

    def _append(self, piece: bytes) -> None:
        end = piece.rfind(b"\n")
        if end >= 0:
            self._whole = self._held + end + 1
        self._pieces.append(piece)
        self._held += len(piece)

    def _hold(self, rest: bytes) -> None:
        self._pieces, self._held, self._whole = [rest], len(rest), 0

    def _cut(self) -> Lines:
        joined = b"".join(self._pieces)
        data = joined[: self._whole]
        self._hold(joined[self._whole :])
        first = self._line
        if first == 1:
            data = data.removeprefix(BYTE_ORDER_MARK)
        if b"\r" in data and b"\r\n" in data:  # one byte is looked for much faster than two
            data = data.replace(b"\r\n", b"\n")
        rows = io.BytesIO(data).readlines()  # looks for ends several times as fast as split() and count()
        self._line += len(rows)
        return Lines(data, rows, first)


def read_one_by_one(lines: Lines, read: Callable[[bytes], tuple[ItemText, bool]]) -> Block:
    """Read each line by itself, so that a bad one is named and the others are kept.

    ``read`` takes a line in valid UTF-8 and returns an item, and whether it is the key of one to delete.
    It raises NotAnItem, or any error of msgspec's for a line that is no JSON.
    """
    items: list[ItemText] = []
    numbers: list[int] = []
    deletes: list[int] = []
    bad = list(lines.bad)
    for number, line in lines.numbered():
        try:
            check_utf8(line)
            item, is_delete = read(line)
        except (ValueError, msgspec.MsgspecError, RecursionError) as exc:
            bad.append(BadLine(number, why(exc), line))
            continue
        if is_delete:
            deletes.append(len(items))
        items.append(item)
        numbers.append(number)
    return Block(items, numbers, lines.last, bad, deletes)


def check_utf8(text: bytes) -> None:
    """Raise UnicodeDecodeError when text is not UTF-8."""
    if not text.isascii():
        text.decode()


def why(exc: Exception) -> str:
    """Name what is wrong with a line in words, from the error that reading it raised."""
    match exc:
        case RecursionError():
            return "nested too deeply"
        case UnicodeDecodeError():
            return f"not UTF-8: {exc.reason} at byte {exc.start}"
        case msgspec.ValidationError():
            return f"not an item: {exc}"
        case msgspec.DecodeError():
            return f"not JSON: {str(exc).removeprefix('JSON is malformed: ')}"
    return str(exc)
