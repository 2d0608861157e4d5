"""Exit codes for every error, and the reason for people and for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from airflow_dynamo_pipeline import errors
from airflow_dynamo_pipeline.cli import table_export as module
from airflow_dynamo_pipeline.cli.ending import exiting_by_code
from airflow_dynamo_pipeline.cli.exit_codes import ExitCode, exit_code
from airflow_dynamo_pipeline.errors import InvalidExport, NotFound, PipelineError, Problem
from tests.unit.cli.world import EXPORT, World, messages_of

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "cli.md").read_text("utf-8")


def kinds(root: type[PipelineError] = PipelineError) -> list[type[PipelineError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in kinds(child))]


REFUSED = {
    errors.CapacityRefused,
    errors.Refused,
    errors.InvalidRequest,
    errors.PreflightFailed,
    errors.ImportRefused,
    errors.LookupRefused,
    errors.InvalidSetting,
}


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_error_has_its_exit_code(kind: type[PipelineError]) -> None:
    expected = {errors.LeaseHeld: 11, errors.Stopped: 130, **dict.fromkeys(REFUSED, 10)}.get(kind, 1)

    assert expected == exit_code(kind.__new__(kind))


def test_an_error_of_another_kind_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), exiting_by_code():
        raise ZeroDivisionError


def test_the_reference_has_the_table_of_the_help() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", PAGE, re.MULTILINE)

    assert [(str(code.value), code.meaning) for code in ExitCode] == rows


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let an export end with an error."""

    def end(error: BaseException) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(module, "export_table", fail)

    return end


Ends = Callable[[BaseException], None]


def error_of(world: World, *more: str) -> dict[str, Any]:
    *_, last = messages_of(world.run(*EXPORT, "--json", *more))
    assert "error" == last.pop("message_type")
    return last


def test_a_program_gets_an_error_in_pieces(world: World, ends: Ends) -> None:
    ends(NotFound("table", "orders", "check the region"))

    assert {
        "exit_code": 1,
        "code": "NotFound",
        "message": "no such table: orders",
        "hint": "check the region",
    } == error_of(world)


def test_a_program_gets_every_problem_by_itself(world: World, ends: Ends) -> None:
    ends(InvalidExport("m", [Problem("a", "is short", "copy it again"), Problem("b", "is long")]))

    assert {
        "exit_code": 1,
        "code": "InvalidExport",
        "message": "m: 2 problems",
        "hint": None,
        "problems": [
            {"where": "a", "message": "is short", "hint": "copy it again"},
            {"where": "b", "message": "is long", "hint": None},
        ],
    } == error_of(world)


def test_wrong_usage_is_an_error_in_pieces_too(world: World) -> None:
    done = world.run("export", "--json", "--tabel", "orders")

    (error,) = messages_of(done)
    assert (2, "") == (done.exit_code, done.stdout)
    assert ("error", 2, "UsageError") == (error["message_type"], error["exit_code"], error["code"])
    assert "--tabel" in error["message"]


@pytest.mark.parametrize("arguments", [("--bogus", "--json"), ("--json", "export"), ("table", "--json")])
def test_wrong_usage_before_a_command_is_an_error_in_pieces_too(
    world: World, arguments: tuple[str, ...]
) -> None:
    done = world.run(*arguments)

    (error,) = messages_of(done)
    assert (2, "", "UsageError") == (done.exit_code, done.stdout, error["code"])


def test_wrong_usage_before_a_command_is_text_for_a_person(world: World) -> None:
    done = world.run("--bogus")

    assert (2, "") == (done.exit_code, done.stdout)
    assert "Usage: dynamo-pipeline" in done.stderr


def test_json_after_two_dashes_is_no_option(world: World) -> None:
    done = world.run("verify", "one", "--", "--json")

    assert 2 == done.exit_code
    assert "Usage: dynamo-pipeline verify" in done.stderr


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_ctrl_c_where_nothing_is_to_be_written_down_ends_with_130(
    world: World, ends: Ends, more: tuple[str, ...]
) -> None:
    ends(KeyboardInterrupt())

    done = world.run(*EXPORT, *more)

    assert (130, "") == (done.exit_code, done.stdout)
    assert "interrupted" in done.stderr


def test_a_bug_is_not_hidden_from_a_person(world: World, ends: Ends) -> None:
    ends(ZeroDivisionError("no"))

    done = world.run(*EXPORT)

    assert 1 == done.exit_code
    assert isinstance(done.exception, ZeroDivisionError)


def test_a_bug_comes_with_its_traceback_to_a_program(world: World, ends: Ends) -> None:
    ends(ZeroDivisionError("no"))

    error = error_of(world)

    assert (1, "ZeroDivisionError", "no") == (error["exit_code"], error["code"], error["message"])
    assert "test_ending.py" in error["traceback"]


def test_verbose_shows_what_caused_an_error(world: World, ends: Ends) -> None:
    error = PipelineError("it failed")
    error.__cause__ = OSError("the disk is full")
    ends(error)

    assert "the disk is full" not in world.run(*EXPORT).stderr
    shown = world.run(*EXPORT, "--verbose").stderr
    assert "OSError: the disk is full" in shown
    assert shown.endswith("error: it failed\n")
    assert "OSError: the disk is full" in error_of(world, "--verbose")["traceback"]


def test_quiet_says_warnings_and_errors_only(world: World) -> None:
    lossy = (*EXPORT, "--quiet", "--file-format", "plain_json")

    done = world.run(*lossy)

    assert "item_count" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: file_format plain_json is lossy")
    assert ["warning"] == [each["message_type"] for each in messages_of(world.run(*lossy, "--json"))]


def test_without_a_command_there_is_help(world: World) -> None:
    done = world.run()

    assert (0, "") == (done.exit_code, done.stderr)
    assert world.run("--help").stdout == done.stdout
    assert "Exit codes:" in done.stdout


def test_errors_of_click_and_of_the_program_are_told_apart() -> None:
    with pytest.raises(click.UsageError), exiting_by_code():
        raise click.UsageError("no")
    with pytest.raises(SystemExit, match="10"), exiting_by_code():
        raise errors.InvalidSetting("to", 1, "text")


def test_every_line_on_stderr_is_an_object(world: World) -> None:
    done = world.run(*EXPORT, "--json")

    assert done.stderr
    assert all(isinstance(json.loads(line), dict) for line in done.stderr.splitlines())
