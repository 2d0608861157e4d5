from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator

import pytest
import zstandard

from airflow_dynamo_pipeline.formats.contents import FREE_BYTES, MAX_RATIOS, StoredContent

TEXT = b'{"Item":{"id":{"N":"1"}}}\n' * 100
MEBIBYTE = 1 << 20


def stored(name: str, data: bytes, chunk_bytes: int = 1 << 16) -> StoredContent:
    def read() -> Iterator[bytes]:
        for start in range(0, len(data), chunk_bytes):
            yield data[start : start + chunk_bytes]

    return StoredContent(name, read, lambda: len(data), lambda start, length: data[start : start + length])


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


@pytest.mark.parametrize("name", ["0000", "0000.json", "0000.gz", "0000.zst"])
@pytest.mark.parametrize(
    "data",
    [TEXT, gzip.compress(TEXT), gzip.compress(TEXT[:26]) + gzip.compress(TEXT[26:]), zstd(TEXT)],
    ids=["plain", "gzip", "two gzip members", "zstd"],  # the bytes of gzip hold the time: no names for tests
)
@pytest.mark.parametrize("chunk_bytes", [1, 3, 1 << 16])
def test_a_file_is_decompressed_by_what_it_is_and_not_by_its_name(
    name: str, data: bytes, chunk_bytes: int
) -> None:
    assert TEXT == b"".join(stored(name, data, chunk_bytes).chunks())


@pytest.mark.parametrize("data", [b"", gzip.compress(b""), zstd(b"")], ids=["none", "gzip", "zstd"])
def test_an_empty_file_and_an_empty_stream_have_no_content(data: bytes) -> None:
    content = stored("0000.gz", data)

    assert b"" == b"".join(content.chunks())
    assert len(data) == content.stored_bytes


def test_stored_bytes_and_their_md5_are_known_after_the_end() -> None:
    data = gzip.compress(TEXT)
    content = stored("0000.gz", data)
    assert (0, "") == (content.stored_bytes, content.md5)

    for _ in range(2):  # a second reading counts anew
        list(content.chunks())

        assert len(data) == content.stored_bytes
        assert base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode() == content.md5


def test_stored_bytes_can_be_read_where_they_stand() -> None:
    content = stored("0000.parquet", b"PAR1 rest")

    assert (9, b"rest") == (content.size(), content.range(5, 4))


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_a_damaged_file_is_refused(compress: object) -> None:
    assert callable(compress)
    data = compress(TEXT)

    with pytest.raises(ValueError, match="stops short"):
        list(stored("0000", data[:-5]).chunks())


@pytest.mark.parametrize(("name", "compress"), [("gzip", gzip.compress), ("zstd", zstd)])
def test_a_bomb_is_refused_with_its_ratio_soon_after_what_is_free(name: str, compress: object) -> None:
    assert callable(compress)
    member = compress(bytes(16 * MEBIBYTE))
    passed: list[int] = []
    content = stored("bomb", member * 64, len(member))

    with pytest.raises(ValueError, match=r"^bomb swells to more than [\d,]+ times its stored") as refused:
        passed.extend(map(len, content.chunks()))

    assert f"files of items stay below {MAX_RATIOS[name]:,}" in str(refused.value)
    assert FREE_BYTES - 32 * MEBIBYTE <= sum(passed) <= FREE_BYTES + 32 * MEBIBYTE


def test_what_swells_far_but_stays_small_is_read() -> None:
    data = gzip.compress(bytes(FREE_BYTES))

    assert FREE_BYTES == sum(map(len, stored("zeros", data).chunks()))


@pytest.mark.parametrize(("level", "size"), [(1, 250), (9, 250), (9, 4000)])
def test_items_that_differ_in_their_keys_alone_are_no_bomb(level: int, size: int) -> None:
    """The most honest gzip files can do: one letter, over and over."""
    lines = b"".join(b'{"Item":{"id":{"N":"%d"},"a":{"S":"%s"}}}\n' % (n, b"x" * size) for n in range(4000))
    times = FREE_BYTES // len(lines) + 2
    member = gzip.compress(lines, level)

    assert times * len(lines) == sum(map(len, stored("0000", member * times).chunks()))


def test_items_of_zstd_that_differ_in_their_keys_alone_are_no_bomb() -> None:
    lines = b"".join(b'{"Item":{"id":{"N":"%d"},"a":{"S":"%s"}}}\n' % (n, b"x" * 4000) for n in range(4000))
    times = FREE_BYTES // len(lines) + 2

    assert times * len(lines) == sum(map(len, stored("0000", zstd(lines) * times).chunks()))
