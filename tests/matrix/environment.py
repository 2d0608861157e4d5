"""A virtual environment for each version: made once, then only the wheel in it is replaced."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.matrix.interpreter import release, uv
from tests.matrix.versions import FOLDER, OURS, ROOT, Version, completed, named_by_tests, project

EXTRAS = "openlineage,zstd"
DISTRIBUTION = "airflow-dynamo-pipeline"
STRANGERS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")  # they would lead to packages of another environment

PRESENT = """
from importlib.metadata import distributions
for found in distributions():
    print(f"{found.name}=={found.version}")
"""

FACTS = """
import airflow_dynamo_pipeline, json, platform, sysconfig
from importlib.metadata import version
print(json.dumps({
    "airflow": version("apache-airflow"),
    "amazon": version("apache-airflow-providers-amazon"),
    "python": platform.python_version(),
    "package": airflow_dynamo_pipeline.__file__,
    "site_packages": sysconfig.get_path("purelib"),
}))
"""


class NotInstalled(RuntimeError):
    """A command failed, or what it installed is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What an environment holds, as its own Python tells."""

    airflow: str
    amazon: str
    python: str
    package: str  # the file that ``import airflow_dynamo_pipeline`` reads
    site_packages: str


def built_wheel() -> Path:
    """The wheel of the checkout; the only one in its folder."""
    folder = FOLDER / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    _run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT],
        {**os.environ, "PIP_CONSTRAINT": os.fspath(ROOT / "constraints.txt")},
    )
    (wheel,) = folder.glob("*-py3-none-any.whl")  # one wheel for every version
    return wheel


def installed(version: Version, wheel: Path, python: str) -> Path:
    """The Python of an environment that holds this version's packages and this wheel."""
    home = FOLDER / version.name
    own = home / "venv" / "bin" / "python"
    stamp = home / "made-from"
    inputs = _inputs(version, python)
    if not stamp.exists() or stamp.read_text() != inputs or release(os.fspath(own)) is None:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        _create(home / "venv", python)
        _fill(own, home, version, wheel)
        stamp.write_text(inputs)
    _pip(own, ["--no-deps", "--force-reinstall", wheel])
    return own


def facts(python: Path, folder: Path) -> Facts:
    """What tests that run in this folder would import; NotInstalled unless that is the wheel."""
    found = Facts(**json.loads(_run([python, "-c", FACTS], clean(os.environ), folder)))
    if Path(found.site_packages) not in Path(found.package).parents:
        raise NotInstalled(f"not the wheel, but {found.package} would be tested")
    return found


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for a foreign Python, without what belongs to the one that runs this."""
    kept = {name: value for name, value in environment.items() if name not in STRANGERS}
    return {**kept, "PYTHONNOUSERSITE": "1"}


def _fill(python: Path, home: Path, version: Version, wheel: Path) -> None:
    """First what MWAA would install under its own constraints, then the tests' tools around exactly that.

    The tools come last and at our versions: MWAA's files pin a moto and a pytest as well, years old ones.
    """
    ours = [f"apache-airflow=={version.airflow}", f"{DISTRIBUTION}[{EXTRAS}] @ {wheel.as_uri()}"]
    _install(python, ours, version.pins, home / "constraints.txt")
    present = _run([python, "-c", PRESENT], clean(os.environ)).splitlines()
    _install(python, named_by_tests(), completed(present), home / "constraints-tools.txt")


def _inputs(version: Version, python: str) -> str:
    """Another Python, pin or requirement makes another environment; another wheel alone does not."""
    everything = [release(python), python, version.airflow, version.pins, OURS.read_text("utf-8"), project()]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


def _create(folder: Path, python: str) -> None:
    tool = uv()
    if tool is not None:
        _run([tool, "venv", "--quiet", "--python", python, folder], clean(os.environ))
    else:
        _run([python, "-m", "venv", folder], clean(os.environ))


def _install(python: Path, what: Sequence[str], pins: Sequence[str], file: Path) -> None:
    file.write_text("\n".join(pins))
    _pip(python, [*what, "--constraint", file])


def _pip(python: Path, arguments: Sequence[str | Path]) -> None:
    tool = uv()
    pip = (
        [tool, "pip", "install", "--python", os.fspath(python)] if tool else [python, "-m", "pip", "install"]
    )
    _run([*pip, "--quiet", *arguments], clean(os.environ))


def _run(command: Sequence[str | Path], environment: Mapping[str, str], folder: Path = ROOT) -> str:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotInstalled(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}".strip())
    return done.stdout
