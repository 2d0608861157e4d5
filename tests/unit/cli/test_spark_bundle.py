from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from airflow_dynamo_pipeline.cli import spark_bundle
from airflow_dynamo_pipeline.cli.main import main
from airflow_dynamo_pipeline.spark.bundle import Bundle, Target


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["spark-bundle", *arguments], prog_name="dynamo-pipeline")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Target, tuple[str, ...]]]:
    """For which machines dependencies were fetched; here nobody asks an index."""
    found: list[tuple[Target, tuple[str, ...]]] = []

    def fetched(target: Target, extras: Sequence[str]) -> Bundle:
        found.append((target, tuple(extras)))
        return Bundle("deps-0123456789ab.zip", b"wheels")

    monkeypatch.setattr(spark_bundle, "dependencies_zip", fetched)
    monkeypatch.chdir(tmp_path)
    return found


def test_the_example_writes_the_three_files_and_prints_one_object(
    asked: list[tuple[Target, tuple[str, ...]]],
) -> None:
    lines = [line.strip() for line in run("--help").stdout.splitlines()]
    (example,) = [line for line in lines if line.startswith("dynamo-pipeline spark-bundle ")]

    done = run(*shlex.split(example)[2:], "--json")

    made = json.loads(done.stdout)
    assert 0 == done.exit_code
    assert [(Target(python="3.11", platform="manylinux2014_x86_64"), ())] == asked
    assert b"wheels" == Path(made["dependencies"]).read_bytes()
    assert sorted(map(Path, (made["package"], made["dependencies"], made["job"]))) == sorted(
        Path("bundle").iterdir()
    )


def test_extras_and_another_machine_are_passed_on(asked: list[tuple[Target, tuple[str, ...]]]) -> None:
    done = run("--output", "x", "--python", "3.12", "--platform", "p", "--extra", "zstd", "--extra", "ion")

    assert 0 == done.exit_code
    assert [(Target(python="3.12", platform="p"), ("zstd", "ion"))] == asked


def test_without_a_folder_nothing_is_fetched(asked: list[tuple[Target, tuple[str, ...]]]) -> None:
    done = run()

    assert 0 != done.exit_code
    assert "output: is missing" in done.stderr
    assert [] == asked
