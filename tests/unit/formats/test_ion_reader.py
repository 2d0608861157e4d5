from __future__ import annotations

import sys
from pathlib import Path

import pytest
from amazon.ion import simpleion

from airflow_dynamo_pipeline.errors import MissingLibrary
from airflow_dynamo_pipeline.formats.readers import READERS
from tests.unit.formats.mapped_reading import declared, problems, read_mapped, read_until_refused

GOLDEN = Path(__file__).parents[2] / "golden" / "native_export.ion"


@pytest.fixture(params=["C", "Python"], autouse=True)
def _part(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "Python":
        monkeypatch.setattr(simpleion, "c_ext", False)


@pytest.mark.parametrize("chunk_bytes", [1, 1 << 20])
def test_a_native_export_is_read_exactly(chunk_bytes: int) -> None:
    found = read_mapped("ion", GOLDEN.read_bytes(), chunk_bytes)

    assert [
        {
            "Authors": {"SS": ["Author1", "Author2"]},
            "Dimensions": {"S": "8.5 x 11.0 x 1.5"},
            "ISBN": {"S": "333-3333333333"},
            "Id": {"N": "103"},
            "InPublication": {"BOOL": False},
            "PageCount": {"N": "600"},
            "Price": {"N": "2000.50"},
            "ProductCategory": {"S": "Book"},
            "Title": {"S": "Book 103 Title"},
        },
        {
            "Id": {"N": "104"},
            "Frame Size": {"S": "L"},
            "Weights": {"NS": ["1.5", "-20"]},
            "Cover": {"B": "aWNvbg=="},
            "Thumbs": {"BS": ["AA==", "AQI="]},
            "Gone": {"NULL": True},
            "Parts": {
                "L": [{"S": "x"}, {"N": "1E-130"}, {"BOOL": True}, {"NULL": True}, {"M": {"Deep": {"L": []}}}]
            },
            "Note": {"S": 'line\nquote" é 😀'},
            "Big": {"N": "12345678901234567890123456789012345678"},
        },
    ] == found.items
    assert [1, 2] == found.lines


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{Item:{a:1d0}", "not Ion"),
        (b"{Item:{a:1d0}} {Item:{a:1d0}}", "not Ion"),
        (b"{Other:{}}", "expected a struct with the one field Item"),
        (b"{Item:{},Item:{}}", "expected a struct with the one field Item"),
        (b"{Item:[]}", "Item is not a struct"),
        (b"{Item:null.struct}", "Item is not a struct"),
        (b"{Item:{a:1e0}}", "no type for the Ion type float: '1.0'"),
        (b"{Item:{a:2026-01-01T}}", "no type for the Ion type timestamp"),
        (b"{Item:{a:nan}}", "no type for the Ion type float"),
        (b"{Item:{a:1,a:2}}", "a name stands twice in one struct"),
        (b"{Item:{$0:1}}", "a symbol without text"),
        (b"{Item:{a:foo::[1]}}", "unknown annotation foo"),
        (b'{Item:{a:$dynamodb_SS::["x",1d0]}}', "a set of type SS has members of another type"),
        (b"{Item:{a:" + b"[" * 32 + b"]" * 32 + b"}}", "nested deeper than 32 levels"),
        (b"{Item:{a:" + b"[" * 200_000 + b"]" * 200_000 + b"}}", "not Ion"),
        (b'{Item:{a:"\xff"}}', "not UTF-8"),
        (b'{Item:{a:"\\ud800"}}', "not Ion"),
    ],
    ids=range(17),
)
def test_a_bad_line_is_named_and_the_next_one_read(line: bytes, reason: str) -> None:
    found = read_mapped("ion", line + b'\n\n$ion_1_0 {Item:{a:"x"}}\n')

    assert [{"a": {"S": "x"}}] == found.items
    assert [3] == found.lines
    assert reason in found.reasons[1]


def test_a_symbol_table_that_claims_billions_of_symbols_costs_nothing() -> None:
    table = b'$ion_symbol_table::{imports:[{name:"a",version:1,max_id:1000000000000}]} {Item:{}}\n'
    found = read_mapped("ion", table + b'{Item:{a:"x"}}')

    assert {"a": {"S": "x"}} == found.items[-1]


def test_a_string_longer_than_the_c_part_takes_is_read() -> None:
    found = read_mapped("ion", b'{Item:{a:"' + b"\xc3\xa9" * 40_000 + b'"}}')

    assert [{"a": {"S": "é" * 40_000}}] == found.items


def test_binary_ion_is_refused() -> None:
    read_until_refused("ion", b"\xe0\x01\x00\xea\x0f", "binary Ion")


def test_declared_attributes_would_not_be_used() -> None:
    assert [] == problems("ion")
    assert 1 == len(problems("ion", attributes=declared(a="S")))


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    READERS["ion"].check_available()
    monkeypatch.setitem(sys.modules, "amazon.ion", None)

    with pytest.raises(MissingLibrary, match=r"airflow-dynamo-pipeline\[ion\]"):
        READERS["ion"].check_available()
