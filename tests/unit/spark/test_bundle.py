from __future__ import annotations

import io
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from airflow_dynamo_pipeline import __version__
from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import InvalidRequest, PipelineError, ServiceTrouble
from airflow_dynamo_pipeline.spark import bundle
from airflow_dynamo_pipeline.spark.bundle import (
    Bundle,
    Target,
    dependencies_zip,
    job_file,
    package_zip,
    upload,
)
from airflow_dynamo_pipeline.spark.executor import find_dependencies
from tests.architecture.package import ROOT

CODE = S3Location("code", "spark")


def names(body: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(body)).namelist()


def test_the_package_is_the_same_bytes_each_time_and_named_by_them() -> None:
    first, second = package_zip(), package_zip()

    assert first == second
    assert first.name.startswith(f"airflow_dynamo_pipeline-{__version__}-")
    assert len(f"airflow_dynamo_pipeline-{__version__}-") + 12 + len(".zip") == len(first.name)


@pytest.mark.parametrize("page", ["how-to/run-on-spark.md", "reference/spark.md"])
def test_the_dependencies_are_given_by_the_setting_that_a_driver_unpacks_too(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()

    assert "--conf spark.archives=" in text
    assert [] == [line for line in text.splitlines() if re.search(r"--archives [<s]", line)]


def test_another_file_in_the_package_is_another_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "airflow_dynamo_pipeline"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "a.py").write_text("a = 1\n")
    monkeypatch.setattr(bundle, "PACKAGE", folder)
    before = package_zip()
    (folder / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    same = package_zip()
    (folder / "a.py").write_text("a = 2\n")
    after = package_zip()

    assert before == same
    assert ["airflow_dynamo_pipeline/a.py"] == names(after.body)
    assert before.name != after.name


def test_the_package_is_run_from_its_zip(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(package_zip().body)
    code = "from airflow_dynamo_pipeline.spark import driver; print(driver.__file__)"

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.startswith(str(path)), done.stderr


def test_the_job_file_needs_only_the_standard_library_to_begin() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", job_file().body.decode().replace("__main__", "not run")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_the_requirements_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {each.partition(";")[0].strip() for each in project["dependencies"]}

    assert set(bundle.REQUIREMENTS) <= asked
    assert {name: [text] for name, text in bundle.EXTRAS.items()} == {
        name: project["optional-dependencies"][name] for name in bundle.EXTRAS
    }


def test_a_file_is_uploaded_under_its_version_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    put: list[str] = []
    real = store.put

    def counted(key: str, body: bytes, **more: Any) -> str:
        put.append(key)
        return real(key, body, **more)

    monkeypatch.setattr(store, "put", counted)

    uris = [upload(store, CODE, Bundle("a.zip", b"a")) for _ in range(2)]

    assert [f"s3://code/spark/{__version__}/a.zip"] * 2 == uris
    assert [f"spark/{__version__}/a.zip"] == put


def test_dependencies_are_wheels_for_the_cluster_and_for_what_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commands: list[list[str]] = []

    def pip(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        (target,) = [part.partition("=")[2] for part in command if part.startswith("--target=")]
        Path(target, "msgspec").mkdir()
        Path(target, "msgspec", "__init__.py").write_text("")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)

    found = dependencies_zip(Target(python="3.12", platform="manylinux2014_aarch64"), ["zstd"])

    assert found == dependencies_zip(Target(python="3.12", platform="manylinux2014_aarch64"), ["zstd"])
    assert found.name.startswith("deps-3.12-manylinux2014_aarch64-")
    assert ["msgspec/__init__.py"] == names(found.body)
    assert {"--python-version=3.12", "--platform=manylinux2014_aarch64", "--only-binary=:all:"} < set(
        commands[0]
    )
    assert {*bundle.REQUIREMENTS, "zstandard>=0.23"} < set(commands[0])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("ERROR: no matching distribution", PipelineError),
        ("WARNING: Retrying (Retry(total=0)) after connection broken\nERROR: no match", ServiceTrouble),
        ("ERROR: HTTP error 503 while getting https://files/msgspec.whl", ServiceTrouble),
    ],
)
def test_what_pip_says_is_said_and_an_index_out_of_reach_is_worth_a_retry(
    monkeypatch: pytest.MonkeyPatch, said: str, expected: type[PipelineError]
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", f"{said}\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)

    with pytest.raises(PipelineError, match=re.escape(said)) as caught:
        dependencies_zip(Target())

    assert expected is type(caught.value)


def test_an_extra_that_no_job_knows_is_refused_before_anything_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was asked"))

    with pytest.raises(InvalidRequest, match="'mysql' is no extra"):
        dependencies_zip(Target(), ["mysql", "zstd"])


def test_the_unpacked_archive_is_found_before_what_the_machine_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (there / "deps").mkdir(parents=True)
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", ["/machine"])

    find_dependencies(str(there))
    find_dependencies(str(there))

    assert [str(there / "deps"), "/machine"] == sys.path
