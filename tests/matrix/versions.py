"""Which Airflow versions the wheel is tried on, and which packages each of them pins."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = Path(__file__).parent / "constraints"
FOLDER = ROOT / ".cache" / "matrix"  # what a run makes and keeps
OURS = ROOT / "constraints.txt"
NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Version:
    """One leg of the matrix: a name to ask for it, the Airflow it installs and every package's version."""

    name: str
    airflow: str
    pins: Sequence[str]  # the lines of a constraint file


def mwaa_versions() -> list[str]:
    """The MWAA versions there is a constraint file for, oldest first."""
    return sorted((path.stem for path in CONSTRAINTS.glob("*.txt")), key=_numbers)


def every_version() -> list[str]:
    """What ``make matrix`` runs: MWAA's versions, then what the project itself is developed with."""
    return [*mwaa_versions(), NEWEST]


def version(name: str) -> Version:
    """The leg of that name; KeyError when there is none."""
    if name == NEWEST:
        ours = _lines(OURS)
        airflow = next(line for line in ours if line.startswith("apache-airflow=="))
        return Version(name, airflow.removeprefix("apache-airflow=="), ours)
    if name not in mwaa_versions():
        raise KeyError(name)
    return Version(name, name, completed(_lines(CONSTRAINTS / f"{name}.txt")))


def completed(pins: Sequence[str]) -> list[str]:
    """These pins, and for what they leave open the project's own, so that nothing drifts with time.

    What the tests name is held at our version. The rest is held from above only: what our version of it
    needs may be newer than what the pins allow. Airflow's own distributions follow the Airflow asked for.
    """
    pinned = {_distribution(line) for line in pins}
    exact = set(map(_distribution, named_by_tests()))
    ours = {_distribution(line): line for line in _lines(OURS)}
    return [
        *pins,
        *(
            line if name in exact else line.replace("==", "<=")
            for name, line in ours.items()
            if name not in pinned and not name.startswith("apache-airflow")
        ),
    ]


def named_by_tests() -> list[str]:
    """What the project's dependency group for tests names."""
    tools: list[str] = project()["dependency-groups"]["test"]
    return tools


def project() -> dict[str, Any]:
    """What the project's file says about installing: its metadata and its dependency groups."""
    read = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return {part: read[part] for part in ("project", "dependency-groups")}


def _lines(path: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def _distribution(line: str) -> str:
    return canonicalize_name(Requirement(line).name)


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(map(int, name.split(".")))
