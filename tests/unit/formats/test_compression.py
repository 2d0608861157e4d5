from __future__ import annotations

import gzip
import sys
import zlib

import pytest
import zstandard

from airflow_dynamo_pipeline.errors import MissingLibrary
from airflow_dynamo_pipeline.formats import compression as module
from airflow_dynamo_pipeline.formats.compression import (
    COMPRESSIONS,
    Compression,
    Gzip,
    Uncompressed,
    Zstd,
)

TEXT = b'{"Item":{"id":{"N":"1"},"name":{"S":"Jane"}}}\n' * 500
MEBIBYTE = 1 << 20


def compressed(compression: Compression, *pieces: bytes) -> bytes:
    compressor = compression.open()
    return b"".join([*(compressor.compress(piece) for piece in pieces), compressor.flush()])


@pytest.fixture(params=["isal", "zlib"])
def gzip_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both libraries a worker may have; with isal hidden the standard library's zlib must do."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal", None)
    else:
        pytest.importorskip("isal")
    name: str = request.param
    return name


def test_gzip_is_read_by_the_standard_library(gzip_library: str) -> None:
    assert TEXT == gzip.decompress(compressed(Gzip(), TEXT[:100], b"", TEXT[100:]))


def test_gzip_is_one_member_without_name_or_time(gzip_library: str) -> None:
    data = compressed(Gzip(), TEXT)
    flags, modified_at = data[3], data[4:8]
    reader = zlib.decompressobj(wbits=31)
    reader.decompress(data)

    assert (0, bytes(4)) == (flags, modified_at)
    assert (True, b"") == (reader.eof, reader.unused_data)


def test_gzip_reads_members_written_one_after_the_other(gzip_library: str) -> None:
    data = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two", 9)

    assert b"one two" == b"".join(Gzip().decompress([data]))


def test_gzip_reads_what_the_other_library_wrote(gzip_library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = compressed(Gzip(), TEXT)
    monkeypatch.undo()

    assert TEXT == b"".join(Gzip().decompress([data]))


def test_a_gzip_bomb_comes_out_in_small_steps(gzip_library: str) -> None:
    bomb = compressed(Gzip(), *[bytes(MEBIBYTE)] * 64)

    sizes = [len(chunk) for chunk in Gzip().decompress([bomb])]

    assert 64 * MEBIBYTE == sum(sizes)
    assert max(sizes) <= MEBIBYTE


@pytest.mark.parametrize("step_bytes", [1, 7, 258])
def test_gzip_holds_nothing_back_when_a_step_is_full(
    step_bytes: int, gzip_library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all input taken in, output may still wait in the library for the next step."""
    monkeypatch.setattr(module, "STEP_BYTES", step_bytes)
    content = bytes(3_000) + TEXT[:3_000]

    for size in (1, 5, 4_096):
        data = compressed(Gzip(), content)
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        assert content == b"".join(Gzip().decompress(chunks))


def test_a_zstd_bomb_comes_out_in_bounded_steps() -> None:
    """Four bytes of a frame become 128 KiB at most, so that a slice of input has a largest output."""
    bomb = compressed(Zstd(), *[bytes(MEBIBYTE)] * 128)

    sizes = [len(chunk) for chunk in Zstd().decompress([bomb])]

    assert 128 * MEBIBYTE == sum(sizes)
    assert max(sizes) <= 33 * MEBIBYTE


def test_zstd_is_one_frame_with_a_checksum() -> None:
    data = compressed(Zstd(), TEXT)

    assert zstandard.get_frame_parameters(data).has_checksum
    assert TEXT == zstandard.ZstdDecompressor().decompressobj().decompress(data)


def test_uncompressed_chunks_are_handed_on_as_they_are() -> None:
    assert [b"a", b"bc"] == list(Uncompressed().decompress([b"a", b"bc"]))
    assert TEXT == compressed(Uncompressed(), TEXT)


def test_a_damaged_checksum_is_found() -> None:
    for compression, position in ((Gzip(), -5), (Zstd(), -1)):
        data = bytearray(compressed(compression, TEXT))
        data[position] ^= 1
        with pytest.raises(ValueError, match=f"damaged {compression.name} stream"):
            list(compression.decompress([bytes(data)]))


def test_without_zstandard_the_extra_is_named_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)

    with pytest.raises(MissingLibrary, match=r"airflow-dynamo-pipeline\[zstd\]"):
        COMPRESSIONS["zstd"].check_available()


def test_without_isal_gzip_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal", None)

    Gzip().check_available()
    assert TEXT == gzip.decompress(compressed(Gzip(), TEXT))
