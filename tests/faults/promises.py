"""The table of promises in the documentation, from the tests that carry their numbers.

``python -m tests.faults promises`` runs those tests and writes the table; how many fault points each has
tried comes from the tests themselves, which count them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "promises.md"
BEGIN, END = "<!-- table of tests: begin -->\n", "<!-- table of tests: end -->\n"
FUNCTION = re.compile(r"^def (test_(?:[a-z]\d+_)+\w+)", re.MULTILINE)
NUMBER = re.compile(r"([a-z]\d+)_")
PROPERTY = "fault_points"


@dataclass(frozen=True, order=True)
class PromiseTest:
    """One test function that carries the number of a promise."""

    path: str  # from the root, with slashes
    name: str

    @property
    def numbers(self) -> list[str]:
        """The promises it stands for, as E1."""
        found = re.match(r"test_((?:[a-z]\d+_)+)", self.name)
        return [number.upper() for number in NUMBER.findall(found[1])] if found else []


def promise_tests() -> list[PromiseTest]:
    """Every numbered test of the project."""
    return sorted(
        PromiseTest(path.relative_to(ROOT).as_posix(), name)
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in FUNCTION.findall(path.read_text())
    )


def run_and_write() -> None:
    """Run every numbered test and write what they tried into the page; raises if one fails."""
    tests = promise_tests()
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.xml"
        names = [f"{test.path}::{test.name}" for test in tests]
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                f"--junitxml={record}",
                "-o",
                "junit_family=xunit1",
                *names,
            ],
            cwd=ROOT,
            check=True,
        )
        points, cases = read_record(record)
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}{table(tests, points, cases)}{END}{after}")


def read_record(record: Path) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Fault points and cases of each test function, by its name."""
    points: dict[str, int] = defaultdict(int)
    cases: dict[str, int] = defaultdict(int)
    for case in ET.parse(record).iter("testcase"):
        name = case.attrib["name"].partition("[")[0]
        cases[name] += 1
        for one in case.iter("property"):
            if one.attrib["name"] == PROPERTY:
                points[name] += int(one.attrib["value"])
    return points, cases


def table(tests: Iterable[PromiseTest], points: Mapping[str, int], cases: Mapping[str, int]) -> str:
    """The table in Markdown: one row for each promise and test."""
    return "".join(["\n", *_rows(list(tests), points, cases), "\n"])


def _rows(tests: list[PromiseTest], points: Mapping[str, int], cases: Mapping[str, int]) -> Iterator[str]:
    yield "| Promise | Test | Cases | Fault points tried |\n|---|---|---:|---:|\n"
    numbers = sorted({number for test in tests for number in test.numbers}, key=lambda n: (n[0], int(n[1:])))
    for number in numbers:
        for test in tests:
            if number in test.numbers:
                tried = f"{points[test.name]:,}" if test.name in points else ""
                yield f"| {number} | `{test.path}::{test.name}` | {cases.get(test.name, 0)} | {tried} |\n"
