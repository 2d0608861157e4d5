"""The versions that the documentation, the constraint files, the Makefile and CI speak of are the same."""

import os
import re
import subprocess

import pytest

import airflow_dynamo_pipeline
from tests.matrix.versions import CONSTRAINTS, NEWEST, ROOT, completed, every_version, mwaa_versions, version

GUIDE = (ROOT / "docs" / "how-to" / "mwaa.md").read_text("utf-8")


def pins_of(name: str) -> dict[str, str]:
    """What a leg of the matrix installs, by the name of the distribution."""
    return dict(line.split("==") for line in version(name).pins if "==" in line)


def requirements_of(name: str) -> list[str]:
    """The lines of the guide's requirements.txt for one version."""
    block = re.search(rf"^### {re.escape(name)}\n+```text\n(.*?)```", GUIDE, re.MULTILINE | re.DOTALL)
    assert block is not None, name
    return block[1].splitlines()


def would_run(target: str) -> list[str]:
    """The commands of a make target, in order."""
    plain = {"PATH": os.environ["PATH"]}  # nothing of the make that may have started this test
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, env=plain, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_every_constraint_file_is_a_version_of_the_guide_and_the_other_way_round() -> None:
    assert mwaa_versions() == re.findall(r"^### (\d+\.\d+\.\d+)$", GUIDE, re.MULTILINE)
    assert mwaa_versions() == re.findall(r"^\| (\d+\.\d+\.\d+) \|", GUIDE, re.MULTILINE)


@pytest.mark.parametrize("name", mwaa_versions())
def test_the_guides_table_shows_what_the_constraint_file_pins(name: str) -> None:
    pins = pins_of(name)

    assert f"| {name} | {pins['apache-airflow-providers-amazon']} | {pins['boto3']} |" in GUIDE


@pytest.mark.parametrize("name", mwaa_versions())
def test_the_guides_requirements_are_what_the_matrix_installs_and_the_image_does_not_know(name: str) -> None:
    _, _, package, *others = requirements_of(name)
    known = (CONSTRAINTS / f"{name}.txt").read_text("utf-8")

    assert f"/airflow_dynamo_pipeline-{airflow_dynamo_pipeline.__version__}-py3-none-any.whl" in package
    assert [one for one in ("isal", "msgspec") if f"\n{one}==" not in known] == [
        line.split("==")[0] for line in others
    ]
    assert others == [f"{line.split('==')[0]}=={held(name, line.split('==')[0])}" for line in others]


def held(name: str, distribution: str) -> str:
    """The version that bounds a distribution on a leg."""
    (line,) = (one for one in version(name).pins if re.match(rf"{distribution}(==|<=)", one))
    return re.split("==|<=", line)[1]


@pytest.mark.parametrize("name", mwaa_versions())
def test_a_constraint_file_holds_pins_and_one_line_on_its_origin(name: str) -> None:
    first, *pins = (CONSTRAINTS / f"{name}.txt").read_text("utf-8").splitlines()

    assert first.startswith(f"# MWAA's published constraint file for Airflow {name} ")
    assert [] == [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.!+-]+", line)]


def test_the_whole_matrix_is_what_make_matrix_runs() -> None:
    *_, command = would_run("matrix")

    assert command.split()[1:] == ["-m", "tests.matrix"]
    assert every_version() == [*mwaa_versions(), NEWEST]


def test_ci_runs_the_oldest_version_and_then_the_whole_suite_on_the_newest() -> None:
    *_, last = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    *_, oldest, suite = would_run("test")

    assert last.split()[-1] == "test"
    assert oldest.split()[1:] == ["-m", "tests.matrix", mwaa_versions()[0]]
    assert suite.split()[1:] == ["-m", "pytest"]
    assert f"| {mwaa_versions()[0]} | " in next(line for line in GUIDE.splitlines() if "in CI" in line)


def test_the_newest_airflow_is_the_one_of_the_projects_own_constraints() -> None:
    assert f"apache-airflow=={version(NEWEST).airflow}" in version(NEWEST).pins


def test_a_version_nobody_has_constraints_for_is_refused() -> None:
    with pytest.raises(KeyError):
        version("1.10.15")


def test_what_a_constraint_file_leaves_open_is_held_by_the_projects_own() -> None:
    found = completed(["Flask==2.2.5", "boto3==1.37.3"])

    assert ["Flask==2.2.5", "boto3==1.37.3"] == found[:2]
    assert [] == [line for line in found[2:] if re.match(r"(flask|boto3|apache-airflow.*)[=<]=", line)]
    assert [] == [line for line in found if line.startswith("moto<=")]  # the tests' own tools: exactly ours
    assert 1 == len([line for line in found if line.startswith("moto==")])
    assert 1 == len([line for line in found if line.startswith("isal<=")])
