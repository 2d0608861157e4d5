from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from airflow_dynamo_pipeline.formats.contents import StoredContent
from airflow_dynamo_pipeline.formats.detection import detect, detect_content
from airflow_dynamo_pipeline.formats.reading import MAX_LINE_BYTES


@pytest.mark.parametrize(
    ("first", "reader"),
    [
        (b'{"Item":{"id":{"N":"1"}}}\n', "dynamodb_json"),
        (b'\xef\xbb\xbf\r\n { "Item" : {"id":{"N":"1"}}}', "dynamodb_json"),
        (b'{"Item":{"s":{"S":"x"}}}\n', "dynamodb_json"),
        (b'{"Item":{}}\n', "dynamodb_json"),
        (b'{"Item":{"id":{"N":1},"b":{"X":2}}}\n', "dynamodb_json"),
        (b'{"Item":{"id":{"S":"cut sho', "dynamodb_json"),
        (b'{"Item":{"s":"x"}}\n', "data_pipeline"),
        (b'{"Item":{"S":"x"},"b":{"N":"1"}}\n', "data_pipeline"),
        (b'{"Item":{"m":{"S":{"s":"x"}}}}\n', "data_pipeline"),
        (b'{"a":{"nULLValue":true},"b":{"ss":["x"]},"c":{"BOOL":false}}', "data_pipeline"),
        (b'{odd}\x03{"s":"x"}\n', "data_pipeline"),
        (b'name, first\x03{"s":"x"}\x02b\x03{"n":"1"}\n', "data_pipeline"),
        (b'{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"id":{"N":"1"}}}', "incremental"),
        (b'{"Keys":{"id":{"N":"1"}},"Metadata":{},"NewImage":{}}', "incremental"),
        (b'{"rejected":{"file":"a","line":1,"reason":"b"},"reader":"dynamodb_json","text":""}', "rejects"),
        (b'{"change":"put","key":["a"],"old":null,"new":"x","item":{"id":{"S":"a"}}}', "changes"),
        (b'{"change":"delete","key":["a"],"old":"x","keys":{"id":{"S":"a"}}}', "changes"),
        (b'{"keys":{"id":{"S":"a"}},"old":"x","key":["a"],"change":"delete"}', "changes"),
        (b'{"change":"less","key":"a","old":5}', "plain_json"),
        (b'{"change":"put","key":"a"}', "plain_json"),
        (b'{"change":{"S":"put"},"key":{"S":"a"},"old":{"NULL":true}}', "data_pipeline"),
        (b'{"id":1,"name":"x"}\n', "plain_json"),
        (b'{"a":{"s":"x","n":"1"}}\n', "plain_json"),
        (b'{"a":{"x":"x"}}\n', "plain_json"),
        (b'{"Item":5}\n', "plain_json"),
        (b"{}\n", "plain_json"),
        (b"$ion_1_0 {Item:{id:1.}}", "ion"),
        (b"\xe0\x01\x00\xea\xee", "ion"),
        (b"PAR1\x15\x04", "parquet"),
        (b"id,name\n1,x\n", None),
        (b"{not json\n", None),
        (b'{"a":' + b"[" * 100_000, None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
def test_the_beginning_of_a_file_names_its_reader(first: bytes, reader: str | None) -> None:
    assert reader == detect("backup/0000", first)


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("a.csv", "csv"), ("a.CSV.gz", "csv"), ("a.tsv.zst", "csv"), ("a.ion", "ion"), ("a.ion.gz", "ion"),
        ("a.parquet", "parquet"), ("a.json", None), ("csv", None), ("a.csv.bz2", None),
    ],
)  # fmt: skip
def test_the_name_counts_where_the_content_says_nothing(name: str, reader: str | None) -> None:
    assert reader == detect(name, b"id,name\n")
    assert reader == detect(name, b"")
    assert "dynamodb_json" == detect(name, b'{"Item":{"id":{"N":"1"}}}\n')


def test_a_csv_file_with_odd_bytes_is_still_csv() -> None:
    assert "csv" == detect("a.csv", b"id\x03{,name\n")


def stored(name: str, data: bytes, read: list[int]) -> StoredContent:
    def chunks() -> Iterator[bytes]:
        for start in range(0, len(data), 1 << 16):
            read.append(start)
            yield data[start : start + (1 << 16)]

    return StoredContent(name, chunks, lambda: len(data), lambda start, length: data[start : start + length])


def test_a_file_is_detected_by_its_decompressed_beginning_and_not_read_further() -> None:
    read: list[int] = []
    line = b'{"a":{"s":"%s"}}\n' % (b"x" * 1000)

    found = detect_content(stored("0000", line * 10_000, read))

    assert "data_pipeline" == found
    assert len(read) < 10


def test_a_compressed_file_whose_first_lines_are_blank_is_detected() -> None:
    data = gzip.compress(b"\n" * 600_000 + b'{"Item":{"id":{"N":"1"}}}\n')

    assert "dynamodb_json" == detect_content(stored("0000", data, []))


def test_a_long_first_line_is_looked_at_whole() -> None:
    data = b'{"a":{"s":"%s"},"b":{"n":"1"}}' % (b"x" * 600_000)

    assert "data_pipeline" == detect_content(stored("0000", data, []))


def test_a_first_line_that_is_too_long_is_detected_by_how_it_begins() -> None:
    data = b'{"Item":{"a":{"S":"%s"}}}\n' % (b"x" * MAX_LINE_BYTES)

    assert "dynamodb_json" == detect_content(stored("0000", data, []))
    assert None is detect_content(stored("0000", data[8:], []))


@pytest.mark.parametrize(
    ("name", "data", "reader"),
    [
        ("a", b"PAR1", "parquet"),
        ("a", b"PA", None),
        ("a.csv.gz", b"", "csv"),
        ("a", gzip.compress(b"", mtime=0), None),
    ],
)
def test_tiny_files_are_detected(name: str, data: bytes, reader: str | None) -> None:
    assert reader == detect_content(stored(name, data, []))


def test_a_damaged_file_is_named_as_such() -> None:
    with pytest.raises(ValueError, match="stops short"):
        detect_content(stored("0000", gzip.compress(b"{}")[:12], []))
