"""What every format and every compression promises; a new one in the tables inherits all of it."""

from __future__ import annotations

import json
from operator import attrgetter

import msgspec
import pytest

from airflow_dynamo_pipeline.formats import FORMATS, Format
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS, Compression
from airflow_dynamo_pipeline.items.page import cut_page

ITEMS = [
    b'{"id":{"N":"1"},"name":{"S":"a\\nb \\uD83D\\uDE00 \xe2\x80\xa8"},"tags":{"SS":["x","y"]}}',
    b"{}",
    b'{"M":{"M":{"L":{"L":[{"NULL":true},{"BOOL":false},{"B":"AAH/"}]}}},"NS":{"NS":["1E+100","-0.50"]}}',
    b'{\n "id" : {\n "BS" : [\n "AQ==" ]}}',
    b'{"big":{"S":"' + b"lorem ipsum " * 9_000 + b'"}}',
]

every_format = pytest.mark.parametrize("form", FORMATS.values(), ids=attrgetter("name"))
every_compression = pytest.mark.parametrize("compression", COMPRESSIONS.values(), ids=attrgetter("name"))
every_real_compression = pytest.mark.parametrize(
    "compression", [c for c in COMPRESSIONS.values() if c.suffix], ids=attrgetter("name")
)


def raw(items: list[bytes]) -> list[msgspec.Raw]:
    """The items as a format gets them: cut out of a page."""
    return cut_page(b'{"Items":[' + b",".join(items) + b'],"Count":%d}' % len(items)).Items


def encoded(form: Format, items: list[bytes]) -> bytes:
    return b"".join(form.encode(raw(items)))


def compressed(compression: Compression, pieces: list[bytes]) -> bytes:
    compressor = compression.open()
    return b"".join([*(compressor.compress(piece) for piece in pieces), compressor.flush()])


def test_the_tables_list_each_entry_under_its_own_name() -> None:
    assert list(FORMATS) == [form.name for form in FORMATS.values()]
    assert list(COMPRESSIONS) == [compression.name for compression in COMPRESSIONS.values()]


def test_the_manifest_tells_the_formats_apart() -> None:
    assert len(FORMATS) == len({form.output_format for form in FORMATS.values()})


def test_the_suffix_tells_the_compressions_apart() -> None:
    assert len(COMPRESSIONS) == len({compression.suffix for compression in COMPRESSIONS.values()})


@every_format
def test_a_format_says_what_it_loses_if_and_only_if_it_does(form: Format) -> None:
    assert form.lossless == (form.lossy_in == "")
    assert "\n" not in form.lossy_in
    assert form.suffix.startswith(".")


@every_format
def test_no_items_give_no_chunks(form: Format) -> None:
    assert [] == list(form.encode([]))


@every_format
def test_every_item_is_one_line_that_is_a_json_object(form: Format) -> None:
    data = encoded(form, ITEMS)
    lines = data.split(b"\n")

    assert b"" == lines.pop()
    assert len(ITEMS) == len(lines)
    assert all(isinstance(json.loads(line), dict) for line in lines)


@every_format
def test_how_items_are_spread_over_calls_does_not_matter(form: Format) -> None:
    assert encoded(form, ITEMS) == b"".join(encoded(form, [item]) for item in ITEMS)
    assert encoded(form, ITEMS) == encoded(form, ITEMS[:2]) + encoded(form, ITEMS[2:])


@every_format
def test_white_space_between_tokens_does_not_matter(form: Format) -> None:
    indented = [msgspec.json.format(item, indent=2) for item in ITEMS]
    compact = [msgspec.json.format(item, indent=-1) for item in ITEMS]

    assert encoded(form, compact) == encoded(form, indented)


@every_format
def test_items_may_be_views_into_a_page(form: Format) -> None:
    page = cut_page(b'{"Items":[' + b",".join(ITEMS) + b'],"Count":%d}' % len(ITEMS))

    assert encoded(form, ITEMS) == b"".join(form.encode(page.Items))


@every_compression
@every_format
def test_a_file_read_back_is_the_file_written(form: Format, compression: Compression) -> None:
    data = compressed(compression, [*form.encode(raw(ITEMS)), *form.encode([]), *form.encode(raw(ITEMS))])

    assert encoded(form, ITEMS + ITEMS) == b"".join(compression.decompress([data]))


@every_compression
def test_the_same_calls_give_the_same_bytes(compression: Compression) -> None:
    assert compressed(compression, ITEMS) == compressed(compression, ITEMS)


@every_compression
def test_a_compression_of_the_tables_is_available_to_the_tests(compression: Compression) -> None:
    compression.check_available()


@every_compression
def test_how_the_bytes_are_chunked_does_not_matter(compression: Compression) -> None:
    data = compressed(compression, ITEMS[:4])
    single = [data[at : at + 1] for at in range(len(data))]

    assert b"".join(ITEMS[:4]) == b"".join(compression.decompress(single))
    assert b"".join(ITEMS[:4]) == b"".join(compression.decompress([b"", data[:9], b"", data[9:], b""]))


@every_compression
def test_streams_one_after_the_other_are_read_as_one(compression: Compression) -> None:
    data = b"".join(compressed(compression, [item]) for item in ITEMS)

    assert b"".join(ITEMS) == b"".join(compression.decompress([data]))


@every_compression
def test_a_file_without_bytes_has_no_content(compression: Compression) -> None:
    assert [] == [chunk for chunk in compression.decompress([b""]) if chunk]
    assert [] == list(compression.decompress([]))


@every_compression
def test_an_empty_stream_has_no_content(compression: Compression) -> None:
    assert b"" == b"".join(compression.decompress([compressed(compression, [])]))


@every_real_compression
def test_a_file_cut_short_anywhere_is_refused(compression: Compression) -> None:
    data = compressed(compression, ITEMS[:4])

    for length in range(1, len(data)):
        with pytest.raises(ValueError, match="stops short"):
            list(compression.decompress([data[:length]]))


@every_real_compression
def test_a_second_stream_cut_short_is_refused(compression: Compression) -> None:
    data = compressed(compression, ITEMS[:4])

    with pytest.raises(ValueError, match="stops short"):
        list(compression.decompress([data, data[:20]]))


@every_real_compression
def test_a_damaged_file_never_passes_for_another(compression: Compression) -> None:
    data = compressed(compression, ITEMS[:4])

    for position in range(len(data)):
        damaged = data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :]
        try:
            content = b"".join(compression.decompress([damaged]))
        except ValueError:
            continue
        # a bit that carries no content, such as the time in a gzip header
        assert b"".join(ITEMS[:4]) == content


@every_real_compression
def test_what_is_not_compressed_is_refused(compression: Compression) -> None:
    with pytest.raises(ValueError, match=f"damaged {compression.name} stream"):
        list(compression.decompress([b'{"Item":{"id":{"N":"1"}}}\n']))
