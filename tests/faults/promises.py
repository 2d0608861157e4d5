"""The table of promises in the documentation, from the tests that carry their numbers.

``python -m tests.faults promises`` runs those tests and writes the table; how many fault points each has
tried comes from the tests themselves, which count them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.faults.points import EVERY_POINT

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "promises.md"
BEGIN, END = "<!-- table of tests: begin -->\n", "<!-- table of tests: end -->\n"
FUNCTION = re.compile(r"^def (test_(?:[eicra]\d+_)+\w+)", re.MULTILINE)
NUMBER = re.compile(r"([eicra]\d+)_")
PROPERTY = "fault_points"


@dataclass(frozen=True, order=True)
class PromiseTest:
    """One test function that carries the number of a promise."""

    path: str  # from the root, with slashes
    name: str

    @property
    def numbers(self) -> list[str]:
        """The promises it stands for, as E1."""
        found = re.match(r"test_((?:[eicra]\d+_)+)", self.name)
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
            env={**os.environ, EVERY_POINT: "yes"},
            check=True,
        )
        points, cases = read_record(record)
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}{table(tests, points, cases)}{END}{after}")


def read_record(record: Path) -> tuple[Mapping[PromiseTest, int], Mapping[PromiseTest, int]]:
    """Fault points and cases of each test function."""
    points: dict[PromiseTest, int] = defaultdict(int)
    cases: dict[PromiseTest, int] = defaultdict(int)
    for case in ET.parse(record).iter("testcase"):
        path = case.attrib["classname"].replace(".", "/") + ".py"
        test = PromiseTest(path, case.attrib["name"].partition("[")[0])
        cases[test] += 1
        for one in case.iter("property"):
            if one.attrib["name"] == PROPERTY:
                points[test] += int(one.attrib["value"])
    return points, cases


Figures = Mapping[PromiseTest, int]


def table(tests: Sequence[PromiseTest], points: Figures, cases: Figures) -> str:
    """Two tables in Markdown: a row for each promise, then one for each promise and test."""
    numbers = sorted({number for test in tests for number in test.numbers}, key=lambda n: (n[0], int(n[1:])))
    of = {number: [test for test in tests if number in test.numbers] for number in numbers}
    rows = ["| Promise | Tests | Cases | Fault points tried |\n|---|--:|--:|--:|\n"]
    for number, found in of.items():
        tried, run = (sum(figures.get(test, 0) for test in found) for figures in (points, cases))
        rows.append(f"| {number} | {len(found)} | {run:,} | {tried:,} |\n")
    rows.append("\n| Promise | Test | Cases | Fault points tried |\n|---|---|--:|--:|\n")
    for number, found in of.items():
        for test in found:
            tried_here = f"{points[test]:,}" if test in points else ""
            rows.append(
                f"| {number} | `{test.path}::{test.name}` | {cases.get(test, 0):,} | {tried_here} |\n"
            )
    return "".join(["\n", *rows, "\n"])
