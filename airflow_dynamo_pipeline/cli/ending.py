"""How a command ends early: its exit code, and the reason in the manner asked for."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from airflow_dynamo_pipeline.cli.exit_codes import ExitCode, exit_code
from airflow_dynamo_pipeline.cli.manner import Manner
from airflow_dynamo_pipeline.cli.origins import origins
from airflow_dynamo_pipeline.cli.output import Output
from airflow_dynamo_pipeline.errors import PipelineError, Problem

HINT = "\nHINT: "


@contextmanager
def exiting_by_code() -> Iterator[None]:
    """Report what ends a command early, and end with its code.

    A bug keeps its traceback: as Python prints it, or with ``--json`` in the error's record.
    """
    try:
        yield
    except PipelineError as error:
        from_elsewhere = _origins(error)
        lines = [f"error: {error}", *(f"{name} is from {origin}" for name, origin in from_elsewhere.items())]
        _end(exit_code(error), error, "\n".join(lines), _record(error, from_elsewhere))
    except KeyboardInterrupt as error:
        _end(ExitCode.INTERRUPTED, error, "error: interrupted", {"code": "Stopped", "message": "interrupted"})
    except click.UsageError as error:
        if not Manner.asked_for().json:
            raise
        _end(ExitCode.WRONG_USAGE, error, "", {"code": "UsageError", "message": error.format_message()})
    except (click.exceptions.Exit, click.Abort, BrokenPipeError):
        raise
    except Exception as error:
        if not Manner.asked_for().json:
            raise
        bug = {"code": type(error).__name__, "message": str(error), "traceback": _traceback(error)}
        _end(ExitCode.FAILED, error, "", bug)


def _end(code: ExitCode, error: BaseException, text: str, record: dict[str, Any]) -> None:
    if Manner.asked_for().verbose:
        text, record = f"{_traceback(error)}{text}", {**record, "traceback": _traceback(error)}
    Output().error(text, {"exit_code": code.value, **record})
    raise SystemExit(code.value) from error


def _record(error: PipelineError, origins_of: Mapping[str, str]) -> dict[str, Any]:
    """The error for a program: what it is, what to do, and every problem by itself."""
    problems = getattr(error, "problems", ())
    text = str(error)
    for each in problems:
        text = text.replace(f"\n{each}", "", 1)
    message, _, hint = text.partition(HINT)
    record: dict[str, Any] = {"code": type(error).__name__, "message": message, "hint": hint or None}
    return record | ({"problems": [_problem(each, origins_of) for each in problems]} if problems else {})


def _problem(problem: Problem, origins_of: Mapping[str, str]) -> dict[str, Any]:
    origins_here = [origins_of[name] for name in problem.where.split(", ") if name in origins_of]
    record = {"where": problem.where, "message": problem.message, "hint": problem.hint}
    return record | ({"origin": ", ".join(dict.fromkeys(origins_here))} if origins_here else {})


def _origins(error: PipelineError) -> dict[str, str]:
    """Where those of the refused settings are from that a person does not see on the command line."""
    context = click.get_current_context(silent=True)
    found = origins(context) if context else {}
    refused = [name for problem in getattr(error, "problems", ()) for name in problem.where.split(", ")]
    return {name: origin for name, origin in found.items() if name in refused}


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
