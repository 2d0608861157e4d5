"""Keys and digests of millions of items in bounded memory: cut into buckets, spilled to S3 beyond a bound.

A print is a line: the key's text, a tab, and the digest of the item in canonical form. Equal lines are equal
items; a line that only one side has is a change. Both sides cut by the same hash of the key, so that bucket
by bucket is compared with bucket.
"""

from __future__ import annotations

import binascii
import hashlib
import itertools
import threading
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field

from airflow_dynamo_pipeline.engine.collector import give_free_memory_back
from airflow_dynamo_pipeline.engine.ports import ObjectStore, ObjectWriter
from airflow_dynamo_pipeline.errors import PipelineError
from airflow_dynamo_pipeline.formats.compression import Gzip

SPILL_BYTES = 12 * 1024 * 1024  # in memory, before or after compression
FULL = 2 / 3  # of them that are compressed: no room is left for what is not
AHEAD_BYTES = 16 * 1024 * 1024  # of what was spilled, read at once: a call costs as much as half a megabyte
AHEAD_PRINTS_BYTES = 6 * 1024 * 1024  # of prints alone: those with items are several times as many bytes
TOGETHER = 8192  # prints that are given to their buckets at once
ROWS_PER_BUCKET = 40_000
FEWEST_BUCKETS, MOST_BUCKETS = 16, 2048
DIGEST_BYTES = 12  # that two versions of an item have one digest has a chance of one in 2 ** 96
DIGEST_TEXT = 16  # its base64
GZIP = Gzip()
_hash_begun = hashlib.blake2b(digest_size=DIGEST_BYTES).copy


def buckets_for(rows: int) -> int:
    """How many buckets so many rows are cut into: a power of two."""
    wanted = -(-rows // ROWS_PER_BUCKET)
    return min(MOST_BUCKETS, max(FEWEST_BUCKETS, 1 << max(0, wanted - 1).bit_length()))


def digests_of(items: Iterable[bytes]) -> list[bytes]:
    """The digest of each item's canonical text, as base64 text of 16 bytes."""
    found = []
    for item in items:
        hashed = _hash_begun()  # a copy costs less than a beginning
        hashed.update(item)
        found.append(hashed.digest())
    text = binascii.b2a_base64(b"".join(found), newline=False)
    return [text[start : start + DIGEST_TEXT] for start in range(0, len(text), DIGEST_TEXT)]


def key_of(print_: bytes) -> bytes:
    """The key's text of a print."""
    return print_[: -DIGEST_TEXT - 1]


def digest_of(print_: bytes) -> str:
    """The digest of a print."""
    return print_[-DIGEST_TEXT:].decode()


@dataclass(slots=True)
class Piece:
    """Some prints of one bucket, and the items they are of, compressed."""

    prints: list[bytes]
    packed_items: bytes

    def items(self) -> list[bytes]:
        """The items, in the order of the prints."""
        return unpacked(self.packed_items)


@dataclass(frozen=True, slots=True)
class _Packed:
    prints: bytes
    items: bytes


@dataclass(frozen=True, slots=True)
class _Ahead:
    """Some buckets next to each other, as each object has them."""

    buckets: range
    data: list[bytes]


@dataclass(slots=True)
class _Spilled:
    key: str
    bounds: array[int]  # of each bucket where its prints begin and where its items do; then the end

    def bucket(self, bucket: int) -> tuple[int, int, int]:
        """Where a bucket's prints begin, where its items do, and where it ends."""
        first, middle, end = self.bounds[2 * bucket : 2 * bucket + 3]
        return first, middle, end


@dataclass(kw_only=True)
class Partition:
    """The prints of one side. ``add`` may be called by several threads; then ``close``, then the buckets."""

    store: ObjectStore
    prefix: str  # of the objects that are spilled; they are nobody else's
    buckets: int
    spill_bytes: int = SPILL_BYTES
    count: int = 0
    _has_items: bool = False
    _size: int = 0
    _waiting_size: int = 0
    _waiting_keys: list[bytes] = field(default_factory=list)
    _waiting_digests: list[bytes] = field(default_factory=list)
    _waiting_items: list[bytes] = field(default_factory=list)
    _prints: list[list[bytes]] = field(default_factory=list)
    _items: list[list[bytes]] = field(default_factory=list)
    _packed: list[list[_Packed]] = field(default_factory=list)
    _spilled: list[_Spilled] = field(default_factory=list)
    _ahead: _Ahead = field(default_factory=lambda: _Ahead(range(0), []))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._begin()

    def add(self, keys: Sequence[bytes], digests: Sequence[bytes], items: Sequence[bytes] = ()) -> None:
        """Keep prints, and the items themselves where they are given; what is too much is spilled."""
        if len(digests) != len(keys) or len(items) not in (0, len(keys)):
            raise ValueError(f"{len(keys)} keys, {len(digests)} digests and {len(items)} items")
        with self._lock:
            self.count += len(keys)
            self._has_items |= bool(items)
            self._waiting_keys += keys
            self._waiting_digests += digests
            self._waiting_items += items
            self._waiting_size += sum(map(len, keys)) + (DIGEST_TEXT + 2) * len(keys)
            self._waiting_size += sum(map(len, items)) + len(items)
            is_full = self._size + self._waiting_size >= self.spill_bytes
            if is_full or len(self._waiting_keys) >= TOGETHER:
                self._share_out()

    def _share_out(self) -> None:
        """Give what waits to its buckets: many at once, for each bucket costs something by itself."""
        keys, digests, items = self._waiting_keys, self._waiting_digests, self._waiting_items
        self._waiting_keys, self._waiting_digests, self._waiting_items = [], [], []
        self._size += self._waiting_size
        self._waiting_size = 0
        mask = self.buckets - 1
        shares = [crc & mask for crc in map(zlib.crc32, keys)]
        prints = _shared_out(self.buckets, shares, map(b"\t".join, zip(keys, digests, strict=True)))
        texts = _shared_out(self.buckets, shares, items) if items else []
        for here, lines in zip((*self._prints, *self._items), (*prints, *texts), strict=False):
            if lines:
                here.append(lines)
        if self._size >= self.spill_bytes:
            self._pack()
            give_free_memory_back()
            if self._size >= self.spill_bytes * FULL:
                self._spill()

    def close(self) -> None:
        """Nothing more will be added: leave little in memory."""
        self._share_out()
        self._pack()
        if self._spilled and self._size:
            self._spill()

    def pieces(self, bucket: int) -> Iterator[Piece]:
        """What a bucket holds, in pieces, in the order in which they were added."""
        if self._waiting_keys:
            self._share_out()
        if self._spilled and bucket not in self._ahead.buckets:
            self._ahead = _Ahead(range(0), [])
            give_free_memory_back()
            self._ahead = self._read_ahead(bucket)
        for spilled, data in zip(self._spilled, self._ahead.data, strict=True):
            skipped = spilled.bucket(self._ahead.buckets[0])[0]
            first, middle, end = (bound - skipped for bound in spilled.bucket(bucket))
            if middle > first:
                yield Piece(unpacked(data[first:middle]), data[middle:end])
        self._pack_bucket(bucket)
        for kept in self._packed[bucket]:
            yield Piece(unpacked(kept.prints), kept.items)

    def prints(self, bucket: int) -> list[bytes]:
        """All prints of a bucket."""
        return [line for piece in self.pieces(bucket) for line in piece.prints]

    def remove(self) -> None:
        """Remove what was spilled."""
        keys, self._spilled = [spilled.key for spilled in self._spilled], []
        self._ahead = _Ahead(range(0), [])
        self._begin()
        if keys:
            self.store.delete(keys)

    def _begin(self) -> None:
        self._size = 0
        self._prints = [[] for _ in range(self.buckets)]
        self._items = [[] for _ in range(self.buckets)]
        self._packed = [[] for _ in range(self.buckets)]

    def _pack(self) -> None:
        self._size = sum(map(self._pack_bucket, range(self.buckets)))

    def _pack_bucket(self, bucket: int) -> int:
        """Compress what is not yet; gives the bytes of all that is."""
        found = self._packed[bucket]
        if self._prints[bucket]:
            prints, items = b"".join(self._prints[bucket]), b"".join(self._items[bucket])
            self._prints[bucket], self._items[bucket] = [], []
            found.append(_Packed(packed(prints), packed(items)))
        return sum(len(some.prints) + len(some.items) for some in found)

    def _spill(self) -> None:
        key = f"{self.prefix}{len(self._spilled):05}"
        out = self.store.create(key)
        try:
            bounds = array("Q", self._write(out))
            out.close()
        except BaseException:
            with suppress(PipelineError):
                out.abort()
            raise
        self._spilled.append(_Spilled(key, bounds))
        self._begin()

    def _write(self, out: ObjectWriter) -> Iterator[int]:
        offset = 0
        for bucket in range(self.buckets):
            prints = b"".join([some.prints for some in self._packed[bucket]])
            items = b"".join([some.items for some in self._packed[bucket]])
            self._packed[bucket] = []
            out.write(prints + items)
            yield offset
            yield offset + len(prints)
            offset += len(prints) + len(items)
        yield offset

    def _read_ahead(self, bucket: int) -> _Ahead:
        """A bucket and those after it, as many as are read at once."""
        size = sum(spilled.bounds[-1] for spilled in self._spilled)
        most = AHEAD_BYTES if self._has_items else AHEAD_PRINTS_BYTES
        count = max(1, most * self.buckets // max(1, size))
        wanted = range(bucket, min(bucket + count, self.buckets))
        return _Ahead(wanted, [self._read(spilled, wanted) for spilled in self._spilled])

    def _read(self, spilled: _Spilled, wanted: range) -> bytes:
        start, end = spilled.bucket(wanted[0])[0], spilled.bucket(wanted[-1])[2]
        return self.store.read_range(spilled.key, start, end - start) if end > start else b""


def _shared_out(buckets: int, shares: Sequence[int], lines: Iterable[bytes]) -> list[bytes]:
    """The lines of each bucket, each with its newline."""
    found: list[list[bytes]] = [[] for _ in range(buckets)]
    for share, line in zip(shares, lines, strict=True):
        found[share].append(line)
    return [b"\n".join([*some, b""]) for some in found]


def packed(lines: bytes | bytearray) -> bytes:
    """Compress lines; nothing stays nothing."""
    if not lines:
        return b""
    compressor = GZIP.open()
    return compressor.compress(bytes(lines)) + compressor.flush()


def unpacked(data: bytes) -> list[bytes]:
    """The lines that were packed, without their newlines; raises ValueError for damage."""
    return GZIP.unpack(data).split(b"\n")[:-1] if data else []


def may_repeat(prints: Sequence[bytes], different: AbstractSet[bytes], new: AbstractSet[bytes]) -> bool:
    """Whether a key stands more than once among a bucket's prints.

    ``different`` are the same prints, each once, ``new`` those of them that the other side has not.
    The other side has each key once: of two prints with one key one is new, unless they are equal.
    """
    keys = frozenset(map(key_of, new))
    if len(keys) < len(new) or len(different) < len(prints):
        return True
    return sum(map(keys.__contains__, [line[: -DIGEST_TEXT - 1] for line in prints])) > len(new)


def repeated(prints: Sequence[bytes]) -> Iterator[bytes]:
    """The keys that stand more than once among a bucket's prints, each once."""
    keys = [line[: -DIGEST_TEXT - 1] for line in prints]
    if len(set(keys)) == len(keys):
        return
    keys.sort()
    for key, same in itertools.groupby(keys):
        if sum(1 for _ in same) > 1:
            yield key
