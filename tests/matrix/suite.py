"""The tests of one leg: run against an installed wheel, away from the checkout."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.matrix.environment import clean
from tests.matrix.versions import FOLDER, ROOT

# What tests read of the project; the package is not among them, so only the installed one can be imported.
COPIED = ("tests", "example_dags", "docs", "pyproject.toml")
# Airflow's scheduler and `dags test` are the newest Airflow's business, where the whole suite runs.
PATTERNS = (
    "tests/unit",
    "tests/contract",
    "tests/airflow/test_*_operator.py",
    "tests/integration/test_*sensors.py",
    "tests/matrix/test_wheel.py",
)
EXAMPLES_LOAD = (
    "tests/airflow/test_example_dags.py"
    "::test_every_example_dag_loads_explains_itself_and_describes_its_params"
)
LEG_SECONDS = 3600


class NotFinished(RuntimeError):
    """The tests of a leg did not come to their end."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How the tests of one leg ended."""

    passed: int
    failed: int
    skipped: int

    @property
    def good(self) -> bool:
        """Whether there were tests, and none failed."""
        return self.passed > 0 and self.failed == 0


def selected(tree: Path) -> list[str]:
    """What pytest is asked to run; FileNotFoundError when a pattern means nothing any more."""
    found = [EXAMPLES_LOAD]
    for pattern in PATTERNS:
        paths = sorted(os.fspath(path.relative_to(tree)) for path in tree.glob(pattern))
        if not paths:
            raise FileNotFoundError(f"no tests at {pattern}")
        found += paths
    return found


def copied() -> Path:
    """A fresh copy of what tests read, for all legs: the checkout may change while they run.

    Downloads of the checkout's services are shared with it.
    """
    tree = FOLDER / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for part in COPIED:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / part, tree / part)
    (tree / ".cache").symlink_to(ROOT / ".cache", target_is_directory=True)
    return tree


def run(python: Path, tree: Path) -> Counts:
    """Run the tests and count; NotFinished when pytest takes longer than LEG_SECONDS or fails by itself."""
    report = tree / "junit.xml"
    report.unlink(missing_ok=True)
    options = ["-q", "--disable-warnings", "-o", "cache_dir=pytest-cache", f"--junitxml={report}"]
    command: list[str | Path] = [python, "-m", "pytest", *options, *selected(tree)]
    try:
        done = subprocess.run(command, cwd=tree, env=clean(os.environ), timeout=LEG_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise NotFinished(f"the tests took longer than {LEG_SECONDS} s and were ended") from None
    found = counts(report) if report.exists() else Counts(passed=0, failed=0, skipped=0)
    if done.returncode != 0 and found.failed == 0:
        raise NotFinished(f"pytest ended with exit code {done.returncode} and no failed test")
    return found


def counts(report: Path) -> Counts:
    """Read them from a JUnit report; an error counts as a failure."""
    names = ("tests", "errors", "failures", "skipped")
    suites = list(ET.parse(report).iter("testsuite"))
    tests, errors, failures, skipped = (sum(int(suite.attrib[name]) for suite in suites) for name in names)
    return Counts(passed=tests - errors - failures - skipped, failed=errors + failures, skipped=skipped)
