"""Every generation of backups, from files and items written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_dynamo_pipeline.formats.detection import detect
from tests.unit.formats.reading import Found, read

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*/*.lines"))

every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")


def expected(file: Path) -> list[Any]:
    found: list[Any] = json.loads(file.with_suffix(".items.json").read_bytes())
    return found


def found_in(file: Path, found: Found) -> list[Any]:
    if file.parent.name != "incremental":
        return found.items
    return [{"delete" if n in found.deletes else "put": item} for n, item in enumerate(found.items)]


def test_every_generation_has_a_golden_file_and_every_golden_file_its_items() -> None:
    names = {f"{file.parent.name}/{file.stem}" for file in FILES}
    table = (GOLDEN / "README.md").read_text()

    assert 11 == len(names)
    assert set() == {name for name in names if f"| {name} |" not in table}
    assert {file.with_suffix(".items.json") for file in FILES} == set(GOLDEN.glob("*/*.json"))


@every_file
@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 20])
def test_a_golden_file_holds_the_items_typed_beside_it(file: Path, chunk_bytes: int) -> None:
    found = read(file.parent.name, file.read_bytes(), chunk_bytes)

    assert [] == found.bad
    assert expected(file) == found_in(file, found)
    assert list(range(1, len(expected(file)) + 1)) == found.lines


@every_file
def test_a_golden_file_may_have_lines_of_windows_and_a_byte_order_mark(file: Path) -> None:
    text = b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n").removesuffix(b"\r\n")

    found = read(file.parent.name, text)

    assert ([], expected(file)) == (found.bad, found_in(file, found))


@every_file
def test_a_golden_file_names_its_reader(file: Path) -> None:
    assert file.parent.name == detect("2019-01-01-00-00-00/000000_0", file.read_bytes())


def test_golden_files_are_stored_as_they_were_typed() -> None:
    """A checkout that rewrote the bytes 0x02 and 0x03 or the ends of lines would make the others void."""
    guide = (GOLDEN / "data_pipeline" / "hive_guide.lines").read_bytes()

    assert (7, 6, 0) == (guide.count(b"\x03"), guide.count(b"\x02"), guide.count(b"\r"))
