"""What a Spark job needs of this package, as files for S3: the package, its dependencies, the job's file."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import airflow_dynamo_pipeline
from airflow_dynamo_pipeline.engine.ports import ABSENT, ObjectStore, VersionConflict
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import (
    InvalidRequest,
    NotFound,
    PipelineError,
    Problem,
    ServiceTrouble,
    with_hint,
)

REQUIREMENTS: Final = ("boto3>=1.37", "isal>=1.6", "msgspec>=0.18", "tenacity>=8.2")  # as in pyproject.toml
EXTRAS: Final = {"ion": "amazon.ion>=0.12", "parquet": "pyarrow>=16.1", "zstd": "zstandard>=0.23"}
NO_INDEX: Final = re.compile("Retrying|[Tt]imed out|Connection|HTTP error 5")  # what pip says of a network
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can hold
FILE_MODE: Final = 0o644 << 16
PACKAGE: Final = Path(airflow_dynamo_pipeline.__file__).parent


@dataclass(frozen=True, slots=True)
class Bundle:
    """A file to be uploaded; its name says its version and has 12 hex digits of its hash."""

    name: str
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """The machines the dependencies are for: EMR's Python, and a platform tag of wheels."""

    python: str = "3.11"
    platform: str = "manylinux2014_x86_64"


def package_zip() -> Bundle:
    """The package for ``--py-files``: the same bytes for the same files, wherever it is made."""
    paths = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    files = ((str(path.relative_to(PACKAGE.parent)), path.read_bytes()) for path in paths)
    body = _zipped(files, zipfile.ZIP_STORED)  # how zlib packs depends on its version
    return Bundle(f"airflow_dynamo_pipeline-{airflow_dynamo_pipeline.__version__}-{_hash(body)}.zip", body)


def job_file() -> Bundle:
    """The file that spark-submit is given."""
    body = (PACKAGE / "spark" / "job.py").read_bytes()
    return Bundle(f"job-{_hash(body)}.py", body)


def dependencies_zip(target: Target, extras: Sequence[str] = ()) -> Bundle:
    """What the package imports on an executor, as wheels unpacked, for ``spark.archives=...#deps``.

    pip fetches them, by its own configuration. ``extras`` are of EXTRAS. Raises InvalidRequest for an
    unknown extra, and PipelineError with what pip says: ServiceTrouble, if it reached no index.
    """
    unknown = sorted(set(extras) - EXTRAS.keys())
    if unknown:
        hint = f"known: {', '.join(EXTRAS)}"
        raise InvalidRequest(
            [Problem("extras", f"{name!r} is no extra of a Spark job", hint) for name in unknown]
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _install(folder, target, [*REQUIREMENTS, *(EXTRAS[extra] for extra in extras)])
        paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        files = ((str(path.relative_to(folder)), path.read_bytes()) for path in paths)
        body = _zipped(files, zipfile.ZIP_DEFLATED)
    return Bundle(f"deps-{target.python}-{target.platform}-{_hash(body)}.zip", body)


def upload(store: ObjectStore, code: S3Location, bundle: Bundle) -> str:
    """Put a file under ``<code>/<version of the package>/`` if it is not there; returns its URI."""
    names = (airflow_dynamo_pipeline.__version__, bundle.name)
    key = code.key(*names)
    try:
        store.size(key)
    except NotFound:
        with contextlib.suppress(VersionConflict):  # another task was faster; by its name it holds the same
            store.put(key, bundle.body, expect=ABSENT)
    return code.uri(*names)


def _install(folder: Path, target: Target, requirements: Sequence[str]) -> None:
    """Let pip put wheels for other machines than this one into a folder."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={target.python}"]
    command += [f"--platform={target.platform}", f"--target={folder}", *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  no shell
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()
        hint = (
            f"pip must be installed beside this package, and reach an index with wheels for {target.platform}"
        )
        error = ServiceTrouble if NO_INDEX.search(said) else PipelineError
        raise error(with_hint(f"pip could not fetch the dependencies: {said}", hint))


def _zipped(files: Iterable[tuple[str, bytes]], compression: int) -> bytes:
    """A zip file whose bytes depend on names and contents alone."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr, entry.compress_type = FILE_MODE, compression
            archive.writestr(entry, body)
    return out.getvalue()


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:12]
