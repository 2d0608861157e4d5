"""What every command has: how it talks, and settings from the environment and one file."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from airflow_dynamo_pipeline.cli import config_file
from airflow_dynamo_pipeline.cli.completion import command as completion
from airflow_dynamo_pipeline.cli.ending import exiting_by_code
from airflow_dynamo_pipeline.cli.manner import Manner, manner_options
from airflow_dynamo_pipeline.cli.options import files, says_nothing
from airflow_dynamo_pipeline.cli.origins import FILE, PREFIX, origins, variable, variable_of, weakness
from airflow_dynamo_pipeline.cli.output import Output
from airflow_dynamo_pipeline.cli.own_settings import (
    SOURCE_PASSWORD,
    explained,
    lines,
    own_variable,
    pass_over,
    takes,
)
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem

CONFIG = "config"


def settle(group: click.Group, context: click.Context | None = None, path: Sequence[str] = ()) -> None:
    """Give every command of a finished tree what all of them have, whoever wrote it."""
    context = context or click.Context(group, **group.context_settings)
    for name, command in group.commands.items():
        below = click.Context(command, context, name)
        command.short_help = command.short_help or " ".join((command.help or "").split("\n\n")[0].split())
        if isinstance(command, click.Group):
            settle(command, below, (*path, name))
            continue
        command.params += manner_options()
        command.callback = _reported(command.callback)
        if command is not completion:  # a shell that starts must not fail for want of a file
            _take_settings(command, below, (*path, name))


def _take_settings(command: click.Command, context: click.Context, path: Sequence[str]) -> None:
    """Let a command have settings from the environment and the file."""
    for option in config_file.settings_of(command):
        if not takes(path, option.name or "", 0):
            option.allow_from_autoenv = False
            option.envvar = own_variable(path, option.name or "")
    command.params.append(_config_option())
    command.context_settings = {**command.context_settings, "auto_envvar_prefix": PREFIX}
    help_option = command.get_help_option(context)
    if help_option is not None:  # the same one in every later call
        help_option.allow_from_autoenv = False


def _config_option() -> click.Option:
    return click.Option(
        [f"--{CONFIG}"],
        help="TOML file with settings for all commands, and tables such as [export] for one.",
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_load,
        shell_complete=files,
    )


def _load(context: click.Context, _parameter: click.Parameter, file: str | None) -> None:
    """Take the file's settings for defaults, before the other options are looked at."""
    root = context.find_root().command
    if context.resilient_parsing or not isinstance(root, click.Group):
        return
    for line in _unknown_variables(root):
        Output().warn(line)
    path = _path(context)
    passed_over: dict[str, str] = {}
    if file is not None:
        if says_nothing(CONFIG, file):
            raise InvalidRequest([_empty(CONFIG)])
        context.meta[FILE] = file
        found = config_file.read(file, root)
        context.default_map = config_file.for_command(found, root, path)
        passed_over = dict.fromkeys(config_file.passed_over(found, root, path), file)
    pass_over(context, passed_over | _general_variables(context.command, path))


def _general_variables(command: click.Command, path: Sequence[str]) -> dict[str, str]:
    """Variables for all commands that are there and that this one does not take."""
    names = [option.name or "" for option in config_file.settings_of(command)]
    return {
        name: variable(name) for name in names if not takes(path, name, 0) and os.environ.get(variable(name))
    }


def _path(context: click.Context) -> tuple[str, ...]:
    """The words of a command, without the program's name."""
    return (*_path(context.parent), context.info_name or "") if context.parent else ()


def _unknown_variables(root: click.Group) -> Iterator[str]:
    options = [option for found in config_file.options_of(root).values() for _, option in found]
    known = [variable(CONFIG), SOURCE_PASSWORD, *filter(None, map(variable_of, options))]
    for name in sorted(os.environ):
        if name.startswith(f"{PREFIX}_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            yield f"{name} is a setting of no command" + (f"; did you mean {near[0]}?" if near else "")


def _reported(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    """Errors are caught here, too, where it is known which settings were given and where."""

    def run(*arguments: Any, **named: Any) -> Any:
        with exiting_by_code():
            context = click.get_current_context()
            path = _path(context)
            if Manner.asked_for().verbose:
                for name, origin in origins(context).items():
                    Output().say(f"{name} is from {origin}")
            _refuse_empty(context)
            for line in lines(context, path):
                Output().say(line)
            with explained(path):
                return callback(*arguments, **named) if callback else None

    return run


def _refuse_empty(context: click.Context) -> None:
    """A script whose variable is unset must not be taken for a person who left an option out."""
    problems = [
        _empty(name)
        for name, value in context.params.items()
        if weakness(context, name) == 0 and says_nothing(name, value)
    ]
    if problems:
        raise InvalidRequest(problems)


def _empty(name: str) -> Problem:
    return Problem(name, f"is given, but empty: --{name.replace('_', '-')} takes a value, or is left out")
