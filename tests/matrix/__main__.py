"""``python -m tests.matrix [version ...]``: one wheel, every version's own constraints, one table at the end.

Each version gets an environment below .cache/matrix with the wheel, its Airflow and what the tests need, all
under MWAA's constraint file; ``newest`` is what constraints.txt pins. Exit code 1 when a version cannot be
installed, has no tests or fails one.
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.matrix import suite
from tests.matrix.environment import Facts, NotInstalled, built_wheel, facts, installed
from tests.matrix.interpreter import MWAA_PYTHON, interpreter, release
from tests.matrix.suite import Counts, NotFinished
from tests.matrix.versions import every_version, version

WIDTH = 110
console = Console(highlight=False, width=WIDTH)
COLUMNS = ("version", "Airflow", "Python", "amazon provider", "passed", "failed", "skipped", "seconds")


@dataclass(frozen=True, slots=True)
class Leg:
    """What one version came to; without facts it could not be installed."""

    name: str
    facts: Facts | None
    counts: Counts
    seconds: float

    def cells(self) -> list[str]:
        """One row of the table."""
        found = [self.facts.airflow, self.facts.python, self.facts.amazon] if self.facts else ["none"] * 3
        numbers = [self.counts.passed, self.counts.failed, self.counts.skipped]
        return [self.name, *found, *map(str, numbers), f"{self.seconds:.0f}"]


def main() -> int:
    """Run the versions asked for, all of them unless some are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("versions", nargs="*", help=f"of {', '.join(every_version())}; none: all")
    asked = parser.parse_args().versions or every_version()
    unknown = set(asked) - set(every_version())
    if unknown:
        parser.error(f"no such version: {', '.join(sorted(unknown))}; there are {', '.join(every_version())}")
    python = interpreter(os.environ)
    wheel, tree = built_wheel(), suite.copied()
    console.print(f"{wheel.name} on Python {release(python)} ({python})")
    if not str(release(python)).startswith(f"{MWAA_PYTHON}."):
        console.print(f"MWAA runs Python {MWAA_PYTHON}; it was not found, not to be had, or not asked for")
    legs = [leg(name, wheel, tree, python) for name in asked]
    console.print(table(legs))
    return 0 if all(one.counts.good for one in legs) else 1


def leg(name: str, wheel: Path, tree: Path, python: str) -> Leg:
    """Install and test one version."""
    began = time.monotonic()
    found, counts = None, Counts(passed=0, failed=0, skipped=0)
    console.rule(name)
    try:
        own = installed(version(name), wheel, python)
        found = facts(own, tree)
        console.print(f"Airflow {found.airflow}, amazon provider {found.amazon}, {found.package}")
        counts = suite.run(own, tree)
    except (NotInstalled, NotFinished) as failed:
        console.print(str(failed), markup=False)
    return Leg(name, found, counts, time.monotonic() - began)


def table(legs: list[Leg]) -> Table:
    """The summary, a row for each version."""
    shown = Table(*COLUMNS)
    for one in legs:
        shown.add_row(*one.cells(), style=None if one.counts.good else "red")
    return shown


if __name__ == "__main__":
    sys.exit(main())
