"""What the runner counts, leaves out and refuses."""

import os
import sys
from pathlib import Path

import pytest

from tests.matrix import suite
from tests.matrix.environment import NotInstalled, clean, facts
from tests.matrix.interpreter import MWAA_PYTHON, NAMED, NoPython, candidates, interpreter
from tests.matrix.suite import Counts, NotFinished, counts, selected
from tests.matrix.versions import ROOT

REPORT = """<testsuites>
  <testsuite name="pytest" tests="9" errors="1" failures="2" skipped="3" />
</testsuites>"""


@pytest.fixture
def matrix_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs keep what they make here."""
    monkeypatch.setattr(suite, "FOLDER", tmp_path)
    return tmp_path


def an_executable(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return os.fspath(path)


def test_an_error_counts_as_a_failure(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(REPORT)

    assert Counts(passed=3, failed=3, skipped=3) == counts(report)


@pytest.mark.parametrize(
    ("found", "good"),
    [
        (Counts(passed=1, failed=0, skipped=5), True),
        (Counts(passed=5, failed=1, skipped=0), False),
        (Counts(passed=0, failed=0, skipped=0), False),
        (Counts(passed=0, failed=0, skipped=5), False),
    ],
)
def test_a_leg_without_a_passed_test_is_as_bad_as_one_with_a_failure(found: Counts, good: bool) -> None:
    assert good == found.good


def test_what_a_leg_runs_is_there() -> None:
    """A pattern without a match raises."""
    found = selected(ROOT)

    assert {"tests/unit", "tests/airflow/test_export_operator.py"} <= set(found)
    assert [] == [test for test in found if not defined(test)]


def defined(test: str) -> bool:
    file, _, function = test.partition("::")
    path = ROOT / file
    return path.exists() and (not function or f"def {function}(" in path.read_text("utf-8"))


def test_a_pytest_that_fails_without_a_failed_test_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(NotFinished, match="exit code 4"):
        suite.run(Path(sys.executable), a_tree_without_options(tmp_path))


def a_tree_without_options(folder: Path) -> Path:
    """Empty files where tests are expected, and a project file that pytest refuses."""
    for pattern in suite.PATTERNS:
        path = folder / pattern.replace("*", "x")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = ["--no-such-option"]\n')
    return folder


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="tests/unit"):
        selected(tmp_path)


def test_the_package_is_not_among_what_is_copied(matrix_folder: Path) -> None:
    tree = suite.copied()

    assert (tree / "tests" / "conftest.py").exists()
    assert not (tree / "airflow_dynamo_pipeline").exists()
    assert matrix_folder in tree.parents
    assert (ROOT / ".cache").resolve() == (tree / ".cache").resolve()


def test_a_checkout_is_not_taken_for_the_wheel() -> None:
    """As the editable install of this environment."""
    with pytest.raises(NotInstalled, match="not the wheel"):
        facts(Path(sys.executable), ROOT)


def test_what_would_lead_to_other_packages_is_not_handed_on() -> None:
    own = clean({"PYTHONPATH": "/checkout", "VIRTUAL_ENV": "/venv", "PYTHONHOME": "/python", "HOME": "/home"})

    assert {"HOME": "/home", "PYTHONNOUSERSITE": "1"} == own


def test_a_named_python_is_used_and_no_other(tmp_path: Path) -> None:
    assert sys.executable == interpreter({NAMED: sys.executable})
    with pytest.raises(NoPython, match="no-such-python"):
        interpreter({NAMED: os.fspath(tmp_path / "no-such-python")})


def test_a_python_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    """As pyenv's shims, which are on the PATH and only say that no version is chosen."""
    name = f"python{MWAA_PYTHON}"
    shim = an_executable(tmp_path / "shims" / name, "#!/bin/sh\nexit 127\n")
    home = tmp_path / "versions" / f"{MWAA_PYTHON}.1" / "bin"
    real = an_executable(home / name, f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    environment = {"PATH": os.fspath(tmp_path / "shims"), "PYENV_ROOT": os.fspath(tmp_path)}
    found = candidates(environment)

    assert [shim, real] == [next(found), next(found)]
    assert real == interpreter(environment)
