from __future__ import annotations

import decimal
import io
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from airflow_dynamo_pipeline.errors import MissingLibrary
from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.formats.reading import Attribute, ReadSettings
from tests.unit.formats.mapped_reading import declared, problems, read_mapped, read_until_refused
from tests.unit.formats.reading import Text

MEBI = 1 << 20


def written(columns: dict[str, Any], **settings: Any) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file, **settings)
    return file.getvalue()


@pytest.mark.parametrize(
    ("column", "typed"),
    [
        (pa.array(["é", ""]), [{"S": "é"}, {"S": ""}]),
        (pa.array(["x", "y"]).dictionary_encode(), [{"S": "x"}, {"S": "y"}]),
        (pa.array([2**64 - 1, 0], pa.uint64()), [{"N": "18446744073709551615"}, {"N": "0"}]),
        (pa.array([0.1, 3], pa.float32()), [{"N": "0.1"}, {"N": "3"}]),
        (pa.array([0.1, 1e100]), [{"N": "0.1"}, {"N": "1e+100"}]),
        (
            pa.array([decimal.Decimal("9" * 36 + ".50"), None], pa.decimal128(38, 2)),
            [{"N": "9" * 36 + ".50"}, {"NULL": True}],
        ),
        (pa.array([True, False]), [{"BOOL": True}, {"BOOL": False}]),
        (pa.array([b"\xff", b""]), [{"B": "/w=="}, {"B": ""}]),
        (pa.array([[1, None], []]), [{"L": [{"N": "1"}, {"NULL": True}]}, {"L": []}]),
        (pa.array([{"a": "x"}, None]), [{"M": {"a": {"S": "x"}}}, {"NULL": True}]),
        (
            pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int8())),
            [{"M": {"k": {"N": "1"}}}, {"M": {}}],
        ),
        (pa.nulls(2), [{"NULL": True}, {"NULL": True}]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_values_are_typed_by_what_they_are(column: Any, typed: list[Any]) -> None:
    assert [{"c": each} for each in typed] == read_mapped("parquet", written({"c": column})).items


@pytest.mark.parametrize(
    ("column", "tag", "typed"),
    [
        (pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")), "S", "2023-11-14T22:13:20.123456789Z"),
        (pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")), "N", "1700000000.123456789"),
        (pa.array([-1], pa.timestamp("ms", "Europe/Paris")), "S", "1969-12-31T23:59:59.999Z"),
        (pa.array([1_700_000_000], pa.timestamp("s")), "N", "1700000000"),
        (pa.array([date(2026, 1, 2)]), "S", "2026-01-02"),
        (pa.array([date(1970, 1, 2)]), "N", "86400"),
        (pa.array([5]), "S", "5"),
        (pa.array(["1.50"]), "N", "1.50"),
        (pa.array(["AAH/"]), "B", "AAH/"),
        (pa.array([["x", "y"]]), "SS", ["x", "y"]),
        (pa.array([[1, 2]]), "NS", ["1", "2"]),
        (pa.array([[b"\x01"]]), "BS", ["AQ=="]),
        (pa.array(['{"a":1.0}']), "M", {"a": {"N": "1.0"}}),
    ],
    ids=range(13),
)
def test_declared_columns_are_converted(column: Any, tag: str, typed: Any) -> None:
    found = read_mapped("parquet", written({"c": column}), attributes={"c": Attribute("renamed", tag)})

    assert [{"renamed": {tag: typed}}] == found.items


def test_null_in_a_declared_column_means_no_such_attribute() -> None:
    data = written({"a": ["x", None], "t": pa.array([None, 0], pa.timestamp("s"))})
    found = read_mapped("parquet", data, attributes=declared(a="S", t="N"))

    assert [{"a": {"S": "x"}}, {"t": {"N": "0"}}] == found.items


def test_a_float_that_is_no_number_makes_its_row_a_bad_line() -> None:
    found = read_mapped("parquet", written({"c": [1.5, float("nan"), float("-inf"), 2.5], "d": [1, 2, 3, 4]}))

    assert [{"c": {"N": "1.5"}, "d": {"N": "1"}}, {"c": {"N": "2.5"}, "d": {"N": "4"}}] == found.items
    assert [1, 4] == found.lines
    assert {2, 3} == found.reasons.keys()
    assert found.reasons[2].startswith("column 'c': 'nan' has no type in DynamoDB")
    assert b"'d': 2" in found.bad[0].text


def test_what_does_not_fit_is_named_with_column_value_and_type() -> None:
    found = read_mapped("parquet", written({"c": ["1", "x"]}), attributes=declared(c="N"))

    assert [{"c": {"N": "1"}}] == found.items
    assert {2: "column 'c': 'x' is not of type N: no number"} == found.reasons


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"t": pa.array([0], pa.timestamp("ms"))}, r"column 't': a timestamp\[ms\] has to be declared S"),
        ({"t": pa.array([[0]], pa.list_(pa.date32()))}, "column 't': a date32"),
        ({"t": pa.array([0], pa.time32("s"))}, "column 't': the type time32"),
        ({"t": pa.array([[(1, 1)]], pa.map_(pa.int8(), pa.int8()))}, "are no strings"),
        ({"a": ["x"], "key": ["y"]}, "two columns become the attribute 'key'"),
        ({"b": ["x"]}, "there is no column 'a', which is declared"),
    ],
    ids=range(6),
)
def test_a_file_whose_columns_have_no_type_is_refused(columns: dict[str, Any], reason: str) -> None:
    attributes = {} if "t" in columns else {"a": Attribute("key", "S")}

    assert [] == read_until_refused("parquet", written(columns), reason, attributes=attributes).items


@pytest.mark.parametrize("damage", ["empty", "cut", "footer", "page"])
def test_a_damaged_file_is_refused(damage: str) -> None:
    data = written({"c": [f"text {n}" for n in range(1000)]})
    damaged = {
        "empty": b"",
        "cut": data[:-100],
        "footer": data[:-30] + b"\xff" * 22 + data[-8:],
        "page": data[:60] + b"\xff" * 200 + data[260:],
    }[damage]

    read_until_refused("parquet", damaged, "not a Parquet file that can be read")


def test_all_row_groups_are_read_in_order() -> None:
    found = read_mapped("parquet", written({"c": range(2500)}, row_group_size=700))

    assert [{"c": {"N": str(n)}} for n in range(2500)] == found.items
    assert list(range(1, 2501)) == found.lines
    assert 2500 == found.lines_read


class Counted(Text):
    """Notes how much is asked for at once."""

    largest = 0

    def range(self, start: int, length: int) -> bytes:
        self.largest = max(self.largest, length)
        return super().range(start, length)


def test_a_file_is_fetched_in_small_pieces() -> None:
    text = [os.urandom(200).hex() for _ in range(10_000)]
    file = Counted(written({"c": text}, compression="none", use_dictionary=False))
    blocks = READERS["parquet"].blocks(file, ReadSettings())

    assert 10_000 == sum(len(block.items) for block in blocks)
    assert file.size() > 3 * MEBI
    assert file.largest < file.size() / 2


MEASURED = r"""
import re, sys
from pathlib import Path
from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.formats.reading import ReadSettings

class File:
    name = "big"
    def __init__(self, path): self.path = Path(path)
    def size(self): return self.path.stat().st_size
    def range(self, start, length):
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(length)

def peak(path):
    count = sum(len(block.items) for block in READERS["parquet"].blocks(File(path), ReadSettings()))
    # Not ru_maxrss, which begins with that of the process that began this one.
    return count, int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])

print(*peak(sys.argv[1]), *peak(sys.argv[2]))
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """One row group of 64 MiB needs little more than one of 4 MiB, in a process of its own."""
    for name, rows in (("small", 10_000), ("big", 160_000)):
        text = [os.urandom(200).hex() for _ in range(rows)]
        (tmp_path / name).write_bytes(written({"c": text}, compression="none", row_group_size=rows))
    arguments = [sys.executable, "-c", MEASURED, str(tmp_path / "small"), str(tmp_path / "big")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    small, small_peak, big, big_peak = map(int, done.stdout.split())

    assert (10_000, 160_000) == (small, big)
    assert (tmp_path / "big").stat().st_size > 60 * MEBI
    assert (big_peak - small_peak) * 1024 < 24 * MEBI


def test_settings_that_cannot_work_are_named() -> None:
    assert [] == problems("parquet")
    assert 1 == len(problems("parquet", attributes=declared(a="X")))


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    READERS["parquet"].check_available()
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(MissingLibrary, match=r"airflow-dynamo-pipeline\[parquet\]"):
        READERS["parquet"].check_available()
