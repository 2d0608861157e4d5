"""What every command has: how it talks, and settings from the environment and one file."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from airflow_dynamo_pipeline.cli import config_file
from airflow_dynamo_pipeline.cli.ending import exiting_by_code
from airflow_dynamo_pipeline.cli.manner import Manner, manner_options
from airflow_dynamo_pipeline.cli.options import files
from airflow_dynamo_pipeline.cli.origins import FILE, PREFIX, origins, variable
from airflow_dynamo_pipeline.cli.output import Output

CONFIG = "config"


def settle(group: click.Group) -> None:
    """Give every command of a finished tree what all of them have, whoever wrote it."""
    for command in group.commands.values():
        command.short_help = command.short_help or " ".join((command.help or "").split("\n\n")[0].split())
        if isinstance(command, click.Group):
            settle(command)
            continue
        command.params += [_config_option(), *manner_options()]
        command.context_settings = {**command.context_settings, "auto_envvar_prefix": PREFIX}
        command.callback = _reported(command.callback)


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
    if file is not None:
        context.meta[FILE] = file
        context.default_map = config_file.read(file, root, _path(context))


def _path(context: click.Context) -> Sequence[str]:
    """The words of a command, without the program's name."""
    return (*_path(context.parent), context.info_name or "") if context.parent else ()


def _unknown_variables(root: click.Group) -> Iterator[str]:
    known = [variable(name) for name in (*config_file.options_of(root), CONFIG)]
    for name in sorted(os.environ):
        if name.startswith(f"{PREFIX}_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            yield f"{name} is a setting of no command" + (f"; did you mean {near[0]}?" if near else "")


def _reported(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    """Errors are caught here, too, where it is known which settings were given and where."""

    def run(*arguments: Any, **named: Any) -> Any:
        with exiting_by_code():
            if Manner.asked_for().verbose:
                for name, origin in origins(click.get_current_context()).items():
                    Output().say(f"{name} is from {origin}")
            return callback(*arguments, **named) if callback else None

    return run
