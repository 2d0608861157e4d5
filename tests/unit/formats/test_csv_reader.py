from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.formats.reading import MAX_LINE_BYTES, Attribute, ReadSettings
from tests.unit.formats.mapped_reading import declared, problems, read_mapped, read_until_refused
from tests.unit.formats.reading import Text

GOLDEN = Path(__file__).parents[2] / "golden" / "quoted.csv"
AB = declared(a="S", b="N")


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 20])
def test_quotes_newlines_and_types_are_read(chunk_bytes: int) -> None:
    attributes = {
        **declared(id="N", name="S", price="N", tags="SS", extra="M"),
        "note": Attribute("remark", "S"),
    }
    found = read_mapped("csv", GOLDEN.read_bytes(), chunk_bytes, attributes=attributes)

    assert [
        {
            "id": {"N": "1"},
            "name": {"S": 'Smith, "Jo"'},
            "price": {"N": "1.50"},
            "tags": {"SS": ["a", "b"]},
            "extra": {"M": {"n": {"N": "1.0"}}},
        },
        {"id": {"N": "2"}, "name": {"S": "two\r\nlines"}, "price": {"N": "-1E-130"}, "remark": {"S": "é"}},
    ] == found.items
    assert [2, 3] == found.lines
    assert 4 == found.lines_read


@pytest.mark.parametrize(
    ("tag", "text", "held"),
    [
        ("S", "1.50", '"1.50"'),
        ("N", "12345678901234567890123456789012345678", '"12345678901234567890123456789012345678"'),
        ("B", "AAH/", '"AAH/"'),
        ("BOOL", "T", "true"),
        ("BOOL", "false", "false"),
        ("NULL", "null", "true"),
        ("NS", "[1.0;2]", '["1.0","2"]'),
        ("BS", '["AQ=="]', '["AQ=="]'),
        ("L", '[1.10;"x";null]', '[{"N":"1.10"},{"S":"x"},{"NULL":true}]'),
    ],
)
def test_each_type_is_converted(tag: str, text: str, held: str) -> None:
    field = text.replace(";", ",").replace('"', '""')
    found = read_mapped("csv", f'a\n"{field}"\n'.encode(), attributes=declared(a=tag))

    assert [f'{{"a":{{"{tag}":{held}}}}}'] == [item.decode() for item in found.raw]


@pytest.mark.parametrize(
    ("tag", "text", "why"),
    [
        ("N", "1,5", "no number"),
        ("N", "NaN", "no number"),
        ("B", "A", "no base64"),
        ("BOOL", "yes", "neither true nor false"),
        ("NULL", "x", "not null"),
        ("SS", "x", "no JSON"),
        ("SS", "[1,true]", "a value of type BOOL cannot become one"),
        ("M", "[]", "a value of type L cannot become one"),
        ("L", "[" * 32 + "]" * 32, "nested deeper than 32 levels"),
    ],
)
def test_what_does_not_fit_is_named_with_column_value_and_type(tag: str, text: str, why: str) -> None:
    found = read_mapped("csv", f'a\n"{text}"\n'.encode(), attributes=declared(a=tag))

    assert [] == found.items
    assert found.reasons[2].startswith(f"column 'a': '{text[:60]}'")
    assert f" is not of type {tag}: {why}" in found.reasons[2]


def test_bad_rows_are_named_and_the_others_read() -> None:
    text = b'a,b\nx\ny,1,2\nz\0,1\n\xff,1\n"q"q,1\n\nok,7\n'
    found = read_mapped("csv", text, attributes=AB)

    assert [{"a": {"S": "ok"}, "b": {"N": "7"}}] == found.items
    assert {
        2: "1 fields; expected 2",
        3: "3 fields; expected 2",
        4: "a NUL character",
        5: "not UTF-8: invalid start byte",
        6: "not CSV: ',' expected after '\"'",
    } == found.reasons
    assert [b"x", b"y,1,2", b"z\0,1", b"\xff,1", b'"q"q,1'] == [bad.text for bad in found.bad]
    assert 8 == found.lines_read


def test_a_null_text_means_no_such_attribute_and_leaves_empty_strings() -> None:
    found = read_mapped("csv", b"a,b\n,\\N\n\\N,1\n", attributes=AB, null_text="\\N")

    assert [{"a": {"S": ""}}, {"b": {"N": "1"}}] == found.items


def test_columns_and_delimiter_can_be_given() -> None:
    found = read_mapped("csv", b"\xef\xbb\xbfx|1\n", attributes=AB, csv_columns=("a", "b"), csv_delimiter="|")

    assert [{"a": {"S": "x"}, "b": {"N": "1"}}] == found.items
    assert [1] == found.lines


def test_an_empty_file_has_no_items() -> None:
    assert [] == read_mapped("csv", b"", attributes=AB).items


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"a,b,c,d", "no type is declared for the columns 'c', 'd'"),
        (b"a", "there are no columns 'b', which are declared"),
        (b"a,b,a", "the columns 'a' stand twice"),
    ],
)
def test_a_file_with_other_columns_is_refused(header: bytes, reason: str) -> None:
    assert [] == read_until_refused("csv", header + b"\n1,2,3,4\n", reason, attributes=AB).items


def test_a_quote_that_is_never_closed_ends_the_file_after_what_came_before() -> None:
    found = read_until_refused("csv", b'a,b\nx,1\n"y,2\nz,3\n', "line 3 is never closed", attributes=AB)

    assert [{"a": {"S": "x"}, "b": {"N": "1"}}] == found.items


class Endless(Text):
    """Begins with a quote and goes on for several times what a line may have."""

    def chunks(self) -> Iterator[bytes]:
        yield self.text
        for _ in range(6 * MAX_LINE_BYTES // (1 << 16)):
            yield self.name.encode() * ((1 << 16) // len(self.name))


@pytest.mark.parametrize("more", ["x", "x" * 255 + "\n"], ids=["one line", "many lines"])
def test_a_record_without_end_is_not_gathered_into_memory(more: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"line 2 has more than {MAX_LINE_BYTES} bytes"):
            list(READERS["csv"].blocks(Endless(b'a,b\n"', name=more), ReadSettings(attributes=AB)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 6 * MAX_LINE_BYTES  # csv keeps four bytes of each character


def test_settings_that_cannot_work_are_named() -> None:
    assert ["csv needs the attribute and type of every column"] == problems("csv")
    assert ["no type is declared for the columns 'c'"] == problems(
        "csv", attributes=AB, csv_columns=("a", "b", "c")
    )
    assert ["attribute 'x' is declared for 2 columns"] == problems(
        "csv", attributes={"a": Attribute("x", "S"), "b": Attribute("x", "S")}
    )
    (tag,) = problems("csv", attributes=declared(a="String"))
    assert tag.startswith("column 'a': 'String' is not one of the types")
    (delimiter,) = problems("csv", attributes=AB, csv_delimiter="||")
    assert delimiter.startswith("the delimiter is '||'")
