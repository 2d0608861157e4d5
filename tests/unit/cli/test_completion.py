"""What a shell is told when a person presses the tabulator."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from airflow_dynamo_pipeline.cli.completion import PROGRAM, SHELLS, VARIABLE
from airflow_dynamo_pipeline.cli.main import main
from airflow_dynamo_pipeline.cli.options import EXPORT_WORDS, IMPORT_WORDS

BASH = shutil.which("bash")
NESTED = pytest.mark.skipif(
    metadata.version("click") == "8.2.0", reason="click 8.2.0 completes nothing after a command below another"
)


def completed(arguments: Sequence[str], incomplete: str) -> list[str]:
    found = ShellComplete(main, {}, PROGRAM, VARIABLE).get_completions(list(arguments), incomplete)
    return [item.value for item in found]


def test_commands_and_options_are_completed() -> None:
    assert ["estimate", "export"] == completed([], "e")
    assert ["restore"] == completed(["table"], "r")
    assert ["--on-conflict", "--on-existing"] == sorted(completed(["import"], "--on-"))
    assert {"--json", "--config"} < set(completed(["estimate"], "--"))


@NESTED
def test_options_of_a_command_below_another_are_completed() -> None:
    assert {"--json", "--config"} < set(completed(["iam-policy", "export"], "--"))


@pytest.mark.parametrize(("command", "words"), [("export", EXPORT_WORDS), ("import", IMPORT_WORDS)])
def test_the_words_that_a_setting_takes_are_completed(
    command: str, words: dict[str, tuple[str, ...]]
) -> None:
    for name, known in words.items():
        option = f"--{name.replace('_', '-')}"

        assert list(known) == completed([command, option], "")
        assert [word for word in known if word.startswith("n")] == completed([command, option], "n")


def test_words_that_are_completed_are_those_that_are_taken() -> None:
    """A word of a newer engine is completed, too: click does not check them."""
    assert {"scan", "auto"} == set(EXPORT_WORDS["method"])
    assert {"overwrite", "skip", "fail", "newer", "condition"} == set(IMPORT_WORDS["on_conflict"])


@pytest.mark.parametrize(
    "arguments", [["export", "--config"], pytest.param(["table", "restore"], marks=NESTED)]
)
def test_a_file_is_left_to_the_shell(arguments: list[str]) -> None:
    (found,) = ShellComplete(main, {}, PROGRAM, VARIABLE).get_completions(arguments, "ord")

    assert ("file", "ord") == (found.type, found.value)


def test_the_environment_does_not_disturb_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMO_PIPELINE_CONFIG", "/nowhere/settings.toml")

    assert ["auto"] == completed(["export", "--method"], "a")


def test_a_shell_starts_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMO_PIPELINE_CONFIG", "/nowhere/settings.toml")
    monkeypatch.setenv("DYNAMO_PIPELINE_JSON", "true")
    monkeypatch.setenv("DYNAMO_PIPELINE_RATOI", "1")

    done = CliRunner().invoke(main, ["completion", "bash"])

    assert (0, "") == (done.exit_code, done.stderr)
    assert f"{VARIABLE}=bash_complete" in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_a_script_for_every_shell(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])

    assert 0 == done.exit_code
    assert f"{VARIABLE}={shell}_complete" in done.stdout


def test_another_shell_is_wrong_usage() -> None:
    assert 2 == CliRunner().invoke(main, ["completion", "powershell"]).exit_code


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dynamo-pipeline ex", ["export"]),
        ("dynamo-pipeline export --method a", ["auto"]),
        ("dynamo-pipeline import --on-conflict s", ["skip"]),
    ],
)
def test_a_real_bash_completes(line: str, expected: list[str]) -> None:
    words = shlex.split(line)
    script = f"""
        eval "$(dynamo-pipeline completion bash)"
        COMP_WORDS=({line}) COMP_CWORD={len(words) - 1}
        _dynamo_pipeline_completion dynamo-pipeline {words[-1]} {words[-2]}
        echo "${{COMPREPLY[@]}}"
    """
    found = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        [str(BASH), "--norc", "-ec", script],
        env={**os.environ, "PATH": found},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, expected) == (done.returncode, done.stdout.split()), done.stderr
