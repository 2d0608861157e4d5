"""A Python of MWAA's version where this machine has or can get one, else the one that runs this."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.matrix.versions import FOLDER

MWAA_PYTHON = "3.12"
NAMED = "MATRIX_PYTHON"


class NoPython(RuntimeError):
    """The interpreter that MATRIX_PYTHON names does not run."""


def interpreter(environment: Mapping[str, str]) -> str:
    """The path of the Python to use: the one that MATRIX_PYTHON names, else the first candidate that runs."""
    named = environment.get(NAMED)
    for path in [named] if named else candidates(environment):
        if release(path) is not None:
            return path
    raise NoPython(f"{NAMED}={named} is no Python of 3.11 or newer")


def candidates(environment: Mapping[str, str]) -> Iterator[str]:
    """Where to look, best first; a later place is only looked at when no earlier Python runs.

    The PATH; pyenv's versions, since its shims may be switched off; uv, which downloads one; this Python.
    """
    name = f"python{MWAA_PYTHON}"
    yield from filter(None, [shutil.which(name, path=environment.get("PATH"))])
    pyenv = Path(environment.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob(f"versions/{MWAA_PYTHON}.*/bin/{name}")))
    yield from _of_uv(environment)
    yield sys.executable


def release(python: str) -> str | None:
    """Its version, such as 3.12.1; None when it does not run or is older than the project allows."""
    ask = "import platform, sys; print(platform.python_version()); sys.exit(sys.version_info < (3, 11))"
    try:
        done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def uv() -> str | None:
    """The uv beside this Python; None where make had to do without."""
    return shutil.which("uv", path=os.fspath(Path(sys.executable).parent))


def _of_uv(environment: Mapping[str, str]) -> Iterator[str]:
    tool = uv()
    if tool is None:
        return
    home = FOLDER / "python"
    own = {
        **environment,
        "UV_PYTHON_INSTALL_DIR": os.fspath(home),
        "UV_HTTP_RETRIES": "0",  # where nothing can be downloaded, that is known at once
    }
    subprocess.run(
        [tool, "python", "install", "--no-bin", MWAA_PYTHON], env=own, capture_output=True, check=False
    )
    yield from map(str, sorted(home.glob(f"cpython-{MWAA_PYTHON}.*/bin/python{MWAA_PYTHON}")))
