"""Compression wraps a file's bytes, whatever its format."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, Final, Protocol

from airflow_dynamo_pipeline.errors import MissingLibrary

LEVEL = 1  # isal's level 1 beats zlib's 1 in size and speed; zlib's 6 costs thirteen times as much
GZIP_WINDOW_BITS = 31  # a gzip header and trailer around the largest window; the header holds no time
STEP_BYTES = 1 << 17  # of gzip's output at once
GZIP_SLICE_BYTES = 1 << 16  # of its input at once: what is left over after a step is copied
ZSTD_SLICE_BYTES = 1 << 10  # likewise; four bytes can become 128 KiB, so a slice becomes 32 MiB at most


class Compressor(Protocol):
    """One stream of bytes being compressed."""

    def compress(self, data: bytes, /) -> bytes:
        """Take bytes in; returns what is ready, perhaps nothing."""
        ...

    def flush(self) -> bytes:
        """End the stream and return the rest of it."""
        ...


class Compression(Protocol):
    """One way of compressing a file."""

    name: str  # as settings and command line spell it: "gzip"
    suffix: str  # of a file's name, after that of the format: ".gz"

    def check_available(self) -> None:
        """Raise MissingLibrary when this machine cannot do it."""
        ...

    def open(self) -> Compressor:
        """Begin one stream; the same calls give the same bytes."""
        ...

    def decompress(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Stream a file's content with bounded memory, whatever it swells to.

        Streams written one after the other are read as one; a file without any bytes has no content.
        Raises ValueError when the bytes are damaged, or at the end when they stop short.
        """
        ...


class Gzip:
    """One ordinary gzip member, by isal where it is installed and by zlib otherwise."""

    __slots__ = ()

    name = "gzip"
    suffix = ".gz"

    def check_available(self) -> None:
        """Never raises: zlib is always there."""

    def open(self) -> Compressor:
        """Begin one member."""
        compressor: Compressor = _gzip_library().compressobj(level=LEVEL, wbits=GZIP_WINDOW_BITS)
        return compressor

    def unpack(self, data: bytes) -> bytes:
        """Read all members of one's own at once, whose size is known; raises ValueError for damage.

        >>> one = Gzip().open()
        >>> Gzip().unpack((one.compress(b"a") + one.flush()) * 2)
        b'aa'
        """
        library = _gzip_library()
        found = []
        try:
            while data:
                member = library.decompressobj(wbits=GZIP_WINDOW_BITS)
                found.append(member.decompress(data))
                if not member.eof:
                    raise ValueError("gzip stream ends too early")
                data = member.unused_data
        except library.error as exc:
            raise ValueError(f"damaged gzip stream: {exc}") from exc
        return b"".join(found)

    def decompress(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Read all members, STEP_BYTES at a time."""
        library = _gzip_library()

        def member() -> Any:
            return library.decompressobj(wbits=GZIP_WINDOW_BITS)

        try:
            yield from _contents(_slices(chunks, GZIP_SLICE_BYTES), member, _in_steps)
        except library.error as exc:
            raise ValueError(f"damaged gzip stream: {exc}") from exc


class Zstd:
    """One zstd frame with a checksum of its content."""

    __slots__ = ()

    name = "zstd"
    suffix = ".zst"

    def check_available(self) -> None:
        """Raise MissingLibrary when zstandard is not installed."""
        _zstandard()

    def open(self) -> Compressor:
        """Begin one frame."""
        compressor: Compressor = _zstandard().ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
        return compressor

    def decompress(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Read all frames, each step's output bounded by the slice it came from."""
        library = _zstandard()

        def frame() -> Any:
            return library.ZstdDecompressor().decompressobj()

        try:
            yield from _contents(_slices(chunks, ZSTD_SLICE_BYTES), frame, _at_once)
        except library.ZstdError as exc:
            raise ValueError(f"damaged zstd stream: {exc}") from exc


class Uncompressed:
    """The bytes as they are."""

    __slots__ = ()

    name = "none"
    suffix = ""

    def check_available(self) -> None:
        """Never raises."""

    def open(self) -> Compressor:
        """Begin a stream that holds nothing back."""
        return _PassedThrough()

    def decompress(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Hand the chunks on."""
        yield from chunks


class _PassedThrough:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


COMPRESSIONS: Final[Mapping[str, Compression]] = {"gzip": Gzip(), "zstd": Zstd(), "none": Uncompressed()}

_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
MAGIC_BYTES = max(map(len, _MAGIC))


def compression_of(first: bytes) -> Compression:
    r"""Tell how a file is compressed by its first MAGIC_BYTES.

    >>> compression_of(b"\x1f\x8b\x08").name, compression_of(b'{"It').name, compression_of(b"").name
    ('gzip', 'none', 'none')
    """
    for magic, name in _MAGIC.items():
        if first.startswith(magic):
            return COMPRESSIONS[name]
    return COMPRESSIONS["none"]


def _gzip_library() -> ModuleType:
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib
    return isal_zlib


def _zstandard() -> ModuleType:
    try:
        import zstandard
    except ImportError as exc:
        raise MissingLibrary("zstandard", "zstd") from exc
    return zstandard


def _slices(chunks: Iterable[bytes], size: int) -> Iterator[memoryview]:
    for chunk in chunks:
        view = memoryview(chunk)
        for start in range(0, len(view), size):
            yield view[start : start + size]


def _contents(
    slices: Iterable[memoryview],
    begin: Callable[[], Any],
    outputs: Callable[[Any, bytes | memoryview], Iterator[bytes]],
) -> Iterator[bytes]:
    """Decompress stream after stream, each by an object as zlib's and zstandard's decompressobj() make."""
    stream = None
    for piece in slices:
        rest: bytes | memoryview = piece
        while rest:
            if stream is None or stream.eof:
                stream = begin()
            yield from outputs(stream, rest)
            rest = stream.unused_data if stream.eof else b""
    if stream is not None and not stream.eof:
        raise ValueError("the compressed stream stops short of its end")


def _in_steps(stream: Any, data: bytes | memoryview) -> Iterator[bytes]:
    while out := stream.decompress(data, STEP_BYTES):
        yield out
        if stream.eof:
            return
        data = stream.unconsumed_tail  # even when empty: output may still wait inside the stream


def _at_once(stream: Any, data: bytes | memoryview) -> Iterator[bytes]:
    if out := stream.decompress(data):
        yield out
